r"""The sampling error of an entropy from what leaving out each row, and each pair, changes.

By Efron and Stein, the changes :math:`D_i = S_{-i} - S` of the jackknife,

.. math:: \sum_i (D_i - \bar D)^2 \approx \sigma_1^2 + 2 \sigma_2^2 + \dots

count what rows contribute by pairs twice, and the variance is :math:`\sigma_1^2 + \sigma_2^2`. What
leaving out two rows changes beyond both of them has :math:`\sigma_2^2`. So the variance is the
jackknife's less :math:`\sigma_2^2`.

Of more than some hundreds of rows, random ones stand for all, and halves of these say how the
variance falls with the number of rows.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from eigentropy import _core
from eigentropy._kernels.bandwidth import sampled_rows
from eigentropy._kernels.matrix import KernelMatrix
from eigentropy._measures.sampling.families import density, diffusion
from eigentropy._measures.sampling.left_out import Eigensystem, removals, without_each
from eigentropy._measures.sampling.variation import Variation, check_rows
from eigentropy._measures.sampling.width_influence import width_changes

Doubles = npt.NDArray[np.float64]
Numbers = npt.NDArray[np.int64]

# Of the rows that stand for all. The numbers of rows alone choose them, so that every
# representation of the same rows has the same ones.
SEED = 0x5EED

# Up to so many rows are all looked at. The eigenvectors of the diffusion matrix of so many take
# about as long as the entropy of 2000. Of more rows, some stand for all; fewer of those of the
# density matrix, whose sampling error is to take a third of the time of its entropy.
MOST_ROWS = 768
FEW_ROWS = 320
SHARE = 6

# Pairs are looked at of each row with this many others.
COLUMNS = 24

# What is left of the jackknife's variance where the pairs seem to take all of it, and the range of
# exponents with which a variance falls with the number of rows.
LEAST_REST = 0.1
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
        jackknife = share * float(own @ own)
        return Parts(
            max(jackknife - twice, LEAST_REST * jackknife),
            share * float(by_width @ by_width),
            share * float(own @ by_width),
        )


class Parts(NamedTuple):
    """Variances of what the rows and of what sigma contribute, and their covariance."""

    own: float
    by_width: float
    both: float

    @property
    def total(self) -> float:
        """The variance of the sum."""
        return self.own + self.by_width + 2.0 * self.both


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
    halves : tuple of Level
        Of two halves of them; empty where m is n.
    """

    n: int
    value: float
    numbers: Numbers
    level: Level
    halves: tuple[Level, ...] = ()

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

    def minus(self, other: Variation) -> Influences:
        """The variation of the difference from another entropy of the same rows."""
        same = isinstance(other, Influences) and np.array_equal(self.numbers, other.numbers)
        if not isinstance(other, Influences) or self.n != other.n or not same:
            raise ValueError("only values of the same measure and of the same rows can be paired")
        halves = tuple(a.minus(b) for a, b in zip(self.halves, other.halves, strict=True))
        level, value = self.level.minus(other.level), self.value - other.value
        return replace(self, value=value, level=level, halves=halves)

    def _variance(self) -> float:
        parts = self.level.variances()
        if self.halves:
            parts = self._extrapolated(parts)
        return max(parts.total, LEAST_REST * (parts.own + parts.by_width))

    def _extrapolated(self, parts: Parts) -> Parts:
        """From m rows to n of them."""
        of_halves = [half.variances() for half in self.halves]
        m = len(self.numbers)
        # A rule of many rows looks at some of them, whose number says how sigma varies.
        looked_at = len(sampled_rows(self.n, 1, 0))
        own = parts.own * _growth([half.own for half in of_halves], parts.own, self.n / m)
        of_rule = [half.by_width for half in of_halves]
        by_width = parts.by_width * _growth(of_rule, parts.by_width, looked_at / m)
        before = math.sqrt(parts.own * parts.by_width)
        correlation = parts.both / before if before > 0.0 else 0.0
        both = correlation * math.sqrt(own * by_width * looked_at / self.n)
        return Parts(own, by_width, both)


def _growth(of_halves: Sequence[float], of_all: float, ratio: float) -> float:
    """The factor to a variance at `ratio` times as many rows, as from the halves to all."""
    mean = float(np.mean(of_halves))
    if of_all <= 0.0 or mean <= 0.0:
        return 1.0 / ratio
    exponent = float(np.clip(math.log2(mean / of_all), *EXPONENTS))
    return math.pow(ratio, -exponent)


def influences(matrix: KernelMatrix, value: float, base: float) -> Influences:
    """The variation of S of this matrix, at t = 1 or order 1, whose value is known."""
    n = matrix.n
    check_rows(n)
    if n <= MOST_ROWS:
        numbers = np.arange(n)
        return Influences(n, value, numbers, _level(matrix, numbers, base))
    generator = np.random.default_rng([SEED, n])
    few = max(FEW_ROWS, min(n // SHARE, MOST_ROWS))
    chosen = generator.permutation(n)[: MOST_ROWS if matrix.has_unit_eigenvalue else few]
    numbers, two = np.sort(chosen), np.array_split(chosen, 2)
    halves = tuple(_level(matrix, np.sort(half), base) for half in two)
    return Influences(n, value, numbers, _level(matrix, numbers, base), halves)


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
    samples = matrix.samples
    rows, places = samples.host_sample(numbers)
    if samples.holds == "precomputed":
        G = np.array(rows[np.ix_(places, places)], dtype=np.float64)
        return G / np.diag(G).max(), None
    if samples.holds == "distances":
        squared, scale = np.array(rows[np.ix_(places, places)], dtype=np.float64) ** 2, 1.0
    else:
        squared, scale = _core.squared_distances(rows, places)
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
