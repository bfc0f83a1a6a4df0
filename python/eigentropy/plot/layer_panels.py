"""A figure of several measures over the layers of a model, one panel a measure."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from eigentropy._support.options import integer
from eigentropy.plot import style
from eigentropy.plot.profiles import draw_ties, name_layers

# Inches of a panel, for a title above all of them, and for the legend below.
WIDTH, HEIGHT, ABOVE, BELOW = 3.9, 2.5, 0.3, 0.3
# How many names of layers a panel has room for, and of how many letters in a line.
MOST_NAMES, SHORT_NAMES = 10, 24

# The share of a panel below its data where ties are drawn, and the points of their broad lines.
FOOT, FOOT_WIDTH = 0.09, 5.0

# What may be below 0, whose interval is not cut there.
SIGNED = ("anisotropy", "dime")


def layer_panels(
    profile: Any, measures: Sequence[str] | None = None, *, columns: int = 3, figure: Any = None
) -> list[Any]:
    """Every measure of a profile over the layers, with a band for its interval; one panel each.

    A band is the interval over other samples of the data, at the level of the profile. A broad grey
    line at the foot is under layers of which none differs from the next; a legend below all panels
    says so. The profile of a language model in the
    scope "tokens" has one panel more: the share of tokens whose nearest other token is of the same
    prompt, beside that of chance.

    Parameters
    ----------
    profile : LayerProfile
        Such as `eigentropy.torch.layers.profile` returns.
    measures : sequence of str, optional
        By default all of the profile.
    columns : int
        Panels beside each other.
    figure : matplotlib figure, optional
        Where to draw; a new one by default.

    Returns
    -------
    list of matplotlib.axes.Axes
        In the order of the measures.

    Raises
    ------
    ValueError
        A measure that the profile does not have, or no measure.
    ImportError
        matplotlib is missing.

    Examples
    --------
    >>> several = layer_panels(found)  # doctest: +SKIP
    """
    style.require_matplotlib()
    columns = integer(columns, "columns", at_least=1)
    wanted = list(profile.measures if measures is None else measures)
    drawn = {name: _of_all(profile.names, profile.values(name)) for name in wanted}
    shares = getattr(profile, "same_prompt", None) or {}
    count = len(drawn) + bool(shares)
    if count == 0:
        raise ValueError("there is nothing to draw: measures is empty")
    if figure is None:
        from matplotlib import pyplot

        figure = pyplot.figure(layout="constrained")
    across, down = _grid(count, columns)
    figure.set_size_inches(WIDTH * across, HEIGHT * down + ABOVE + BELOW)
    panels = [figure.add_subplot(down, across, 1 + place) for place in range(count)]
    within = getattr(profile, "within_prompts", ())
    for axes, (name, numbers) in zip(panels, drawn.items(), strict=False):
        _draw(axes, numbers, profile.ties(name), profile.level, name in SIGNED)
        about = f"{name}, within prompts" if name in within else name
        _name(axes, about, profile.units.get(name, ""))
    if shares:
        _draw(panels[-1], shares, (), profile.level, False)
        style.mark_level(panels[-1], profile.same_prompt_by_chance, "by chance")
        _name(panels[-1], "nearest token of the same prompt", "share")
    _legend(figure, panels)
    return panels


def _legend(figure: Any, panels: Sequence[Any]) -> None:
    """One line below all panels, of what has a name in any of them."""
    named: dict[str, Any] = {}
    for axes in panels:
        handles, labels = axes.get_legend_handles_labels()
        named |= dict(zip(labels, handles, strict=True))
    if named:
        figure.legend(
            named.values(), named, loc="outside lower center", ncols=len(named), frameon=False,
            fontsize="small",
        )  # fmt: skip


def _grid(count: int, columns: int) -> tuple[int, int]:
    """How many panels stand beside each other, and how many below."""
    across = min(columns, count)
    return across, -(-count // across)


def _of_all(names: Sequence[str], numbers: Mapping[str, Any]) -> dict[str, Any]:
    """NaN of layers without this measure, so that all panels have the same layers."""
    return {name: numbers.get(name, math.nan) for name in names}


def _name(axes: Any, title: str, unit: str) -> None:
    axes.set_title(title, loc="left", fontsize="medium", parse_math=False)
    axes.set_ylabel(unit)


def _draw(axes: Any, numbers: Any, ties: Any, level: float, is_signed: bool) -> None:
    """A curve over the layers with its band."""
    style.dress(axes)
    x, y = np.arange(float(len(numbers))), np.array([float(one) for one in numbers.values()])
    curve = style.draw_curve(axes, x, y, style.next_curve(axes))
    colour = curve.get_color()
    low, high = np.array([_ends(one, level) for one in numbers.values()]).T
    if np.isfinite(low).any():
        least = -math.inf if is_signed else 0.0
        low, high = style.possible_ends(y, low, high, (least, math.inf))
        about = f"{100.0 * level:.12g} % interval over other samples"
        style.draw_band(axes, x, low, high, colour, about)
    _draw_ties(axes, ties, numbers)
    name_layers(axes, list(numbers), MOST_NAMES, SHORT_NAMES)


def _draw_ties(axes: Any, ties: Any, names: Iterable[str]) -> None:
    """At the foot of the panel and in grey, where nobody takes them for a part of the band."""
    if ties:
        low, high = axes.get_ylim()
        axes.set_ylim(low - FOOT * (high - low), high)
        names, look = list(names), {"transform": axes.get_xaxis_transform(), "alpha": 0.6}
        heights = np.full(len(names), FOOT / 2.0)
        draw_ties(axes, ties, names, heights, style.QUIET, linewidths=FOOT_WIDTH, **look)


def _ends(number: Any, level: float) -> tuple[float, float]:
    if not hasattr(number, "interval"):
        return math.nan, math.nan
    low, high = number.interval(level)[:2]
    return low, high
