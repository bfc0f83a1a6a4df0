"""Figure of a mutual information beside what random partitions get."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from eigentropy._support.units import unit
from eigentropy.plot import style
from eigentropy.plot.inputs import InformationResult, is_information, p_value, z_score

# Bars and mark end at this share of the axes, and the legend stands above.
_HEIGHT = 0.8


def null(information: InformationResult, *, bins: Any = "auto", ax: Any = None, **bars: Any) -> Any:
    """Histogram of the null distribution, with the value that was observed.

    Each tick at the bottom is one random partition into groups of the same sizes. The legend has
    the p-value, and z, the standard deviations of the null distribution between its mean and the
    value. n_null="auto" has few partitions: pass a number, such as 100, to see their distribution.

    Parameters
    ----------
    information : MutualInformation
    bins : int, sequence or str
        As `numpy.histogram` takes it.
    ax : matplotlib axes, optional
        Where to draw; a new figure by default.
    **bars
        For ``ax.hist``.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    ValueError
        There is no null distribution: n_null is 0.
    TypeError
        Something else than a MutualInformation.
    ImportError
        matplotlib is missing.
    """
    style.require_matplotlib()
    if not is_information(information):
        raise TypeError(f"a MutualInformation is needed, got {type(information).__name__}")
    values = np.asarray(information.null, dtype=np.float64)
    if len(values) == 0:
        raise ValueError("there is no null distribution to draw: n_null is 0")
    axes = style.dressed(ax)
    count = f"{len(values)} random partition{'s' if len(values) > 1 else ''}"
    look = {"histtype": "stepfilled", "color": style.SKY, "label": count}
    axes.hist(values, bins=bins, **{**look, **bars})
    axes.vlines(
        values, 0.0, 0.03, transform=axes.get_xaxis_transform(), color=style.BLACK, linewidth=0.8
    )
    style.mark(
        axes,
        information.value,
        _HEIGHT,
        color=style.VERMILLION,
        linewidth=2.0,
        label=_observed(information),
    )
    axes.set(xlabel=f"mutual information ({unit(information.base)})", ylabel="random partitions")
    axes.yaxis.get_major_locator().set_params(integer=True)
    axes.set_ylim(0.0, axes.get_ylim()[1] / _HEIGHT, auto=None)
    axes.legend(loc="upper left", frameon=False, fontsize="small", borderaxespad=0.2)
    return axes


def _observed(information: InformationResult) -> str:
    p = p_value(information)
    parts = [f"p {p[0]} {p[1:]}"] if math.isfinite(information.p_value) else []
    z = z_score(information)
    if math.isfinite(z):
        parts.append(f"z = {z:.3g}")
    return ", ".join([f"observed {information.value:.4g} {unit(information.base)}", *parts])
