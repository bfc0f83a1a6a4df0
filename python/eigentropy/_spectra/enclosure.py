"""Bounds of entropies by what a factor of low rank says, and the rank that the bounds will take.

docs/explanations/lowrank.md proves the bounds.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from eigentropy._spectra.functionals import Functional, Shannon

# Bound of what rounding in kernel and factor does to an eigenvalue of A - F^T F, beside that of the
# coordinates: benchmarks/accuracy/lowrank_ranks.py measures it.
ROUNDING = 1e-12

EPS = float(np.finfo(np.float64).eps)

Doubles = npt.NDArray[np.float64]

# S(1), and the von Neumann entropy.
FIRST = Shannon(1.0)


def low_rank_gives(which: Functional, has_unit: bool) -> bool:
    """Whether a factor of low rank bounds this entropy.

    Where the sum of the eigenvalues is known, that is every function that grows whenever
    eigenvalues come closer to each other. Powers of a diffusion operator have no known sum.
    """
    return which == FIRST or not has_unit


def entropy_interval(
    eigenvalues: Doubles,
    n: int,
    trace: float,
    diagonal: Doubles,
    rounding: float = ROUNDING,
    *,
    which: Functional = FIRST,
    has_unit: bool = True,
) -> tuple[float, float]:
    r"""Smallest and largest entropy in nats of an A >= F^T F with eigenvalues up to 1.

    The eigenvalues of A add up to its trace, and each is between that of F^T F and 1. Among such
    spectra, S is smallest where all that is missing goes to the largest eigenvalues, and largest
    where it raises the smallest to one level: these two majorise, and are majorised by, all others.
    Besides, for t = 1,

    .. math:: -\operatorname{tr} A \log A \le
        -\operatorname{tr} \hat A \log \hat A - \sum_i R_{ii} \log R_{ii},
        \qquad \hat A = F^T F, \quad R = A - \hat A.

    Parameters
    ----------
    eigenvalues : array of shape (k,)
        Of F^T F, descending.
    n : int
        Order of A.
    trace : float
        Of A.
    diagonal : array of shape (n,)
        Of R.
    rounding : float
        By how much an eigenvalue of R may be below 0.
    which : Functional
        One that `low_rank_gives`.
    has_unit : bool
        Whether the largest eigenvalue of A is 1.
    """
    lower = np.zeros(n)
    lower[: len(eigenvalues)] = np.maximum(eigenvalues - rounding, 0.0)
    if has_unit:
        lower[0] = 1.0
    missing = max(0.0, trace - float(lower.sum()))
    low = _entropy(_concentrated(lower, missing), which)
    high = _entropy(_levelled(lower, missing), which)
    if which == FIRST:
        high = min(high, _sum_entropy(eigenvalues, diagonal, trace, rounding))
    # The sums themselves, and the relative error of the trace.
    own = (n * EPS + rounding) * (1.0 + math.log(n))
    return max(0.0, low - own), min(math.log(n), high + own)


def predicted_rank(residuals: Doubles, target: float) -> float:
    """The rank at which the residual trace falls to `target`, if it goes on to fall as it does.

    An exponential through the residual at the last rank and at half of it. Most often that is too
    small, since the spectra of kernels that are not smooth fall ever more slowly; it is too large
    where they end at once, as that of some equal clusters does.

    Parameters
    ----------
    residuals : array of shape (k + 1,)
        Residual trace after 0, ..., k pivots: see `LowRankSpectrum`.

    Returns
    -------
    float
        Infinite where the residual does not fall.
    """
    rank = len(residuals) - 1
    last = float(residuals[-1])
    if last <= target:
        return float(rank)
    earlier = float(residuals[rank // 2])
    if earlier <= last:
        return math.inf
    rate = math.log(earlier / last) / (rank - rank // 2)
    return rank + math.log(last / target) / rate if target > 0.0 else math.inf


def next_residual(residual: float, bound: float, allowed: float, n: int) -> float:
    """The residual trace tau at which the bound will be a little below `allowed`.

    It is about proportional to tau (log(n / tau) + 2).
    """
    share = min(1.0, allowed / bound)
    per_unit = math.log(n / residual) + 2.0
    return 0.9 * residual * share * per_unit / (per_unit - math.log(share))


def _concentrated(lower: Doubles, missing: float) -> Doubles:
    """`missing` is added to the first numbers, up to 1 each."""
    filled = np.minimum(np.cumsum(1.0 - lower), missing)
    return lower + np.diff(filled, prepend=0.0)


def _levelled(lower: Doubles, missing: float) -> Doubles:
    """`missing` raises the last numbers to one level. They descend."""
    ascending = lower[::-1]
    levels = (missing + np.cumsum(ascending)) / np.arange(1, len(lower) + 1)
    raised = int(np.count_nonzero(levels >= ascending))
    levelled: Doubles = np.maximum(lower, levels[raised - 1])
    return levelled


def _sum_entropy(eigenvalues: Doubles, diagonal: Doubles, trace: float, rounding: float) -> float:
    """Above S by subadditivity; see `entropy_interval`.

    R + rounding is positive semidefinite. The other terms are what that, and the errors of the
    eigenvalues, may change.
    """
    n, k = len(diagonal), len(eigenvalues)
    total = float(_eta(eigenvalues).sum()) + float(_eta(diagonal + rounding).sum())
    total += n * rounding + k * float(_eta(np.array(rounding)))
    return math.log(trace) + total / trace


def _entropy(values: Doubles, which: Functional) -> float:
    """Of numbers that are divided by their sum."""
    if not isinstance(which, Shannon):
        return which.of_all(values)  # however small: in a sum of small powers, many of these count
    if which != FIRST:
        return which.of_eigenvalues(values)
    total = float(values.sum())
    return math.log(total) + float(_eta(values).sum()) / total


def _eta(x: Any) -> Doubles:
    """-x log x, 0 at 0."""
    logarithms = np.log(x, out=np.zeros_like(x), where=x > 0.0)
    product: Doubles = -x * logarithms
    return product
