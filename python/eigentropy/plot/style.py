"""The one style of all figures. matplotlib is imported only where something is drawn.

Curves stay apart for colour-blind readers, and in grey: neighbours in the order of `COLOURS` differ
in lightness, and each curve has its own pair of line and marker.
"""

from __future__ import annotations

from typing import Any

import numpy as np

# Okabe and Ito, without their yellow, which is too light for lines on white. The order alternates
# dark and light. The five after them are as far from these and from each other, also for
# colour-blind readers, as these are.
COLOURS = (
    "#0072B2", "#E69F00", "#000000", "#D55E00", "#56B4E9", "#009E73", "#CC79A7",
    "#661A00", "#6666FF", "#3D0066", "#E61A4D", "#00E6B8",
)  # fmt: skip
BLUE, ORANGE, BLACK, VERMILLION, SKY, GREEN, PINK = COLOURS[:7]
LINES = ("-", "--", "-.", ":")
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", "*", ">", "p", "d")

# More curves than this are taken for a sequence, such as the layers of a network.
MOST_APART = 7

# A scale for numbers: its lightness grows from end to end, also for colour-blind readers.
SCALE = "cividis"
# The light end is hard to see on white: lines stop before.
LIGHTEST = 0.85

GRID = "0.9"
QUIET = "0.45"  # of texts and marks that are not data
BAND_OPACITY = 0.2
LINE_WIDTH = 1.6
MARKER_SIZE = 4.0

# Up to this many points each has a marker; of more, markers keep a distance, in axes' diagonals.
MOST_MARKERS = 20
MARKER_DISTANCE = 0.08

# Entries of a legend in one column.
MOST_IN_COLUMN = 24


def require_matplotlib() -> None:
    """Find out about matplotlib before something long is computed.

    Raises
    ------
    ImportError
        It is missing; the message names the extra.
    """
    try:
        import matplotlib  # noqa: F401
    except ImportError as error:
        raise ImportError("the figures need matplotlib: pip install 'eigentropy[plot]'") from error


def axes_or_new(ax: Any = None, *, projection: str | None = None) -> Any:
    """`ax`, or the axes of a new pyplot figure, which notebooks show by themselves."""
    require_matplotlib()
    if ax is None:
        from matplotlib import pyplot

        return pyplot.subplots(layout="constrained", subplot_kw={"projection": projection})[1]
    if not hasattr(ax, "transData"):
        raise TypeError(f"ax must be one matplotlib axes, got {type(ax).__name__}")
    return ax


def dress(axes: Any) -> None:
    """Two spines, and a light grid behind the data."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="y", which="major", color=GRID, linewidth=0.8)
    axes.set_axisbelow(True)


def dressed(ax: Any = None) -> Any:
    """`ax` or new axes, dressed."""
    axes = axes_or_new(ax)
    dress(axes)
    return axes


def marker(number: int) -> str:
    """Of group `number`: with its colour it is unique among the first 144."""
    return MARKERS[(number + number // len(COLOURS)) % len(MARKERS)]


def curve(number: int) -> dict[str, Any]:
    """Colour, line and marker of curve `number`; among the first 48 no two have the same."""
    return {
        "color": COLOURS[number % len(COLOURS)],
        "linestyle": LINES[(number + number // len(COLOURS)) % len(LINES)],
        "marker": marker(number),
        "markersize": MARKER_SIZE,
        "linewidth": LINE_WIDTH,
    }


def curves(count: int, before: int = 0) -> list[dict[str, Any]]:
    """Styles of `count` curves that come after `before` others.

    More than `MOST_APART` are a sequence: from the dark to the light end of `SCALE`, in plain
    lines.
    """
    if count <= MOST_APART:
        return [curve(before + number) for number in range(count)]
    import matplotlib

    scale = matplotlib.colormaps[SCALE]
    return [
        {"color": scale(LIGHTEST * number / (count - 1)), "linewidth": LINE_WIDTH}
        for number in range(count)
    ]


def draw_curve(axes: Any, x: Any, y: Any, style: dict[str, Any], **line: Any) -> Any:
    """A line with markers that do not touch; `line` overrides the style."""
    every = 1 if len(x) <= MOST_MARKERS else (0.0, MARKER_DISTANCE)
    (drawn,) = axes.plot(x, y, **{"markevery": every, **_without_aliases(style, line), **line})
    return drawn


def possible_ends(value: Any, low: Any, high: Any, possible: tuple[float, float]) -> Any:
    """The ends of an interval around an estimate, as far as they are possible; shape (2, ...).

    An estimate below the range is noise around its end, and the interval ends there. One above it
    comes from an estimator that does not keep to the range, and the interval is not cut.
    """
    least, most = possible
    high = np.where(np.greater(value, most), high, np.minimum(high, most))
    return np.stack([np.maximum(low, np.minimum(least, value)), high])


def draw_band(axes: Any, x: Any, low: Any, high: Any, colour: Any, label: str | None = None) -> Any:
    """A band around a curve of this colour."""
    return axes.fill_between(
        x, low, high, color=colour, alpha=BAND_OPACITY, linewidth=0, label=label
    )


def mark(axes: Any, x: float, height: float = 1.0, **line: Any) -> None:
    """A vertical line through this share of the axes, which is in view and no curve."""
    from matplotlib.collections import LineCollection

    from_bottom = axes.get_xaxis_transform()
    axes.add_collection(
        LineCollection([[(x, 0.0), (x, height)]], transform=from_bottom, **line), autolim=False
    )
    axes.update_datalim([(x, 0.0)], updatey=False)
    axes.autoscale_view(scaley=False)


def mark_level(axes: Any, value: float, label: str) -> None:
    """A dotted line across the axes at a value, with its name; it is no curve."""
    from matplotlib.collections import LineCollection

    across = axes.get_yaxis_transform()
    line = LineCollection([[(0.0, value), (1.0, value)]], transform=across, colors=QUIET)
    line.set(linestyle=":", linewidth=1.2)
    axes.add_collection(line, autolim=False)
    axes.update_datalim([(0.0, value)], updatex=False)
    axes.autoscale_view(scalex=False)
    axes.text(
        1.0, value, label, transform=across, ha="right", va="bottom", fontsize="small", color=QUIET
    )


def curves_on(axes: Any) -> int:
    """How many curves the axes have: the number of the next one."""
    return len(axes.lines)


def next_curve(axes: Any, label: str | None = None) -> dict[str, Any]:
    """Style of the next curve on the axes, with its name in the legend."""
    look = curve(curves_on(axes))
    return look if label is None else {**look, "label": label}


def legend(axes: Any) -> None:
    """Name what has a name, to the right of the axes: there it covers neither data nor a title."""
    handles, labels = axes.get_legend_handles_labels()
    if labels:
        axes.legend(
            handles, labels, loc="upper left", bbox_to_anchor=(1.02, 1.0), borderaxespad=0.0,
            ncols=-(-len(labels) // MOST_IN_COLUMN), frameon=False, fontsize="small",
        )  # fmt: skip


# The short names that matplotlib takes for the same thing; both at once are an error.
_ALIASES = {"c": "color", "ls": "linestyle", "lw": "linewidth", "ms": "markersize"}


def _without_aliases(style: dict[str, Any], line: dict[str, Any]) -> dict[str, Any]:
    replaced = {_ALIASES.get(name, name) for name in line}
    return {name: value for name, value in style.items() if name not in replaced}
