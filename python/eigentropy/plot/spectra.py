"""Figures of an entropy: its spectrum, and S over t."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from eigentropy._backends.host_arrays import as_numpy
from eigentropy._spectra.spectrum import smoothed_density
from eigentropy._support.interval import LEVEL, checked_level
from eigentropy._support.options import positive
from eigentropy._support.units import unit
from eigentropy.plot import style
from eigentropy.plot.inputs import (
    Doubles,
    EntropyResult,
    checked_eigenvalues,
    is_entropy,
)

# Eigenvalues are accurate to about this many eps of the largest: below, rounding is drawn.
ROUNDING = 10.0

# Where S(t) is drawn by default, in units of the result's t, which is one of them.
TIMES = 2.0 ** (np.arange(-12, 37) / 6.0)

# What a logarithmic axis shows beyond the largest value.
_MARGIN = 2.0

# Of a small text, in points.
_LINE_HEIGHT = 11

# Points of a density in one standard deviation of its Gaussians.
POINTS_PER_WIDTH = 5


def spectrum(
    result: Any,
    *,
    density: bool | None = None,
    width: float = 0.02,
    log_scale: bool = True,
    ax: Any = None,
    label: str | None = None,
    **line: Any,
) -> Any:
    """Eigenvalues against their rank, or their density.

    A dotted line marks the effective rank of an entropy, base**S: that many equal eigenvalues have
    the same entropy.

    Parameters
    ----------
    result : Entropy, DiffusionOperator, or array of shape (n,)
        An entropy, an operator, whose eigenvalues are computed if they are not known, or the
        eigenvalues themselves in any order.
    density : bool, optional
        Draw eigenvalues a unit of length, over n, on [0, 1]. By default where an estimate knows no
        single eigenvalues.
    width : float
        Standard deviation of the Gaussians that a density is smoothed with.
    log_scale : bool
        Whether the axes are logarithmic, but for that of the eigenvalues below a density. The axis
        of eigenvalues ends where rounding begins.
    ax : matplotlib axes, optional
        Where to draw; a new figure by default.
    label : str, optional
        Name in the legend.
    **line
        For ``ax.plot``.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    ValueError
        A spectrum of low rank, of which neither is known; single eigenvalues of an estimate; a
        density of eigenvalues outside of [0, 1].
    TypeError
        Something else than an entropy, an operator or eigenvalues.
    ImportError
        matplotlib is missing.

    Examples
    --------
    >>> import numpy as np, eigentropy as eg
    >>> ax = eg.plot.spectrum(np.array([1.0, 0.5, 0.1]))  # doctest: +SKIP
    """
    style.require_matplotlib()
    width = positive(width, "width")
    known = _known_eigenvalues(result)
    if density is None:
        density = known is None
    if not density and known is None:
        raise ValueError(
            "an estimate of the spectrum has no single eigenvalues: leave density=False out, or "
            "use method='exact'"
        )
    if density:
        x, y = _density(result, known, width)
    else:
        assert known is not None
        x, y = np.arange(1.0, len(known) + 1.0), known
    axes = style.dressed(ax)
    drawn = style.draw_curve(axes, x, y, style.next_curve(axes, label), **line)
    if density:
        axes.set(xlabel="eigenvalue", ylabel="density of eigenvalues", xlim=(0.0, 1.0))
        if log_scale:
            _logarithmic(axes, bottom=_one_eigenvalue(result, known, width))
    else:
        axes.set(xlabel="rank", ylabel="eigenvalue")
        if log_scale and y[0] > 0.0:
            axes.set_xscale("log")
            axes.xaxis.set_major_formatter("{x:g}")
            _logarithmic(axes, bottom=_rounding(result, y))
        if is_entropy(result):
            _mark_effective_rank(axes, result, drawn.get_color())
    style.legend(axes)
    return axes


def entropy(
    result: EntropyResult,
    t: Any = None,
    *,
    level: float = LEVEL,
    ax: Any = None,
    label: str | None = None,
    **line: Any,
) -> Any:
    """S(t) over the diffusion time t, with the interval that it is in.

    A point marks the t of the result. The band is the interval of `Entropy.interval` at each t: a
    guarantee or, for an estimate, of this probability. It is too narrow to be seen for an exact
    spectrum.

    Parameters
    ----------
    result : Entropy
    t : array of shape (m,), optional
        Diffusion times, > 0. By default from a quarter of the result's t to 64 times it.
    level : float
        Probability of the interval of an estimate.
    ax : matplotlib axes, optional
        Where to draw; a new figure by default.
    label : str, optional
        Name in the legend.
    **line
        For ``ax.plot``.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    ValueError
        A spectrum of low rank, which is for t = 1 only; a t that is not positive.
    TypeError
        Something else than an entropy.
    ImportError
        matplotlib is missing.
    """
    style.require_matplotlib()
    if not is_entropy(result):
        raise TypeError(f"an Entropy is needed, got {type(result).__name__}")
    level = checked_level(level)
    if result.spectrum.method == "lowrank":
        raise ValueError(
            "method='lowrank' gives S at t = 1 only: use 'exact' or 'stochastic' for S over t"
        )
    own = result.which.exponent
    times = own * TIMES if t is None else _checked_times(t)
    several = [result.which_at(at) for at in times]
    values = np.array([result.spectrum.entropy(one, result.base) for one in several])
    ends = np.array([result.spectrum.interval(one, result.base, level) for one in several])
    axes = style.dressed(ax)
    drawn = style.draw_curve(axes, times, values, style.next_curve(axes, label), **line)
    style.draw_band(axes, times, ends[:, 0], ends[:, 1], drawn.get_color())
    axes.scatter(
        [own], [result.value], s=70, facecolors="none", edgecolors=drawn.get_color(),
        linewidths=1.4, zorder=3,
    )  # fmt: skip
    axes.annotate(
        f"S({own:g}) = {result.value:.4g}", (own, result.value), xytext=(8, 6),
        textcoords="offset points", fontsize="small",
    )  # fmt: skip
    name, symbol = ("diffusion time t", "t") if "t" in result.settings else ("order a", "a")
    axes.set(xlabel=name, ylabel=f"entropy S({symbol}) ({unit(result.base)})")
    if len(times) > 1 and times.max() >= 10.0 * times.min():
        axes.set_xscale("log", base=2)
        axes.xaxis.set_major_formatter("{x:g}")
    axes.set_ylim(bottom=0.0, auto=None)
    style.legend(axes)
    return axes


def _known_eigenvalues(result: Any) -> Doubles | None:
    """All eigenvalues, descending, or None where only a density is known."""
    if is_entropy(result):
        if result.spectrum.eigenvalues is not None:
            return checked_eigenvalues(result.spectrum.eigenvalues)
        if result.spectrum.method == "lowrank":
            raise ValueError(
                "a spectrum of low rank encloses the entropy, but knows neither the eigenvalues "
                "nor their density: use method='exact' or 'stochastic'"
            )
        return None
    own = getattr(result, "eigenvalues", result)
    return checked_eigenvalues(own() if callable(own) else own)


def _density(
    result: Any, known: Doubles | None, width: float
) -> tuple[Doubles, npt.NDArray[np.float64]]:
    x = np.linspace(0.0, 1.0, 1 + max(100, math.ceil(POINTS_PER_WIDTH / width)))
    if is_entropy(result):
        return x, result.spectrum.density(x, width)
    assert known is not None
    if known[-1] < 0.0 or known[0] > 1.0:
        raise ValueError(
            "a density is of eigenvalues between 0 and 1, as a diffusion operator has them; got "
            f"{known[-1]:.3g} to {known[0]:.3g}"
        )
    return x, smoothed_density(known, np.ones(len(known)), x, width)


def _logarithmic(axes: Any, bottom: float) -> None:
    """A logarithmic axis that shows nothing below `bottom`, but goes on to grow with the data."""
    axes.set_yscale("log")
    if axes.get_ylim()[0] < bottom:
        top = max(float(np.max(line.get_ydata())) for line in axes.lines)
        axes.set_ylim(bottom, _MARGIN * top, auto=None)


def _rounding(result: Any, values: Doubles) -> float:
    """The size of eigenvalues that are only rounding."""
    dtype = result.spectrum.dtype if is_entropy(result) else getattr(result, "dtype", "float64")
    single = "float32" in str(dtype)
    return ROUNDING * float(np.finfo(np.float32 if single else np.float64).eps) * float(values[0])


def _one_eigenvalue(result: Any, known: Doubles | None, width: float) -> float:
    """A hundredth of the peak that one eigenvalue makes in a density: below are only tails."""
    n = len(known) if known is not None else result.spectrum.n
    return 0.01 / (n * width * math.sqrt(2.0 * math.pi))


def _mark_effective_rank(axes: Any, result: Any, colour: Any) -> None:
    effective = result.base**result.value
    style.mark(axes, effective, color=colour, linestyle=":")
    left = effective**2 < result.spectrum.n  # of the middle of a logarithmic axis
    above = 4 + _LINE_HEIGHT * (style.curves_on(axes) - 1)  # the texts of earlier curves
    axes.annotate(
        f"effective rank {effective:.3g}", (effective, 0.0), xytext=(4 if left else -4, above),
        xycoords=axes.get_xaxis_transform(), textcoords="offset points", color=colour,
        ha="left" if left else "right", va="bottom", fontsize="small",
    )  # fmt: skip


def _checked_times(t: Any) -> Doubles:
    times = np.atleast_1d(as_numpy(t, "t"))
    if times.ndim != 1 or times.size == 0:
        raise ValueError(f"t must be one number or have shape (m,), m > 0, got shape {times.shape}")
    return np.sort(np.array([positive(at, "t") for at in times.tolist()]))
