"""How a value moves with the rows that it is computed from, whichever way that is found out."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod

from eigentropy._support.interval import Interval, combined, student_quantile

OVER = "other samples of the data"

# Fewer rows say nothing about others.
LEAST_ROWS = 16


class Variation(ABC):
    """How a value moves with its rows: enough for its sampling error, and for a difference.

    Attributes
    ----------
    n : int
        Rows of the sample.
    value : float
        Of all of them.
    """

    n: int
    value: float

    @property
    @abstractmethod
    def standard_error(self) -> float:
        """Standard deviation of the value over other samples of as many rows."""

    @property
    @abstractmethod
    def degrees(self) -> float:
        """Degrees of freedom of `standard_error`, for Student's t."""

    @property
    def note(self) -> str:
        """Why there is no standard error, or what it was found without; mostly empty."""
        return ""

    @abstractmethod
    def minus(self, other: Variation) -> Variation:
        """The variation of the difference from another value of the same rows.

        Raises
        ------
        ValueError
            `other` was found from other rows, or neither way serves both.
        """

    def by_subsets(self) -> Variation:
        """The same from subsets of the rows, for a difference from what was found so.

        Raises
        ------
        ValueError
            It cannot be found so, or no longer.
        """
        raise ValueError(
            "of these two values, one has its sampling error from subsets of the rows and the "
            "other one from rows that are left out; to find both alike takes the data, which "
            "were left behind: pass the rows"
        )


def unpaired(a: Variation, b: Variation) -> tuple[float, float]:
    """Standard error of a difference between independent samples, and its degrees of freedom."""
    return combined([(a.standard_error, a.degrees), (b.standard_error, b.degrees)])


def check_rows(n: int) -> None:
    """Refuse too few rows."""
    if n < LEAST_ROWS:
        raise ValueError(
            f"{n} rows are too few for a sampling error, which needs at least {LEAST_ROWS}: there "
            "is none"
        )


def widened(
    value: float, computed: Interval, variation: Variation, level: float
) -> tuple[float, float]:
    """The ends of an interval over samples, which has the error of the computation in it, too."""
    half = student_quantile(level, variation.degrees) * variation.standard_error
    return value - math.hypot(value - computed.low, half), value + math.hypot(
        computed.high - value, half
    )
