r"""The sampling error of an entropy from what leaving out each row, and each pair, changes.

By Efron and Stein, the changes :math:`D_i = S_{-i} - S` of the jackknife,

.. math:: \sum_i (D_i - \bar D)^2 \approx \sigma_1^2 + 2 \sigma_2^2 + \dots

count what rows contribute by pairs twice, and the variance is :math:`\sigma_1^2 + \sigma_2^2`. What
leaving out two rows changes beyond both of them has :math:`\sigma_2^2`. So the variance is the
jackknife's less :math:`\sigma_2^2`, or more where rows contribute in threes and fours: see `_less`.

Of more than some hundreds of rows, random ones stand for all, and halves of these say how the
variance falls with the number of rows.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from eigentropy._kernels.bandwidth import sampled_rows
from eigentropy._kernels.matrix import KernelMatrix
from eigentropy._measures.sampling.families import density, diffusion
from eigentropy._measures.sampling.halves import Halves
from eigentropy._measures.sampling.left_out import Eigensystem, removals, without_each
from eigentropy._measures.sampling.variation import Variation, check_rows
from eigentropy._measures.sampling.width_influence import width_changes

Doubles = npt.NDArray[np.float64]
Numbers = npt.NDArray[np.int64]

# Of the rows that stand for all. The numbers of rows alone choose them, so that every
# representation of the same rows has the same ones.
SEED = 0x5EED

# Up to MOST_ROWS, all rows are looked at, and MOST_ROWS stand for more. The sampling error of a
# diffusion entropy of 2000 rows then takes one and a half times as long as the entropy. That of a
# kernel entropy is to take a third of its time. So of more than 2 MOST_ROWS, a share of 1 / SHARE
# stands for all, but at least FEW_ROWS. benchmarks/compare/sampling_cost.py measures both.
MOST_ROWS = 768
FEW_ROWS = 384
SHARE = 6

# Pairs are looked at of each row with this many others.
COLUMNS = 24

# A variance falls with the number of rows by a power in this range.
EXPONENTS = (0.0, 1.5)


@dataclass(frozen=True)
class Level:
    """What leaving out rows changes, among some of the rows.

    Attributes
    ----------
    own : array of shape (m,)
        S without each row, less S, at the same sigma.
    by_width : array of shape (m,)
        What the sigma of a rule adds to that.
    pairs : array of shape (m, k)
        What leaving out two rows changes beyond both, with row and column means taken out.
    """

    own: Doubles
    by_width: Doubles
    pairs: Doubles

    def minus(self, other: Level) -> Level:
        """Of the difference of two entropies of the same rows."""
        return Level(self.own - other.own, self.by_width - other.by_width, self.pairs - other.pairs)

    def variances(self) -> Parts:
        """Of S at these numbers of rows."""
        m, k = self.pairs.shape
        share = (m - 1.0) / m
        own, by_width = self.own - self.own.mean(), self.by_width - self.by_width.mean()
        twice = 0.5 * m / k * float((self.pairs**2).sum())
        rows, width, both = own @ own, by_width @ by_width, own @ by_width
        return Parts(share * rows, share * width, share * both, twice)


class Parts(NamedTuple):
    """What the jackknife finds of the rows and of sigma, their covariance, and what counts twice.

    Rows and sigma may nearly cancel.
    """

    rows: float
    width: float
    both: float
    twice: float

    @property
    def total(self) -> float:
        """The variance."""
        return _less(self.rows + self.width + 2.0 * self.both, self.twice)

    @property
    def own(self) -> float:
        """The variance at the same sigma."""
        return _less(self.rows, self.twice)


def _less(jackknife: float, twice: float) -> float:
    """The variance.

    Of what k rows contribute together, the jackknife has k times the variance, and pairs have it
    k (k - 1) / 2 times. Where k is 1 and 2, their difference is the variance. Pairs that have more
    than half of the jackknife's speak of larger k: of a single one, the variance is the jackknife's
    over k.
    """
    if jackknife <= 0.0:
        return 0.0
    return max(jackknife - twice, jackknife**2 / (jackknife + 2.0 * twice))


@dataclass(frozen=True)
class Influences(Variation):
    """The variation of an entropy, or of a difference of two, by leaving out rows.

    Attributes
    ----------
    n : int
    value : float
    numbers : array of int, shape (m,)
        The rows that stand for all.
    level : Level
        Of these.
    looked_at : int
        How many rows a rule of sigma looks at: its sigma varies with these alone.
    halves : tuple of Level
        Of two halves of the rows that stand for all; empty where m is n.
    subsets : callable or None
        Finds the variation from subsets of the rows. Not kept with a pickle.
    """

    n: int
    value: float
    numbers: Numbers
    level: Level
    looked_at: int
    halves: tuple[Level, ...] = ()
    subsets: Callable[[], Variation] | None = field(default=None, repr=False, compare=False)

    @property
    def standard_error(self) -> float:
        """Standard deviation of the value over other samples of as many rows."""
        return math.sqrt(self._variance())

    @property
    def degrees(self) -> float:
        """Of `standard_error`: as uncertain as a variance of m numbers of this kurtosis."""
        total = self.level.own + self.level.by_width
        total = total - total.mean()
        m, square = len(total), float((total**2).mean())
        if square == 0.0:
            return m - 1.0
        excess = float((total**4).mean()) / square**2 - 1.0
        return max(1.0, min(m - 1.0, 2.0 * m / excess if excess > 0.0 else math.inf))

    def minus(self, other: Variation) -> Variation:
        """The variation of the difference from another entropy of the same rows."""
        if isinstance(other, Halves):
            return self.by_subsets().minus(other)
        same = isinstance(other, Influences) and np.array_equal(self.numbers, other.numbers)
        if not isinstance(other, Influences) or self.n != other.n or not same:
            raise ValueError("only values of the same measure and of the same rows can be paired")
        halves = tuple(a.minus(b) for a, b in zip(self.halves, other.halves, strict=True))
        level, value = self.level.minus(other.level), self.value - other.value
        looked_at = min(self.looked_at, other.looked_at)
        return Influences(self.n, value, self.numbers, level, looked_at, halves)

    def by_subsets(self) -> Variation:
        """The same from subsets of the rows."""
        return super().by_subsets() if self.subsets is None else self.subsets()

    def __getstate__(self) -> dict[str, Any]:
        """Everything but the data."""
        return {**self.__dict__, "subsets": None}

    def _variance(self) -> float:
        if not self.halves:
            return self.level.variances().total
        variance = self._at(self.looked_at, "total")
        if self.looked_at == self.n:
            return variance
        own, more = self._at(self.looked_at, "own"), self._at(self.n, "own")
        width = self._at(self.looked_at, "width")
        both = variance - own - width
        shared = math.sqrt(more / own * self.looked_at / self.n) if own > 0.0 else 0.0
        return max(more + width + shared * both, 0.0)

    def _at(self, rows: int, name: str) -> float:
        """A variance at this number of rows, if it falls on as from the halves to all of them."""
        of_all = float(getattr(self.level.variances(), name))
        of_half = float(np.mean([getattr(half.variances(), name) for half in self.halves]))
        ratio = rows / len(self.numbers)
        if of_all <= 0.0 or of_half <= 0.0:
            return max(of_all, 0.0) / ratio
        exponent = float(np.clip(math.log2(of_half / of_all), *EXPONENTS))
        return of_all * math.pow(ratio, -exponent)


def standing_for_all(matrix: KernelMatrix) -> Numbers:
    """The rows that are looked at, in random order; all of them where there are few."""
    n = matrix.n
    if n <= MOST_ROWS:
        return np.arange(n)
    many = matrix.has_unit_eigenvalue or n <= 2 * MOST_ROWS
    rows = MOST_ROWS if many else max(FEW_ROWS, min(n // SHARE, MOST_ROWS))
    return np.random.default_rng([SEED, n]).permutation(n)[:rows]


def influences(
    matrix: KernelMatrix, value: float, base: float, subsets: Callable[[], Variation] | None = None
) -> Influences:
    """The variation of S of this matrix, at t = 1 or order 1, whose value is known.

    `subsets` finds the same from subsets of the rows.
    """
    n, chosen = matrix.n, standing_for_all(matrix)
    check_rows(n)
    numbers = np.sort(chosen)
    of_all = _level(matrix, numbers, base)
    if len(chosen) == n:
        return Influences(n, value, numbers, of_all, n, subsets=subsets)
    two = np.array_split(chosen, 2)
    halves = tuple(_level(matrix, np.sort(half), base) for half in two)
    looked_at = len(sampled_rows(n, matrix.samples.d, 0))
    return Influences(n, value, numbers, of_all, looked_at, halves, subsets)


def _level(matrix: KernelMatrix, numbers: Numbers, base: float) -> Level:
    G, widths = _kernel_and_widths(matrix, numbers)
    growth = None if widths is None else widths.squared / widths.sigma**2
    found = density(G, growth) if matrix.alpha is None else diffusion(G, matrix.alpha, growth)
    system = Eigensystem.of(found.A)
    m = len(numbers)
    columns = np.linspace(0, m - 1, min(COLUMNS, m)).astype(np.intp)
    lost, pairs = removals(system, columns)
    own, by_width = without_each(system, lost, found.scale), np.zeros(m)
    if widths is not None and found.change is not None:
        changes = width_changes(widths.squared, widths.sigma, widths.rule)
        by_width = system.slope(found.change) * changes
    unit = math.log(base)
    return Level(own / unit, by_width / unit, _centred(pairs, columns) / (system.trace * unit))


class _Widths(NamedTuple):
    """What the width of a rule follows: r^2 of all pairs and sigma, in one unit, and the rule."""

    squared: Doubles
    sigma: float
    rule: str


def _kernel_and_widths(matrix: KernelMatrix, numbers: Numbers) -> tuple[Doubles, _Widths | None]:
    """G of these rows; and the widths where a rule has chosen sigma."""
    samples: Any = matrix.samples
    if samples.holds == "precomputed":
        G = samples.entries(numbers)
        return G / np.diag(G).max(), None
    squared, scale = samples.squared_distances(numbers)
    sigma = matrix.sigma / scale
    G = np.exp(squared / (-2.0 * sigma**2))
    return G, None if matrix.rule is None else _Widths(squared, sigma, matrix.rule)


def _centred(pairs: Doubles, columns: npt.NDArray[np.intp]) -> Doubles:
    """Without the means of rows and columns, which belong to single rows; 0 where i is j."""
    m, k = pairs.shape
    counted = np.full(m, float(k))
    counted[columns] -= 1.0
    rows = pairs.sum(axis=1) / np.maximum(counted, 1.0)
    mean = pairs.sum(axis=0) / (m - 1.0)
    found: Doubles = pairs - rows[:, None] - mean + mean.mean()
    found[columns, np.arange(k)] = 0.0
    return found
