"""How well one score of models ranks them as another does, with intervals over models."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from eigentropy._support.interval import LEVEL, student_quantile

BOOTSTRAPS = 500

# Fewer models have correlations, and no intervals of these.
FEWEST_MODELS = 8

Doubles = npt.NDArray[np.float64]
Values = Sequence[float] | Doubles
Correlation = Callable[[Values, Values], float]


def pearson(x: Values, y: Values) -> float:
    """Correlation; NaN for fewer than 3 points or a constant."""
    if len(x) < 3:
        return math.nan
    centred = [_scaled(np.asarray(values, dtype=float)) for values in (x, y)]
    lengths = [float(np.linalg.norm(c)) for c in centred]
    return float(centred[0] @ centred[1]) / math.prod(lengths) if min(lengths) > 0.0 else math.nan


def _scaled(values: Doubles) -> Doubles:
    """Centred, of size 1; what is left of equal values is 0."""
    centred: Doubles = values - values.mean()
    largest = float(np.abs(centred).max())
    noise = len(values) * np.finfo(float).eps * float(np.abs(values).max())
    return centred / largest if largest > noise else np.zeros_like(centred)


def spearman(x: Values, y: Values) -> float:
    """Rank correlation, ties sharing their mean rank; NaN for fewer than 3 points or a constant."""
    if len(x) < 3:
        return math.nan
    ranks = [_ranks(np.asarray(values, dtype=float)) for values in (x, y)]
    spread = [float(r.std()) for r in ranks]
    if min(spread) == 0.0:
        return math.nan
    centred = [r - r.mean() for r in ranks]
    return float(np.mean(centred[0] * centred[1]) / (spread[0] * spread[1]))


def _ranks(values: Doubles) -> Doubles:
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    ranks: Doubles = (np.cumsum(counts) - (counts - 1) / 2.0)[inverse]
    return ranks


def weighted_tau(x: Values, y: Values) -> float:
    """Kendall's tau in which pairs count more the higher they rank, by weights of 1 / rank.

    NaN for fewer than 3 points or a constant.

    Raises
    ------
    ImportError
        SciPy is missing.
    """
    if len(x) < 3 or len(set(x)) == 1 or len(set(y)) == 1:
        return math.nan
    try:
        from scipy.stats import weightedtau
    except ImportError as error:
        raise ImportError(
            "the weighted tau needs SciPy: pip install 'eigentropy[baselines]'"
        ) from error

    return float(weightedtau(x, y).statistic)


# From how many draws a bootstrap interval is: a weighted tau takes long.
DRAWS: Mapping[Correlation, int] = {pearson: BOOTSTRAPS, weighted_tau: 200}
NONE = (math.nan, math.nan)


class Correlated(NamedTuple):
    """A correlation, and the ends of its interval; NaN where there is none."""

    value: float
    low: float
    high: float


def correlated(
    x: Doubles, y: Doubles, level: float = LEVEL
) -> tuple[int, Correlated, Correlated, Correlated]:
    """How many models have both, and Pearson's, Spearman's and the weighted correlation of them.

    Of fewer than `FEWEST_MODELS` without intervals.
    """
    both = np.isfinite(x) & np.isfinite(y)
    x, y, models = x[both], y[both], int(both.sum())

    def known(of: Correlation) -> Correlated:
        value, ends = of(x, y), NONE
        if models >= FEWEST_MODELS:
            ends = _resampled(x, y, of, level) if of in DRAWS else ends_of(value, models, level)
        return Correlated(*np.clip([value, *ends], -1.0, 1.0).tolist())

    return models, known(pearson), known(spearman), known(weighted_tau)


def ends_of(value: float, models: int, level: float = LEVEL) -> tuple[float, float]:
    """Interval of Spearman's correlation, by Fisher's transformation.

    With the standard error of Bonett and Wright (Psychometrika 65, 2000). For models in the same
    order by both, or in opposite ones, it is that of one exchange of neighbours, and holds the
    value: a bootstrap would say that nothing is uncertain.
    """
    nearest = 1.0 - 12.0 / (models * (models**2 - 1.0))
    inside = min(max(value, -nearest), nearest)
    half = student_quantile(level, math.inf) * math.sqrt((1.0 + 0.5 * inside**2) / (models - 3))
    low, high = (math.tanh(math.atanh(inside) + side) for side in (-half, half))
    return (min(value, low), max(value, high)) if math.isfinite(value) else NONE


def _resampled(x: Doubles, y: Doubles, of: Correlation, level: float) -> tuple[float, float]:
    """Bootstrap interval; none where all draws agree, since then they say nothing."""
    low, high = interval(x, y, of, DRAWS[of], level)
    return NONE if math.isclose(low, high) else (low, high)


def interval(
    x: Values,
    y: Values,
    of: Correlation = spearman,
    draws: int = BOOTSTRAPS,
    level: float = LEVEL,
) -> tuple[float, float]:
    """Bootstrap interval of a correlation over the models; NaN for fewer than 3."""
    return _quantiles(np.array([x, y]), lambda pairs: of(*pairs), draws, level)


def lead(x: Values, other: Values, y: Values) -> tuple[float, tuple[float, float]]:
    """How much better x ranks as y does than another statistic, with its 95 % interval.

    Both Spearman correlations are without their signs, and of the same networks.
    """

    def difference(three: Sequence[Values]) -> float:
        own, others, target = three
        return abs(spearman(own, target)) - abs(spearman(others, target))

    return difference([x, other, y]), _quantiles(np.array([x, other, y]), difference)


def _quantiles(
    values: Doubles,
    of: Callable[[Sequence[Values]], float],
    draws: int = BOOTSTRAPS,
    level: float = LEVEL,
) -> tuple[float, float]:
    models = values.shape[1]
    if models < 3:
        return math.nan, math.nan
    rng = np.random.default_rng(0)
    chosen = rng.integers(models, size=(draws, models))
    found = [of(list(values[:, draw])) for draw in chosen]
    known = [value for value in found if math.isfinite(value)]
    if not known:
        return math.nan, math.nan
    low, high = np.quantile(known, [0.5 * (1.0 - level), 0.5 * (1.0 + level)])
    return float(low), float(high)
