"""The figures of the studies. matplotlib is imported only here, and no global state is used."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from eigentropy.studies.study import Curve, Panel

# Colours that stay apart for the colour-blind (Okabe and Ito), then again with another line.
_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
_LINES = ("-", "--")
_MOST_COLUMNS = 3
_MOST_LABELS_INSIDE = 4

# 97.5 % quantiles of Student's t, by degrees of freedom; the normal one beyond.
_STUDENT = (12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228)


def require_matplotlib() -> None:
    """Check for matplotlib before hours of measuring.

    Raises
    ------
    ImportError
        It is missing; the message names the extra.
    """
    try:
        import matplotlib  # noqa: F401
    except ImportError as error:
        raise ImportError("the figures need matplotlib: pip install 'eigentropy[plot]'") from error


def band(values: Sequence[float]) -> tuple[float, float]:
    """Mean of the repetitions and half the width of its 95 % confidence interval (Student's t).

    The width is 0 for a single repetition, which says nothing about the others.
    """
    x = np.asarray([value for value in values if math.isfinite(value)])
    if len(x) == 0:
        return math.nan, 0.0
    if len(x) == 1:
        return float(x[0]), 0.0
    quantile = _STUDENT[len(x) - 2] if len(x) - 2 < len(_STUDENT) else 1.96
    return float(x.mean()), float(quantile * x.std(ddof=1) / math.sqrt(len(x)))


def figure_png(panels: Sequence[Panel], caption: str) -> bytes:
    """Draw the panels side by side, as a PNG."""
    require_matplotlib()
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    columns = min(_MOST_COLUMNS, len(panels))
    lines = -(-len(panels) // columns)
    figure = Figure(figsize=(5.0 * columns, 3.8 * lines), dpi=130, layout="constrained")
    for axes, panel in zip(
        figure.subplots(lines, columns, squeeze=False).flat, panels, strict=False
    ):
        _draw(figure, axes, panel)
    for axes in figure.axes[len(panels) : lines * columns]:
        axes.set_visible(False)
    figure.supxlabel(caption, fontsize=7, color="0.45", x=0.995, ha="right")
    png = io.BytesIO()
    FigureCanvasAgg(figure)  # Agg draws without a display
    figure.savefig(png, format="png")
    return png.getvalue()


def _draw(figure: Any, axes: Any, panel: Panel) -> None:
    axes.set_title(panel.title, fontsize=10, loc="left")
    axes.set_xlabel(panel.x)
    axes.set_ylabel(panel.y)
    if panel.cells:
        _map(figure, axes, panel.cells)
        return
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="y", color="0.9", linewidth=0.8)
    if panel.log_x:
        axes.set_xscale("log")
    for number, curve in enumerate(curve for curve in panel.curves if curve.points):
        style = {"color": _COLOURS[number % len(_COLOURS)]}
        if panel.scatter:
            _points(axes, curve, style)
        else:
            _line(axes, curve, {**style, "ls": _LINES[number // len(_COLOURS) % len(_LINES)]})
    labels = axes.get_legend_handles_labels()[1]
    if len(labels) > _MOST_LABELS_INSIDE:  # more would cover curves
        axes.legend(frameon=False, fontsize=7, loc="upper left", bbox_to_anchor=(1.0, 1.0))
    elif labels:
        axes.legend(frameon=False, fontsize=7)


def _line(axes: Any, curve: Curve, style: dict[str, str]) -> None:
    x = np.array(list(curve.points))
    bands = np.array([band(values) for values in curve.points.values()])
    marker = "o" if len(x) <= 60 else ""
    axes.plot(x, bands[:, 0], marker=marker, ms=3, lw=1.4, label=curve.label, **style)
    low, high = bands[:, 0] - bands[:, 1], bands[:, 0] + bands[:, 1]
    axes.fill_between(x, low, high, color=style["color"], alpha=0.18, lw=0)


def _points(axes: Any, curve: Curve, style: dict[str, str]) -> None:
    x = [at for at, values in curve.points.items() for _ in values]
    y = [value for values in curve.points.values() for value in values]
    axes.scatter(x, y, s=9, alpha=0.7, label=curve.label, **style)


def _map(figure: Any, axes: Any, cells: dict[tuple[float, float], float]) -> None:
    xs, ys = sorted({x for x, _ in cells}), sorted({y for _, y in cells})
    values = np.array([[cells.get((x, y), math.nan) for x in xs] for y in ys])
    image = axes.imshow(values, origin="lower", aspect="auto", cmap="viridis")
    axes.set_xticks(range(len(xs)), [f"{x:g}" for x in xs], fontsize=7)
    axes.set_yticks(range(len(ys)), [f"{y:g}" for y in ys], fontsize=7)
    figure.colorbar(image, ax=axes)
