"""How a value moves with its rows, from its values on random halves of them."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from eigentropy._backends.host_arrays import as_matrix, as_numpy
from eigentropy._kernels.groups import check_length
from eigentropy._kernels.matrix import KernelMatrix
from eigentropy._measures.sampling.variation import Variation
from eigentropy._spectra.functionals import Functional
from eigentropy._spectra.plan import SpectrumPlan
from eigentropy._spectra.solve import solve
from eigentropy._support.options import random_seed
from eigentropy._support.warnings import recorded_warnings

Doubles = npt.NDArray[np.float64]
Numbers = npt.NDArray[np.int64]

# From the numbers of some rows to the value of these rows alone, and a seed for what is random.
ValueOfRows: TypeAlias = Callable[[Numbers, int], float]

# Pairs of halves. The variance from as many has a relative error of some sqrt(2 / PAIRS).
PAIRS = 16

# Fewer rows have halves of fewer than four, of which hardly a measure is defined.
LEAST_ROWS = 8

# Pairs that have to have a value each.
LEAST_PAIRS = 8


def half_samples(n: int, seed: int, count: int = PAIRS) -> Numbers:
    """Random pairs of halves of n rows, which share no row: shape (count, 2, n // 2).

    A function of the arguments alone, so that representations of the same rows have the same
    halves. Of an odd number of rows, each pair leaves out one.

    Raises
    ------
    ValueError
        Fewer than 8 rows.
    """
    if n < LEAST_ROWS:
        raise ValueError(
            f"a sampling error needs {LEAST_ROWS} rows or more, because it compares halves of "
            f"them, and there are {n}: measure more rows"
        )
    generator = np.random.default_rng(np.random.SeedSequence([random_seed(seed), n]))
    m = n // 2
    pairs = np.stack([generator.permutation(n)[: 2 * m].reshape(2, m) for _ in range(count)])
    return np.sort(pairs, axis=2)


@dataclass(frozen=True)
class Halves(Variation):
    r"""A value, and its values on halves of the rows.

    Two halves of the same sample that share no row are two independent samples. So their values
    v, w have no covariance over samples, and what they have within one sample is minus the variance
    of its mean value over all of its halves:

    .. math:: \operatorname{Var} \bar v = -\operatorname{E} \operatorname{Cov}(v, w \mid
        \text{sample}), \qquad -\operatorname{Cov}(v, w) = \operatorname{Var}\frac{v - w}{2}
        - \operatorname{Var}\frac{v + w}{2}

    That holds for every value. The variance over the halves alone is larger: it has the second
    order terms, of pairs of rows, three times, and all that is random in the computation.

    Attributes
    ----------
    n, value
        As in `Variation`.
    values : array of shape (pairs, 2)
        On both halves of each pair; NaN where a half has none.
    seed : int
        Of the halves.
    """

    n: int
    value: float
    values: Doubles
    seed: int

    @property
    def standard_error(self) -> float:
        """Standard deviation of the value over other samples; NaN where `note` says why."""
        return math.sqrt(self._variances()[0])

    @property
    def degrees(self) -> float:
        """Degrees of freedom of `standard_error`, for Student's t."""
        variance, between, within = self._variances()
        count = len(self._known)
        if not variance > 0.0:
            return math.nan if math.isnan(variance) else math.inf
        return max(1.0, variance**2 / (between**2 / count + within**2 / (count - 1)))

    @property
    def note(self) -> str:
        """Which halves have no value; empty where all have one."""
        missing = len(self.values) - len(self._known)
        if not missing:
            return ""
        few = ": too many for a sampling error" if len(self._known) < LEAST_PAIRS else ""
        return f"{missing} of {len(self.values)} pairs of halves have no value{few}"

    def minus(self, other: Variation) -> Halves:
        """The variation of the difference from another value of the same rows, half by half."""
        if not isinstance(other, Halves):
            raise ValueError(
                "the sampling errors were found in two ways, which do not tell that of a "
                "difference: take halves of both"
            )
        mine, its = (self.n, self.seed, len(self.values)), (other.n, other.seed, len(other.values))
        if mine != its:
            raise ValueError(
                f"the values are not of the same halves: n={mine[0]}, seed={mine[1]} and "
                f"{mine[2]} pairs against n={its[0]}, seed={its[1]} and {its[2]} pairs; paired "
                "differences are of the same rows and the same seed"
            )
        return Halves(self.n, self.value - other.value, self.values - other.values, self.seed)

    @property
    def _known(self) -> Doubles:
        """The pairs of which both halves have a value."""
        known: Doubles = self.values[np.isfinite(self.values).all(axis=1)]
        return known

    def _variances(self) -> tuple[float, float, float]:
        """Of the value, of half the difference of two halves, and of their mean."""
        known = self._known
        if len(known) < min(LEAST_PAIRS, len(self.values)) or len(known) < 2:
            return math.nan, math.nan, math.nan
        half_differences = 0.5 * (known[:, 0] - known[:, 1])
        between = float(half_differences @ half_differences) / len(known)
        within = float(known.mean(axis=1).var(ddof=1))
        # What has second order terms alone has half of `between`: no value has less.
        return max(between - within, 0.5 * between), between, within


def halves_of(value: float, on_rows: ValueOfRows, n: int, seed: int, pairs: int = PAIRS) -> Halves:
    """The value of n rows, and those of halves of them; warnings about the halves are kept back."""
    samples = half_samples(n, seed, pairs)
    with recorded_warnings():
        values = [
            on_rows(rows, number) for number, rows in enumerate(samples.reshape(2 * pairs, -1))
        ]
    return Halves(n, float(value), np.reshape(values, (pairs, 2)).astype(np.float64), seed)


def variation_of(
    function: Callable[..., Any],
    Z: Any,
    Y: Any = None,
    *,
    seed: int = 0,
    pairs: int = PAIRS,
    **options: Any,
) -> Halves:
    """How any function of rows moves with them.

    Parameters
    ----------
    function : callable
        ``function(Z, **options)``, or ``function(Z, Y, **options)`` with Y: a number. It is called
        with all rows and with `pairs` times two halves of them.
    Z : array-like of shape (n, d)
    Y : array-like of length n, optional
        What belongs to the rows.
    seed : int
        Of the halves.
    """
    rows = as_matrix(Z)
    columns, n = [rows], len(rows)
    if Y is not None:
        columns.append(as_numpy(Y, "Y"))
        check_length(columns[1], n, "Y")
    half_samples(n, seed, 1)  # refuses too few rows before anything is computed

    def on_rows(chosen: Numbers, number: int) -> float:
        return float(function(*(column[chosen] for column in columns), **options))

    return halves_of(float(function(*columns, **options)), on_rows, n, seed, pairs)


def entropy_halves(
    matrix: KernelMatrix, which: Functional, plan: SpectrumPlan, base: float, value: float
) -> Halves:
    """How an entropy of a matrix moves with its rows; each half has its own sigma if a rule did."""

    def on_rows(chosen: Numbers, number: int) -> float:
        spectrum = solve(matrix.of_rows(chosen), [which], plan)
        return float(spectrum.entropy(which, base))

    return halves_of(value, on_rows, matrix.n, matrix.seed)
