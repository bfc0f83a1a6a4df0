"""How far an entropy from float32 eigenvalues may be from the exact one.

docs/mathematics.md derives the bound; benchmarks/float32_accuracy.py measures how it holds.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from eigentropy.spectrum import NOISE_FLOOR_EPS

EPS = float(np.finfo(np.float32).eps)

# Below, the whole computation takes some milliseconds in either precision.
SINGLE_FROM = 1000

# The core computes distances again from differences where rounding could change the exponent of
# the kernel by more (csrc/cpu/kernel.cpp). With more than a quarter as many columns as rows that
# takes longer than float32 saves.
REFINED_ABOVE = 1e-5
REFINED_COLUMNS = 0.25

Doubles = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Rounding:
    """What is known of the rounding in a spectrum: see `entropy_error`.

    Attributes
    ----------
    delta : float
        No eigenvalue is further than this from the exact one.
    trace : float
        The sum of the exact eigenvalues, to a relative error of `delta`.
    """

    delta: float
    trace: float

    def entropy_error(self, eigenvalues: Any, t: float, base: float) -> float:
        """Bound of the error of S(t), in the unit of `base`."""
        return entropy_error(eigenvalues, t, self.delta, self.trace) / math.log(base)


def reach(rows: npt.NDArray[Any], sigma: float) -> float:
    """Largest distance of a row from the mean row, in units of sigma; infinite on overflow."""
    largest = 0.0
    with np.errstate(over="ignore", invalid="ignore"):
        center = rows.mean(axis=0, dtype=np.float64)
        for start in range(0, len(rows), 256):
            offsets = (rows[start : start + 256] - center) / sigma
            norm = float(np.einsum("ij,ij->i", offsets, offsets).max())
            largest = max(largest, norm) if math.isfinite(norm) else math.inf
    return math.sqrt(largest)


def eigenvalue_error(n: int, reach: float, outside: float = 0.0) -> float:
    """Bound of the error of each of n eigenvalues in float32.

    eps (5 + sqrt(n)/5) is at least twice what kernel and solver were measured to make of n rows
    that do not coincide. Rounding the coordinates changes the kernel by up to eps * reach.
    `outside` is how far eigenvalues were seen outside of [0, 1], which can be nothing but error;
    where many rows coincide it is larger.
    """
    return min(1.0, max(EPS * (5.0 + 0.2 * math.sqrt(n) + reach), 2.0 * outside))


def may_use_single(
    n: int, d: int, reach: Callable[[], float], times: Sequence[float], tol: float
) -> bool:
    """Whether float32 is worth trying, as far as can be told before solving for n rows.

    t < 1 magnifies the smallest eigenvalues, which float32 does not resolve. `reach` is called
    only where it decides.
    """
    if n < SINGLE_FROM or min(times) < 1.0 or eigenvalue_error(n, reach()) >= tol:
        return False
    exponent_error = (4.0 + math.sqrt(d)) * EPS * 0.5 * reach() ** 2
    return exponent_error <= REFINED_ABOVE or d <= REFINED_COLUMNS * n


def within(error: float, entropy: float, tol: float, base: float = math.e) -> bool:
    """Whether an entropy meets the relative tolerance; one below `tol` nats counts as `tol`."""
    return error <= tol * max(entropy - error, tol / math.log(base))


def entropy_error(eigenvalues: Any, t: float, delta: float, trace: float) -> float:
    r"""Bound of \|S(t) - exact S(t)\| in nats, where every eigenvalue is wrong by up to delta.

    S grows with :math:`x_i = \lambda_i^t` while x_i is below the level :math:`X e^{-S}`,
    :math:`X = \sum x_i`, and falls above it. So S is largest where every x_i goes as far towards
    the level as its interval allows, and smallest where every x_i goes away from it (to first
    order, since the level moves too).

    Eigenvalues below 2 delta cannot be told from 0 one by one. Together they are what the trace
    leaves beside the others; S is largest where they share it equally, and smallest without them.
    """
    values = np.clip(np.asarray(eigenvalues, dtype=np.float64), 0.0, 1.0)
    floor = NOISE_FLOOR_EPS * EPS * float(values.max())
    counted = np.where(values > floor, values, 0.0) ** t
    entropy = _entropy(counted)
    level = float(counted.sum()) * math.exp(-entropy)

    cut = max(2.0 * delta, floor)
    resolved = values[values > cut]
    low = np.maximum(resolved - delta, 0.0) ** t
    high = np.minimum(resolved + delta, 1.0) ** t
    unresolved = len(values) - len(resolved)
    hidden = max(0.0, trace - float(resolved.sum())) + (len(resolved) + trace) * delta
    hidden = min(hidden, unresolved * (cut + delta))
    largest = _entropy(
        np.clip(level, low, high), _power_sum(hidden, unresolved, t, cut + delta), unresolved
    )
    smallest = _entropy(np.where(resolved**t > level, high, low))
    # The entropies are sums in float64, which matters where they are nearly 0.
    own_rounding = 4.0 * float(np.finfo(np.float64).eps) * (1.0 + math.log(len(values)))
    return max(largest - entropy, entropy - smallest) + own_rounding


def _power_sum(total: float, count: int, t: float, at_most: float) -> float:
    """Largest sum of t-th powers of `count` numbers in 0 .. at_most that add up to `total`."""
    if count == 0:
        return 0.0
    if t <= 1.0:
        return float(count * (total / count) ** t)
    return float(total * at_most ** (t - 1.0))


def _entropy(x: Doubles, rest: float = 0.0, count: int = 1) -> float:
    """Entropy in nats of numbers proportional to x and to `count` equal ones that sum to `rest`."""
    x = x[x > 0.0]
    total = float(x.sum()) + rest
    if total == 0.0:
        return 0.0
    moment = float(x @ np.log(x))
    if rest > 0.0:
        moment += rest * math.log(rest / count)
    return max(0.0, math.log(total) - moment / total)
