"""The layers of a model side by side, and which neighbours differ."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from html import escape
from itertools import pairwise
from typing import Any, NamedTuple

from eigentropy._measures.comparison import ties
from eigentropy._measures.comparison.difference import Difference
from eigentropy._measures.comparison.holm import holm
from eigentropy._measures.comparison.layout import Table, aligned, html_table
from eigentropy._measures.sampling.variation import OVER
from eigentropy._support.interval import LEVEL, Interval, checked_level, student_quantile
from eigentropy._support.number import Number
from eigentropy.plot import profiles

# What stands after a value that does not differ from the one above it.
TIED = "="


@dataclass(frozen=True, eq=False)
class LayerNumber(Number):
    """A number of a layer. Works as the float `value`.

    Attributes
    ----------
    value : float
        NaN of a layer that is not finite.
    sampling_error : float
        Standard deviation over other samples of as many rows; NaN where there is none.
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
        level, error = checked_level(level), self.sampling_error
        half = student_quantile(level, self.degrees) * error if error > 0.0 else error
        return Interval(self.value - half, self.value + half, level, OVER)


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
        LayerDifference differ if the p-value is at most 1 - level.
    """

    layers: list[ProfiledLayer]
    neighbours: list[LayerDifference]
    n: int
    step: int
    units: dict[str, str]
    level: float = LEVEL
    p_values: dict[tuple[str, str, str], float] = field(init=False)

    def __post_init__(self) -> None:
        """Correct the p-values, measure by measure."""
        known = {}
        for measure in self.measures:
            several = [one for one in self.neighbours if one.measure == measure]
            corrected = holm([one.difference.p_value for one in several])
            for one, p in zip(several, corrected, strict=True):
                known[measure, one.a, one.b] = p
        object.__setattr__(self, "p_values", known)

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

        As far as these rows can tell. The ends of a long run may well differ, which was not tested.

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
            f"{len(self.layers)} layers, {self.n} rows, step {self.step}: values +- sampling "
            f"errors; {TIED} does not differ from the layer above (Holm, {self.level:.12g})"
        )

    def _table(self) -> Table:
        titles = [
            measure + (f" ({self.units[measure]})" if self.units.get(measure) else "")
            for measure in self.measures
        ]
        table: Table = [("", "columns", *titles)]
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
        for measure in self.measures:
            for tie in self.ties(measure):
                yield f"{measure}: {_run(tie)}"

    def _repr_html_(self) -> str:
        lines = [self._heading(), *self._sentences()]
        heading, *sentences = (f"<div>{escape(line)}</div>" for line in lines)
        table = html_table(self._table())
        return f'<div style="color: inherit">{heading}{table}{"".join(sentences)}</div>'

    def __repr__(self) -> str:
        return "\n".join([self._heading(), "", *aligned(self._table()), "", *self._sentences()])


def _run(names: Sequence[str]) -> str:
    if len(names) == 2:
        return f"{names[0]} and {names[1]} do not differ"
    return f"{names[0]} to {names[-1]}: none differs from the next"


def _number(value: float) -> float | None:
    """JSON has no NaN."""
    return value if math.isfinite(value) else None
