"""The figures of the studies. matplotlib is imported only here, and no global state is used."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from eigentropy._support.interval import LEVEL, student_quantile
from eigentropy.plot import style
from eigentropy.plot.style import require_matplotlib
from eigentropy.studies.study import Curve, Panel, Study, StudyPlan

_MOST_COLUMNS = 3

# Inches: of a panel, of one of a grid, and of the legend beside all of them.
_PANEL, _SMALL, _LEGEND = (4.2, 3.6), (1.5, 1.5), 2.0

# Square points: a point of a scatter.
_POINT = 9.0

Looks = dict[str, dict[str, Any]]


def band(values: Sequence[float]) -> tuple[float, float]:
    """Mean of the repetitions and half the width of its 95 % confidence interval (Student's t).

    The width is 0 for a single repetition, which says nothing about the others.
    """
    x = np.asarray([value for value in values if math.isfinite(value)])
    if len(x) == 0:
        return math.nan, 0.0
    if len(x) == 1:
        return float(x[0]), 0.0
    quantile = student_quantile(LEVEL, len(x) - 1.0)
    return float(x.mean()), quantile * float(x.std(ddof=1)) / math.sqrt(len(x))


def caption(study: Study, plan: StudyPlan) -> str:
    """What is written below a figure: the study, its size, and what is shown."""
    size = "full size" if plan.full else "quick size"
    return f"{study.name}, {size}; {study.below}"


def figure_png(panels: Sequence[Panel], caption: str) -> bytes:
    """Draw the panels side by side, with one legend for all, as a PNG."""
    figure = draw(panels, caption)
    png = io.BytesIO()
    figure.savefig(png, format="png")
    return png.getvalue()


def draw(panels: Sequence[Panel], caption: str) -> Any:
    """The figure of the panels. A name has one look in all of them."""
    require_matplotlib()
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    names = (curve.label for panel in panels for curve in panel.curves if curve.points)
    looks = {name: style.curve(number) for number, name in enumerate(dict.fromkeys(names))}
    columns, (width, height) = _columns(panels)
    lines = -(-len(panels) // columns)
    size = width * columns + (_LEGEND if looks else 0.0), height * lines
    figure = Figure(figsize=size, dpi=130, layout="constrained")
    FigureCanvasAgg(figure)  # Agg draws without a display
    for axes, panel in zip(
        figure.subplots(lines, columns, squeeze=False).flat, panels, strict=False
    ):
        _draw(figure, axes, panel, looks)
    for axes in figure.axes[len(panels) : lines * columns]:
        axes.set_visible(False)
    figure.supxlabel(caption, fontsize=7, color=style.QUIET, x=0.995, ha="right")
    _legend(figure)
    return figure


def _columns(panels: Sequence[Panel]) -> tuple[int, tuple[float, float]]:
    """How many panels stand in a row, and the size of each. A grid has a column for each title."""
    if panels and all(panel.small for panel in panels):
        return len({panel.title for panel in panels}), _SMALL
    return 2 if len(panels) == 4 else min(_MOST_COLUMNS, len(panels)), _PANEL


def _legend(figure: Any) -> None:
    """Each name once, to the right of all panels."""
    known: dict[str, Any] = {}
    for axes in figure.axes:
        handles, names = axes.get_legend_handles_labels()
        for name, handle in zip(names, handles, strict=True):
            known.setdefault(name, handle)
    if known:
        figure.legend(
            known.values(), known.keys(), loc="outside right upper", frameon=False, fontsize="small"
        )


def _draw(figure: Any, axes: Any, panel: Panel, looks: Looks) -> None:
    axes.set_title(panel.title, fontsize=10, loc="left")
    axes.set_xlabel(panel.x)
    axes.set_ylabel(panel.y)
    if panel.cells:
        _map(figure, axes, panel.cells)
        return
    if panel.small:
        _bare(axes)
    else:
        style.dress(axes)
    if panel.log_x:
        axes.set_xscale("log")
    for curve in panel.curves:
        if not curve.points:
            continue
        look = looks[curve.label]
        if panel.scatter:
            marks = {"color": look["color"], "marker": look["marker"]}
            size = _POINT / 2 if panel.small else _POINT
            _points(axes, curve, marks, size, joined=panel.joined)
        else:
            _line(axes, curve, look, curve.possible or panel.possible)
    xs = [x for curve in panel.curves for x in curve.points]
    if not (panel.scatter or panel.log_x) and all(x == round(x) for x in xs):
        axes.xaxis.get_major_locator().set_params(integer=True)


def _line(axes: Any, curve: Curve, look: dict[str, Any], possible: tuple[float, float]) -> None:
    x = np.array(list(curve.points))
    mean, half = np.array([band(values) for values in curve.points.values()]).T
    low, high = style.possible_ends(mean, mean - half, mean + half, possible)
    style.draw_curve(axes, x, mean, look, label=curve.label)
    style.draw_band(axes, x, low, high, look["color"])


def _bare(axes: Any) -> None:
    """No numbers: the coordinates mean nothing, but their two units are the same."""
    axes.set_xticks([])
    axes.set_yticks([])
    axes.spines[:].set_color(style.GRID)
    axes.set_aspect("equal", adjustable="datalim")
    axes.title.set_size("small")
    axes.yaxis.label.set_size("small")


def _points(
    axes: Any, curve: Curve, look: dict[str, str], size: float, *, joined: bool = False
) -> None:
    x = [at for at, values in curve.points.items() for _ in values]
    y = [value for values in curve.points.values() for value in values]
    axes.scatter(x, y, s=size, alpha=0.7, label=curve.label, **look)
    if joined:
        axes.plot(x, y, color=look["color"], linewidth=0.8, alpha=0.5)
        axes.scatter(x[-1:], y[-1:], s=4.0 * size, **look)


def _map(figure: Any, axes: Any, cells: dict[tuple[float, float], float]) -> None:
    xs, ys = sorted({x for x, _ in cells}), sorted({y for _, y in cells})
    values = np.array([[cells.get((x, y), math.nan) for x in xs] for y in ys])
    image = axes.imshow(values, origin="lower", aspect="auto", cmap=style.SCALE)
    axes.set_xticks(range(len(xs)), [f"{x:g}" for x in xs], fontsize=7)
    axes.set_yticks(range(len(ys)), [f"{y:g}" for y in ys], fontsize=7)
    figure.colorbar(image, ax=axes)
