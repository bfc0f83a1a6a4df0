"""The training loop and its losses. The seed determines the result."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn
from torch.nn import functional

from eigentropy.baselines._pytorch import usual_defaults
from eigentropy.studies.courses import Course
from eigentropy.studies.data import Labels
from eigentropy.studies.vision.architectures import Network, as_numbers
from eigentropy.studies.vision.pictures import Pictures

# Temperature of SimCLR's loss, and width of its projector's output.
TEMPERATURE = 0.5
PROJECTION = 64

# Pixels by which digits are moved.
SHIFT = 2

# Weight of the ridge in the linear probe, times the number of rows.
RIDGE = 1e-3
PASS = 1024

# What is drawn, whatever PyTorch's defaults are.
FLOAT32_ON_CPU: dict[str, Any] = {"dtype": torch.float32, "device": "cpu"}


def device() -> torch.device:
    """The GPU if there is one, else the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


class CrossEntropy(nn.Module):
    """Supervised learning, with an optional further term on the rows of Z, scaled to length 1.

    `moved` is how each picture is changed whenever it is shown, if it is.
    """

    def __init__(
        self,
        term: nn.Module | None = None,
        *,
        takes_labels: bool = False,
        moved: Callable[[torch.Tensor, torch.Generator], torch.Tensor] | None = None,
    ) -> None:
        super().__init__()
        self.term, self.takes_labels, self.moved = term, takes_labels, moved

    def forward(
        self, network: Network, X: torch.Tensor, y: torch.Tensor, generator: torch.Generator
    ) -> torch.Tensor:
        """The loss of a batch."""
        if self.moved is not None:
            X = self.moved(X, generator)
        Z = network.features(X)
        loss: torch.Tensor = functional.cross_entropy(network.head(Z), y)
        if self.term is None or len(Z) < 2:
            return loss
        rows = functional.normalize(Z)
        further: torch.Tensor = self.term(rows, y) if self.takes_labels else self.term(rows)
        return loss + further


def supervised(data: str) -> CrossEntropy:
    """Supervised learning, of more pictures than there are where these are few.

    The digits of 28 pixels are moved by up to 2, the objects are mirrored.
    """
    changes = {"mnist-5000": shifted, "cifar10": mirrored}
    return CrossEntropy(moved=changes.get(data))


