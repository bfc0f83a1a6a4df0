"""Figures of many measurements: over the layers of a network, and over the steps of training."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from eigentropy._support.interval import LEVEL, student_quantile
from eigentropy._support.options import integer, logarithm_base
from eigentropy._support.units import unit
from eigentropy.plot import style
from eigentropy.plot.inputs import is_entropy, is_information

# The keys of a monitor, "dsmi_y_adjusted/layer": the measures that they begin with.
_MEASURE = re.compile(r"(dse|dsmi|kernel)(_\w+)?/")
_INFORMATIONS = {"dsmi": "DSMI with", "kernel": "kernel information about"}
_ENTROPIES = {"dse": "DSE", "kernel": "kernel entropy"}
_ABOUT = {"y": "the labels", "x": "the input", "previous": "the previous layer"}
_ADJUSTED = "_adjusted"
# What the key of an information's standard error over the null partitions has more.
NULL_SE = "_null_se"

# Names of layers under the axis; of more, only some are written.
_MOST_TICKS = 24
# Names longer than this are written at a slant.
_SHORT_NAMES = 40

# Of the lines through layers that do not differ, in points.
TIE_WIDTH = 9.0

# Where a result has no interval: this many standard errors to both sides.
_ERRORS = 2.0


def layers(
    values: Mapping[str, Any],
    measure: str | None = None,
    *,
    base: float = 2.0,
    ties: Sequence[Sequence[str]] = (),
    level: float = LEVEL,
    ax: Any = None,
    label: str | None = None,
    **line: Any,
) -> Any:
    """One value a layer, in the order of the mapping.

    Results have their interval as error bars, with the probability `level` where it is one: that of
    the computation, over random vectors or partitions, and not over other samples of the data. It
    is cut at 0 and at the largest possible value. The numbers of a `LayerProfile` have theirs over
    other samples. Draw several profiles on the same axes to compare them.

    Parameters
    ----------
    values : mapping
        ``{layer: result or number}``; or one row of `Monitor.history`, whose keys are
        ``"measure/layer"``.
    measure : str, optional
        Which values of such a row, as "dse" or "dsmi_y_adjusted"; by default the first measure in
        it. For ``{layer: number}`` it names the axis.
    base : float
        Of the logarithm behind numbers: 2 for bits. Results bring their own.
    ties : sequence of sequences of str
        Layers in a row that do not differ, as `LayerProfile.ties` has them: a broad line runs
        through each of these.
    level : float
        Of the intervals.
    ax, label, **line
        As in `spectrum`.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    ValueError
        No values; a measure that the row does not have (the message names those that it has);
        results with different bases.
    TypeError
        Not a mapping, or a value that is no number.
    ImportError
        matplotlib is missing.

    Examples
    --------
    >>> import eigentropy as eg
    >>> axes = eg.plot.layers({"conv1": 5.2, "conv2": 4.1, "fc": 3.3}, "dse")  # doctest: +SKIP
    """
    style.require_matplotlib()
    if not isinstance(values, Mapping):
        raise TypeError(
            f"values must be a mapping of layers to results, got {type(values).__name__}"
        )
    measure, by_layer = _of_one_measure(values, measure)
    base = _common_base(by_layer.values(), logarithm_base(base))
    heights = np.array([_number(value, name) for name, value in by_layer.items()])
    reach = np.array([_reach(value, level) for value in by_layer.values()]).T
    axes = style.dressed(ax)
    x = np.arange(float(len(heights)))
    look = {**style.next_curve(axes, label), "markevery": 1}
    drawn = style.draw_curve(axes, x, heights, look, **line)
    draw_ties(axes, ties, by_layer, heights, drawn.get_color())
    if np.nanmax(reach, initial=0.0) > 0.0:
        axes.vlines(
            x, heights - reach[0], heights + reach[1], color=drawn.get_color(), linewidth=1.2
        )
    name_layers(axes, list(by_layer))
    axes.set(xlabel="layer", ylabel=_axis_label(measure, base, by_layer.values()))
    style.legend(axes)
    return axes


def history(
    rows: Sequence[Mapping[str, Any]],
    measure: str | None = None,
    *,
    layers: Sequence[str] | None = None,
    base: float = 2.0,
    n_null: int | None = None,
    ax: Any = None,
    **line: Any,
) -> Any:
    """Curves over the steps of training, one a layer.

    More than seven layers go from dark to light in the order of the rows. An information has a band
    where the rows have its null standard error and `n_null` is given.

    Parameters
    ----------
    rows : list of dict
        As `Monitor.history`: "step" and values with the keys ``"measure/layer"``. A value that a
        row does not have, or that is NaN, leaves a gap.
    measure : str, optional
        As "dse" or "dsmi_y_adjusted"; by default the first one in the rows. A key without a layer,
        such as "loss", is one curve.
    layers : sequence of str, optional
        Draw only these, in this order.
    base : float
        Of the logarithm behind the values: 2 for bits.
    n_null : int, optional
        Number of random partitions behind the informations. The band is then the 95 % interval by
        Student's t with `n_null` - 1 degrees of freedom of ``"dsmi_y_null_se/layer"`` and the like:
        over other random partitions, not over other samples of the data.
    ax : matplotlib axes, optional
        Where to draw; a new figure by default.
    **line
        For ``ax.plot``.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    ValueError
        No rows, a row without "step", a measure or a layer that the rows do not have (the message
        names those that they have).
    TypeError
        Rows that are no mappings, or a value that is no number.
    ImportError
        matplotlib is missing.
    """
    style.require_matplotlib()
    base = logarithm_base(base)
    n_null = None if n_null is None else integer(n_null, "n_null", at_least=2)
    several = _checked_rows(rows)
    keys = list(dict.fromkeys(key for row in several for key in row if key != "step"))
    measure, by_layer = _keys_of_measure(keys, measure)
    if layers is not None:
        by_layer = _chosen_layers(by_layer, layers, measure)
    steps = np.array([_number(row["step"], "step") for row in several])
    axes = style.dressed(ax)
    looks = style.curves(len(by_layer), style.curves_on(axes))
    for (name, key), look in zip(by_layer.items(), looks, strict=True):
        y = _column(several, key)
        drawn = style.draw_curve(axes, steps, y, {**look, "label": name or measure}, **line)
        error = _column(several, f"{measure}{NULL_SE}/{name}")
        if n_null is not None and np.isfinite(error).any():
            half = student_quantile(LEVEL, n_null - 1.0) * error
            low, high = style.possible_ends(y, y - half, y + half, (0.0, math.inf))
            style.draw_band(axes, steps, low, high, drawn.get_color())
    if (steps == np.rint(steps)).all():
        axes.xaxis.get_major_locator().set_params(integer=True)
    axes.set(xlabel="step", ylabel=_axis_label(measure, base, ()))
    style.legend(axes)
    return axes


def _places(tie: Sequence[str], names: Sequence[str]) -> list[int]:
    for name in tie:
        if name not in names:
            raise ValueError(f"ties: {name!r} is not among the layers {_quoted(names)}")
    return [names.index(name) for name in tie]


def draw_ties(
    axes: Any,
    ties: Sequence[Sequence[str]],
    names: Iterable[str],
    heights: Any,
    colour: Any,
    **look: Any,
) -> None:
    """Broad lines through layers that do not differ, which are no curves."""
    from matplotlib.collections import LineCollection

    if ties:
        places = [_places(tie, list(names)) for tie in ties]
        lines = [[(place, heights[place]) for place in tie] for tie in places]
        look = {"linewidths": TIE_WIDTH, "alpha": style.BAND_OPACITY, **look}
        label = "none differs from the next"
        drawn = LineCollection(lines, colors=colour, capstyle="round", label=label, **look)
        axes.add_collection(drawn, autolim=False)


def _of_one_measure(
    values: Mapping[str, Any], measure: str | None
) -> tuple[str | None, dict[str, Any]]:
    """The values by layer: those of one measure in a row of a monitor, or all of them."""
    if not values:
        raise ValueError("there are no layers to draw: values is empty")
    keys = [str(key) for key in values if key != "step"]
    if any(_MEASURE.match(key) or key.startswith(f"{measure}/") for key in keys):
        measure, by_layer = _keys_of_measure([key for key in keys if "/" in key], measure)
        return measure, {layer: values[key] for layer, key in by_layer.items()}
    return measure, {str(key): value for key, value in values.items()}


def _keys_of_measure(keys: list[str], measure: str | None) -> tuple[str, dict[str, str]]:
    """The measure, and the key of each layer; the layer of a key without one is empty."""
    measures: dict[str, dict[str, str]] = {}
    for key in keys:
        name, _, layer = key.partition("/")
        measures.setdefault(name, {})[layer] = key
    if not measures:
        raise ValueError("there is nothing to draw: the rows have no values beside 'step'")
    if measure is None:
        known = [name for name in measures if _MEASURE.match(f"{name}/")]
        measure = known[0] if known else next(iter(measures))
    if measure not in measures:
        raise ValueError(f"measure must be one of {_quoted(measures)}, got {measure!r}")
    return measure, measures[measure]


def _chosen_layers(by_layer: dict[str, str], layers: Sequence[str], measure: str) -> dict[str, str]:
    wanted = [layers] if isinstance(layers, str) else list(layers)
    for layer in wanted:
        if layer not in by_layer:
            raise ValueError(f"layers: {layer!r} has no {measure}; there are {_quoted(by_layer)}")
    if not wanted:
        raise ValueError("layers is empty: name at least one, or leave it out")
    return {layer: by_layer[layer] for layer in wanted}


def _checked_rows(rows: Any) -> list[Mapping[str, Any]]:
    several = [rows] if isinstance(rows, Mapping) else list(rows)
    if not several:
        raise ValueError("there is nothing to draw: rows is empty")
    for number, row in enumerate(several):
        if not isinstance(row, Mapping):
            raise TypeError(f"row {number} must be a dict, got {type(row).__name__}")
        if "step" not in row:
            raise ValueError(f"row {number} has no 'step', as rows of Monitor.history have")
    return several


def _quoted(names: Any) -> str:
    return ", ".join(repr(name) for name in names)


def _number(value: Any, name: str) -> float:
    if isinstance(value, str | bytes):
        raise TypeError(f"{name}: a number is needed, got {value!r}")
    try:
        return float(value)
    except (TypeError, ValueError, RuntimeError):
        raise TypeError(f"{name}: a number is needed, got {type(value).__name__}") from None


def _column(rows: Sequence[Mapping[str, Any]], key: str) -> Any:
    return np.array([_number(row.get(key, math.nan), key) for row in rows])


def _reach(value: Any, level: float) -> tuple[float, float]:
    """How far error bars go down and up."""
    if hasattr(value, "interval"):
        number, most = float(value), float(getattr(value, "label_entropy", math.inf))
        found = value.interval(level)
        low, high = style.possible_ends(number, found[0], found[1], (0.0, most))
        return max(0.0, number - float(low)), max(0.0, float(high) - number)
    half = _ERRORS * float(getattr(value, "standard_error", 0.0))
    return half, half


def _common_base(values: Any, otherwise: float) -> float:
    bases = {value.base for value in values if is_entropy(value) or is_information(value)}
    if len(bases) > 1:
        several = ", ".join(f"{base:g}" for base in sorted(bases))
        raise ValueError(f"the results have different bases of the logarithm: {several}")
    return bases.pop() if bases else otherwise


def _axis_label(measure: str | None, base: float, values: Any) -> str:
    """What is drawn, with its unit; "value" where nobody says what it is."""
    if measure is None:
        kinds = {_kind(value) for value in values}
        kind = kinds.pop() if len(kinds) == 1 else ""
        return f"{kind} ({unit(base)})" if kind else "value"
    bare = measure.removesuffix(_ADJUSTED).removesuffix(NULL_SE)
    if measure in _ENTROPIES:
        return f"{_ENTROPIES[measure]} ({unit(base)})"
    kind, _, about = bare.partition("_")
    if kind in _INFORMATIONS and about in _ABOUT:
        name = f"{_INFORMATIONS[kind]} {_ABOUT[about]}"
        base = 2.0 if bare == "kernel_y" else base  # in bits, always
        if measure.endswith(_ADJUSTED):
            return f"adjusted {name}"
        error = "null se of " if measure.endswith(NULL_SE) else ""
        return f"{error}{name} ({unit(base)})"
    return measure


def _kind(value: Any) -> str:
    """What a result is called on an axis; empty for a number."""
    if is_information(value):
        return "mutual information"
    return "entropy" if is_entropy(value) else ""


def name_layers(
    axes: Any, names: list[str], most: int = _MOST_TICKS, longest: int = _SHORT_NAMES
) -> None:
    """Write names of layers below the axis, not all where there are many; long names at a slant."""
    step = -(-len(names) // most)
    shown = names[::step]
    slanted = sum(map(len, shown)) > longest
    axes.set_xticks(
        np.arange(0.0, len(names), step),
        shown,
        rotation=30 if slanted else 0,
        ha="right" if slanted else "center",
        rotation_mode="anchor" if slanted else "default",
        fontsize="small",
    )
