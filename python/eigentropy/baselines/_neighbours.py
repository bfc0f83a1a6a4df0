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

SEARCHES = ("auto", "tree", "brute")

Distances = npt.NDArray[np.float64]
Counts = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Pieces:
    """How much is in work at a time.

    `columns` of a point set are read, and their jitter drawn, together: another number draws other
    noise. A strip of distances, of all parts together, takes at most `strip_bytes`.
    """

    columns: int = 1024
    strip_bytes: int = 2**28


PIECES = Pieces()


@dataclass(frozen=True)
class Points:
    """The rows of a matrix plus a little noise, which is the same whenever it is read.

    The noise is uniform in [0, jitter), from a generator of its own for each block of columns.
    """

    matrix: Matrix
    jitter: float = 0.0
    seed: tuple[int, ...] = (0,)
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
            if self.jitter > 0.0:
                rng = np.random.default_rng([*self.seed, start])
                block += self.jitter * rng.random(block.shape)
            yield block

    @cached_property
    def values(self) -> Distances:
        """All of it, for few columns."""
        return np.concatenate(list(self.blocks()), axis=1)


class Neighbourhoods(Protocol):
    """The neighbours of some rows among all of them.

    `parts` numbers the spaces of a product, whose distance is the largest of theirs.
    """

    rows: slice

    def kth_distance(self, k: int) -> Distances:
        """Distance to the k-th nearest other row in the product of all parts."""

    def kth_distance_in_group(self, codes: Counts, k: Counts) -> Distances:
        """The same among the rows with the same code, for a k of each row."""

    def nearest(self, k: int) -> Counts:
        """The k nearest other rows in the product of all parts, (rows, k), in any order."""

    def extent(self, part: int, neighbours: Counts) -> Distances:
        """Largest distance in a part to some neighbours, given as (rows, k)."""

    def count(self, parts: Sequence[int], radius: Distances) -> Counts:
        """Rows at most so far away in a product of parts, the row itself among them."""


def neighbourhoods(
    parts: Sequence[Points], search: str, pieces: Pieces = PIECES
) -> Iterator[Neighbourhoods]:
    """Of all rows, in strips."""
    one_of(search, "search", SEARCHES)
    n = parts[0].n
    if search == "tree" or (search == "auto" and tree_is_faster(n, sum(p.d for p in parts))):
        yield _Trees(parts)
        return
    height = max(1, pieces.strip_bytes // (8 * n * (len(parts) + 2)))  # two are temporary
    for start in range(0, n, height):
        yield _Strip(parts, slice(start, min(start + height, n)))


def tree_is_faster(n: int, d: int) -> bool:
    """A rule of thumb: in many columns a tree looks at nearly all pairs, later for many rows."""
    return d <= 6.0 * math.log10(n) - 15.0


class _Trees:
    """One tree for each product that is asked for."""

    def __init__(self, parts: Sequence[Points]) -> None:
        self._parts = [part.values for part in parts]
        self._trees: dict[tuple[int, ...], Any] = {}
        self.rows = slice(0, parts[0].n)

    def kth_distance(self, k: int) -> Distances:
        values, tree = self._all()
        distances: Distances = tree.query(values, k=[k + 1], p=np.inf)[0][:, 0]
        return distances

    def kth_distance_in_group(self, codes: Counts, k: Counts) -> Distances:
        values = self._all()[0]
        distances = np.empty(len(values))
        for code in np.unique(codes):
            (rows,) = np.nonzero(codes == code)
            group = values[rows]
            nearest = [int(k[rows[0]]) + 1]
            distances[rows] = _tree(group).query(group, k=nearest, p=np.inf)[0][:, 0]
        return distances

    def nearest(self, k: int) -> Counts:
        values, tree = self._all()
        found = tree.query(values, k=k + 1, p=np.inf)[1]
        other = found != np.arange(len(values))[:, None]
        other[other.all(axis=1), -1] = False  # a row that k + 1 copies have crowded out
        neighbours: Counts = found[other].reshape(len(values), k)
        return neighbours

    def extent(self, part: int, neighbours: Counts) -> Distances:
        values = self._parts[part]
        extents: Distances = np.abs(values[neighbours] - values[:, None]).max(axis=(1, 2))
        return extents

    def count(self, parts: Sequence[int], radius: Distances) -> Counts:
        values, tree = self._product(tuple(parts))
        counts: Counts = tree.query_ball_point(values, radius, p=np.inf, return_length=True)
        return counts

    def _all(self) -> tuple[Distances, Any]:
        return self._product(tuple(range(len(self._parts))))

    def _product(self, parts: tuple[int, ...]) -> tuple[Distances, Any]:
        if parts not in self._trees:
            values = np.concatenate([self._parts[part] for part in parts], axis=1)
            self._trees[parts] = values, _tree(values)
        product: tuple[Distances, Any] = self._trees[parts]
        return product


def _tree(values: Distances) -> Any:
    try:
        from scipy.spatial import cKDTree
    except ImportError as error:
        raise ImportError(
            "searching for neighbours with a tree needs SciPy: pip install "
            "'eigentropy[baselines]', or pass search='brute', which takes n^2 d operations"
        ) from error
    return cKDTree(values)


class _Strip:
    """All distances from some rows, in each part."""

    def __init__(self, parts: Sequence[Points], rows: slice) -> None:
        self.rows = rows
        self._own = np.arange(rows.start, rows.stop)
        self._distances = [max_distances(part, rows) for part in parts]

    def kth_distance(self, k: int) -> Distances:
        distances: Distances = np.partition(self._product(), k, axis=1)[:, k]
        return distances

    def kth_distance_in_group(self, codes: Counts, k: Counts) -> Distances:
        distances = self._product()
        own = codes[self.rows]
        distances = np.where(own[:, None] == codes, distances, np.inf)
        k = k[self.rows]
        distances.partition(np.unique(k), axis=1)
        return distances[np.arange(len(k)), k]

    def nearest(self, k: int) -> Counts:
        distances = self._product().copy()
        distances[np.arange(len(self._own)), self._own] = np.inf
        neighbours: Counts = np.argpartition(distances, k - 1, axis=1)[:, :k]
        return neighbours

    def extent(self, part: int, neighbours: Counts) -> Distances:
        distances = np.take_along_axis(self._distances[part], neighbours, axis=1)
        extents: Distances = distances.max(axis=1)
        return extents

    def count(self, parts: Sequence[int], radius: Distances) -> Counts:
        within = self._product(parts) <= radius[:, None]
        counts: Counts = within.sum(axis=1)
        return counts

    def _product(self, parts: Sequence[int] | None = None) -> Distances:
        distances = self._distances if parts is None else [self._distances[p] for p in parts]
        product = distances[0]
        for other in distances[1:]:
            product = np.maximum(product, other)
        return product


def max_distances(points: Points, rows: slice) -> Distances:
    """max_c |x_ic - x_jc| for the chosen rows i and all rows j."""
    distances = np.zeros((rows.stop - rows.start, points.n))
    for block in points.blocks():
        _core.raise_to_max_distances(distances, np.ascontiguousarray(block), rows.start)
    return distances
