"""Figure of the rows in diffusion coordinates."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from eigentropy._backends.host_arrays import as_numpy
from eigentropy._backends.shapes import check_present
from eigentropy._kernels.groups import missing_labels
from eigentropy._support.options import positive
from eigentropy.plot import style

Array = npt.NDArray[Any]

# Area of a point in points^2: smaller for many rows, so that they do not cover one another.
_SMALLEST, _LARGEST, _TOTAL = 4.0, 28.0, 12000.0

# Leaves room for the names of three axes.
_ZOOM = 0.8


def diffusion_map(
    operator: Any,
    labels: Any = None,
    *,
    k: int = 2,
    t: float = 1.0,
    ax: Any = None,
    **points: Any,
) -> Any:
    """The rows in the first two or three diffusion coordinates.

    Distances in the figure approximate diffusion distances at time t; so both axes have the same
    scale. Labels have a colour and a marker each; real numbers a colour of a scale.

    Parameters
    ----------
    operator : DiffusionOperator, or array of shape (n, k)
        Or coordinates that `DiffusionOperator.diffusion_map` has computed, in O(n^3), to draw them
        again with other labels.
    labels : array of shape (n,), optional
        Integers, strings or booleans are labels, floats are numbers on a scale.
    k : {2, 3}
        Number of coordinates.
    t : float
        Diffusion time, > 0; with coordinates in place of an operator, that of them, for the names
        of the axes.
    ax : matplotlib axes, optional
        Where to draw, with projection="3d" for k = 3; a new figure by default.
    **points
        For ``ax.scatter``.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    ValueError
        k is not 2 or 3, or not below n; labels of another length than the rows; axes without the
        projection.
    ImportError
        matplotlib is missing.
    """
    style.require_matplotlib()
    if k not in (2, 3):
        raise ValueError(f"k must be 2 or 3 coordinates, got {k!r}")
    t = positive(t, "t")
    if ax is not None and (getattr(ax, "name", "") == "3d") != (k == 3):
        raise ValueError(
            "k=3 needs axes with projection='3d'" if k == 3 else "k=2 needs axes in the plane"
        )
    known = None if labels is None else _checked_labels(labels, _row_count(operator))
    coordinates = _coordinates(operator, k, t)
    axes = style.axes_or_new(ax, projection="3d" if k == 3 else None)
    size = float(np.clip(_TOTAL / len(coordinates), _SMALLEST, _LARGEST))
    look = {"s": size, "linewidths": 0.0, **points}
    if known is None:
        axes.scatter(*coordinates.T, **{"color": style.BLUE, **look})
    elif known.dtype.kind == "f":
        drawn = axes.scatter(*coordinates.T, c=known, **{"cmap": style.SCALE, **look})
        axes.figure.colorbar(drawn, ax=axes, shrink=0.8)
    else:
        _draw_groups(axes, coordinates, known, look)
    _name_axes(axes, k, t)
    style.legend(axes)
    return axes


def _draw_groups(axes: Any, coordinates: Array, labels: Array, look: dict[str, Any]) -> None:
    try:
        names, codes = np.unique(labels, return_inverse=True)
    except TypeError:
        raise TypeError(
            "labels mixes labels that cannot be ordered, such as numbers and strings"
        ) from None
    for number, name in enumerate(names):
        own = {
            "color": style.COLOURS[number % len(style.COLOURS)],
            "marker": style.marker(number),
            "label": str(name),
        }
        axes.scatter(*coordinates[codes == number].T, **{**own, **look})


def _name_axes(axes: Any, k: int, t: float) -> None:
    names = [f"diffusion coordinate {number + 1}, t = {t:g}" for number in range(k)]
    axes.set_xlabel(names[0])
    axes.set_ylabel(names[1])
    if k == 3:
        axes.set_zlabel(names[2], labelpad=8.0)
        axes.tick_params(labelsize="x-small")
        axes.set_box_aspect(None, zoom=_ZOOM)
    else:
        style.dress(axes)
        axes.grid(axis="x", color=style.GRID, linewidth=0.8)
    axes.set_aspect("equal", adjustable="datalim")


def _row_count(operator: Any) -> int:
    if hasattr(operator, "diffusion_map"):
        return int(operator.n)
    return len(operator)


def _checked_labels(labels: Any, n: int) -> Array:
    values = as_numpy(labels, "labels")
    if values.ndim != 1 and values.size != n:
        raise ValueError(f"labels must have shape (n,), got shape {values.shape}")
    values = values.reshape(-1)
    if len(values) != n:
        raise ValueError(f"labels has {len(values)} entries, there are {n} rows")
    check_present(missing_labels(values), "labels", " (NaN, None, NA, NaT or masked)")
    return values


def _coordinates(operator: Any, k: int, t: float) -> Array:
    if hasattr(operator, "diffusion_map"):
        return as_numpy(operator.diffusion_map(k, t), "coordinates")
    coordinates = as_numpy(operator, "coordinates")
    if coordinates.ndim != 2 or coordinates.shape[1] < k:
        raise ValueError(
            f"a DiffusionOperator or coordinates of shape (n, {k}) are needed, got shape "
            f"{coordinates.shape}"
        )
    return coordinates[:, :k]
