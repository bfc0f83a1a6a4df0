"""How a value moves with its rows, from its values on random subsets of them."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from eigentropy._backends.host_arrays import as_matrix, as_numpy
from eigentropy._kernels.groups import check_length
from eigentropy._kernels.matrix import KernelMatrix
from eigentropy._measures.sampling.variation import Variation, check_rows
from eigentropy._spectra.functionals import Functional
from eigentropy._spectra.plan import SpectrumPlan
from eigentropy._spectra.solve import solve
from eigentropy._support.options import random_seed
from eigentropy._support.warnings import recorded_warnings

Doubles = npt.NDArray[np.float64]
Numbers = npt.NDArray[np.int64]

# From the numbers of some rows, and the number of the subset, to the value of these rows alone:
# twice, where something is random in it, so that the two agree in the rows only.
ValueOfRows: TypeAlias = Callable[[Numbers, int], tuple[float, float]]

# The same of several subsets, as an array of shape (subsets, 2).
ValuesOfSets: TypeAlias = Callable[[Sequence[Numbers]], Doubles]

# Random divisions of the rows, of each of which two halves and two sets of three quarters are
# measured: together some 9 times the work of all rows where that is cubic.
DIVISIONS = 8

# Of more rows, so many at random stand for all, where a value takes a matrix.
MOST_ROWS = 2048

# Divisions that have to have all four values.
LEAST_DIVISIONS = 5


class Division(NamedTuple):
    """Subsets of the rows, ascending, that are measured by themselves.

    Attributes
    ----------
    halves : array of int, shape (2, n // 2)
        That have no row in common.
    rests : array of int, shape (2, n - n // 4)
        What is left without a quarter of the rows, and without another quarter.
    """

    halves: Numbers
    rests: Numbers


def divisions(n: int, seed: int, count: int = DIVISIONS, most: int | None = None) -> list[Division]:
    """Random divisions of n rows, or of `most` of them.

    A function of the arguments alone, so that representations of the same rows have the same ones.

    Raises
    ------
    ValueError
        Too few rows.
    """
    check_rows(n)
    generator = np.random.default_rng(np.random.SeedSequence([random_seed(seed), n]))
    used = generator.permutation(n)[:most]
    half, quarter, found = len(used) // 2, len(used) // 4, []
    for _ in range(count):
        order = generator.permutation(used)
        halves = np.sort(order[: 2 * half].reshape(2, half), axis=1)
        rests = np.stack([order[quarter:], np.concatenate([order[:quarter], order[2 * quarter :]])])
        found.append(Division(halves, np.sort(rests, axis=1)))
    return found


@dataclass(frozen=True)
class Halves(Variation):
    r"""A value, and its values on halves of the rows and on three quarters of them.

    With the variances :math:`\sigma_1^2` and :math:`\sigma_2^2` of what single rows and what pairs
    of rows contribute to the value, that of values on m of the n rows is

    .. math:: \frac{m}{n - m} \operatorname{Var}(v_m \mid \text{sample})
        \approx \sigma_1^2 + \frac{n + m}{m} \sigma_2^2

    and the mean of two halves that have no row in common has the variance :math:`\sigma_2^2`: in
    it, what single rows contribute cancels. So the sampling variance is the variance over three
    quarters, times 3, less :math:`n / m = 4/3` times the variance of means of halves. It is
    exactly unbiased for means of rows and of pairs of rows. Halves alone miss how a value changes
    with the number of rows.

    Attributes
    ----------
    n, value
        As in `Variation`.
    of_halves, of_rests : array of shape (divisions, 2, 2)
        Of each division both subsets, each measured twice; NaN where a subset has no value. Only
        products of one time with the other are used, which no random part of the value is in.
    seed : int
        Of the subsets.
    used : int
        Of how many rows they are subsets: n or, where `MOST_ROWS` stand for all, these. A variance
        is then said to fall as 1 / n.
    """

    n: int
    value: float
    of_halves: Doubles
    of_rests: Doubles
    seed: int
    used: int

    @property
    def standard_error(self) -> float:
        """Standard deviation of the value over other samples; NaN where `note` says why."""
        return math.sqrt(self._variances().value)

    @property
    def degrees(self) -> float:
        """Degrees of freedom of `standard_error`, for Student's t."""
        return self._variances().degrees

    @property
    def note(self) -> str:
        """How many subsets have no value; empty where all have one."""
        known = self._known()
        missing = len(known) - int(known.sum())
        if not missing:
            return ""
        if math.isnan(self.value):
            return "there is no value"
        few = ", which leaves too few for a sampling error" if known.sum() < LEAST_DIVISIONS else ""
        return f"{missing} of {len(known)} random divisions of the rows have no value{few}"

    def minus(self, other: Variation) -> Halves:
        """The variation of the difference from another value of the same rows, set by set."""
        if not isinstance(other, Halves):
            raise ValueError(
                "the two sampling errors were found in different ways, which do not tell that of a "
                "difference: compare values of one measure"
            )
        mine, its = (self.n, self.seed), (other.n, other.seed)
        if mine != its or self.used != other.used:
            raise ValueError(
                f"paired values are of the same rows and the same seed, got n={mine[0]} with "
                f"seed={mine[1]} and n={its[0]} with seed={its[1]}"
            )
        return replace(
            self,
            value=self.value - other.value,
            of_halves=self.of_halves - other.of_halves,
            of_rests=self.of_rests - other.of_rests,
        )

    def _known(self) -> npt.NDArray[np.bool_]:
        """Of which divisions all values are there."""
        every = np.concatenate([self.of_halves, self.of_rests], axis=1)
        known: npt.NDArray[np.bool_] = np.isfinite(every).all(axis=(1, 2))
        return known

    def _variances(self) -> _Variances:
        known = self._known()
        count = int(known.sum())
        if count < LEAST_DIVISIONS:
            return _Variances(math.nan, math.nan)
        n = self.used
        m = n - n // 4
        rests = [part.times(m / (n - m)) for part in _parts(self.of_rests[known])]
        pairs = _parts(self.of_halves[known])[1].times(n / m)
        total = rests[0].variance + rests[1].variance
        # Pairs of rows alone leave this share of the first term.
        variance = max(total - max(pairs.variance, 0.0), total * m / (n + m), 0.0)
        noise = sum(part.noise for part in (*rests, pairs))
        degrees = max(1.0, 2.0 * variance**2 / noise) if noise > 0.0 else math.inf
        return _Variances(variance * n / self.n, degrees)


class _Variances(NamedTuple):
    value: float
    degrees: float


class _Part(NamedTuple):
    """An estimate of a variance, and the variance of the estimate."""

    variance: float
    noise: float

    def times(self, factor: float) -> _Part:
        return _Part(factor * self.variance, factor**2 * self.noise)

    @classmethod
    def of(cls, values: Doubles, degrees: int) -> _Part:
        """From values of mean 0, each of which was found twice: shape (values, 2).

        The mean product is free of what the two times do not have in common, and varies by it.
        """
        first, second = values[:, 0], values[:, 1]
        product = float(first @ second) / degrees
        squares = float(first @ first) * float(second @ second) / degrees**2
        return cls(product, (product**2 + squares) / degrees)


def _parts(values: Doubles) -> tuple[_Part, _Part]:
    """Variance of half the difference of two subsets of a division, and that of their mean.

    `values` has the shape (divisions, 2, 2).
    """
    means = values.mean(axis=1)
    apart = 0.5 * (values[:, 0] - values[:, 1])
    return _Part.of(apart, len(values)), _Part.of(means - means.mean(axis=0), len(values) - 1)


def halves_of(
    value: float,
    on_sets: ValuesOfSets,
    n: int,
    seed: int,
    *,
    count: int = DIVISIONS,
    most: int | None = None,
) -> Halves:
    """The value of n rows, and those of subsets of them, whose warnings are kept back."""
    sets = [rows for one in divisions(n, seed, count, most) for pair in one for rows in pair]
    values = np.full((len(sets), 2), math.nan)
    if not math.isnan(value):
        with recorded_warnings():
            values = np.asarray(on_sets(sets), dtype=np.float64)
    halves, rests = values.reshape(-1, 2, 2, 2).transpose(1, 0, 2, 3)
    return Halves(n, float(value), halves, rests, seed, n if most is None else min(n, most))


def one_by_one(on_rows: ValueOfRows) -> ValuesOfSets:
    """The values of subsets that are measured one after the other."""

    def on_sets(sets: Sequence[Numbers]) -> Doubles:
        return np.array([on_rows(rows, number) for number, rows in enumerate(sets)])

    return on_sets


def variation_of(
    function: Callable[..., Any],
    Z: Any,
    Y: Any = None,
    *,
    seed: int = 0,
    **options: Any,
) -> Halves:
    """How any function of rows moves with them.

    Parameters
    ----------
    function : callable
        ``function(Z, **options)``, or ``function(Z, Y, **options)`` with Y: a number. It is called
        with all rows, 16 times with halves of them, and 16 times with three quarters. What is
        random in it counts as if the rows had changed.
    Z : array-like of shape (n, d)
    Y : array-like of length n, optional
        What belongs to the rows.
    seed : int
        Of the subsets.

    Raises
    ------
    ValueError
        Too few rows; Y of another length than Z.
    """
    rows = as_matrix(Z)
    columns, n = [rows], len(rows)
    if Y is not None:
        columns.append(as_numpy(Y, "Y"))
        check_length(columns[1], n, "Y")
    check_rows(n)

    def on_rows(chosen: Numbers, number: int) -> tuple[float, float]:
        value = float(function(*(column[chosen] for column in columns), **options))
        return value, value

    value = float(function(*columns, **options))
    return halves_of(value, one_by_one(on_rows), n, seed)


def entropy_halves(
    matrix: KernelMatrix, which: Functional, plan: SpectrumPlan, base: float, value: float
) -> Halves:
    """How an entropy of a matrix moves with its rows; each half has its own sigma if a rule did."""

    def on_rows(chosen: Numbers, number: int) -> tuple[float, float]:
        entropy = float(solve(matrix.of_rows(chosen), [which], plan).entropy(which, base))
        return entropy, entropy

    return halves_of(value, one_by_one(on_rows), matrix.n, matrix.seed, most=MOST_ROWS)
