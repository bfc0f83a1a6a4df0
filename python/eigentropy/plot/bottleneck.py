"""Figure of the information curve of the bottleneck."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np

from eigentropy._support.units import unit
from eigentropy.plot import style
from eigentropy.plot.inputs import Doubles

# Informations that differ by less are of one point of the figure.
SAME = 1e-4


class PlaneCurve(Protocol):
    """What is drawn of an information curve."""

    @property
    def information_x(self) -> Doubles: ...  # noqa: D102
    @property
    def information_y(self) -> Doubles: ...  # noqa: D102
    @property
    def betas(self) -> Doubles: ...  # noqa: D102
    @property
    def information_xy(self) -> float: ...  # noqa: D102
    @property
    def base(self) -> float: ...  # noqa: D102
    @property
    def bifurcations(self) -> Any: ...  # noqa: D102
    @property
    def points(self) -> Any: ...  # noqa: D102


def information_curve(
    curve: PlaneCurve, *, ax: Any = None, label: str | None = None, **line: Any
) -> Any:
    """I(T; Y) over I(T; X) on the information plane, with what bounds it and its bifurcations.

    The curve is drawn through the best solutions. Small crosses are solutions of other branches.
    Numbers stand where the best solution changes, at the larger number of clusters. The dashed
    lines are I(T; Y) = I(T; X) and I(T; Y) = I(X; Y), which no point is above.

    Parameters
    ----------
    curve : InformationCurve
    ax, label, **line
        As in `spectrum`.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    TypeError
        Something else than an InformationCurve.
    ImportError
        matplotlib is missing.
    """
    style.require_matplotlib()
    if not hasattr(curve, "information_xy"):
        raise TypeError(f"an InformationCurve is needed, got {type(curve).__name__}")
    axes = style.dressed(ax)
    x, y = curve.information_x, curve.information_y
    look = style.next_curve(axes, label)
    bound = {"color": style.QUIET, "linestyle": "--", "linewidth": 1.0, "zorder": 0.5}
    drawn = style.draw_curve(axes, x, y, look, **line)
    _draw_bounds(axes, curve, bound)
    colour = drawn.get_color()
    others = _off_the_curve(curve)
    if len(others):
        axes.scatter(*others.T, s=12, marker="x", color=colour, linewidth=0.6, zorder=1.5)
    for split in curve.bifurcations:
        if split.optimal:
            at = np.interp(split.beta, curve.betas, x), np.interp(split.beta, curve.betas, y)
            axes.annotate(
                str(split.n_after), at, xytext=(4, -9), textcoords="offset points",
                color=style.QUIET, fontsize="small",
            )  # fmt: skip
    name = unit(curve.base)
    axes.set(xlabel=f"I(T; X) ({name})", ylabel=f"I(T; Y) ({name})")
    style.legend(axes)
    return axes


def _draw_bounds(axes: Any, curve: PlaneCurve, look: dict[str, Any]) -> None:
    """The lines that no point is above; no curves, so that they take no colour."""
    from matplotlib.collections import LineCollection

    most, end = curve.information_xy, max(float(curve.information_x.max()), curve.information_xy)
    lines = [[(0.0, 0.0), (most, most)], [(most, most), (end, most)]]
    axes.add_collection(
        LineCollection(
            lines, colors=look["color"], linestyles=look["linestyle"],
            linewidths=look["linewidth"], zorder=look["zorder"],
        )
    )  # fmt: skip


def _off_the_curve(curve: PlaneCurve) -> Doubles:
    """The points of branches that are not the best one at their beta, shape (points, 2)."""
    best = {
        beta: (x, y)
        for beta, x, y in zip(curve.betas, curve.information_x, curve.information_y, strict=True)
    }
    found = [
        (p.solution.beta, p.solution.information_x, p.solution.information_y) for p in curve.points
    ]
    off = [(x, y) for beta, x, y in found if not np.allclose((x, y), best[beta], atol=SAME)]
    return np.array(off).reshape(-1, 2)
