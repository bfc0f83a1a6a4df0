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
from eigentropy._measures.sampling.variation import LEAST_ROWS, Variation, check_rows
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

# Where a value takes a matrix, this number of random rows stands for more of them.
MOST_ROWS = 2048

# The same where rows belong together in blocks. The error of a diffusion entropy may hardly fall
# with their number, as in many dimensions, so that few of them cannot stand for all.
MOST_ROWS_OF_BLOCKS = 4096

# The fewest blocks that are divided, whatever number of rows they have.
LEAST_BLOCKS = 64

# Divisions that have to have all four values.
LEAST_DIVISIONS = 5

# Why there may be no sampling error though all subsets have a value.
HIDDEN = (
    "what is random in the values of subsets of the rows hides how these move, so that there is no "
    "sampling error: pass more rows, or another seed"
)


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


def divisions_of_blocks(
    blocks: npt.NDArray[Any], seed: int, count: int = DIVISIONS, most: int | None = None
) -> list[Division]:
    """Random divisions of rows that are independent from block to block only.

    They are cut from the rows in a random order of the blocks. So at most two blocks of a division
    are in part in a subset, and all halves have as many rows, whatever the blocks have.

    Parameters
    ----------
    blocks : array of length n
        Rows of one value belong together.
    most : int, optional
        The number of rows, about, that are divided: those of random blocks.

    Raises
    ------
    ValueError
        Too few blocks.
    """
    numbers = np.unique(blocks, return_inverse=True)[1].reshape(-1)
    whole, used = int(numbers.max()) + 1, used_blocks(blocks, most)
    generator = np.random.default_rng(np.random.SeedSequence([random_seed(seed), whole]))
    rows = np.flatnonzero(generator.permutation(whole)[numbers] < used)
    half, quarter, found = len(rows) // 2, len(rows) // 4, []
    for _ in range(count):
        places = generator.permutation(whole)[numbers[rows]]
        order = rows[np.argsort(places, kind="stable")]
        halves = np.sort(order[: 2 * half].reshape(2, half), axis=1)
        rests = np.stack([order[quarter:], np.concatenate([order[:quarter], order[2 * quarter :]])])
        found.append(Division(halves, np.sort(rests, axis=1)))
    return found


