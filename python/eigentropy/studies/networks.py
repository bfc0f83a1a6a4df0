"""Small networks of many kinds, trained for long or hardly at all; their hidden layer is measured.

PyTorch is imported only here. No global random state is touched: weights, batches and labels are
drawn from generators of the network's own.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from eigentropy.baselines._pytorch import require_torch, threads_for
from eigentropy.studies.data import Array, Labels, corrupted
from eigentropy.studies.rows import Parameter

ACTIVATIONS = ("ReLU", "Tanh", "GELU", "LeakyReLU")
BATCH = 32
CLASSES, SIDE = 10, 8


@dataclass(frozen=True)
class Recipe:
    """Everything that determines a network, except the seed."""

    family: str  # "mlp" or "conv"
    width: int  # hidden units, or channels
    depth: int
    activation: str
    scale: float  # of the initial weights, times those of He et al.
    learning_rate: float
    rows: int  # that it is trained on
    label_noise: float  # share of their labels that are replaced
    epochs: int

    @property
    def settings(self) -> dict[str, Parameter]:
        """The parameters of its cells."""
        return asdict(self)


def recipes(count: int, seed: int) -> list[Recipe]:
    """Recipes drawn at random. A larger count begins with the recipes of a smaller one."""
    rng = np.random.default_rng([seed, 4])
    return [_recipe(rng) for _ in range(count)]


def _recipe(rng: np.random.Generator) -> Recipe:
    family = str(rng.choice(["mlp", "conv"]))
    widths = [8, 16, 32, 64, 128, 256] if family == "mlp" else [2, 4, 8, 16, 32]
    return Recipe(
        family,
        width=int(rng.choice(widths)),
        depth=int(rng.integers(1, 5)),
        activation=str(rng.choice(ACTIVATIONS)),
        scale=_rounded(math.exp(rng.uniform(math.log(0.1), math.log(10.0)))),
        learning_rate=_rounded(math.exp(rng.uniform(math.log(1e-4), math.log(3e-2)))),
        rows=int(rng.choice([50, 150, 450, 900])),
        label_noise=float(rng.choice([0.0, 0.0, 0.25, 0.5, 1.0])),
        epochs=int(rng.choice([0, 1, 3, 10, 30])),
    )


def _rounded(value: float) -> float:
    """Three significant digits, which is what a table shows."""
    return float(f"{value:.3g}")


def torch_for_networks() -> Any:
    """PyTorch, or an error that says which extra brings it."""
    return require_torch("the networks need")


def hidden_layer(
    recipe: Recipe, X: Array, y: Labels, X_heldout: Array, seed: int
) -> npt.NDArray[np.float32]:
    """Train the network on rows of (X, y) and return what X_heldout becomes before the last layer.

    Returns
    -------
    array of shape (len(X_heldout), number of hidden units)

    Raises
    ------
    FloatingPointError
        Training diverged; the message names the step.
    """
    torch = torch_for_networks()
    rng = np.random.default_rng([seed, 5])
    chosen = rng.permutation(len(X))[: recipe.rows]
    told = corrupted(y[chosen], recipe.label_noise, seed=seed)
    body, head = _network(recipe, rng)
    # All of these networks are small.
    with threads_for(torch, 0):
        _train(body, head, recipe, X[chosen].astype(np.float32), told, rng)
    with torch.no_grad():
        Z: npt.NDArray[np.float32] = body(_images(recipe, X_heldout)).numpy()
    if not np.isfinite(Z).all():
        raise FloatingPointError("training diverged: the hidden layer is not finite")
    return Z


def _network(recipe: Recipe, rng: np.random.Generator) -> tuple[Any, Any]:
    nn = torch_for_networks().nn
    layers: list[Any] = []
    inputs, side = (SIDE * SIDE, 0) if recipe.family == "mlp" else (1, SIDE)
    for depth in range(recipe.depth):
        layers.append(_layer(recipe, inputs, rng))
        layers.append(getattr(nn, recipe.activation)())
        if recipe.family == "conv" and depth % 2 == 1:
            layers.append(nn.MaxPool2d(2))
            side //= 2
        inputs = recipe.width
    if recipe.family == "conv":
        layers.append(nn.Flatten())
        inputs *= side * side
    head = _empty(nn.Linear, inputs, CLASSES)
    _draw_weights(head, 1.0, rng)
    return nn.Sequential(*layers), head


def _layer(recipe: Recipe, inputs: int, rng: np.random.Generator) -> Any:
    nn = torch_for_networks().nn
    if recipe.family == "mlp":
        layer = _empty(nn.Linear, inputs, recipe.width)
    else:
        layer = _empty(nn.Conv2d, inputs, recipe.width, 3, padding=1)
    _draw_weights(layer, recipe.scale, rng)
    return layer


def _empty(kind: Any, *sizes: int, **options: Any) -> Any:
    """A layer without weights, of float32 on the CPU."""
    torch = torch_for_networks()
    return torch.nn.utils.skip_init(kind, *sizes, **options, device="cpu", dtype=torch.float32)


def _draw_weights(layer: Any, scale: float, rng: np.random.Generator) -> None:
    """Normal weights of variance 2 / fan-in (He et al. 2015), times scale; biases 0."""
    torch = torch_for_networks()
    shape = tuple(layer.weight.shape)
    deviation = scale * math.sqrt(2.0 / math.prod(shape[1:]))
    with torch.no_grad():
        layer.weight.copy_(torch.from_numpy(deviation * rng.standard_normal(shape)))
        layer.bias.zero_()


def _images(recipe: Recipe, X: npt.NDArray[Any]) -> Any:
    torch = torch_for_networks()
    rows = torch.from_numpy(np.ascontiguousarray(X, dtype=np.float32))
    return rows if recipe.family == "mlp" else rows.reshape(-1, 1, SIDE, SIDE)


def _train(
    body: Any, head: Any, recipe: Recipe, X: npt.NDArray[Any], y: Labels, rng: np.random.Generator
) -> None:
    torch = torch_for_networks()
    images, labels = _images(recipe, X), torch.from_numpy(y)
    weights = [*body.parameters(), *head.parameters()]
    optimiser = torch.optim.Adam(weights, lr=recipe.learning_rate)
    step = 0
    for _ in range(recipe.epochs):
        order = torch.from_numpy(rng.permutation(len(X)))
        for batch in order.split(BATCH):
            loss = torch.nn.functional.cross_entropy(head(body(images[batch])), labels[batch])
            if not math.isfinite(loss.item()):
                raise FloatingPointError(f"training diverged at step {step}")
            optimiser.zero_grad()
            loss.backward()
            with torch.device("cpu"):  # where Adam's first step counts its steps
                optimiser.step()
            step += 1
