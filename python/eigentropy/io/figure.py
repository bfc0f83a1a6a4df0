"""The figure of a tracked run. matplotlib is imported only here, and no global state is used."""

from __future__ import annotations

import io
import math
import re
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from eigentropy._measures.measurement import MeasurementSettings
from eigentropy._support.units import unit
from eigentropy.io.snapshot_rows import SnapshotRow
from eigentropy.plot import style

_LOOKS = {"dse": style.curve(0), "labels": style.curve(0), "against": style.curve(1)}
_NAMES = {"labels": "with labels", "against": "with the other vectors"}

# A tick with a name for each snapshot up to this many, then for some of them.
_MOST_TICKS = 12


def figure_png(rows: Sequence[SnapshotRow], settings: MeasurementSettings) -> bytes:
    """Draw DSE, DSMI and adjusted DSMI over the snapshots, as a PNG.

    Raises
    ------
    ImportError
        matplotlib is missing.
    """
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
        from matplotlib.layout_engine import ConstrainedLayoutEngine
    except ImportError as error:
        raise ImportError("the figure needs matplotlib: pip install 'eigentropy[plot]'") from error
    has_information = bool(rows[0].informations)
    panels = 3 if has_information else 1
    layout = ConstrainedLayoutEngine(rect=(0.0, 0.05, 1.0, 0.95), w_pad=0.1)  # the caption is below
    figure = Figure(figsize=(4.0 * panels + 0.6, 3.5), dpi=150, layout=layout)
    axes = figure.subplots(1, panels, sharex=True, squeeze=False)[0]
    x, word, ticks = axis_of([row.snapshot for row in rows])
    in_unit = unit(settings.base)

    _decorate(axes[0], f"DSE ({in_unit})", x, word, ticks)
    style.draw_curve(axes[0], x, [row.dse for row in rows], _LOOKS["dse"])
    if has_information:
        _decorate(axes[1], f"DSMI ({in_unit})", x, word, ticks)
        _decorate(axes[2], "adjusted DSMI", x, word, ticks)
        for role in rows[0].informations:
            _draw_information(axes[1], axes[2], x, rows, role)
        axes[1].legend(frameon=False)
        _frame_adjusted(axes[2])
    figure.text(0.995, 0.005, _caption(rows, settings), ha="right", va="bottom", **_SMALL)
    png = io.BytesIO()
    FigureCanvasAgg(figure)  # Agg draws without a display
    figure.savefig(png, format="png")
    return png.getvalue()


_SMALL: dict[str, Any] = {"fontsize": 7, "color": style.QUIET}


def axis_of(names: Sequence[str]) -> tuple[npt.NDArray[np.float64], str, list[str] | None]:
    """Return the places of the snapshots, what the axis counts, and its tick labels if any.

    epoch_1, epoch_2, epoch_10 lie at 1, 2, 10 of "epoch"; other names at 0, 1, 2 ...
    """
    split = [re.split(r"([0-9]+)", name) for name in names]
    frames = {tuple(parts[0::2]) for parts in split}
    if len(frames) == 1 and len(names) > 1:
        numbers = np.array([[float(number) for number in parts[1::2]] for parts in split])
        varying = [j for j in range(numbers.shape[1]) if np.ptp(numbers[:, j]) > 0]
        if len(varying) == 1:
            before = split[0][2 * varying[0]]
            word = re.search(r"([^\W\d_]+)[\W_]*$", before)
            return numbers[:, varying[0]], word[1] if word else "snapshot", None
    return np.arange(len(names), dtype=float), "snapshot", list(names)


def _decorate(
    axes: Any, title: str, x: npt.NDArray[np.float64], word: str, ticks: list[str] | None
) -> None:
    axes.set_title(title, fontsize=11, loc="left")
    axes.set_xlabel(word)
    style.dress(axes)
    if ticks is not None:
        step = -(-len(ticks) // _MOST_TICKS)
        axes.set_xticks(x[::step], ticks[::step], rotation=30, ha="right", fontsize=8)
    elif (x == np.rint(x)).all():
        axes.xaxis.get_major_locator().set_params(integer=True)


def _draw_information(
    raw: Any, adjusted: Any, x: npt.NDArray[np.float64], rows: Sequence[SnapshotRow], role: str
) -> None:
    look, several = _LOOKS[role], [row.informations[role] for row in rows]
    values = np.array([information.value for information in several])
    low, high = np.array([(information.low, information.high) for information in several]).T
    low, high = style.possible_ends(values, low, high, (0.0, math.inf))
    style.draw_curve(raw, x, values, look, label=_NAMES[role])
    style.draw_band(raw, x, low, high, look["color"])
    style.draw_curve(adjusted, x, [information.adjusted for information in several], look)


def _frame_adjusted(axes: Any) -> None:
    """Let the axis reach at least from 0 (independent) to 1 (the most that H(Y) allows)."""
    values = np.concatenate([line.get_ydata() for line in axes.lines])
    finite = values[np.isfinite(values)]
    axes.set_ylim(min(0.0, *finite, 0.0) - 0.05, max(1.0, *finite, 1.0) + 0.05)
    if finite.size == 0:
        axes.text(0.5, 0.5, "not defined", ha="center", transform=axes.transAxes)


def _caption(rows: Sequence[SnapshotRow], settings: MeasurementSettings) -> str:
    sizes = {row.n for row in rows}
    n = f"n = {rows[0].n}" if len(sizes) == 1 else f"n = {min(sizes)} to {max(sizes)}"
    parts = [n, f"sigma {settings.sigma}", f"alpha {settings.alpha:g}", f"t {settings.t[0]:g}"]
    if rows[0].informations:
        parts.append(f"{settings.estimator} estimator")
        if settings.estimator == "matched":
            parts.append(f"shaded: 95 % over {settings.n_null} random partitions, not over samples")
    return ", ".join(parts)
