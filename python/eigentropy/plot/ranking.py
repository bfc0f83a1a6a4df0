"""Figure of models: an accuracy over a score, in circles by family and size."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from eigentropy.plot import style

Doubles = npt.NDArray[np.float64]

# Areas of circles in points^2: of a model without a size, and of the smallest and largest size.
PLAIN, SMALLEST, LARGEST = 36.0, 16.0, 400.0
OPACITY = 0.6

# So many models have names, this many points away from their circles.
MOST_NAMED, GAP = 30, 2.0
NO_FAMILY = "(no family)"
# Where a name may stand, in radii to the right and up, and how it is aligned there. A bar goes to
# both sides.
SIDES = (
    (0, 1, "center", "bottom"), (0, -1, "center", "top"), (0.7, 0.7, "left", "bottom"),
    (0.7, -0.7, "left", "top"), (-0.7, 0.7, "right", "bottom"), (-0.7, -0.7, "right", "top"),
    (1, 0, "left", "center"), (-1, 0, "right", "center"),
)  # fmt: skip


def scores(
    x: Doubles,
    y: Doubles,
    *,
    names: tuple[str, str],
    models: Sequence[str] = (),
    bars: Doubles | None = None,
    families: Sequence[str | None] = (),
    sizes: Sequence[float | None] = (),
    ax: Any = None,
    **circles: Any,
) -> Any:
    """Draw a circle for each model, and return the axes.

    The area of a circle is in proportion to the size of the model, up to the least area that can be
    seen. Its colour is that of the family, by the order in which families come first.

    Parameters
    ----------
    x, y : array of shape (models,)
        A score, and an accuracy. NaN where a model has none, which is not drawn.
    names : (str, str)
        Of both axes.
    models : sequence of str, optional
        Their names, the best first. The first `MOST_NAMED` that are drawn are named, except where
        there is no room.
    bars : array of shape (models,), optional
        How far bars reach to both sides of x.
    families : sequence of str or None, optional
    sizes : sequence of float or None, optional
    ax : matplotlib axes, optional
        Where to draw; a new figure by default.
    **circles
        For ``ax.scatter``.

    Raises
    ------
    ImportError
        matplotlib is missing.
    """
    axes = style.dressed(ax)
    drawn = np.isfinite(x) & np.isfinite(y)
    groups = np.array([family or NO_FAMILY for family in families] or [NO_FAMILY] * len(x))
    area = areas(sizes, len(x))
    if bars is not None:
        own = drawn & np.isfinite(bars)
        axes.errorbar(x[own], y[own], xerr=bars[own], fmt="none", ecolor=style.QUIET, linewidth=0.8)
    order = list(dict.fromkeys(groups.tolist()))
    for number, family in enumerate(order):
        own = drawn & (groups == family)
        if not own.any():
            continue
        look = {
            "s": area[own],
            "color": style.COLOURS[number % len(style.COLOURS)],
            "alpha": OPACITY,
            "linewidths": 0.5,
            "edgecolors": "white",
        }
        label = family if len(order) > 1 else None
        axes.scatter(x[own], y[own], **{**look, "label": label, **circles})
    axes.set_xlabel(names[0])
    axes.set_ylabel(names[1])
    style.legend(axes)
    _even_legend(axes)
    if models:
        _name(axes, [(models[i], x[i], y[i], area[i]) for i in np.flatnonzero(drawn).tolist()])
    return axes


def _even_legend(axes: Any) -> None:
    """Circles of one size for all families."""
    legend = axes.get_legend()
    for handle in [] if legend is None else legend.legend_handles:
        if hasattr(handle, "set_sizes"):
            handle.set_sizes([PLAIN])


def _name(axes: Any, circles: Sequence[tuple[str, float, float, float]]) -> None:
    """Write names beside circles, where they cover neither another name nor a circle."""
    from matplotlib.transforms import Bbox

    axes.figure.canvas.figure.draw_without_rendering()  # a layout may move the axes
    pixels = axes.figure.dpi / 72.0
    radii = [0.5 * math.sqrt(area) for *_, area in circles]
    places = axes.transData.transform([(x, y) for _, x, y, _ in circles])
    taken = [
        Bbox.from_extents(*(place - radius * pixels), *(place + radius * pixels))
        for place, radius in zip(places, radii, strict=True)
    ]
    for (name, x, y, _), radius in list(zip(circles, radii, strict=True))[:MOST_NAMED]:
        text = axes.annotate(
            name, (x, y), (0.0, 0.0), textcoords="offset points", fontsize="x-small",
            color=style.QUIET, parse_math=False,
        )  # fmt: skip
        for right, up, across, along in SIDES:
            text.set(ha=across, va=along)
            text.set_position(((radius + GAP) * right, (radius + GAP) * up))
            box = text.get_window_extent()
            inside = axes.bbox.contains(*box.p0) and axes.bbox.contains(*box.p1)
            if inside and not box.count_overlaps(taken):
                taken.append(box)
                break
        else:
            text.remove()


def areas(sizes: Sequence[float | None], count: int) -> Doubles:
    """In proportion to the size, the largest of all with the largest area."""
    known = np.array([np.nan if size is None else size for size in sizes or [None] * count], float)
    if not np.isfinite(known).any():
        return np.full(count, PLAIN)
    area = np.maximum(LARGEST * known / np.nanmax(known), SMALLEST)
    return np.where(np.isfinite(area), area, PLAIN)
