"""The information plane: what is known of one variable, over what is kept of another."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from eigentropy.plot import style

# From a point to its name, in points.
_ASIDE = (5, 4)


def layers(
    names: Sequence[str],
    points: Sequence[tuple[float, float]],
    unit: str,
    *,
    errors: Sequence[tuple[float, float]] | None = None,
    label: str | None = None,
    ax: Any = None,
) -> Any:
    """The layers of a network, joined in the order in which they run.

    Parameters
    ----------
    names : sequence of str
    points : sequence of (float, float)
        I(X; h) and I(Y; h) of each layer.
    unit : str
        Of both.
    errors : sequence of (float, float), optional
        Half the width of the interval of each number; NaN where there is none.
    label : str, optional
        In the legend.
    ax : matplotlib axes, optional

    Returns
    -------
    matplotlib.axes.Axes
    """
    axes = style.dressed(ax)
    x, y = np.array(points, dtype=np.float64).reshape(-1, 2).T
    look = {**style.next_curve(axes, label), "markevery": 1}
    drawn = style.draw_curve(axes, x, y, look)
    if errors is not None:
        half_x, half_y = np.nan_to_num(np.array(errors, dtype=np.float64)).T
        whiskers = {"color": drawn.get_color(), "linewidth": 1.0}
        axes.hlines(y, x - half_x, x + half_x, **whiskers)
        axes.vlines(x, y - half_y, y + half_y, **whiskers)
    for name, at in zip(names, zip(x, y, strict=True), strict=True):
        axes.annotate(
            name, at, textcoords="offset points", xytext=_ASIDE, fontsize="small", color=style.QUIET
        )
    axes.set(xlabel=f"I(X; h), {unit}", ylabel=f"I(Y; h), {unit}")
    style.legend(axes)
    return axes
