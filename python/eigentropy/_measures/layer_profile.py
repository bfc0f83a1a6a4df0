"""The layers of a model side by side, and which neighbours differ."""

from __future__ import annotations

import math
import shutil
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from html import escape
from itertools import pairwise
from typing import Any, NamedTuple

from eigentropy._measures.comparison import ties
from eigentropy._measures.comparison.difference import Difference
from eigentropy._measures.comparison.holm import holm
from eigentropy._measures.comparison.layout import Table, blocks, html_table
from eigentropy._measures.sampling.variation import OVER
from eigentropy._support.interval import LEVEL, Interval, checked_level, student_interval
from eigentropy._support.number import Number
from eigentropy.plot import profiles

# What stands after a value that does not differ from the one above it.
TIED = "="

# Columns of the table where no terminal says how wide it is.
WIDTH = 100


@dataclass(frozen=True, eq=False)
class LayerNumber(Number):
    """A number of a layer. Works as the float `value`.

    Attributes
    ----------
    value : float
        NaN of a layer that is not finite.
    sampling_error : float
        Standard deviation over other samples of as many rows; NaN where there is none. Of an
        information about labels in a profile of prompts, random partitions are part of it.
    degrees : float
        Degrees of freedom of `sampling_error`, for Student's t.
    null_error : float or None
        Standard error over the null partitions, of an information.
    """

    value: float
    sampling_error: float = math.nan
    degrees: float = math.nan
    null_error: float | None = None

    def interval(self, level: float = LEVEL) -> Interval:
        """Where the value is over other samples of the data; NaN without a sampling error."""
        return student_interval(
            self.value, self.sampling_error, self.degrees, checked_level(level), OVER
        )


class ProfiledLayer(NamedTuple):
    """A layer with its numbers.

    Attributes
    ----------
    name : str
    columns : int
        How long its rows are.
    numbers : dict of str to LayerNumber
        By measure.
    """

    name: str
    columns: int
    numbers: dict[str, LayerNumber]


class LayerDifference(NamedTuple):
    """A measure of a layer less that of the layer before it, of the same rows."""

    measure: str
    a: str
    b: str
    difference: Difference


