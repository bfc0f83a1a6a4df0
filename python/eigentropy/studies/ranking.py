"""How well one statistic of networks ranks them as another does, with intervals over networks."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

from eigentropy.studies.estimators import spearman
from eigentropy.studies.rows import StudyRow
from eigentropy.studies.study import select

BOOTSTRAPS = 500

Values = Sequence[float]
Correlation = Callable[[Values, Values], float]


def paired(rows: Sequence[StudyRow], *names: str) -> tuple[list[float], ...]:
    """The values of every network for which all of these statistics are defined, by its number."""
    values = [{row["network"]: row.value for row in select(rows, estimator=name)} for name in names]
    known = [{n for n, value in each.items() if not math.isnan(value)} for each in values]
    shared = sorted(set.intersection(*known))  # the draws of an interval go by the order
    return tuple([each[n] for n in shared] for each in values)


def weighted_tau(x: Values, y: Values) -> float:
    """Kendall's tau in which pairs count more the higher they rank, by weights of 1 / rank.

    NaN for fewer than 3 points or a constant.
    """
    if len(x) < 3 or len(set(x)) == 1 or len(set(y)) == 1:
        return math.nan
    from scipy.stats import weightedtau  # scikit-learn, which this study needs, brings it

    return float(weightedtau(x, y).statistic)


def interval(
    x: Values, y: Values, of: Correlation = spearman, draws: int = BOOTSTRAPS
) -> tuple[float, float]:
    """95 % bootstrap interval of the rank correlation over the networks."""
    return _quantiles(np.array([x, y]), lambda pairs: of(*pairs), draws)


def lead(x: Values, other: Values, y: Values) -> tuple[float, tuple[float, float]]:
    """How much better x ranks as y does than another statistic, with its 95 % interval.

    Both Spearman correlations are without their signs, and of the same networks.
    """

    def difference(three: Sequence[Values]) -> float:
        own, others, target = three
        return abs(spearman(own, target)) - abs(spearman(others, target))

    return difference([x, other, y]), _quantiles(np.array([x, other, y]), difference)


def _quantiles(
    values: np.ndarray[tuple[int, ...], np.dtype[np.float64]],
    of: Callable[[Sequence[Values]], float],
    draws: int = BOOTSTRAPS,
) -> tuple[float, float]:
    networks = values.shape[1]
    if networks < 3:
        return math.nan, math.nan
    rng = np.random.default_rng(0)
    chosen = rng.integers(networks, size=(draws, networks))
    found = [of(list(values[:, draw])) for draw in chosen]
    known = [value for value in found if math.isfinite(value)]
    if not known:
        return math.nan, math.nan
    low, high = np.quantile(known, [0.025, 0.975])
    return float(low), float(high)
