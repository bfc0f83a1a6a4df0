"""Layers of a network on the information plane: their numbers, and which inequalities they keep."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from html import escape
from typing import Any

import numpy as np
import numpy.typing as npt

from eigentropy._measures.comparison.layout import Table, aligned, html_table
from eigentropy._measures.layer_profile import LayerNumber
from eigentropy._support.interval import LEVEL
from eigentropy._support.units import unit
from eigentropy.bottleneck.following import curve
from eigentropy.bottleneck.joint import JointDistribution, joint_distribution
from eigentropy.plot import planes

Doubles = npt.NDArray[np.float64]


@dataclass(frozen=True)
class PlaneLayer:
    """A layer on the information plane; each number has its sampling error.

    Attributes
    ----------
    name : str
    about_input : LayerNumber
        I(h_0; h_i).
    about_previous : LayerNumber
        I(h_{i-1}; h_i).
    about_label : LayerNumber
        I(Y; h_i).
    lost : LayerNumber
        I(Y; h_{i-1} | h_i): what the layer before it says of Y beyond this layer.
    gained : LayerNumber
        I(Y; h_i | h_{i-1}): what this layer says of Y beyond the layer before it. Of the variables
        themselves it is 0, since h_i is a function of h_{i-1}. What is above 0 the measure did not
        see in h_{i-1}.
    change : LayerNumber
        I(Y; h_i) - I(Y; h_{i-1}) = gained - lost.
    cost : LayerNumber
        I(h_{i-1}; h_i) + beta I(Y; h_{i-1} | h_i).
    p_value : float
        Of the hypothesis that `change` is not above 0, as the data-processing inequality says;
        one-sided, by Student's t, by Holm's correction for all layers. NaN without an error.
    """

    name: str
    about_input: LayerNumber
    about_previous: LayerNumber
    about_label: LayerNumber
    lost: LayerNumber
    gained: LayerNumber
    change: LayerNumber
    cost: LayerNumber
    p_value: float = math.nan


@dataclass(frozen=True, eq=False, repr=False)
class LayerPlane:
    """The layers of a network on the information plane. Prints as a table.

    Attributes
    ----------
    input : LayerNumber
        I(Y; h_0) of the first representation.
    layers : list of PlaneLayer
        Those after it.
    by : {"kernel", "clusters", "bins"}
    beta : float
    n : int
        Number of rows.
    base : float
        Of the logarithm.
    level : float
        A layer breaks the inequality if its `p_value` is at most 1 - level.
    symbols : array of int, shape (n, 1 + layers), or None
        The cluster or cell of each row in each representation; None for "kernel".
    codes : array of int, shape (n,)
        Those of the labels.
    """

    input: LayerNumber
    layers: list[PlaneLayer]
    by: str
    beta: float
    n: int
    base: float
    codes: npt.NDArray[np.int64] = field(repr=False)
    symbols: npt.NDArray[np.int64] | None = field(default=None, repr=False)
    level: float = LEVEL

    @property
    def rising(self) -> list[str]:
        """The layers that are measured to say more of Y than the layer before them.

        The data-processing inequality rules that out for the variables themselves. So the measure
        saw in h_i what it could not see in h_{i-1}. Empty, too, where the p-values are
        NaN: no layer is tested there.
        """
        return [layer.name for layer in self.layers if layer.p_value <= 1.0 - self.level]

    def joint(self) -> JointDistribution:
        """The joint distribution of the symbols of the first representation and the labels.

        Raises
        ------
        ValueError
            Of "kernel", which gives no symbols.
        """
        return joint_distribution(self._symbols()[:, 0], self.codes, kind="labels")

    def on_curve(self) -> Doubles:
        r"""The layers where the curve of `joint` is a bound: shape (layers, 2).

        With the encoder :math:`p(t \mid x)` that the symbols of a layer are of those of the first
        representation, I(X; T) and I(T; Y) of :math:`p(x, t, y) = p(x, y) p(t \mid x)`. No such
        point lies above the information curve of `joint`. What a layer tells apart within one
        symbol of the input is not in it.

        Raises
        ------
        ValueError
            Of "kernel".
        """
        symbols, joint = self._symbols(), self.joint()
        points = []
        for layer in symbols[:, 1:].T:
            with_input = joint_distribution(symbols[:, 0], layer, kind="labels")
            with_label = JointDistribution(with_input.p_y_given_x.T @ joint.p_xy)
            points.append([one.nats for one in (with_input, with_label)])
        return np.array(points) / math.log(self.base)

    def to_rows(self) -> list[dict[str, Any]]:
        """One dict for each layer, as for ``pandas.DataFrame``: numbers, and their errors."""
        rows = []
        for layer in self.layers:
            row: dict[str, Any] = {"layer": layer.name}
            for name in NUMBERS:
                number = getattr(layer, name)
                row |= {name: number.value, f"{name}_sampling_se": number.sampling_error}
            rows.append({**row, "p_value": layer.p_value})
        return rows

    def plot(self, *, ax: Any = None, label: str | None = None) -> Any:
        """Draw I(Y; h_i) over I(X; h_i), with intervals over other samples.

        Parameters
        ----------
        ax : matplotlib axes, optional
        label : str, optional
            In the legend.

        Returns
        -------
        matplotlib.axes.Axes
        """
        numbers = [(layer.about_input, layer.about_label) for layer in self.layers]
        points = [(x.value, y.value) for x, y in numbers]
        errors = [(_half_width(x, self.level), _half_width(y, self.level)) for x, y in numbers]
        return planes.layers(self.names, points, unit(self.base), errors=errors, label=label, ax=ax)

    def plot_curve(self, *, ax: Any = None) -> Any:
        """Draw the information curve of `joint`, and the layers below it, as `on_curve` has them.

        Returns
        -------
        matplotlib.axes.Axes

        Raises
        ------
        ValueError
            Of "kernel".
        """
        points = [(kept, said) for kept, said in self.on_curve()]
        axes = curve(self.joint(), base=self.base).plot(ax=ax, label="information curve")
        return planes.layers(self.names, points, unit(self.base), label="layers", ax=axes)

    @property
    def names(self) -> list[str]:
        """Of the layers after the first representation."""
        return [layer.name for layer in self.layers]

    def _symbols(self) -> npt.NDArray[np.int64]:
        if self.symbols is None:
            raise ValueError(
                "by='kernel' gives no symbols, of which the curve is: pass by='clusters' or 'bins'"
            )
        return self.symbols

    def _heading(self) -> str:
        return (
            f"{len(self.layers)} layers, {self.n} rows, by {self.by}, in {unit(self.base)}, "
            f"beta {self.beta:g}: {'values +- sampling errors' if self._tested else 'values'}"
        )

    def _table(self) -> Table:
        table: Table = [("", *(title for title in NUMBERS.values()), "p")]
        table.append(("input", "", "", _cell(self.input), "", "", "", "", ""))
        for layer in self.layers:
            cells = [_cell(getattr(layer, name)) for name in NUMBERS]
            p = "" if math.isnan(layer.p_value) else f"{layer.p_value:.2g}"
            table.append((layer.name, *cells, p))
        return table

    @property
    def _tested(self) -> bool:
        return any(math.isfinite(layer.p_value) for layer in self.layers)

    def _sentence(self) -> str:
        if not self._tested:
            return "No layer was tested: there are no sampling errors, or no values."
        if not self.rising:
            return "No layer is measured to say more of Y than the layer before it."
        return f"Measured to say more of Y than the layer before: {', '.join(self.rising)}."

    def _repr_html_(self) -> str:
        heading, sentence = escape(self._heading()), escape(self._sentence())
        return f"<div>{heading}{html_table(self._table())}{sentence}</div>"

    def __repr__(self) -> str:
        return "\n".join([self._heading(), "", *aligned(self._table()), "", self._sentence()])


# The numbers of a layer in the order of the table, and their titles there.
NUMBERS = {
    "about_input": "I(X;h)",
    "about_previous": "I(h-1;h)",
    "about_label": "I(Y;h)",
    "lost": "lost",
    "gained": "gained",
    "change": "change",
    "cost": "cost",
}


def _half_width(number: LayerNumber, level: float) -> float:
    low, high = number.interval(level)
    return 0.5 * (high - low)


def _cell(number: LayerNumber) -> str:
    error = number.sampling_error
    return f"{number.value:.4g}" + ("" if math.isnan(error) else f" +- {error:.2g}")
