"""A measure at growing numbers of rows."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import numpy.typing as npt

from eigentropy._measures.comparison.items import of_array
from eigentropy._measures.convergence.curve import SizeCurve, measured_subsets
from eigentropy._measures.convergence.result import Convergence
from eigentropy._measures.sampling.measured_rows import Subsets
from eigentropy._measures.sampling.measures import Measure, measure_of
from eigentropy._measures.sampling.variation import Variation
from eigentropy._support.interval import LEVEL, checked_level
from eigentropy._support.options import integer, random_seed
from eigentropy._support.progress import Callback, reporter
from eigentropy._support.signatures import check_case, option_names
from eigentropy._support.warnings import recorded_warnings, warn

# By default: the smallest size, the most subsets that half of the rows are cut into, and the
# number of sizes up to n / 2.
SMALLEST = 50
MOST_SUBSETS = 8
SIZES = 4


def converge(
    Z: Any,
    Y: Any = None,
    *,
    measure: Any = "dse",
    paired_with: Any = None,
    sizes: Any = None,
    repeats: int = 8,
    level: float = LEVEL,
    seed: int = 0,
    progress: bool | Callback = False,
    **options: Any,
) -> Convergence:
    r"""A measure at growing numbers of rows: its sampling error, its limit, and what it can tell.

    Entropies grow with the number of rows, some to a limit and some for ever. So a value means
    something beside another one of as many rows, or where it has reached its limit. `converge` puts
    the rows into random orders and cuts each order into disjoint subsets of each size, which are
    independent samples: their standard deviation is the sampling error at that size, without any
    correction, and their mean is fitted by

    .. math:: S(n) = S(n_0) + g \, \frac{1 - (n / n_0)^{-b}}{b}

    which tends to :math:`S(n_0) + g / b` and, as b goes to 0, becomes :math:`g \log n`, which has
    no limit. The interval of a prediction has two parts. One is from the laws of 400 curves, which
    are drawn anew from the sampling error of the measured one. The other is the error that the law
    makes at the largest size where that size is left out of the fit. It grows with the distance, as
    the error of a parabola does beyond the points that it goes through. A limit is reported only if
    the law predicts the largest size better than the logarithm does, and if all of its interval is
    nearer to the value of the largest size than the value of the smallest size is.

    Parameters
    ----------
    Z : array-like of shape (n, d)
        As in `diffusion_spectral_entropy`.
    Y : array-like of length n, optional
        For measures of information.
    measure : str or callable
        "dse", "dsmi", "dsmi_adjusted", "kernel_entropy", "kernel_information",
        "kernel_information_adjusted", "kernel_information_bits", or a function of the rows, or of
        the rows and Y, such as those of `eigentropy.baselines`. It gets NumPy arrays, and returns
        a number.
    paired_with : array-like of shape (n, ...), optional
        Another representation of the same rows. Both are measured on the same subsets, so that the
        error of their difference is known: the second half of the power table.
    sizes : sequence of int, optional
        At least two, from 2 to n, one of them at most n / 2. By default from n / 16 on, and at
        least 50, to n / 2 in about equal ratios, and n.
    repeats : int
        Random orders of the rows, at least 2. Each half of an order has up to 8 subsets of each
        size.
    level : float
        Of the intervals; the tests of the power table are at 1 - level.
    seed : int
        Of the orders, and of a named measure.
    progress
        As in `diffusion_spectral_entropy`.
    **options
        Of the measure. A sigma that is a rule, such as "auto", is chosen on each subset anew, as it
        would be for another sample; a number is the same for all sizes. The two may tend to
        different limits.

    Returns
    -------
    Convergence
        With `sizes`, `values`, `errors`, `limit`, `limit_interval`, `growth`, `predict(n)`,
        `detectable(n)`, `rows_for(difference)`, `plot()` and `to_rows()`. It prints all of that.

    Raises
    ------
    ValueError
        Too few rows; sizes that are not there; a measure that is no finite number on a subset;
        `paired_with` of another number of rows; `max_points`, for which `sizes` is.
    TypeError
        An option that the measure does not have.

    Examples
    --------
    >>> import numpy as np, eigentropy as eg
    >>> Z = np.random.default_rng(0).normal(size=(800, 2))
    >>> found = eg.converge(Z, measure="kernel_entropy")
    >>> found.tendency
    'limit'
    >>> low, high = found.limit_interval
    >>> low < found.limit < high
    True
    """
    if "max_points" in options:
        raise ValueError("max_points: converge draws the rows itself; pass sizes=[..., max_points]")
    level, seed = checked_level(level), random_seed(seed)
    if not callable(measure):
        check_case("converge", options, option_names(converge))
    repeats = integer(repeats, "repeats", at_least=2)
    named = measure_of(measure, Y, options).with_options(seed=seed)
    several = [Subsets(named, Z, Y)]
    if paired_with is not None:
        several.append(Subsets(named, paired_with, Y, "paired_with"))
        if several[1].n != several[0].n:
            raise ValueError(
                f"paired_with has {several[1].n} rows, Z has {several[0].n}: it has to be another "
                "representation of the same rows"
            )
    n = several[0].n
    chosen = default_sizes(n) if sizes is None else _checked_sizes(sizes, n)

    def measured(numbers: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
        return np.array([subsets.value(numbers) for subsets in several])

    with reporter(progress, "convergence") as report, _warned_once():
        small, large = measured_subsets(measured, chosen, n, repeats, seed, report)

    moved = _variations(named, (Z, paired_with), Y, seed) if int(chosen[-1]) == n else None

    def curve(second: bool) -> SizeCurve:
        of = [values[..., -1] - values[..., 0] if second else values[..., 0] for values in small]
        more = [float(values[-1] - values[0] if second else values[0]) for values in large]
        all_rows = None
        if moved is not None:
            all_rows = moved[1].minus(moved[0]) if second else moved[0]
        return SizeCurve.of(chosen, of, more, n, all_rows)

    return Convergence(
        measure=named.name,
        base=named.base,
        level=level,
        seed=seed,
        curve=curve(False),
        difference=None if paired_with is None else curve(True),
    )


def _variations(
    measure: Measure, representations: Sequence[Any], Y: Any, seed: int
) -> list[Variation] | None:
    """How the value of all rows moves with them; None where it has no sampling error."""
    with recorded_warnings():
        try:
            return [
                of_array("Z", Z, Y, measure, None, seed).variation
                for Z in representations
                if Z is not None
            ]
        except ValueError:  # too few rows, or subsets without a value
            return None


def default_sizes(n: int) -> npt.NDArray[np.int64]:
    """From n / 16 on, and at least 50, to n / 2 in about equal ratios, and n."""
    if n < 2 * SMALLEST:
        raise ValueError(
            f"Z has {n} rows, and the sizes start at {SMALLEST} by default, with two subsets: at "
            f"least {2 * SMALLEST} rows are needed, or smaller sizes, such as sizes=[{n // 2}, {n}]"
        )
    half = n // 2
    # Parts of a half, so that the subsets of each size use all rows.
    parts = np.geomspace(min(MOST_SUBSETS, half // SMALLEST), 1.0, SIZES)
    return np.append(half // np.unique(parts.round().astype(np.int64))[::-1], n)


def _checked_sizes(sizes: Any, n: int) -> npt.NDArray[np.int64]:
    if isinstance(sizes, str) or not isinstance(sizes, Iterable):
        raise TypeError(f"sizes must be a sequence of integers, got {sizes!r}")
    known = sorted({integer(size, "sizes", at_least=2) for size in sizes})
    if len(known) < 2:
        raise ValueError(f"sizes must have at least two different numbers of rows, got {known}")
    if known[-1] > n:
        raise ValueError(f"sizes must be at most the {n} rows of Z, got {known[-1]}")
    if known[0] > n // 2:
        raise ValueError(
            f"sizes must have one of at most half of the {n} rows of Z, so that two subsets are "
            f"disjoint; the smallest is {known[0]}"
        )
    return np.array(known, dtype=np.int64)


@contextmanager
def _warned_once() -> Iterator[None]:
    """Of the warnings of all subsets, the first one of each kind."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield
    for first in {one.category: one for one in reversed(caught)}.values():
        warn(str(first.message), first.category)
