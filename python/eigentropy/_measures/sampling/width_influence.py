"""How the sigma of a rule changes with each row that is left out.

The rules are those of `_kernels/bandwidth.py`. Each one solves F(sigma) = 0 for a sum F over pairs
of rows, so that leaving out row i changes log(sigma) by -(F_{-i} - F) / F'.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from eigentropy._kernels.bandwidth import DEFAULT_RULE, NARROW_FACTOR, NEIGHBOUR, PAIRS
from eigentropy._kernels.matrix import KernelMatrix

Doubles = npt.NDArray[np.float64]

# The step in log(sigma) of a derivative.
STEP = 0.05

# The rules that follow the median distance, and the change of its logarithm, within its own
# sampling error, from which on it jumps: of two clusters of one size, half of the distances are
# short and half are long. No derivative shows a jump.
OF_MEDIAN = ("auto", "median", "narrow")
JUMP = 1.0


def width_changes(squared: Doubles, sigma: float, rule: str) -> Doubles:
    """The change of log(sigma) by leaving out each row.

    Parameters
    ----------
    squared : array of shape (m, m)
        r^2 of all pairs.
    sigma : float
        What the rule takes for these rows.
    rule : str
        Of `bandwidth`.
    """
    distances = np.sqrt(squared)
    rule = DEFAULT_RULE if rule == "auto" else rule
    if rule == "sqrt-d" or not distances.any():
        return np.zeros(len(squared))
    if rule == "knn":
        return _of_neighbours(distances)
    if rule == "max-slope":
        return _implicit(lambda log_sigma: _slopes(squared, log_sigma), math.log(sigma))
    pairs = distances[np.triu_indices(len(distances), k=1)]
    if rule == "narrow" and sigma > (1.0 + STEP) * NARROW_FACTOR * float(
        np.median(_counted(pairs))
    ):
        return _implicit(lambda log_sigma: _counted_pairs(squared, log_sigma), math.log(sigma))
    return _of_median(distances, pairs)


def width_jumps(matrix: KernelMatrix, numbers: npt.NDArray[np.int64]) -> bool:
    """Whether the sigma that a rule chose may be another one altogether on another sample.

    `numbers` are the rows whose distances stand for all.
    """
    if matrix.rule not in OF_MEDIAN:
        return False
    squared, _ = matrix.samples.squared_distances(numbers)
    pairs = _counted(np.sqrt(squared[np.triu_indices(len(squared), k=1)]))
    if not len(pairs):
        return False
    low, high = _near_median(np.log(pairs[pairs > 0.0]), matrix.n)
    return high - low > JUMP


def _counted(pairs: Doubles) -> Doubles:
    """The pairs whose median a rule takes: all, or those that are not 0 where most are."""
    return pairs if np.median(pairs) > 0.0 else pairs[pairs > 0.0]


def _of_median(distances: Doubles, pairs: Doubles) -> Doubles:
    """Of the median of the pairs that count."""
    m, every = len(distances), len(pairs)
    pairs = _counted(pairs)
    counts = ~np.eye(m, dtype=bool) if len(pairs) == every else distances > 0.0
    median = float(np.median(pairs))
    own = counts.sum(axis=1)
    below = (counts & (distances <= median)).sum(axis=1)
    left = np.maximum(len(pairs) - own, 1)
    change = (0.5 * len(pairs) - below) / left - 0.5
    found: Doubles = -change / _density(np.log(pairs[pairs > 0.0]), m)
    return found


def _density(values: Doubles, m: int) -> float:
    """Of the median: over as wide a range as the share below it varies with m rows."""
    low, high = _near_median(values, m)
    return 2.0 * _half_share(m) / max(high - low, 1e-12)


def _near_median(values: Doubles, m: int) -> tuple[float, float]:
    """Where the medians of samples of m rows lie: two standard errors to both sides, or less."""
    half = _half_share(m)
    low, high = np.quantile(values, [0.5 - half, 0.5 + half])
    return float(low), float(high)


def _half_share(m: int) -> float:
    return min(0.25, 1.0 / math.sqrt(m))


def _of_neighbours(distances: Doubles) -> Doubles:
    """Of the median over the rows of the distance to a near neighbour."""
    m = len(distances)
    k = min(NEIGHBOUR, m - 2)
    order = np.argpartition(distances, [k, k + 1], axis=1)
    reach = np.take_along_axis(distances, order[:, [k, k + 1]], axis=1)
    median = float(np.median(reach[:, 0]))
    if median == 0.0:
        return np.zeros(m)
    below = reach[:, 0] <= median
    # Rows that have i among their neighbours, and are above the median without it.
    leaves = below & (reach[:, 1] > median)
    near = distances <= reach[:, :1]
    np.fill_diagonal(near, False)
    count = below.sum() - below - (near & leaves[:, None]).sum(axis=0)
    change = count / (m - 1.0) - below.mean()
    found: Doubles = -change / _density(np.log(np.maximum(reach[:, 0], 1e-3 * median)), m)
    return found


def _implicit(function: Callable[[float], tuple[float, Doubles]], log_sigma: float) -> Doubles:
    """-(F_{-i} - F) / F' where `function` has F and all F_{-i} of a logarithm of sigma."""
    value, without = function(log_sigma)
    up, down = function(log_sigma + STEP)[0], function(log_sigma - STEP)[0]
    slope = (up - down) / (2.0 * STEP)
    return np.zeros(len(without)) if slope == 0.0 else -(without - value) / slope


def _counted_pairs(squared: Doubles, log_sigma: float) -> tuple[float, Doubles]:
    """Log of the effective pairs over what "narrow" wants of them."""
    w = np.exp(-squared * math.exp(-2.0 * log_sigma))
    np.fill_diagonal(w, 0.0)
    first, second, m = w.sum(axis=1), (w**2).sum(axis=1), len(w)
    total, square = 0.5 * first.sum(), 0.5 * second.sum()

    def excess(total: Any, square: Any, m: int) -> Any:
        return np.log(total**2 / square / min(PAIRS * m, m * (m - 1) / 4.0))

    return float(excess(total, square, m)), excess(total - first, square - second, m - 1)


def _slopes(squared: Doubles, log_sigma: float) -> tuple[float, Doubles]:
    """The derivative, by log(sigma), of the slope that "max-slope" makes as large as possible.

    The slope is 2 b / c with the sums b of e G, e = r^2 / (2 sigma^2), and c of G.
    """
    e = squared * (0.5 * math.exp(-2.0 * log_sigma))
    G = np.exp(-e)
    np.fill_diagonal(G, 0.0)
    of_c, of_b, growth = (t.sum(axis=1) for t in (G, e * G, (2.0 * e**2 - 2.0 * e) * G))
    m = len(G)

    def derivative(c: Any, b: Any, growth: Any, m: int) -> Any:
        c = 0.5 * m + c
        return (growth * c - 2.0 * b**2) / c**2

    c, b, grown = (0.5 * float(one.sum()) for one in (of_c, of_b, growth))
    whole = float(derivative(c, b, grown, m))
    return whole, derivative(c - of_c, b - of_b, grown - growth, m - 1)
