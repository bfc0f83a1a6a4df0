"""Figure of units that move through an embedding over time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from eigentropy._backends.host_arrays import as_numpy
from eigentropy.plot import style

# Lines are thin: there are hundreds of units.
_THIN = 0.5
_OPACITY = 0.6


def units(
    embedding: Any, steps: Sequence[float] | None = None, *, ax: Any = None, **line: Any
) -> Any:
    """Each unit as a line through its places over time, with time as colour, dark to light.

    Both axes have the same scale, for distances are what means something.

    Parameters
    ----------
    embedding : UnitEmbedding, or array of shape (epochs, units, 2)
    steps : sequence of float, optional
        The time of each epoch, for the scale of colours; 0, 1, 2, ... by default.
    ax : matplotlib axes, optional
        Where to draw; a new figure by default.
    **line
        For the collection of lines.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    ValueError
        Coordinates of another shape; steps of another number than the epochs.
    ImportError
        matplotlib is missing.
    """
    style.require_matplotlib()
    places = as_numpy(getattr(embedding, "coordinates", embedding), "embedding")
    if places.ndim != 3 or places.shape[2] != 2:
        raise ValueError(
            "embedding must have shape (epochs, units, 2), got shape "
            f"{places.shape}; choose two columns, such as coordinates[:, :, :2]"
        )
    times = np.arange(len(places)) if steps is None else as_numpy(steps, "steps", numbers=True)
    if times.shape != places.shape[:1]:
        raise ValueError(
            f"steps must have a number for each of the {len(places)} epochs, got shape "
            f"{times.shape}"
        )
    axes = style.axes_or_new(ax)
    drawn = _draw(axes, places, times.astype(np.float64), line)
    axes.figure.colorbar(drawn, ax=axes, label="epoch" if steps is None else "step", shrink=0.8)
    axes.set_xlabel("M-PHATE 1")
    axes.set_ylabel("M-PHATE 2")
    style.dress(axes)
    axes.grid(axis="x", color=style.GRID, linewidth=0.8)
    axes.set_aspect("equal", adjustable="datalim")
    return axes


def _draw(axes: Any, places: Any, times: Any, line: dict[str, Any]) -> Any:
    """Pieces of lines in the colour of the time at which they end, or points for one epoch."""
    look = {"cmap": style.SCALE, "alpha": _OPACITY}
    if len(places) == 1:
        return axes.scatter(*places[0].T, c=np.full(places.shape[1], times[0]), s=8.0, **look)
    from matplotlib.collections import LineCollection

    pieces: Any = np.stack([places[:-1], places[1:]], axis=2).reshape(-1, 2, 2)
    colours = np.repeat(times[1:], places.shape[1])
    drawn = LineCollection(pieces, array=colours, **{"linewidths": _THIN, **look, **line})
    axes.add_collection(drawn)
    axes.autoscale_view()
    return drawn
