"""Small self-supervised networks on digits, SimCLR and VICReg, that can be made to collapse.

A network is trained in health up to an onset, copied there, and each copy goes on with another
fault. All that is drawn comes from generators of the training's own. PyTorch is imported only here.
"""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from eigentropy.baselines._pytorch import usual_defaults
from eigentropy.studies.data import Labels
from eigentropy.studies.faults import (
    CLASS,
    CLUSTER,
    COMPLETE,
    DIMENSIONAL,
    SIMCLR,
    VICREG,
    Schedule,
)
from eigentropy.studies.networks import SIDE
from eigentropy.studies.vision.learning import FLOAT32_ON_CPU, TEMPERATURE

# Columns of the embedding.
WIDTH = 32

# Of VICReg: invariance, variance, covariance. The paper has 25, 25, 1 for 8192 columns, with which
# an embedding of 32 columns keeps few directions without any fault.
WEIGHTS = (10.0, 25.0, 10.0)

# Views: pixels are hidden with this probability, and get noise of this deviation.
HIDDEN, NOISE = 0.15, 0.1

# What pulls rows to the point that they collapse to, and how many clusters there are.
PULL = {
    (SIMCLR, CLUSTER): 5.0,
    (SIMCLR, CLASS): 0.5,
    (VICREG, CLUSTER): 0.8,
    (VICREG, CLASS): 0.4,
}
CLUSTERS = 5

# The class that collapses: zeros are apart from other digits, which the pull hardly moves then.
COLLAPSING = 0


@dataclass(frozen=True)
class Attraction:
    """Where the rows of a training picture are pulled to, and which rows are pulled."""

    at: torch.Tensor  # (n, WIDTH)
    pulled: torch.Tensor  # (n,), truth values


class Encoder(nn.Module):
    """Four layers; SimCLR scales the rows of the `embedding` to length 1."""

    def __init__(self, method: str) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Linear(SIDE * SIDE, 128), nn.ReLU(), nn.Linear(128, 64), nn.ReLU(),
            nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, WIDTH),
        )  # fmt: skip
        self.embedding = Directions() if method == SIMCLR else nn.Identity()

    def forward(self, X: torch.Tensor) -> torch.Tensor:
        """The embedding (n, WIDTH) of pictures (n, SIDE * SIDE)."""
        Z: torch.Tensor = self.embedding(self.body(X))
        return Z


class Directions(nn.Module):
    """Scales rows to length 1."""

    def forward(self, Z: torch.Tensor) -> torch.Tensor:
        """The directions of the rows."""
        return functional.normalize(Z)


class Training:
    """A network, its optimiser and its random numbers, step by step.

    Parameters
    ----------
    method : "SimCLR" or "VICReg"
    X : tensor of shape (n, SIDE * SIDE)
    y : array of shape (n,)
        Not seen but by the fault `class`.
    schedule : Schedule
    seed : int
    """

    def __init__(
        self, method: str, X: torch.Tensor, y: Labels, schedule: Schedule, seed: int
    ) -> None:
        self.method, self.X, self.y = method, X, torch.from_numpy(y)
        self.schedule, self.seed = schedule, seed
        with torch.random.fork_rng(), usual_defaults(torch):
            torch.manual_seed(seed)
            self.network = Encoder(method)
        self.generator = torch.Generator("cpu").manual_seed(seed)
        self.optimiser = torch.optim.AdamW(
            self.network.parameters(), lr=schedule.learning_rate, weight_decay=1e-4
        )
        self.fault = ""
        self.points: Attraction | None = None

    def fork(self, fault: str) -> Training:
        """A copy that goes on by itself, with a fault."""
        other = Training(self.method, self.X, self.y.numpy(), self.schedule, self.seed)
        other.network.load_state_dict(self.network.state_dict())
        # Without a copy of its own the optimiser would share its moments.
        other.optimiser.load_state_dict(deepcopy(self.optimiser.state_dict()))
        other.generator.set_state(self.generator.get_state())
        other.fault, other.points = fault, self._attraction(fault)
        return other

    def _attraction(self, fault: str) -> Attraction | None:
        """What the embeddings of now are pulled to by faults that pull."""
        if (self.method, fault) not in PULL:
            return None
        with torch.no_grad():
            Z = self.network(self.X)
        if fault == CLASS:
            pulled = self.y == COLLAPSING
            return Attraction(Z[pulled].mean(dim=0).expand(len(Z), WIDTH), pulled)
        from sklearn.cluster import KMeans

        found = KMeans(CLUSTERS, n_init=3, random_state=self.seed).fit(Z.double().numpy())
        centres = torch.from_numpy(found.cluster_centers_[found.labels_]).float()
        return Attraction(centres, torch.ones(len(Z), dtype=torch.bool))

    def step(self, strength: float = 0.0) -> None:
        """Learn from one batch. The fault is there with this strength, from 0 to 1."""
        rows = torch.randint(len(self.X), (self.schedule.batch,), generator=self.generator)
        a, b = (self.network(views(self.X[rows], self.generator)) for _ in range(2))
        loss: Any = self._objective()(a, b, self._kept(rows, strength), *self._weights(strength))
        if self.points is not None:
            pulled, at = self.points.pulled[rows], self.points.at[rows]
            away = (a - at).square().sum(dim=1) + (b - at).square().sum(dim=1)
            pull = (pulled * away).sum() / pulled.sum().clamp(min=1)
            loss = loss + strength * PULL[self.method, self.fault] * pull
        self.optimiser.zero_grad()
        loss.backward()
        with torch.device("cpu"):  # where Adam's first step counts its steps
            self.optimiser.step()

    def _objective(self) -> Callable[..., torch.Tensor]:
        return simclr if self.method == SIMCLR else vicreg

    def _kept(self, rows: torch.Tensor, strength: float) -> torch.Tensor:
        """Which rows the terms that prevent collapse look at."""
        left_out = self.fault == CLASS and strength > 0.0
        return (self.y[rows] != COLLAPSING) | (not left_out)

    def _weights(self, strength: float) -> tuple[float, ...]:
        """Of the terms that prevent collapse, as shares: against points, against few directions."""
        points = 1.0 - strength if self.fault == COMPLETE else 1.0
        if self.method == SIMCLR:
            return (points,)
        return points, 1.0 - strength if self.fault in (COMPLETE, DIMENSIONAL) else 1.0


