"""Entropy of a network's representation against the scale of its initial weights."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from eigentropy._measures.entropy import diffusion_spectral_entropy
from eigentropy._support.options import integer, positive
from eigentropy._support.signatures import check_options, option_names
from eigentropy.torch.monitoring.collection import ALONE, Watched
from eigentropy.torch.monitoring.layers import find_layers, unwrapped
from eigentropy.torch.monitoring.probe import Probe
from eigentropy.torch.monitoring.rows import Pooling, RowRule

# The paper's standard deviations of convolutional weights.
STDS = (1e-3, 1e-2, 2e-2, 3e-2, 4e-2, 5e-2, 8e-2, 1e-1)

# Entropies that differ by no more than this share of the lowest count as equally low.
FLAT = 0.02

Initialize = Callable[[torch.nn.Module, float], object]


@dataclass(frozen=True)
class Scale:
    """What one standard deviation of the initial weights gives.

    Attributes
    ----------
    std : float
    dse : float
        Mean entropy over the repetitions; NaN where the activations overflow.
    spread : float
        Standard deviation of the entropy over the repetitions; 0 for a single one.
    rms : float
        Root mean square of the activations: very small or large where they vanish or explode.
    """

    std: float
    dse: float
    spread: float
    rms: float


@dataclass(frozen=True)
class Sweep:
    """Entropy against the initial scale; `print` shows it as a table.

    Attributes
    ----------
    scales : tuple of Scale
    recommended : float
        The standard deviation to start with; see `sweep`.
    is_flat : bool
        All entropies are within 2 % of each other, or within the noise: only the size of the
        activations has decided.
    """

    scales: tuple[Scale, ...]
    recommended: float
    is_flat: bool

    def __str__(self) -> str:
        """One line a scale, the recommended one with a mark."""
        lines = [f"{'std':>10} {'DSE':>8} {'spread':>8} {'rms':>10}"]
        for s in self.scales:
            mark = "  <- recommended" if s.std == self.recommended else ""
            lines.append(f"{s.std:10.4g} {s.dse:8.3f} {s.spread:8.3f} {s.rms:10.3g}{mark}")
        if self.is_flat:
            lines.append("the entropy is the same at every scale: only the rms has decided")
        return "\n".join(lines)


def sweep(
    model_factory: Callable[[], torch.nn.Module],
    batch: Any,
    stds: Sequence[float] = STDS,
    *,
    layer: str | None = None,
    initialize: Initialize | None = None,
    pooling: str | Pooling = "flatten",
    repetitions: int = 3,
    batch_size: int = 64,
    max_points: int | None = 2048,
    seed: int = 0,
    **options: Any,
) -> Sweep:
    """Entropy of a new model's representation of a batch for each initial scale of its weights.

    The kernel width follows the scale of the activations (``sigma="auto"``). With a fixed width, as
    in the paper, the curve shows how large the activations are rather than how they are spread: it
    runs from 0 to log n whatever the network does. With "auto", a network whose output is
    proportional to its weights (ReLU, no biases) has the same entropy at every scale; `is_flat`
    says so.

    The paper finds that training is faster and its result better from a low initial entropy. So the
    recommended scale has the lowest entropy. Of several scales within 2 % of the lowest entropy, or
    within the noise, it is the one whose activations have a root mean square nearest to 1.

    Parameters
    ----------
    model_factory : callable
        Makes a new model; called for each scale and repetition.
    batch : tensor or array, or a list or dictionary of these
        As the `x` of `Probe`.
    stds : sequence of float
    layer : str, optional
        Name of the module that is measured; the output of the model by default.
    initialize : callable, optional
        ``initialize(model, std)`` sets the weights. By default those of all convolutions, or of
        all linear layers where there are none, are drawn from N(0, std^2), as in the paper.
    pooling : str or callable
        As in `Monitor`.
    repetitions : int
        Number of models for each scale, with seeds `seed`, `seed` + 1, ...; the same for all.
    batch_size, max_points
        As in `Probe`.
    seed : int
    **options
        As in `eigentropy.diffusion_spectral_entropy`.

    Returns
    -------
    Sweep

    Raises
    ------
    ValueError
        No scales, or none with finite activations; a layer that does not exist or does not run; no
        weights to initialise.
    """
    known = option_names(diffusion_spectral_entropy) - {"Z"}
    check_options("sweep", options, known | option_names(sweep))
    sizes = [positive(std, "stds") for std in stds]
    integer(repetitions, "repetitions", at_least=1)
    if not sizes:
        raise ValueError("stds is empty")
    rule = RowRule(pooling)
    integer(seed, "seed", at_least=0)
    probe = Probe(batch, max_points=max_points, batch_size=batch_size)
    scales = []
    for std in sizes:
        measured = []
        for repetition in range(repetitions):
            model = _model(model_factory, initialize or normal_weights, std, seed + repetition)
            rows = _rows(model, layer, probe, rule, seed)
            measured.append(_entropy_and_rms(rows, {"seed": seed, **options}))
        entropies, sizes_of_rows = zip(*measured, strict=True)
        spread = float(np.std(entropies, ddof=1)) if repetitions > 1 else 0.0
        rms = float(np.mean(sizes_of_rows))
        scales.append(Scale(std, float(np.mean(entropies)), spread, rms))
    low = _equally_low(scales)
    if not low:
        raise ValueError("the activations have NaN or infinity at every scale in stds")
    best = min(low, key=lambda scale: abs(math.log(max(scale.rms, 1e-300))))
    return Sweep(tuple(scales), best.std, len(low) == len(scales))


def normal_weights(model: torch.nn.Module, std: float) -> None:
    """Draw the weights of all convolutions, or of all linear layers, from N(0, std^2)."""
    convolutions = (torch.nn.Conv1d, torch.nn.Conv2d, torch.nn.Conv3d)
    for kinds in (convolutions, (torch.nn.Linear,)):
        weights = [module.weight for module in model.modules() if isinstance(module, kinds)]
        if weights:
            for weight in weights:
                torch.nn.init.normal_(weight, std=std)
            return
    raise ValueError("the model has no convolution or linear layer: pass initialize=")


def _model(
    model_factory: Callable[[], torch.nn.Module], initialize: Initialize, std: float, seed: int
) -> torch.nn.Module:
    """A new model, with the random state of PyTorch as it was."""
    with torch.random.fork_rng(devices=range(torch.cuda.device_count())):
        torch.manual_seed(seed)
        model = model_factory()
        if not isinstance(model, torch.nn.Module):
            raise TypeError(
                f"model_factory must return a torch.nn.Module, got {type(model).__name__}"
            )
        with torch.no_grad():
            initialize(model, std)
    return model


def _rows(
    model: torch.nn.Module, layer: str | None, probe: Probe, rule: RowRule, seed: int
) -> npt.NDArray[Any]:
    """What a layer, or the model, returns for a probe."""
    base = unwrapped(model)
    layers = {"output": base} if layer is None else find_layers(base, layer)
    if len(layers) > 1:
        raise ValueError(f"layer must name one module, {layer!r} matches {', '.join(layers)}")
    collection = probe.attach(Watched(model, layers, rule), seed)
    found = collection.take(ALONE).rows
    if not found:
        (why,) = collection.unusable.values() or ("does not run in the model's forward pass",)
        raise ValueError(f"layer {layer!r} {why}")
    return next(iter(found.values()))


def _entropy_and_rms(rows: npt.NDArray[Any], options: dict[str, Any]) -> tuple[float, float]:
    """The entropy and the root mean square of rows; NaN where they are not finite."""
    if not np.isfinite(rows).all():
        return math.nan, math.nan
    rms = math.sqrt(float(np.mean(np.square(rows, dtype=np.float64))))
    return float(diffusion_spectral_entropy(rows, **options)), rms


def _equally_low(scales: Sequence[Scale]) -> list[Scale]:
    """The scales whose entropy is the lowest, or hardly above it."""
    finite = [scale for scale in scales if math.isfinite(scale.dse)]
    if not finite:
        return []
    lowest = min(finite, key=lambda scale: scale.dse)
    return [
        scale
        for scale in finite
        if scale.dse - lowest.dse <= max(FLAT * lowest.dse, math.hypot(scale.spread, lowest.spread))
    ]
