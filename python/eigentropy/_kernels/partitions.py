"""The observed partition of the rows into groups, and random ones into groups of the same sizes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from eigentropy._kernels.groups import Codes
from eigentropy._support import memory
from eigentropy._support.warnings import warn

# Partitions of more bytes are compared with the free memory.
CHECKED_FROM = 2**26

Numbers = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Partitions:
    """1 + n_null partitions of n rows; the first one is the observed one.

    Group y of partition b has the number b * (number of groups) + y.

    Attributes
    ----------
    codes : array of int, shape (n,)
        The observed group of each row.
    sizes : array of int, shape (number of groups,)
    rows : array of int, shape (1 + n_null, n)
        Row numbers, group by group.
    """

    codes: Codes
    sizes: Numbers
    rows: Numbers

    @classmethod
    def drawn(
        cls, codes: Codes, n_null: int, seed: int, blocks: Numbers | None = None
    ) -> Partitions:
        """The observed groups, and n_null relabellings at random.

        Rows of one of the `blocks` (n,), numbers from 0, stay together in these but for those that
        a group ends in: rows of a block are not independent.
        """
        n = len(codes)
        if 8.0 * n * n_null > CHECKED_FROM:
            memory.require(
                8.0 * n * n_null,
                f"n_null={n_null} random partitions of {n} rows",
                "use a smaller n_null: the smallest p-value is 1 / (1 + n_null)",
            )
        rows = np.empty((1 + n_null, n), dtype=np.int64)
        rows[0] = np.argsort(codes, kind="stable")
        generator = np.random.default_rng(seed)
        for null in range(n_null):
            if blocks is None:
                rows[1 + null] = generator.permutation(n)
            else:
                places = generator.permutation(int(blocks.max()) + 1)
                rows[1 + null] = np.argsort(places[blocks], kind="stable")
        return cls(codes, np.bincount(codes), rows)

    def __len__(self) -> int:
        return len(self.rows)

    def first(self, n_null: int) -> Partitions:
        """The observed groups and the first random ones, which any larger number begins with."""
        if n_null + 1 == len(self):
            return self
        return Partitions(self.codes, self.sizes, self.rows[: n_null + 1])

    @cached_property
    def orders(self) -> Numbers:
        """Number of rows of each group of each partition."""
        return np.tile(self.sizes, len(self))

    @cached_property
    def offsets(self) -> Numbers:
        """Where the rows of each group begin among all `rows`, and where the last ones end."""
        return np.append(0, np.cumsum(self.orders))

    @cached_property
    def shares(self) -> npt.NDArray[np.float64]:
        """p_y: the part of the rows that each group has."""
        shares: npt.NDArray[np.float64] = self.sizes / len(self.codes)
        return shares

    @cached_property
    def as_subsets(self) -> tuple[Numbers, Numbers, npt.NDArray[np.float64]]:
        """The `offsets`, all `rows` one after the other, the `shares`: as the core takes them."""
        return self.offsets, self.rows.ravel(), self.shares

    @cached_property
    def pairs(self) -> int:
        """How many pairs of different rows, in either order, are in one group."""
        return int((self.sizes * (self.sizes - 1)).sum())

    @cached_property
    def cubes(self) -> int:
        """The sum of the cubes of the sizes of the groups of all partitions.

        The time for their eigenvalues is proportional to this sum.
        """
        return len(self) * int((self.sizes**3).sum())

    @cached_property
    def label_nats(self) -> float:
        """H(Y) in nats."""
        return max(0.0, -float(self.shares @ np.log(self.shares)))

    @cached_property
    def single_rows(self) -> int:
        """How many groups have a single row."""
        return int((self.sizes == 1).sum())

    def subsets(self) -> list[Any]:
        """The rows of each group of each partition."""
        return np.split(self.rows.ravel(), self.offsets[1:-1])

    def rows_of(self, numbers: Sequence[int]) -> tuple[Numbers, Numbers]:
        """The rows of the groups with these ascending numbers, one group after the other.

        The second array says where the rows of each group begin, and where those of the last end.
        """
        first, last = numbers[0], numbers[-1]
        if last - first + 1 == len(numbers):
            offsets = self.offsets[first : last + 2]
            return self.rows.ravel()[offsets[0] : offsets[-1]], offsets - offsets[0]
        subsets = self.subsets()
        chosen = [subsets[number] for number in numbers]
        return np.concatenate(chosen), np.cumsum([0, *map(len, chosen)])

    def warn_about_groups(self) -> None:
        """Warn where there is one group, or where groups have one row."""
        if len(self.sizes) == 1:
            warn("Y has a single group, so its mutual information with anything is 0")
            return
        if self.single_rows:
            warn(
                f"{self.single_rows} of the {len(self.sizes)} groups of Y have a single row; their "
                "entropy is 0, and so is what they contribute"
            )