def used_blocks(blocks: npt.NDArray[Any], most: int | None = None) -> int:
    """How many blocks have about `most` rows, but at least `LEAST_BLOCKS`; ValueError if too few.

    A handful of blocks would say little about others.
    """
    whole = len(np.unique(blocks))
    check_blocks(whole)
    if most is None:
        return whole
    return min(whole, max(LEAST_BLOCKS, whole * most // len(blocks)))


def check_blocks(count: int) -> None:
    """Refuse too few blocks."""
    if count < LEAST_ROWS:
        raise ValueError(
            f"the rows are of {count} blocks, which are too few for a sampling error: it needs at "
            f"least {LEAST_ROWS} that are independent"
        )


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
        Of how many rows they are subsets: n or, where some of them stand for all, these. A variance
        is then said to fall as 1 / n. Where rows are of blocks, n and these are numbers of blocks.
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
        return math.sqrt(float(self._variances().value))

    @property
    def degrees(self) -> float:
        """Degrees of freedom of `standard_error`, for Student's t."""
        return float(self._variances().degrees)

    @property
    def note(self) -> str:
        """How many subsets have no value, or that chance hides how these move; mostly empty."""
        known = self._known()
        missing = len(known) - int(known.sum())
        if not missing:
            return HIDDEN if math.isnan(self.standard_error) else ""
        if math.isnan(self.value):
            return "there is no value"
        few = ", which leaves too few for a sampling error" if known.sum() < LEAST_DIVISIONS else ""
        return f"{missing} of {len(known)} random divisions of the rows have no value{few}"

    def minus(self, other: Variation) -> Halves:
        """The variation of the difference from another value of the same rows, set by set."""
        if not isinstance(other, Halves):
            return self.minus(other.by_subsets())
        mine, its = (self.n, self.seed), (other.n, other.seed)
        if mine != its or self.used != other.used:
            raise ValueError(
                f"paired values are of the same rows and the same seed, which chooses the subsets; "
                f"got n={mine[0]} with seed={mine[1]} and n={its[0]} with seed={its[1]}: measure "
                "both with one seed, or compare them as unpaired"
            )
        return replace(
            self,
            value=self.value - other.value,
            of_halves=self.of_halves - other.of_halves,
            of_rests=self.of_rests - other.of_rests,
        )

    def by_subsets(self) -> Halves:
        """Itself."""
        return self

    def _known(self) -> npt.NDArray[np.bool_]:
        """Of which divisions all values are there."""
        return _known(self.of_halves, self.of_rests)

    def _variances(self) -> Variances:
        return variances(self.of_halves, self.of_rests, self.n, self.used)


class Variances(NamedTuple):
    """Estimates of variances, and their degrees of freedom.

    NaN where there are too few values, or where an estimate is not above 0 though it has noise.

    `most` is not less what pairs of rows contribute twice: it is too large by as much, up to a
    factor of 7/3, and has the degrees of freedom that a difference of two variances loses.
    """

    value: Doubles
    degrees: Doubles
    most: Doubles
    degrees_of_most: Doubles


def variances(of_halves: Doubles, of_rests: Doubles, n: int, used: int) -> Variances:
    """The sampling variances of `Halves`, of one value or of many.

    Parameters
    ----------
    of_halves, of_rests : array of shape (..., divisions, 2, 2)
    n, used : int

    Returns
    -------
    Variances
        Of shape (...).
    """
    known = _known(of_halves, of_rests)
    m = used - used // 4
    rests = [part.times(m / (used - m)) for part in _parts(of_rests, known)]
    pairs = _parts(of_halves, known)[1].times(used / m)
    total = rests[0].variance + rests[1].variance
    # Pairs of rows alone leave this share of the first term.
    least = np.maximum(total * m / (used + m), 0.0)
    variance = np.maximum(total - np.maximum(pairs.variance, 0.0), least)
    noise = rests[0].noise + rests[1].noise
    enough = known.sum(axis=-1) >= LEAST_DIVISIONS
    share = used / n
    several = (
        variance * share,
        _degrees(variance, noise + pairs.noise),
        np.maximum(total, 0.0) * share,
        _degrees(np.maximum(total, 0.0), noise),
    )
    enough &= (total > 0.0) | (noise == 0.0)
    return Variances(*(np.where(enough, one, math.nan) for one in several))


def _degrees(variance: Doubles, noise: Doubles) -> Doubles:
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(noise > 0.0, np.maximum(1.0, 2.0 * variance**2 / noise), math.inf)


def _known(of_halves: Doubles, of_rests: Doubles) -> npt.NDArray[np.bool_]:
    """Of which divisions all values are there: shape (..., divisions)."""
    every = np.concatenate([of_halves, of_rests], axis=-2)
    known: npt.NDArray[np.bool_] = np.isfinite(every).all(axis=(-2, -1))
    return known


class _Part(NamedTuple):
    """Estimates of variances, and the variances of the estimates."""

    variance: Doubles
    noise: Doubles

    def times(self, factor: float) -> _Part:
        return _Part(factor * self.variance, factor**2 * self.noise)

    @classmethod
    def of(cls, values: Doubles, degrees: Doubles) -> _Part:
        """From values of mean 0, each of which was found twice: shape (..., values, 2).

        The mean product is free of what the two times do not have in common, and varies by it.
        """
        products = np.einsum("...vi,...vj->...ij", values, values)
        product = products[..., 0, 1] / degrees
        squares = products[..., 0, 0] * products[..., 1, 1] / degrees**2
        return cls(product, (product**2 + squares) / degrees)


def _parts(values: Doubles, known: npt.NDArray[np.bool_]) -> tuple[_Part, _Part]:
    """Variance of half the difference of two subsets of a division, and that of their mean.

    `values` has the shape (..., divisions, 2, 2), of which those that are not known do not count.
    """
    counted = np.where(known[..., None, None], values, 0.0)
    count = np.maximum(known.sum(axis=-1), 2)
    means = counted.mean(axis=-2)
    apart = 0.5 * (counted[..., 0, :] - counted[..., 1, :])
    centre = means.sum(axis=-2, keepdims=True) / count[..., None, None]
    centred = np.where(known[..., None], means - centre, 0.0)
    return _Part.of(apart, count), _Part.of(centred, count - 1)


def halves_of(
    value: float,
    on_sets: ValuesOfSets,
    n: int,
    seed: int,
    *,
    count: int = DIVISIONS,
    most: int | None = None,
    blocks: npt.NDArray[Any] | None = None,
) -> Halves:
    """The value of n rows, and those of subsets of them, whose warnings are kept back.

    Where the rows are of blocks, these are what counts, and `n` of the result is their number.
    """
    if blocks is None:
        divided, used = divisions(n, seed, count, most), n if most is None else min(n, most)
    else:
        divided, used = divisions_of_blocks(blocks, seed, count, most), used_blocks(blocks, most)
        n = len(np.unique(blocks))
    sets = [rows for one in divided for pair in one for rows in pair]
    values = np.full((len(sets), 2), math.nan)
    if not math.isnan(value):
        with recorded_warnings():
            values = np.asarray(on_sets(sets), dtype=np.float64)
    halves, rests = values.reshape(-1, 2, 2, 2).transpose(1, 0, 2, 3)
    return Halves(n, float(value), halves, rests, seed, used)


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
    matrix: KernelMatrix,
    which: Functional,
    plan: SpectrumPlan,
    base: float,
    value: float,
    blocks: npt.NDArray[Any] | None = None,
) -> Halves:
    """How an entropy of a matrix moves with its rows; each half has its own sigma if a rule did.

    Or with blocks of rows that belong together.
    """

    def on_rows(chosen: Numbers, number: int) -> tuple[float, float]:
        entropy = float(solve(matrix.of_rows(chosen), [which], plan).entropy(which, base))
        return entropy, entropy

    on_sets = one_by_one(on_rows)
    most = MOST_ROWS if blocks is None else MOST_ROWS_OF_BLOCKS
    return halves_of(value, on_sets, matrix.n, matrix.seed, most=most, blocks=blocks)
