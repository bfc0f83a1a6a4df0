"""Figure of a measure at growing numbers of rows."""

from __future__ import annotations

import math
from typing import Any, Protocol

import numpy as np

from eigentropy._support.interval import student_quantile
from eigentropy._support.units import unit
from eigentropy.plot import style
from eigentropy.plot.inputs import Doubles

# The fitted law is drawn up to `BEYOND` times the largest size, through `POINTS` points.
BEYOND = 4.0
POINTS = 60


class ConvergenceResult(Protocol):
    """What is drawn of a convergence."""

    @property
    def measure(self) -> str: ...  # noqa: D102
    @property
    def base(self) -> float | None: ...  # noqa: D102
    @property
    def level(self) -> float: ...  # noqa: D102
    @property
    def sizes(self) -> Any: ...  # noqa: D102
    @property
    def values(self) -> Doubles: ...  # noqa: D102
    @property
    def errors(self) -> Doubles: ...  # noqa: D102
    @property
    def tendency(self) -> str: ...  # noqa: D102
    @property
    def limit(self) -> float | None: ...  # noqa: D102
    def predict(self, n: float) -> float: ...  # noqa: D102
    def predicted_interval(self, n: float) -> Any: ...  # noqa: D102


def convergence(
    result: ConvergenceResult, *, ax: Any = None, label: str | None = None, **line: Any
) -> Any:
    """The value over the number of rows, with its sampling error, its law and its limit.

    Bars are where the value of one sample of that many rows lies with the probability `level` of
    the result. The band is around the value that is expected of more rows, as
    `Convergence.predicted_interval` has it; a dashed line is the limit, where there is one.

    Parameters
    ----------
    result : Convergence
    ax, label, **line
        As in `spectrum`.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    TypeError
        Something else than a Convergence.
    ImportError
        matplotlib is missing.
    """
    style.require_matplotlib()
    if not hasattr(result, "predicted_interval"):
        raise TypeError(f"a Convergence is needed, got {type(result).__name__}")
    axes = style.dressed(ax)
    sizes, values = np.asarray(result.sizes, dtype=np.float64), result.values
    look = {**style.next_curve(axes, label), "linestyle": "none"}
    drawn = style.draw_curve(axes, sizes, values, look, **line)
    colour = drawn.get_color()
    half = student_quantile(result.level, math.inf) * result.errors
    axes.vlines(sizes, values - half, values + half, color=colour, linewidth=1.2)
    if len(sizes) >= 4:
        x = np.geomspace(sizes[0], BEYOND * sizes[-1], POINTS)
        axes.plot(x, [result.predict(n) for n in x], color=colour, linewidth=style.LINE_WIDTH)
        low, high = np.array([result.predicted_interval(n) for n in x]).T
        style.draw_band(axes, x, low, high, colour)
    if result.limit is not None:
        axes.axhline(result.limit, color=colour, linestyle="--", linewidth=1.0)
    name = result.measure + ("" if result.base is None else f" ({unit(result.base)})")
    axes.set(xscale="log", xlabel="rows", ylabel=name)
    style.legend(axes)
    return axes