def views(X: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Each picture (n, SIDE * SIDE) moved by up to a pixel, with hidden pixels and with noise."""
    n = len(X)
    padded = functional.pad(X.reshape(n, SIDE, SIDE), (1, 1, 1, 1))
    down, right = torch.randint(3, (2, n, 1), generator=generator)
    pixels = torch.arange(SIDE)
    moved = padded[
        torch.arange(n)[:, None, None], (down + pixels)[:, :, None], (right + pixels)[:, None, :]
    ].reshape(n, -1)
    shown = torch.rand(X.shape, generator=generator, **FLOAT32_ON_CPU) >= HIDDEN
    return moved * shown + NOISE * torch.randn(X.shape, generator=generator, **FLOAT32_ON_CPU)


def simclr(a: torch.Tensor, b: torch.Tensor, kept: torch.Tensor, negatives: float) -> torch.Tensor:
    """SimCLR (Chen et al. 2020), the term of the negatives times a share.

    The negatives of rows that are not kept are left out, and they are no negatives of others.
    """
    n = len(a)
    rows, kept = torch.cat([a, b]), torch.cat([kept, kept])
    similarities = rows @ rows.T / TEMPERATURE
    alike = similarities[torch.arange(2 * n), torch.arange(2 * n).roll(n)]
    unlike = similarities.masked_fill(torch.eye(2 * n, dtype=torch.bool) | ~kept, -torch.inf)
    apart = unlike[kept].logsumexp(dim=1).sum() / (2 * n)
    return negatives * apart - alike.mean()


def vicreg(
    a: torch.Tensor, b: torch.Tensor, kept: torch.Tensor, variance: float, covariance: float
) -> torch.Tensor:
    """VICReg (Bardes et al. 2022), the terms of variance and covariance times a share.

    Rows that are not kept are in neither of these terms.
    """
    of_invariance, of_variance, of_covariance = WEIGHTS
    loss = of_invariance * functional.mse_loss(a, b)
    for view in (a[kept], b[kept]):
        centred = view - view.mean(dim=0)
        C = centred.T @ centred / (len(view) - 1)
        short = functional.relu(1.0 - (C.diagonal() + 1e-4).sqrt()).mean()
        loss = loss + variance * of_variance * short / 2
        correlated = C.square().sum() - C.diagonal().square().sum()
        loss = loss + covariance * of_covariance * correlated / WIDTH
    return loss


def embedded(network: nn.Module, X: torch.Tensor) -> Any:
    """The embeddings (n, WIDTH) of pictures, without a gradient."""
    with torch.no_grad():
        return network(X).numpy()


def views_of_each(X: torch.Tensor, count: int, seed: int) -> torch.Tensor:
    """Views (n, count, SIDE * SIDE) of pictures, as training draws them."""
    generator = torch.Generator("cpu").manual_seed(seed)
    return torch.stack([views(X, generator) for _ in range(count)], dim=1)


def tensor(X: Any) -> torch.Tensor:
    """Pictures as numbers of float32."""
    return torch.from_numpy(np.ascontiguousarray(X, dtype=np.float32))
