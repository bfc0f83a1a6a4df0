"""What `converge` returns: the curve, where it tends to, and what its errors can tell."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from eigentropy._measures.convergence import tables
from eigentropy._measures.convergence.curve import Doubles, SizeCurve
from eigentropy._measures.convergence.error_law import ErrorLaw, told_errors
from eigentropy._measures.convergence.tendency import FEWEST_SIZES, Tendency
from eigentropy._measures.sampling.variation import OVER
from eigentropy._support.interval import Interval
from eigentropy._support.options import positive
from eigentropy.plot import html
from eigentropy.plot.sizes import convergence


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class Convergence:
    """A measure at growing numbers of rows, and what follows for more rows.

    Attributes
    ----------
    measure : str
        Its name.
    base : float or None
        Of the logarithm; None where the measure has no unit, or none that is known.
    n : int
        Rows of Z.
    sizes : array of int
    values : array
        Mean over subsets of each size.
    errors : array
        Sampling error of each size: the standard deviation of the value over other samples of that
        many rows. Up to n / 2 it is that over disjoint subsets, and of all rows the result's own
        `sampling_error`; beyond, it is extrapolated from these.
    paired_errors : array, or None
        The same of the difference between the two representations, where there are two.
    level : float
        Of the intervals and, as 1 - level, of the tests.
    repeats, seed : int
    """

    measure: str
    base: float | None
    level: float
    seed: int
    curve: SizeCurve
    difference: SizeCurve | None = None

    @property
    def n(self) -> int:
        """Rows of Z."""
        return self.curve.n

    @property
    def repeats(self) -> int:
        """Random orders of the rows."""
        return self.curve.repeats

    @property
    def sizes(self) -> Any:
        """Numbers of rows, ascending."""
        return self.curve.sizes

    @property
    def values(self) -> Doubles:
        """Mean over the subsets of each size."""
        return self.curve.values

    @property
    def errors(self) -> Doubles:
        """Sampling error of each size."""
        return _errors(self.curve, self._law)

    @property
    def paired_errors(self) -> Doubles | None:
        """Sampling error of the difference between two representations; None without a second."""
        return None if self.difference is None else _errors(self.difference, self._law_of(True))

    @property
    def tendency(self) -> str:
        """Where the value tends to as the rows grow.

        - "limit": it tends to `limit`.
        - "level": it does not change with the rows, within twice the sampling error.
        - "none in sight": it goes on growing or falling, or is too far from any limit to tell.
        - "undecided": there are fewer than four sizes, or they are too near to each other: the
          largest has to be 7.5 times the smallest.
        """
        return "undecided" if self._tendency is None else self._tendency.kind

    @property
    def limit(self) -> float | None:
        """The value that infinitely many rows would have; None where none is in sight."""
        return self._tendency.at(math.inf)[0] if self._tendency and self._has_limit else None

    @property
    def limit_interval(self) -> Interval | None:
        """Where the limit is: over other samples, and over what the law may be wrong by."""
        return self._interval(math.inf) if self._has_limit else None

    @property
    def growth(self) -> float:
        """Change of the value when the rows are doubled, at the largest size.

        Of the fitted law where there are four sizes; otherwise from the last two.
        """
        if self._tendency is not None:
            last = float(self.sizes[-1])
            return self._tendency.at(2.0 * last)[0] - self._tendency.at(last)[0]
        doublings = math.log2(self.sizes[-1] / self.sizes[-2])
        return float(self.values[-1] - self.values[-2]) / doublings

    def predict(self, n: float) -> float:
        """The value that is expected of n rows; `predicted_interval` says how sure that is.

        Raises
        ------
        ValueError
            n below the smallest size; fewer than four sizes.
        """
        return self._checked_tendency(n).at(n)[0]

    def predicted_interval(self, n: float) -> Interval:
        """Where the expected value of n rows is.

        It covers other samples of the data, and what the law may be wrong by: its error at the
        largest size, where it is fitted to the smaller ones, grows with the distance as that of a
        parabola beyond the points that it goes through.

        Raises
        ------
        ValueError
            As `predict`.
        """
        self._checked_tendency(n)
        return self._interval(n)

    def detectable(
        self, n: float | None = None, *, power: float = 0.8, paired: bool | None = None
    ) -> float:
        """The smallest difference that n rows tell, with this power at the level of the result.

        Parameters
        ----------
        n : int, optional
            Rows of each set, or of both representations; by default the largest size.
        power : float
            Probability that the difference is found where it is as large as this.
        paired : bool, optional
            True: between the two representations of the same rows. False: between two sets of n
            rows each. By default paired where there is a second representation.

        Raises
        ------
        ValueError
            A power of 1 or more, or of at most (1 - level) / 2, which is that of no difference;
            paired, and there is no second representation.
        """
        rows = float(self.sizes[-1]) if n is None else positive(n, "n")
        law, factor = self._told(power, paired)
        return factor * law.at(rows)

    def rows_for(
        self, difference: float, *, power: float = 0.8, paired: bool | None = None
    ) -> float:
        """From how many rows on a difference is told, with this power at the level of the result.

        Parameters
        ----------
        difference : float
            In the unit of the value; its sign does not matter.
        power, paired
            As in `detectable`.

        Returns
        -------
        int or math.inf
            Rows of each set, or of both representations: at least the smallest size that was
            measured. Infinitely many where the sampling error does not fall as the rows grow.

        Raises
        ------
        ValueError
            As `detectable`; a difference of 0.
        """
        law, factor = self._told(power, paired)
        wanted = positive(abs(float(difference)), "difference")
        rows = law.rows_for(wanted / factor)
        return rows if math.isinf(rows) else max(math.ceil(rows - 1e-9), int(self.sizes[0]))

    def to_rows(self) -> list[dict[str, Any]]:
        """One dictionary a size: for a table of pandas, or a file."""
        columns: dict[str, Any] = {"rows": self.sizes, "value": self.values, "error": self.errors}
        columns["detectable"] = self._detectable(False)
        if self.paired_errors is not None:
            columns["paired_error"] = self.paired_errors
            columns["paired_detectable"] = self._detectable(True)
        names = list(columns)
        entries = zip(*(np.asarray(column).tolist() for column in columns.values()), strict=True)
        return [dict(zip(names, entry, strict=True)) for entry in entries]

    def plot(self, **options: Any) -> Any:
        """Draw the value over the rows with its errors and limit, and return the axes.

        `options` are those of `eigentropy.plot.convergence`, such as `ax`.
        """
        return convergence(self, **options)

    def __repr__(self) -> str:
        return tables.text(self)

    def _repr_html_(self) -> str:
        return html.of_pairs(type(self).__name__, tables.pairs(self))

    @cached_property
    def _law(self) -> ErrorLaw:
        return self._law_of(False)

    def _law_of(self, paired: bool) -> ErrorLaw:
        curve = self.difference if paired else self.curve
        assert curve is not None
        sizes, errors, degrees = curve.sizes[: len(curve.errors)], curve.errors, curve.degrees
        if curve.all_rows is not None:  # nearest to what is asked for, and the surest
            sizes = np.append(sizes, curve.n)
            errors = np.append(errors, curve.all_rows.standard_error)
            degrees = np.append(degrees, min(curve.all_rows.degrees, curve.n - 1.0))
        return ErrorLaw.of(sizes, errors, degrees)

    @cached_property
    def _tendency(self) -> Tendency | None:
        if len(self.sizes) < FEWEST_SIZES:
            return None
        curve = self.curve
        # Of the subsets alone, since the curves that are drawn anew vary as these do.
        law = ErrorLaw.of(curve.sizes[: len(curve.errors)], curve.errors, curve.degrees)
        return Tendency.of(curve, law, self.level, self.seed)

    @property
    def _has_limit(self) -> bool:
        return self.tendency in ("limit", "level")

    def _checked_tendency(self, n: float) -> Tendency:
        if self._tendency is None:
            raise ValueError(
                f"predict needs at least {FEWEST_SIZES} sizes, and there are {len(self.sizes)}: "
                f"{self.sizes.tolist()}; pass more to converge(sizes=...), or more rows"
            )
        if not n >= self.sizes[0]:
            raise ValueError(f"n must be at least the smallest size, {self.sizes[0]}, got {n!r}")
        return self._tendency

    def _interval(self, n: float) -> Interval:
        assert self._tendency is not None
        _, low, high = self._tendency.at(n)
        return Interval(low, high, self.level, OVER)

    def _told(self, power: float, paired: bool | None) -> tuple[ErrorLaw, float]:
        """The law of the errors, and how many errors large a difference has to be."""
        least = 0.5 * (1.0 - self.level)
        if not least < positive(power, "power") < 1.0:
            raise ValueError(
                f"power must be below 1 and above {least:.3g}, got {power!r}: at level="
                f"{self.level:g} chance alone finds a difference of one sign that often"
            )
        if paired and self.difference is None:
            raise ValueError(
                "paired is of two representations of the same rows, and there is one: pass the "
                "second to converge(paired_with=...)"
            )
        is_paired = self.difference is not None if paired is None else bool(paired)
        told = told_errors(power, self.level)
        return self._law_of(is_paired), told if is_paired else math.sqrt(2.0) * told

    def _detectable(self, paired: bool) -> list[float]:
        return [self.detectable(size, paired=paired) for size in self.sizes.tolist()]


def _errors(curve: SizeCurve, law: ErrorLaw) -> Doubles:
    """As measured where subsets are disjoint, and of all rows; by the law in between."""
    beyond = [law.at(size) for size in curve.sizes[len(curve.errors) :].tolist()]
    if curve.all_rows is not None:
        beyond[-1] = curve.all_rows.standard_error
    return np.append(curve.errors, beyond)
