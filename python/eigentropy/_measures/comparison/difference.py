"""A difference between two values, with its error over other samples of the data."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from eigentropy._measures.comparison.layout import Table, html_table, title
from eigentropy._measures.sampling.variation import OVER
from eigentropy._support.interval import (
    LEVEL,
    Interval,
    checked_level,
    percent,
    student_interval,
    student_p_value,
)
from eigentropy._support.number import Number
from eigentropy._support.units import unit


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class Difference(Number):
    """How much a measure of b is above that of a. Works as the float `value`.

    Attributes
    ----------
    value : float
        The measure of b less that of a.
    standard_error : float
        Of `value`, over other samples of the data: the sampling error of the difference. Where the
        rows are the same (`paired`), it is mostly far below that of either.
    degrees : float
        Degrees of freedom of `standard_error`, for Student's t.
    a, b : result or float
        What the measure gave for each.
    measure : str
    base : float or None
        Of the logarithm; None where the measure has none.
    paired : bool
        Whether both were taken to be of the same rows, in the same order.
    n : tuple of (int, int)
        Rows of a and of b.
    level : float
        Of `interval()`.
    rounding : float
        What rounding, or a factor of low rank, may have changed of `value`. It widens the interval.
    """

    value: float
    standard_error: float
    degrees: float
    a: Any
    b: Any
    measure: str
    base: float | None
    paired: bool
    n: tuple[int, int]
    level: float = LEVEL
    rounding: float = 0.0

    def interval(self, level: float | None = None) -> Interval:
        """Where the difference is, as far as these rows tell of other ones.

        Student's interval of `standard_error`, widened by `rounding`. By default of the `level`
        that `compare` was given. 0 is outside of it exactly where `p_value` is below 1 - level.

        Raises
        ------
        ValueError
            level not between 0 and 1.
        """
        level = self.level if level is None else checked_level(level)
        return student_interval(
            self.value, self.standard_error, self.degrees, level, OVER, rounding=self.rounding
        )

    @property
    def p_value(self) -> float:
        """Of the hypothesis that there is no difference; two-sided, by Student's t.

        1 for equal values, such as those of the same array twice.
        """
        beyond = abs(self.value) - self.rounding
        if not beyond > 0.0:
            return 1.0
        t = beyond / self.standard_error if self.standard_error > 0.0 else math.inf
        return student_p_value(t, self.degrees)

    @property
    def unit(self) -> str:
        """Of the value, such as "bits"; empty where the measure has none."""
        return "" if self.base is None else unit(self.base)

    def _repr_html_(self) -> str:
        low, high = self.interval()
        rows: Table = [
            ("difference (b - a)", title(self.measure, self.base)),
            ("value", f"{self.value:.6g}"),
            ("sampling error", f"{self.standard_error:.2g}"),
            (f"{percent(self.level)} interval", f"{low:.4g} to {high:.4g}"),
            ("p-value", f"{self.p_value:.3g}"),
            ("rows", " and ".join(map(str, dict.fromkeys(self.n)))),
            ("samples", "the same rows (paired)" if self.paired else "other rows (unpaired)"),
        ]
        return html_table(rows)

    def __repr__(self) -> str:
        low, high = self.interval()
        ends = f"{percent(self.level)} interval {low:.4g} to {high:.4g}"
        value = f"{self.value:.6g} {self.unit}".rstrip()
        rows = f"n={self.n[0]}" if self.n[0] == self.n[1] else f"n={self.n[0]} and {self.n[1]}"
        how = "paired" if self.paired else "unpaired"
        return (
            f"Difference({value}, sampling error {self.standard_error:.2g}, {ends}, "
            f"p={self.p_value:.3g}, {self.measure} of b less that of a, {how}, {rows})"
        )
