"""How the sampling error falls as the rows grow, and which differences can be told by it."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from eigentropy._support.interval import student_quantile

# The exponent of means, and of whatever is nearly one.
OF_MEANS = 0.5

# Standard errors by which a measured exponent has to differ from it, and from 0.
CONTRADICTION = 2.0

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
        Between 0 and 1: 1/2, unless the sizes contradict it, and else 0, unless they contradict
        that.
    """

    rows: float
    error: float
    exponent: float

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
            return cls(float(sizes[-1]), 0.0, OF_MEANS)
        # The variance of the logarithm of a standard deviation is 1 / (2 degrees).
        weights, x, y = 2.0 * degrees[known], np.log(sizes[known]), np.log(errors[known])
        middle = np.average(x, weights=weights)
        spread = float(weights @ (x - middle) ** 2)
        exponent = OF_MEANS
        if spread > 0.0:
            measured = -float(weights @ ((x - middle) * y)) / spread
            exponent = _believed(measured, CONTRADICTION / math.sqrt(spread))
        return cls(float(np.exp(middle)), float(np.exp(np.average(y, weights=weights))), exponent)

    def at(self, n: float) -> float:
        """The error of n rows."""
        return float(self.error * (n / self.rows) ** -self.exponent)

    def rows_for(self, error: float) -> float:
        """How many rows have this error; infinitely many where more rows do not lower it."""
        if self.error == 0.0:
            return 0.0
        if self.exponent == 0.0:
            return 0.0 if self.error <= error else math.inf
        logarithm = math.log(self.rows) + math.log(self.error / error) / self.exponent
        return math.exp(logarithm) if logarithm < MOST else math.inf


def _believed(measured: float, tolerance: float) -> float:
    """The exponent: a small one that is measured would promise to tell anything by many rows."""
    near = (one for one in (OF_MEANS, 0.0) if abs(measured - one) <= tolerance)
    return next(near, min(max(measured, 0.0), 1.0))


def told_errors(power: float, level: float) -> float:
    """The difference that is told with this power, in its standard errors.

    Two-sided, at the level 1 - `level`: z at 1 - (1 - level) / 2, and z at `power`.
    """
    two_sided = student_quantile(level, math.inf)
    inside = 2.0 * power - 1.0
    one_sided = 0.0 if inside == 0.0 else student_quantile(abs(inside), math.inf)
    return two_sided + math.copysign(one_sided, inside)
