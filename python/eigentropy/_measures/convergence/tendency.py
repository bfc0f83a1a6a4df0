"""Where a value tends to as the rows grow, if it tends to anything.

The value of n rows is fitted by

    S(n) = value + slope (1 - (n / rows)^-bend) / bend

whose slope over log n falls as a power of n. For bend > 0 it tends to value + slope / bend. For
bend = 0 it is value + slope log(n / rows), which grows for ever.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from eigentropy._measures.convergence.curve import Doubles, SizeCurve
from eigentropy._measures.convergence.error_law import ErrorLaw

# The fewest sizes of a law: three numbers are fitted, and one size is held out.
FEWEST_SIZES = 4

# The least ratio of the largest size to the smallest of which a limit is spoken.
LEAST_RATIO = 7.5

# Where the bend is sought; the first one is 0 but for rounding.
BENDS = np.concatenate([[1e-6], np.geomspace(0.02, 1.5, 1000)])
# Of the bias of a smooth function of means, which falls as 1 / n.
OF_MEANS = np.ones(1)

# Curves that are drawn anew from the sampling error of the measured one.
DRAWS = 400

# In sampling errors: a value that changes less over all sizes counts as level.
NO_CHANGE = 2.0


@dataclass(frozen=True)
class Fit:
    """The law for one or several curves; each field has an entry for each.

    Attributes
    ----------
    rows : float
        Where value and slope are those of the curve: the largest size.
    value, slope, bend : array
    """

    rows: float
    value: Doubles
    slope: Doubles
    bend: Doubles

    @classmethod
    def of(cls, sizes: Doubles, values: Doubles, weights: Doubles, bends: Doubles = BENDS) -> Fit:
        """Weighted least squares over the bends; `values` has one curve a row."""
        weights = weights / weights.sum()
        gone = np.stack([_gone(np.log(sizes / sizes[-1]), bend) for bend in bends.tolist()])
        means, middles = gone @ weights, values @ weights
        centred = (gone - means[:, None]) * weights
        # What a bend explains of the squares of a curve, shape (bends, curves).
        products = centred @ (values - middles[:, None]).T
        squares = (centred * (gone - means[:, None])).sum(axis=1)
        best = np.argmax(products**2 / squares[:, None], axis=0)
        slope = products[best, np.arange(len(values))] / squares[best]
        return cls(float(sizes[-1]), middles - slope * means[best], slope, bends[best])

    def at(self, n: float) -> Doubles:
        """The value of n rows, which may be infinitely many."""
        return self.value + self.slope * self.gone(n)

    def gone(self, n: float) -> Doubles:
        """The change between `rows` and n rows, in units of the slope."""
        if math.isinf(n):
            return 1.0 / self.bend
        return np.array([_gone(math.log(n / self.rows), bend) for bend in self.bend.tolist()])


def _gone(x: npt.ArrayLike, bend: float) -> Doubles:
    gone: Doubles = -np.expm1(-bend * np.asarray(x)) / bend
    return gone


@dataclass(frozen=True)
class Tendency:
    """The law of a curve, the laws of curves drawn anew from its sampling error, and their fault.

    Attributes
    ----------
    kind : {"limit", "level", "none in sight", "undecided"}
        "limit": the law has one, near enough to be believed. "level": the value does not change.
        "undecided": the sizes are too near to each other to tell.
    fit : Fit
        Of the measured curve.
    drawn : Fit
        Of `DRAWS` others.
    fault : float
        How far the law of the smaller sizes is off at the largest.
    is_bent : bool
        Whether the logarithm of the smaller sizes is off by more.
    sizes : array
    level : float
        Of the intervals.
    """

    kind: str
    fit: Fit
    drawn: Fit
    fault: float
    is_bent: bool
    sizes: Doubles
    level: float

    @classmethod
    def of(cls, curve: SizeCurve, law: ErrorLaw, level: float, seed: int) -> Tendency:
        """Of a curve of at least `FEWEST_SIZES` sizes."""
        sizes, values = curve.sizes.astype(float), curve.values
        weights = _weights(curve, law)
        drawn = values + _errors_of_curve(curve, law, seed)
        changes = np.abs(drawn[:, -1] - drawn[:, 0])
        is_level = bool(np.quantile(changes, level) <= NO_CHANGE * law.at(sizes[-1]))
        bends = OF_MEANS if is_level else BENDS
        fault = _held_out(sizes, values, weights, bends)
        found = cls(
            kind="level",
            fit=Fit.of(sizes, values[None], weights, bends),
            drawn=Fit.of(sizes, drawn, weights, bends),
            fault=fault,
            is_bent=fault < _held_out(sizes, values, weights, BENDS[:1]),
            sizes=sizes,
            level=level,
        )
        if sizes[-1] < LEAST_RATIO * sizes[0]:
            return replace(found, kind="undecided")
        if is_level:
            return found
        return replace(found, kind="limit" if found.is_near_limit(values) else "none in sight")

    def is_near_limit(self, values: Doubles) -> bool:
        """Whether the limit is nearer than the smallest size is, and the law is no logarithm."""
        _, low, high = self.at(math.inf)
        left = max(abs(low - values[-1]), abs(high - values[-1]))
        return bool(left <= abs(values[-1] - values[0]) and self.is_bent)

    def at(self, n: float) -> tuple[float, float, float]:
        """The value of n rows, and the ends of its interval: of the sampling, and of the law.

        The law has three numbers, as a parabola has. Where it is off, it is off as a parabola is
        beyond the points that it goes through: as the product of the distances from three of them.
        """
        drawn = self.drawn.at(n)
        low, high = np.quantile(drawn, [0.5 - 0.5 * self.level, 0.5 + 0.5 * self.level])
        held_out = self._distances(self.sizes[-1], self.sizes[:-1])
        fault = self.fault * self._distances(n, self.sizes) / held_out
        value = float(self.fit.at(n)[0])
        return value, min(float(low), value) - fault, max(float(high), value) + fault

    def _distances(self, n: float, sizes: Doubles) -> float:
        """The product of the distances of n rows from the first, the middle and the last size."""
        if n <= sizes[-1]:
            return 0.0
        gone = np.concatenate([self.fit.gone(size) for size in sizes.tolist()])
        distances = self.fit.gone(n)[0] - np.array([gone[0], np.median(gone), gone[-1]])
        return float(distances.prod())


def _weights(curve: SizeCurve, law: ErrorLaw) -> Doubles:
    """One over the variances of the means, but for what all sizes have in common."""
    if law.error == 0.0:
        return np.ones(len(curve.sizes))
    variances = np.array([law.at(size) ** 2 for size in curve.sizes.tolist()]) / curve.counts
    weights: Doubles = variances.min() / variances
    return weights


def _errors_of_curve(curve: SizeCurve, law: ErrorLaw, seed: int) -> Doubles:
    """What other samples of n rows would add to the curve, shape (DRAWS, number of sizes).

    Half the difference between the halves of an order varies as the mean of both does. So random
    combinations of these differences vary as the curve does, with the tails of Student's t.
    """
    small = curve.halves.shape[2]
    used = (curve.counts * curve.sizes / curve.n)[:small]
    # Orders share their rows: where each has used all of them, the mean of many is no better.
    shared = np.sqrt((1.0 - used) / curve.repeats + used)
    errors = 0.5 * (curve.halves[:, 0] - curve.halves[:, 1])
    # The size of a handful of differences is mostly chance; that of the law is known better.
    size = math.sqrt(np.mean(errors[:, -1] ** 2))
    expected = law.at(float(curve.sizes[small - 1])) / math.sqrt(curve.counts[small - 1])
    errors *= shared * (expected / size if size > 0.0 else 1.0)
    beyond = (curve.sizes[small:] / curve.sizes[small - 1]) ** (0.5 - law.exponent)
    errors = np.hstack([errors, errors[:, -1:] * beyond])
    generator = np.random.default_rng([seed, DRAWS])
    normal = generator.normal(size=(DRAWS, curve.repeats)) / math.sqrt(curve.repeats)
    spread = generator.chisquare(curve.repeats, size=(DRAWS, 1)) / curve.repeats
    drawn: Doubles = normal / np.sqrt(spread) @ errors
    return drawn


def _held_out(sizes: Doubles, values: Doubles, weights: Doubles, bends: Doubles) -> float:
    """How far the law of the smaller sizes is off at the largest."""
    fit = Fit.of(sizes[:-1], values[None, :-1], weights[:-1], bends)
    return float(abs(fit.at(sizes[-1])[0] - values[-1]))
