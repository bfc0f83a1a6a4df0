"""How many points lie in a box around each point: at most so far from it in the maximum norm.

A box is an interval of ranks in each column. The points of an interval are a string of bits, and
those of the box are in all of these strings: 64 points are compared by one operation.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Counts = npt.NDArray[np.int64]
Bits = npt.NDArray[np.uint64]

WORD = 64


@dataclass(frozen=True)
class Sets:
    """How many points are one string of bits, and how many boxes are in work at a time.

    A column has a string for each rank, `points`^2 / 8 bytes in all, which should stay in the cache
    of a core. Measured with 10 000 points in 2 to 10 columns.
    """

    points: int = 2048
    boxes: int = 512


SETS = Sets()


def within(values: Floats, rows: Counts, reach: Floats, sets: Sets = SETS) -> Counts:
    """How many of all points are at most so far from each of these rows, which count themselves.

    Points are taken in the order of the first column, so that most boxes miss most of the sets.
    """
    values, own = values[np.argsort(values[:, 0], kind="stable")], values[rows]
    columns = [_Column.of(*pair, reach) for pair in zip(values.T, own.T, strict=True)]
    if len(columns) == 1:
        return columns[0].last - columns[0].first
    counts = np.zeros(len(rows), dtype=np.int64)
    for start in range(0, len(values), sets.points):
        stop = min(start + sets.points, len(values))
        met = np.flatnonzero((columns[0].first < stop) & (columns[0].last > start))
        parts = [column.part(start, stop, met) for column in columns]
        for begin in range(0, len(met), sets.boxes):
            some = slice(begin, begin + sets.boxes)
            inside = np.bitwise_and.reduce(
                [strings[last[some]] ^ strings[first[some]] for strings, first, last in parts]
            )
            counts[met[some]] += ones(inside)
    return counts


@dataclass(frozen=True)
class _Column:
    """The points by rank, and for each box the first rank inside and the first one beyond."""

    order: Counts
    first: Counts
    last: Counts

    @classmethod
    def of(cls, values: Floats, own: Floats, reach: Floats) -> _Column:
        """By the same rounded differences as elsewhere."""
        order = np.argsort(values, kind="stable")
        line = values[order]
        guesses = _searched(line, own, reach)
        first = _bisected(lambda at, box: own[box] - line[at] > reach[box], guesses[0], len(line))
        last = _bisected(lambda at, box: line[at] - own[box] <= reach[box], guesses[1], len(line))
        return cls(order, first, np.maximum(first, last))  # a negative reach ends where it begins

    def part(self, start: int, stop: int, met: Counts) -> tuple[Bits, Counts, Counts]:
        """Of points start .. stop - 1: those below each rank as bits, and the ranks of some boxes.

        The strings of the two ends of an interval differ in the points inside.
        """
        chosen = (self.order >= start) & (self.order < stop)
        below = np.append(0, np.cumsum(chosen))
        point = self.order[chosen] - start
        strings = np.zeros((len(point) + 1, -(-len(point) // WORD)), dtype=np.uint64)
        bits = np.uint64(1) << (point % WORD).astype(np.uint64)
        strings[np.arange(1, len(point) + 1), point // WORD] = bits
        np.bitwise_or.accumulate(strings, axis=0, out=strings)
        return strings, below[self.first[met]], below[self.last[met]]


def _searched(line: Floats, own: Floats, reach: Floats) -> Counts:
    """The ranks of own - reach and own + reach, rounded. Searched in order, which is faster."""
    order = np.argsort(own)
    low, high = (own - reach)[order], (own + reach)[order]
    ranks = np.empty((2, len(own)), dtype=np.int64)
    ranks[:, order] = np.searchsorted(line, low), np.searchsorted(line, high, side="right")
    return ranks


def _bisected(
    before: Callable[[Counts, Counts], npt.NDArray[np.bool_]], guess: Counts, n: int
) -> Counts:
    """For each box the first of the indices 0 .. n - 1 that is not before; or n.

    `before(indices, boxes)` holds up to some index. The guess is looked at first.
    """
    box = np.arange(len(guess))
    wrong = (guess > 0) & ~before(np.maximum(guess - 1, 0), box)
    wrong |= (guess < n) & before(np.minimum(guess, n - 1), box)
    box = np.flatnonzero(wrong)
    low, high = np.zeros(len(box), dtype=np.int64), np.full(len(box), n)
    while (low < high).any():
        middle = (low + high) // 2
        further = (middle < high) & before(np.minimum(middle, n - 1), box)
        low, high = np.where(further, middle + 1, low), np.where(further, high, middle)
    found = guess.copy()
    found[box] = low
    return found


def ones_of_bytes(words: Bits) -> npt.NDArray[Any]:
    """The bits that are 1 in each byte."""
    numbers: npt.NDArray[np.uint8] = _ONES[words.view(np.uint8)]
    return numbers


_ONES = np.unpackbits(np.arange(256, dtype=np.uint8)[:, None], axis=1).sum(axis=1, dtype=np.uint8)

# NumPy counts them itself since 2.0.
_popcount: Callable[[Bits], npt.NDArray[Any]] = getattr(np, "bitwise_count", ones_of_bytes)


def ones(words: Bits, count: Callable[[Bits], npt.NDArray[Any]] = _popcount) -> Counts:
    """How many bits of each row are 1."""
    numbers: Counts = count(words).sum(axis=1, dtype=np.int64)
    return numbers