def mirrored(X: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Every second picture or so, left for right."""
    chosen = torch.rand(len(X), generator=generator, **FLOAT32_ON_CPU) < 0.5
    return torch.where(chosen.to(X.device)[:, None, None, None], X.flip(-1), X)


def shifted(X: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Each picture moved by at most SHIFT pixels down or up and right or left, its edge black."""
    n, _, height, width = X.shape
    drawn = torch.randint(2 * SHIFT + 1, (2, n, 1), generator=generator, device="cpu").to(X.device)
    padded = functional.pad(X, (SHIFT,) * 4).permute(0, 2, 3, 1)
    rows, columns = (
        drawn[i] + torch.arange(side, device=X.device) for i, side in enumerate((height, width))
    )
    numbers = torch.arange(n, device=X.device)[:, None, None]
    return padded[numbers, rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2)


class Contrastive(nn.Module):
    """SimCLR (Chen et al. 2020): two views of a picture shall be closer than views of others."""

    def __init__(self, width: int, seed: int, *, flips: bool) -> None:
        super().__init__()
        self.flips = flips
        with torch.random.fork_rng(), usual_defaults(torch):
            torch.manual_seed(seed)
            self.projector = nn.Sequential(
                nn.Linear(width, width), nn.ReLU(), nn.Linear(width, PROJECTION)
            )

    def forward(
        self, network: Network, X: torch.Tensor, y: torch.Tensor, generator: torch.Generator
    ) -> torch.Tensor:
        """The normalised temperature-scaled cross-entropy of a batch, without the labels."""
        views = torch.cat([augmented(X, generator, flips=self.flips) for _ in range(2)])
        rows = functional.normalize(self.projector(network.features(views)))
        similarities = rows @ rows.T / TEMPERATURE
        similarities.fill_diagonal_(-math.inf)
        n = len(X)
        other = torch.arange(2 * n, device=rows.device).roll(n)
        return functional.cross_entropy(similarities, other)


def augmented(X: torch.Tensor, generator: torch.Generator, *, flips: bool) -> torch.Tensor:
    """Each picture turned, cropped, moved, perhaps flipped, and of another contrast and brightness.

    Drawn on the CPU, so that a seed means the same on every device.
    """
    X = as_numbers(X)
    n = len(X)

    def drawn(low: float, high: float) -> torch.Tensor:
        return low + (high - low) * torch.rand(n, generator=generator, **FLOAT32_ON_CPU)

    angle, scale = drawn(-0.35, 0.35), drawn(0.7, 1.1)
    mirror = torch.ones(n, **FLOAT32_ON_CPU)
    if flips:
        mirror[drawn(0.0, 1.0) < 0.5] = -1.0
    cosine, sine = scale * angle.cos(), scale * angle.sin()
    first = torch.stack([mirror * cosine, -sine, drawn(-0.25, 0.25)], dim=1)
    second = torch.stack([mirror * sine, cosine, drawn(-0.25, 0.25)], dim=1)
    grid = functional.affine_grid(
        torch.stack([first, second], dim=1).to(X.device), list(X.shape), align_corners=False
    )
    views = functional.grid_sample(X, grid, align_corners=False)
    contrast, brightness = drawn(0.6, 1.4), drawn(-0.2, 0.2)
    noise = 0.05 * torch.randn(X.shape, generator=generator, **FLOAT32_ON_CPU)
    views = views * contrast.to(X.device)[:, None, None, None] + noise.to(X.device)
    return views + brightness.to(X.device)[:, None, None, None]


def train(
    network: Network,
    pictures: Pictures,
    plan: Course,
    objective: nn.Module,
    seed: int,
    *,
    fused: bool = False,
) -> Iterator[tuple[int, float]]:
    """Train, and yield each epoch and its mean loss, beginning with (0, NaN) before training.

    `fused` takes PyTorch's AdamW of one pass over the weights, which rounds differently. It pays
    for large layers of which a batch is small, where the optimiser takes most of the time.

    Raises
    ------
    FloatingPointError
        The loss is not finite; the message names the epoch.
    """
    losses: list[float] = []
    for epoch, loss in train_by_batch(network, pictures, plan, objective, seed, fused=fused):
        losses.append(loss)
        if epoch == int(epoch):
            yield int(epoch), float(np.mean(losses))
            losses = []


def train_by_batch(
    network: Network,
    pictures: Pictures,
    plan: Course,
    objective: nn.Module,
    seed: int,
    *,
    fused: bool = False,
) -> Iterator[tuple[float, float]]:
    """Train, and yield after each batch how many epochs are done and the batch's loss.

    The first is (0, NaN), before training.

    Raises
    ------
    FloatingPointError
        The loss is not finite; the message names the epoch.
    """
    where = device()
    network.to(where)
    objective.to(where)
    X, labels = pictures.X, torch.from_numpy(pictures.y)
    rng = np.random.default_rng([seed, 7])
    generator = torch.Generator("cpu").manual_seed(seed)
    optimiser = torch.optim.AdamW(
        [*network.parameters(), *objective.parameters()], lr=plan.learning_rate, fused=fused
    )
    batches = math.ceil(len(X) / plan.batch_size)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimiser, lambda step: rate_factor((step + 1) / batches, plan)
    )
    yield 0.0, math.nan
    for epoch in range(plan.epochs):
        parts = np.array_split(rng.permutation(len(X)), batches)  # all of about one size
        for done, rows in enumerate(parts, start=1):
            network.train()  # whoever measured it in between
            chosen = torch.from_numpy(rows)
            loss = objective(network, X[chosen].to(where), labels[chosen].to(where), generator)
            if not torch.isfinite(loss):
                raise FloatingPointError(f"training diverged in epoch {epoch + 1}")
            optimiser.zero_grad()
            loss.backward()
            with torch.device("cpu"):  # where Adam's first step counts its steps
                optimiser.step()
            schedule.step()
            yield epoch + done / batches, loss.item()


def rate_factor(epochs: float, plan: Course) -> float:
    """The factor of the learning rate at an epoch: a linear warm-up, then a cosine."""
    if epochs < plan.warm_up or plan.epochs <= plan.warm_up:
        return min(1.0, epochs / plan.warm_up)
    done = (epochs - plan.warm_up) / (plan.epochs - plan.warm_up)
    return 0.5 * (1.0 + math.cos(math.pi * min(1.0, done)))


def outputs(network: Network, X: torch.Tensor) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    """Z and the head's output for all pictures, in evaluation mode."""
    network.eval()
    where = next(network.parameters()).device
    with torch.no_grad():
        features = [network.features(part.to(where)) for part in torch.split(X, PASS)]
        logits = [network.head(part) for part in features]
    return torch.cat(features).cpu().numpy(), torch.cat(logits).cpu().numpy()


def accuracy(network: Network, seen: Pictures, pictures: Pictures) -> float:
    """Share of the pictures whose class has the largest output; `seen` is not needed."""
    return _share(outputs(network, pictures.X)[1], pictures.y)


def linear_probe(network: Network, seen: Pictures, pictures: Pictures) -> float:
    """Accuracy of a ridge regression from standardised Z onto the classes, fitted to `seen`."""
    Z, rows = (outputs(network, part.X)[0].astype(float) for part in (seen, pictures))
    mean, deviation = Z.mean(axis=0), Z.std(axis=0)
    deviation[deviation == 0.0] = 1.0
    Z, rows = ((part - mean) / deviation for part in (Z, rows))
    targets = np.eye(network.head.out_features)[seen.y]
    offset = targets.mean(axis=0)
    gram = Z.T @ Z + RIDGE * len(Z) * np.eye(Z.shape[1])
    weights = np.linalg.solve(gram, Z.T @ (targets - offset))
    return _share(rows @ weights + offset, pictures.y)


def _share(outputs: npt.NDArray[Any], y: Labels) -> float:
    return float((outputs.argmax(axis=1) == y).mean())
