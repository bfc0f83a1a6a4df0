"""How the sampling error falls as the rows grow, and which differences can be told by it."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from eigentropy._support.interval import student_quantile

Doubles = npt.NDArray[np.float64]

# The exponent of means, and of whatever is nearly one.
OF_MEANS = 0.5

# Standard errors by which a measured exponent has to differ from it, and from 0.
CONTRADICTION = 2.0

# Sizes through which the law goes where the error falls faster than that of a mean: the largest.
LARGEST = 2

# The logarithm of a number of rows that is as good as infinite, and fits into a float.
MOST = 700.0


@dataclass(frozen=True)
class ErrorLaw:
    """The sampling error of n rows: ``error * (n / rows) ** -exponent``.

    Attributes
    ----------
    rows, error : float
        A size, and the error there.
    exponent : float
        From `rows` on: 1/2, or less where the sizes contradict that, and 0 where they do not
        contradict it. Never more: what falls faster at first has terms of higher order in 1 / n,
        and is a mean beyond them.
    below : float
        The exponent below `rows`.
    """

    rows: float
    error: float
    exponent: float
    below: float

    @classmethod
    def of(
        cls,
        sizes: npt.NDArray[np.int64],
        errors: npt.NDArray[np.float64],
        degrees: npt.NDArray[np.float64],
    ) -> ErrorLaw:
        """From the errors at some sizes, with their degrees of freedom."""
        known = errors > 0.0
        if not known.any():
            return cls(float(sizes[-1]), 0.0, OF_MEANS, OF_MEANS)
        # The variance of the logarithm of a standard deviation is 1 / (2 degrees).
        weights, x, y = 2.0 * degrees[known], np.log(sizes[known]), np.log(errors[known])
        measured, tolerance = _slope(x, y, weights)
        if measured > OF_MEANS + tolerance:
            last = slice(-LARGEST, None)
            return cls._through(x[last], y[last], weights[last], OF_MEANS, measured)
        near = (one for one in (OF_MEANS, 0.0) if abs(measured - one) <= tolerance)
        exponent = next(near, max(measured, 0.0))
        return cls._through(x, y, weights, exponent, exponent)

    @classmethod
    def _through(
        cls, x: Doubles, y: Doubles, weights: Doubles, exponent: float, below: float
    ) -> ErrorLaw:
        rows, error = (float(np.exp(np.average(one, weights=weights))) for one in (x, y))
        return cls(rows, error, exponent, below)

    def at(self, n: float) -> float:
        """The error of n rows."""
        return float(
            self.error * (n / self.rows) ** -(self.below if n < self.rows else self.exponent)
        )

    def rows_for(self, error: float) -> float:
        """How many rows have this error; infinitely many where more rows do not lower it."""
        if self.error == 0.0:
            return 0.0
        exponent = self.below if self.error < error else self.exponent
        if exponent == 0.0:
            return 0.0 if self.error <= error else math.inf
        logarithm = math.log(self.rows) + math.log(self.error / error) / exponent
        return math.exp(logarithm) if logarithm < MOST else math.inf


def _slope(x: Doubles, y: Doubles, weights: Doubles) -> tuple[float, float]:
    """Of weighted least squares, downwards, and how far it has to be from a value to contradict."""
    centred = x - np.average(x, weights=weights)
    spread = float(weights @ centred**2)
    if spread == 0.0:
        return OF_MEANS, math.inf
    return -float((weights * centred) @ y) / spread, CONTRADICTION / math.sqrt(spread)


def told_errors(power: float, level: float) -> float:
    """The difference that is told with this power, in its standard errors.

    Two-sided, at the level 1 - `level`: z at 1 - (1 - level) / 2, and z at `power`.
    """
    two_sided = student_quantile(level, math.inf)
    inside = 2.0 * power - 1.0
    one_sided = 0.0 if inside == 0.0 else student_quantile(abs(inside), math.inf)
    return two_sided + math.copysign(one_sided, inside)
