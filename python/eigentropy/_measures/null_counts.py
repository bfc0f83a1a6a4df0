r"""How many random partitions n_null="auto" takes, and what then stands for the p-value.

The baseline of a matched information is a mean over random partitions. Their number grows until the
95 % interval of the mean is within `tol` of the baseline, by a spread that does not fall where the
partitions happen to agree:

.. math:: s^2 = \sum_y p_y^2 \, \mathrm{var}(S_y)

over the groups y. Entropies of groups of one partition, which share the rows, move against each
other, so that s is above the standard deviation of their sum. A rule that stops where that sum
itself has varied little would stop where it has done so by chance, and its intervals would cover
too rarely. benchmarks/accuracy/partitions.py measures how often they cover.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from eigentropy._spectra.rounding import within
from eigentropy._support.interval import LEVEL, student_p_value, student_quantile
from eigentropy._support.options import AUTO

# Fewest and most partitions of "auto".
FIRST, MOST = 4, 20
# Random orders of a Y that has no groups have one entropy each, whose spread has to stop them: so
# many come first, and then all.
FIRST_ORDERS = 8

# Nothing is known of the null distribution so far out: no p-value by Student's t is below.
SMALLEST_P = 1e-6

# What a p-value is from.
PERMUTATION, STUDENT = "permutation", "student"

Doubles = npt.NDArray[np.float64]


def least_count(n_null: int | str) -> int:
    """How many partitions there are at least."""
    return FIRST if isinstance(n_null, str) else n_null


def enough_partitions(
    entropies: Doubles, shares: Doubles, baseline: float, tol: float, base: float
) -> int:
    """How many partitions are enough, as far as these tell; their own number if they are.

    Parameters
    ----------
    entropies : array of shape (partitions, groups)
        Of each group of the random partitions so far, in the unit of `base`.
    shares : array of shape (groups,)
        The part of the rows that each group has.
    baseline : float
    tol, base : float
    """
    spread = math.sqrt(float(entropies.var(axis=0, ddof=1) @ shares**2))
    return next(
        (k for k in range(len(entropies), MOST) if _is_enough(k, spread, baseline, tol, base)),
        max(MOST, len(entropies)),
    )


def enough_orders(entropies: Doubles, tol: float, base: float) -> int:
    """The same for random orders, which have one entropy each: these, or all."""
    spread, count = float(entropies.std(ddof=1)), len(entropies)
    return count if _is_enough(count, spread, float(entropies.mean()), tol, base) else MOST


def _is_enough(count: int, spread: float, baseline: float, tol: float, base: float) -> bool:
    half = student_quantile(LEVEL, count - 1.0) * spread / math.sqrt(count)
    return within(half, baseline, tol, base)


def p_value(n_null: int | str, observed: float, null: Doubles, tie: float) -> float:
    """How probable it is that a random partition leaves as little entropy as the observed one.

    Where the caller has asked for a number of partitions, it is the share of those that do so, and
    assumes no distribution. "auto" has too few for small shares: there it is Student's, of the
    observed entropy as one more value of the same normal distribution, and not below 1e-6.
    Entropies that differ by at most `tie` are equal.
    """
    count = len(null)
    if count == 0:
        return math.nan
    share = (1 + int((null <= observed + tie).sum())) / (1 + count)
    if p_value_from(n_null, null, tie) == PERMUTATION:
        return share
    error = _error_of_one_more(null)
    t = (observed - float(null.mean())) / error
    tail = 0.5 * student_p_value(t, count - 1.0)
    return max(tail, SMALLEST_P) if t < 0.0 else 1.0 - tail


def p_value_from(n_null: int | str, null: Doubles, tie: float) -> str:
    """Which of both a p-value is from: entropies that are all equal have no distribution."""
    student = n_null == AUTO and len(null) > 1 and _error_of_one_more(null) > tie
    return STUDENT if student else PERMUTATION


def _error_of_one_more(null: Doubles) -> float:
    """Of the difference between one more value and the mean of these."""
    return float(null.std(ddof=1)) * math.sqrt(1.0 + 1.0 / len(null))