@dataclass(frozen=True, eq=False, repr=False)
class LayerProfile:
    """The measures of every layer, and which neighbours differ. Prints as a table.

    Two layers see the same rows, so that their difference is known far better than either value: it
    is judged by the halves, or the left-out rows, that both have in common. Intervals that overlap
    do not say that there is no difference.

    Attributes
    ----------
    layers : list of ProfiledLayer
        In the order in which they run.
    neighbours : list of LayerDifference
        Each with a `Difference`: the later layer less the earlier one.
    p_values : dict of (str, str, str) to float
        By measure and both layers: by Holm's correction for the number of neighbours of a measure.
    n : int
        Number of rows.
    step : int
        Of the monitor.
    units : dict of str to str
        Of the measures, such as "bits"; empty where there is none.
    level : float
        Neighbours differ if the p-value is at most 1 - level.
    ends : list of LayerDifference
        Of runs of three or more that `ties` returns: the last layer less the first one. Empty where
        these were not compared.
    """

    layers: list[ProfiledLayer]
    neighbours: list[LayerDifference]
    n: int
    step: int
    units: dict[str, str]
    level: float = LEVEL
    ends: list[LayerDifference] = field(default_factory=list)
    p_values: dict[tuple[str, str, str], float] = field(init=False)

    def __post_init__(self) -> None:
        """Correct the p-values, measure by measure."""
        object.__setattr__(self, "p_values", self._corrected(self.neighbours))

    def _corrected(
        self, differences: Sequence[LayerDifference]
    ) -> dict[tuple[str, str, str], float]:
        """P-values by measure and both layers, by Holm's correction for all of a measure."""
        known: dict[tuple[str, str, str], float] = {}
        for measure in self.measures:
            several = [one for one in differences if one.measure == measure]
            corrected = holm([one.difference.p_value for one in several])
            known |= {one[:3]: p for one, p in zip(several, corrected, strict=True)}
        return known

    @property
    def names(self) -> list[str]:
        """Of the layers."""
        return [layer.name for layer in self.layers]

    @property
    def measures(self) -> list[str]:
        """What is known of the layers, as "dse" or "dsmi_y_adjusted"."""
        return list(dict.fromkeys(name for layer in self.layers for name in layer.numbers))

    def values(self, measure: str | None = None) -> dict[str, LayerNumber]:
        """The numbers by layer; by default of the first measure.

        Raises
        ------
        ValueError
            A measure that is not there.
        """
        measure = self._known(measure)
        return {
            layer.name: layer.numbers[measure] for layer in self.layers if measure in layer.numbers
        }

    def ties(self, measure: str | None = None) -> list[tuple[str, ...]]:
        """Layers in a row of which none differs from the next; by default in the first measure.

        As far as these rows can tell. The ends of a long run may well differ: see `p_of_ends`.

        Raises
        ------
        ValueError
            A measure that is not there.
        """
        measure, names = self._known(measure), self.names
        runs = ties.runs([self._is_tied(measure, *pair) for pair in pairwise(names)])
        return [tuple(names[number] for number in run) for run in runs if len(run) > 1]

    def _is_tied(self, measure: str, a: str, b: str) -> bool:
        """Whether two were compared, and do not differ."""
        return self.p_values.get((measure, a, b), 0.0) > 1.0 - self.level

    def p_of_ends(self, measure: str, a: str, b: str) -> float | None:
        """The p-value of the ends of a run; None where these were not compared.

        By Holm's correction for the number of such runs of the measure.
        """
        return self._corrected(self.ends).get((measure, a, b))

    def sentences(self) -> list[str]:
        """Which layers do not differ, run by run; of three or more, whether their ends do."""
        return [
            f"{measure}: {self._said(measure, run)}"
            for measure in self.measures
            for run in self.ties(measure)
        ]

    def _said(self, measure: str, run: Sequence[str]) -> str:
        if len(run) == 2:
            return f"{run[0]} and {run[1]} do not differ"
        p = self.p_of_ends(measure, run[0], run[-1])
        if p is None:
            about = "its ends were not compared"
        else:
            about = f"its ends {'do' if p <= 1.0 - self.level else 'do not'} differ (p {p:.2g})"
        return f"{run[0]} to {run[-1]}: none differs from the next; {about}"

    def to_rows(self) -> list[dict[str, Any]]:
        """One dict for each layer, as for ``pandas.DataFrame``.

        "layer", "columns"; for each measure its value, "dse_sampling_se", and "dse_differs" with
        "dse_p_value": from the layer before, None where that is not known.
        """
        rows = []
        for before, layer in pairwise([None, *self.layers]):
            assert layer is not None
            row: dict[str, Any] = {"layer": layer.name, "columns": layer.columns}
            for measure in self.measures:
                number = layer.numbers.get(measure, LayerNumber(math.nan))
                pair = (measure, "" if before is None else before.name, layer.name)
                p = self.p_values.get(pair)
                row[measure] = number.value
                row[f"{measure}_sampling_se"] = number.sampling_error
                row[f"{measure}_differs"] = None if p is None else p <= 1.0 - self.level
                row[f"{measure}_p_value"] = p
            rows.append(row)
        return rows

    def to_record(self) -> dict[str, Any]:
        """What a file of a run has of it; JSON can hold it."""
        return {
            "layers": [
                {
                    "layer": layer.name,
                    "columns": layer.columns,
                    "numbers": {
                        measure: [_number(one.value), _number(one.sampling_error)]
                        for measure, one in layer.numbers.items()
                    },
                }
                for layer in self.layers
            ],
            "neighbours": [
                {
                    "measure": measure,
                    "a": a,
                    "b": b,
                    "difference": one.value,
                    "standard_error": one.standard_error,
                    "p_value": self.p_values[measure, a, b],
                }
                for measure, a, b, one in self.neighbours
            ],
        }

    def plot(self, measure: str | None = None, **options: Any) -> Any:
        """Draw a measure over the layers, with its intervals over other samples.

        Returns the axes. A broad line runs through layers of which none differs from the next.

        Parameters
        ----------
        measure : str, optional
            By default the first one.
        **options
            Of `eigentropy.plot.layers`, such as `ax`.
        """
        measure = self._known(measure)
        return profiles.layers(
            self.values(measure), measure, ties=self.ties(measure), level=self.level, **options
        )

    def _known(self, measure: str | None) -> str:
        names = self.measures
        if measure is None:
            return names[0]
        if measure not in names:
            listed = ", ".join(map(repr, names))
            raise ValueError(f"measure must be one of {listed}, got {measure!r}")
        return measure

    def _heading(self) -> str:
        return (
            f"{len(self.layers)} layers, {self.n} rows, step {self.step}: "
            f"{self._signs('sampling errors')}"
        )

    def _signs(self, errors: str) -> str:
        """What the signs in the table mean, of those that are there."""
        numbers = [one for layer in self.layers for one in layer.numbers.values()]
        has_errors = any(math.isfinite(one.sampling_error) for one in numbers)
        tied = f"; {TIED} does not differ from the layer above (Holm, {self.level:.12g})"
        return f"values{f' +- {errors}' if has_errors else ''}{tied if self.p_values else ''}"

    def _title(self, measure: str) -> str:
        unit = self.units.get(measure)
        return f"{measure} ({unit})" if unit else measure

    def _table(self) -> Table:
        table: Table = [("", "columns", *map(self._title, self.measures))]
        for before, layer in pairwise([None, *self.layers]):
            assert layer is not None
            above = "" if before is None else before.name
            cells = [self._cell(measure, above, layer) for measure in self.measures]
            table.append((layer.name, str(layer.columns), *cells))
        return table

    def _cell(self, measure: str, above: str, layer: ProfiledLayer) -> str:
        number = layer.numbers.get(measure)
        if number is None:
            return ""
        mark = TIED if self._is_tied(measure, above, layer.name) else " "
        error = number.sampling_error
        known = "" if math.isnan(error) else f" +- {error:.2g}"
        return f"{number.value:.4g}{known} {mark}"

    def _sentences(self) -> Iterable[str]:
        yield from self.sentences()

    def _repr_html_(self) -> str:
        lines = [self._heading(), *self._sentences()]
        heading, *sentences = (f"<div>{escape(line)}</div>" for line in lines)
        table = f'<div style="overflow-x: auto">{html_table(self._table())}</div>'
        return f'<div style="color: inherit">{heading}{table}{"".join(sentences)}</div>'

    def __repr__(self) -> str:
        width = shutil.get_terminal_size((WIDTH, 0)).columns
        lines = [line for block in blocks(self._table(), width) for line in (*block, "")]
        return "\n".join([self._heading(), "", *lines, *self._sentences()])


def _number(value: float) -> float | None:
    """JSON has no NaN."""
    return value if math.isfinite(value) else None
