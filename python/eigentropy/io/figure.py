"""The figure of a tracked run. matplotlib is imported only here, and no global state is used."""

from __future__ import annotations

import io
import math
import re
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from eigentropy._measures.measurement import MeasurementSettings
from eigentropy._support.units import unit
from eigentropy.io.snapshot_rows import SnapshotInformation, SnapshotRow
from eigentropy.plot import style

_LOOKS = {"dse": style.curve(0), "labels": style.curve(0), "against": style.curve(1)}
_NAMES = {"labels": "with labels", "against": "with the other vectors"}

# A row of panels: names of entropy and information, the entropies, the informations by role.
_Drawn: TypeAlias = tuple[
    tuple[str, str], Sequence[float], Mapping[str, Sequence[SnapshotInformation]]
]

# A tick with a name for each snapshot up to this many, then for some of them.
_MOST_TICKS = 12


def figure_png(rows: Sequence[SnapshotRow], settings: MeasurementSettings) -> bytes:
    """Draw entropy, information and adjusted information over the snapshots, as a PNG.

    The first row of panels is of the diffusion operator. The second, where it was measured, is of
    the density matrix.

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
    drawn = [_of_diffusion(rows)] + ([_of_kernel(rows)] if rows[0].kernel is not None else [])
    panels = 3 if rows[0].informations else 1
    layout = ConstrainedLayoutEngine(rect=(0.0, 0.05, 1.0, 0.95), w_pad=0.1)  # the caption is below
    figure = Figure(figsize=(4.0 * panels + 0.6, 3.5 * len(drawn)), dpi=150, layout=layout)
    axes = figure.subplots(len(drawn), panels, sharex=True, squeeze=False)
    x, word, ticks = axis_of([row.snapshot for row in rows])
    for (names, values, informations), several in zip(drawn, axes, strict=True):
        titles = f"{names[0]} ({unit(settings.base)})", f"{names[1]} ({unit(settings.base)})"
        for title, one in zip((*titles, f"adjusted {names[1]}"), several, strict=False):
            _decorate(one, title, x, word, ticks)
        style.draw_curve(several[0], x, values, _LOOKS["dse"])
        for role, found in informations.items():
            _draw_information(several[1], several[2], x, found, role)
        if informations:
            several[1].legend(frameon=False)
            _frame_adjusted(several[2])
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


def _of_diffusion(rows: Sequence[SnapshotRow]) -> _Drawn:
    roles = rows[0].informations
    about = {role: [row.informations[role] for row in rows] for role in roles}
    return ("DSE", "DSMI"), [row.dse for row in rows], about


def _of_kernel(rows: Sequence[SnapshotRow]) -> _Drawn:
    found = [row.kernel for row in rows if row.kernel is not None]
    about = {role: [one.informations[role] for one in found] for role in found[0].informations}
    return ("kernel entropy", "kernel information"), [one.entropy for one in found], about


def _draw_information(
    raw: Any,
    adjusted: Any,
    x: npt.NDArray[np.float64],
    several: Sequence[SnapshotInformation],
    role: str,
) -> None:
    look = _LOOKS[role]
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
    if rows[0].kernel is not None:
        parts.append(f"order {settings.order[0]:g}")
    if rows[0].informations:
        parts.append(f"{settings.estimator} estimator")
        if settings.estimator == "matched":
            counts = sorted({one.n_null for row in rows for one in row.informations.values()})
            shown = " to ".join(f"{count}" for count in dict.fromkeys((counts[0], counts[-1])))
            parts.append(f"shaded: 95 % over {shown} random partitions, not over samples")
    return ", ".join(parts)
