"""Figure of several values with an interval each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from eigentropy.plot import style


def intervals(
    names: Sequence[str],
    values: Sequence[float],
    ends: Sequence[tuple[float, float]],
    label: str,
    *,
    ax: Any = None,
    **marks: Any,
) -> Any:
    """Draw a line for each name, from top to bottom, and return the axes.

    Parameters
    ----------
    names : sequence of str
    values : sequence of float
    ends : sequence of (float, float)
        Of the interval around each value.
    label : str
        Of the axis of values.
    ax : matplotlib axes, optional
        Where to draw; a new figure by default.
    **marks
        For ``ax.errorbar``.

    Raises
    ------
    ImportError
        matplotlib is missing.
    """
    axes = style.dressed(ax)
    middle = np.asarray(values, dtype=np.float64)
    reach = np.abs(np.asarray(ends, dtype=np.float64) - middle[:, None]).T
    look = {"fmt": "o", "color": style.COLOURS[0], "markersize": style.MARKER_SIZE, "capsize": 2.0}
    rows = np.arange(len(names), dtype=np.float64)
    axes.errorbar(middle, rows, xerr=reach, **{**look, **marks})
    axes.set_yticks(rows, list(names))
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.set_xlabel(label)
    return axes
