"""Neighbours in the maximum norm, in a product of spaces and in each of its parts.

With a tree in low dimension, and by all distances, a strip of rows at a time, in high dimension.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from eigentropy import _core
from eigentropy._backends.host_arrays import Matrix
from eigentropy._support.options import one_of
from eigentropy.baselines._boxes import within

SEARCHES = ("auto", "tree", "brute")

Distances = npt.NDArray[np.float64]
Counts = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Pieces:
    """How much is in work at a time.

    `columns` of a point set are read, and their noise drawn, together: another number draws other
    noise. A strip of distances, of all parts together, takes at most `strip_bytes`.
    """

    columns: int = 1024
    strip_bytes: int = 2**28


PIECES = Pieces()

# Rows in a leaf of a tree. With 250 to 10 000 rows in 2 to 6 columns 12 takes the least time.
LEAF = 12

# Distances in a group, of which the smallest is looked at first.
GROUP = 16


@dataclass(frozen=True)
class Points:
    """Half the rows of a matrix, with a little noise, which is the same whenever it is read.

    Half, so that no difference of finite numbers is infinite. The noise is `moved`'s, from a
    generator of its own for each block of columns.
    """

    matrix: Matrix
    jitter: float = 0.0
    seed: tuple[int, ...] = (0,)
    spread: bool = False
    pieces: Pieces = PIECES

    @property
    def n(self) -> int:
        """Number of rows."""
        return len(self.matrix)

    @property
    def d(self) -> int:
        """Number of columns."""
        return int(self.matrix.shape[1])

    def blocks(self) -> Iterator[Distances]:
        """All rows, one block of columns after the other."""
        for start in range(0, self.d, self.pieces.columns):
            block = self.matrix[:, start : start + self.pieces.columns].astype(np.float64)
            block *= 0.5
            if self.jitter > 0.0:
                rng = np.random.default_rng([*self.seed, start])
                for column in block.T:
                    column[:] = moved(column, self.jitter, self.spread, rng)
            yield block

    @cached_property
    def values(self) -> Distances:
        """All of it, for few columns."""
        return np.concatenate(list(self.blocks()), axis=1)

    @cached_property
    def has_ties(self) -> bool:
        """Whether two distances may be equal: without noise, or if a column has a value twice."""
        return self.jitter == 0.0 or any(_repeats(column) for column in self.values.T)


def _repeats(column: Distances) -> bool:
    return not np.diff(np.sort(column)).all()


def moved(column: Distances, share: float, spread: bool, rng: np.random.Generator) -> Distances:
    """Each value moved up by a random part of `share` of the distance to the nearest other value.

    Equal values stay equal, unless `spread` is True: then these alone are moved, each entry by an
    amount of its own. The order of the values is kept, and the noise has the scale of the data. It
    is added to the distances from the smallest magnitude, which have the digits for it: those far
    from 0 have none.
    """
    if spread and not _repeats(column):
        return column
    values, index, counts = np.unique(column, return_inverse=True, return_counts=True)
    if len(values) == 1:
        return column
    steps = np.diff(values)
    widths = share * np.minimum(np.append(steps, np.inf), np.insert(steps, 0, np.inf))
    values -= values[np.abs(values).argmin()]
    if spread:
        widths[counts == 1] = 0.0
        noise = widths[index] * rng.random(len(column))
    else:
        noise = (widths * rng.random(len(values)))[index]
    found: Distances = values[index] + noise
    return found


class Neighbourhoods(Protocol):
    """The neighbours of some rows among all of them.

    `parts` numbers the spaces of a product, whose distance is the largest of theirs.
    """

    rows: slice

    def kth_distance(self, k: int) -> Distances:
        """Distance to the k-th nearest other row in the product of all parts."""

    def kth_distance_in_group(self, codes: Counts, k: Counts) -> Distances:
        """The same among the rows with the same code, for a k of each row."""

    def within(self, parts: Sequence[int], reach: Distances) -> Counts:
        """How many rows are at most so far in a product of parts, the row itself among them."""

    def nearest(self, k: int) -> Counts:
        """The k nearest other rows in the product of all parts, (rows, k), in any order.

        Any rows, if the k-th is at distance 0.
        """

    def extent(self, part: int, neighbours: Counts) -> tuple[Distances, Counts]:
        """Largest distance in a part to some neighbours, (rows, k), and how many are so far."""

    def shell(self, parts: Sequence[int], radius: Distances) -> Counts:
        """How many rows are nearer in a product of parts, and how many at most so far, (rows, 2).

        The row itself is among them. Both are the same if no two distances can be equal.
        """

    def shell_of_kth(self, k: int, radius: Distances) -> Counts:
        """The same in the product of all parts, at the distance to the k-th nearest other row."""

    def shell_of_kth_in_group(self, codes: Counts, k: Counts, radius: Distances) -> Counts:
        """The same among the rows with the same code, for a k of each row."""


def neighbourhoods(
    parts: Sequence[Points], search: str, pieces: Pieces = PIECES
) -> Iterator[Neighbourhoods]:
    """Of all rows, in strips."""
    if takes_a_tree(search, parts[0].n, sum(part.d for part in parts)):
        yield _Trees(parts)
        return
    for rows in _strips(parts[0].n, parts[0].n, len(parts), pieces):
        yield _Strip(parts, rows)


def kth_distance_among(
    points: Points, asked: int, among: slice, k: int, search: str, pieces: Pieces = PIECES
) -> Distances:
    """Distance of the first `asked` rows to the k-th nearest of some rows, themselves included."""
    if takes_a_tree(search, points.n, points.d):
        values = points.values
        others = values[among]
        return _query(others[Copies.of(others).at_most(k)], values[:asked], k)
    strips = _strips(asked, points.n, 1, pieces)
    return np.concatenate(
        [kth_smallest(max_distances(points, rows)[:, among], k - 1) for rows in strips]
    )


def _strips(rows: int, n: int, parts: int, pieces: Pieces) -> Iterator[slice]:
    height = max(1, pieces.strip_bytes // (8 * n * (parts + 2)))  # two are temporary
    for start in range(0, rows, height):
        yield slice(start, min(start + height, rows))


def takes_a_tree(search: str, n: int, d: int) -> bool:
    """Whether a tree is asked for, or faster."""
    one_of(search, "search", SEARCHES)
    return search == "tree" or (search == "auto" and tree_is_faster(n, d))


def tree_is_faster(n: int, d: int) -> bool:
    """A rule of thumb: in many columns a tree looks at nearly all pairs, later for many rows."""
    return d <= 4.0 * math.log10(n) - 2.0


class _Trees:
    """A tree for each product that is asked for."""

    def __init__(self, parts: Sequence[Points]) -> None:
        self._parts = parts
        self.rows = slice(0, parts[0].n)

    def kth_distance(self, k: int) -> Distances:
        return _kth_distance(self._all(), k)

    def kth_distance_in_group(self, codes: Counts, k: Counts) -> Distances:
        distances, values = np.empty(len(codes)), self._all()
        for rows in _groups(codes):
            distances[rows] = _kth_distance(values[rows], int(k[rows[0]]))
        return distances

    def within(self, parts: Sequence[int], reach: Distances) -> Counts:
        return within(self._product(parts), np.arange(len(reach)), reach)

    def nearest(self, k: int) -> Counts:
        values = self._all()
        copies = Copies.of(values)
        kept, asked = copies.at_most(k + 1), copies.fewer_than(k + 1)
        found = kept[_tree(values[kept]).query(values[asked], k=k + 1, p=np.inf)[1]]
        neighbours = np.zeros((len(values), k), dtype=np.int64)
        neighbours[asked] = found[found != asked[:, None]].reshape(len(asked), k)
        return neighbours

    def extent(self, part: int, neighbours: Counts) -> tuple[Distances, Counts]:
        values = self._parts[part].values
        return _largest(np.abs(values[neighbours] - values[:, None]).max(axis=2))

    def shell(self, parts: Sequence[int], radius: Distances) -> Counts:
        values = self._product(parts)
        if self._have_ties(parts):
            return _shell(values, radius)
        inside = within(values, np.arange(len(values)), np.nextafter(radius, 0.0))
        return np.stack([inside, inside], axis=1)

    def shell_of_kth(self, k: int, radius: Distances) -> Counts:
        every = range(len(self._parts))
        if self._have_ties(every):
            return _shell(self._all(), radius)
        return np.tile([k, k + 1], (len(radius), 1))

    def shell_of_kth_in_group(self, codes: Counts, k: Counts, radius: Distances) -> Counts:
        if not self._have_ties(range(len(self._parts))):
            return np.stack([k, k + 1], axis=1)
        counts, values = np.empty((len(codes), 2), dtype=np.int64), self._all()
        for rows in _groups(codes):
            counts[rows] = _shell(values[rows], radius[rows])
        return counts

    def _have_ties(self, parts: Sequence[int]) -> bool:
        return any(self._parts[part].has_ties for part in parts)

    def _all(self) -> Distances:
        return self._product(range(len(self._parts)))

    def _product(self, parts: Sequence[int]) -> Distances:
        return np.concatenate([self._parts[part].values for part in parts], axis=1)


def _tree(values: Distances) -> Any:
    try:
        from scipy.spatial import cKDTree
    except ImportError as error:
        raise ImportError(
            "searching for neighbours with a tree needs SciPy: pip install "
            "'eigentropy[baselines]', or pass search='brute', which takes n^2 d operations"
        ) from error
    return cKDTree(values, leafsize=LEAF)


def _groups(codes: Counts) -> list[Counts]:
    """The rows of each code."""
    order = np.argsort(codes, kind="stable")
    return np.split(order, np.cumsum(np.bincount(codes))[:-1])


@dataclass(frozen=True)
class Copies:
    """Which rows are equal. A tree compares all copies of a row: of n it would make n^2 pairs."""

    numbers: Counts
    sizes: Counts

    @classmethod
    def of(cls, values: Distances) -> Copies:
        """Number the copies of each row, from 0, and count them."""
        if not _repeats(values[:, 0]):
            return cls(np.zeros(len(values), dtype=np.int64), np.ones(len(values), dtype=np.int64))
        order = np.lexsort(values.T)
        new = np.append(True, np.diff(values[order], axis=0).any(axis=1))
        starts, group = np.flatnonzero(new), np.cumsum(new) - 1
        numbers, sizes = np.empty_like(order), np.empty_like(order)
        numbers[order] = np.arange(len(order)) - starts[group]
        sizes[order] = np.diff(np.append(starts, len(order)))[group]
        return cls(numbers, sizes)

    def at_most(self, number: int) -> Counts:
        """The rows, with no more than `number` copies of each."""
        return np.flatnonzero(self.numbers < number)

    def fewer_than(self, number: int) -> Counts:
        """The rows with fewer copies, themselves included."""
        return np.flatnonzero(self.sizes < number)


def _kth_distance(values: Distances, k: int) -> Distances:
    if values.shape[1] == 1:
        return _kth_distance_on_a_line(values[:, 0], k)
    copies = Copies.of(values)
    asked = copies.fewer_than(k + 1)
    distances = np.zeros(len(values))
    kept = copies.at_most(k + 1)
    distances[asked] = _query(values.take(kept, axis=0), values.take(asked, axis=0), k + 1)
    return distances


def _kth_distance_on_a_line(values: Distances, k: int) -> Distances:
    """Of the windows of k + 1 ranks that hold the row, the narrowest has its k neighbours."""
    order = np.argsort(values, kind="stable")
    own = values[order]
    line = np.concatenate([np.full(k, -np.inf), own, np.full(k, np.inf)])
    nearest = np.full(len(own), np.inf)
    for below in range(k + 1):
        low, high = line[k - below :][: len(own)], line[2 * k - below :][: len(own)]
        np.minimum(nearest, np.maximum(own - low, high - own), out=nearest)
    distances = np.empty(len(own))
    distances[order] = nearest
    return distances


def _query(values: Distances, asked: Distances, k: int) -> Distances:
    """Distance to the k-th nearest of the values.

    On one thread: those that SciPy starts for `workers` go on after Ctrl-C has ended the thread
    that waits for them, and read what it has freed.
    """
    distances: Distances = _tree(values).query(asked, k=[k], p=np.inf)[0][:, 0]
    return distances


def kth_smallest(distances: Distances, k: int) -> Distances:
    """The k-th smallest of each row, from 0.

    It is at most the k-th of the smallest in groups of entries, and few others are.
    """
    width = distances.shape[1] // GROUP
    if width <= k:
        smallest: Distances = np.partition(distances, k, axis=1)[:, k]
        return smallest
    groups = distances[:, : GROUP * width].reshape(len(distances), GROUP, width).min(axis=1)
    bound = kth_smallest(groups, k)
    row, column = np.nonzero(distances <= bound[:, None])
    counts = np.bincount(row, minlength=len(distances))
    starts = np.cumsum(counts) - counts
    order = np.lexsort((distances[row, column], row))
    found: Distances = distances[row, column][order][starts + k]
    return found


def _shell(values: Distances, radius: Distances) -> Counts:
    counts = np.stack([np.zeros_like(radius), Copies.of(values).sizes], axis=1).astype(np.int64)
    (rows,) = np.nonzero(radius)
    counts[rows, 0] = within(values, rows, np.nextafter(radius[rows], 0.0))
    counts[rows, 1] = within(values, rows, radius[rows])
    return counts


def _largest(distances: Distances) -> tuple[Distances, Counts]:
    """The largest of each row, and how many entries it is."""
    largest = distances.max(axis=1)
    return largest, (distances == largest[:, None]).sum(axis=1)


class _Strip:
    """All distances from some rows, in each part."""

    def __init__(self, parts: Sequence[Points], rows: slice) -> None:
        self.rows = rows
        self._own = np.arange(rows.start, rows.stop)
        self._distances = [max_distances(part, rows) for part in parts]

    def kth_distance(self, k: int) -> Distances:
        return kth_smallest(self._product(), k)

    def kth_distance_in_group(self, codes: Counts, k: Counts) -> Distances:
        distances = self._in_group(codes)
        k = k[self.rows]
        distances.partition(np.unique(k), axis=1)
        return distances[np.arange(len(k)), k]

    def within(self, parts: Sequence[int], reach: Distances) -> Counts:
        counts: Counts = (self._product(parts) <= reach[:, None]).sum(axis=1)
        return counts

    def nearest(self, k: int) -> Counts:
        distances = self._product().copy()
        distances[np.arange(len(self._own)), self._own] = np.inf
        neighbours: Counts = np.argpartition(distances, k - 1, axis=1)[:, :k]
        return neighbours

    def extent(self, part: int, neighbours: Counts) -> tuple[Distances, Counts]:
        return _largest(np.take_along_axis(self._distances[part], neighbours, axis=1))

    def shell(self, parts: Sequence[int], radius: Distances) -> Counts:
        return _shell_of_all(self._product(parts), radius)

    def shell_of_kth(self, k: int, radius: Distances) -> Counts:
        return _shell_of_all(self._product(), radius)

    def shell_of_kth_in_group(self, codes: Counts, k: Counts, radius: Distances) -> Counts:
        return _shell_of_all(self._in_group(codes), radius)

    def _in_group(self, codes: Counts) -> Distances:
        return np.where(codes[self.rows, None] == codes, self._product(), np.inf)

    def _product(self, parts: Sequence[int] | None = None) -> Distances:
        distances = self._distances if parts is None else [self._distances[p] for p in parts]
        product = distances[0]
        for other in distances[1:]:
            product = np.maximum(product, other)
        return product


def _shell_of_all(distances: Distances, radius: Distances) -> Counts:
    reach = radius[:, None]
    return np.stack([(distances < reach).sum(axis=1), (distances <= reach).sum(axis=1)], axis=1)


def max_distances(points: Points, rows: slice) -> Distances:
    """max_c |x_ic - x_jc| of the points for the chosen rows i and all rows j."""
    distances = np.zeros((rows.stop - rows.start, points.n))
    for block in points.blocks():
        _core.raise_to_max_distances(distances, np.ascontiguousarray(block), rows.start)
    return distances
