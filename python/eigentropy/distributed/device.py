"""The hosts of several ranks as one device, which estimates compute with as with any other."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from eigentropy import _core
from eigentropy._backends.cpu import Block, Cpu, Doubles
from eigentropy._backends.host_arrays import Matrix
from eigentropy._support import memory
from eigentropy._support.progress import Callback
from eigentropy.distributed.centering import TILE, Centering
from eigentropy.distributed.operator import SplitProducts
from eigentropy.distributed.rows import SplitRows

# Rows whose lengths are looked at in one go.
ROWS_AT_A_TIME = 64 * TILE


class SplitCpu(Cpu):
    """Computes with `SplitRows`. A block of vectors has the rows of this rank.

    Every rank calls the same methods in the same order. What they return, but for blocks, is the
    same on all ranks, bit by bit: each decides the same with it.
    """

    has_low_rank = False
    keeps_distances = False
    keeps_half_precision = False
    shares_kernel = False
    has_ranks = True

    def __init__(self, rows: SplitRows) -> None:
        self._rows, self._ranks = rows, rows.ranks

    def available(self) -> float:
        """Bytes that are free for what is as long as all rows, spread as the rows are."""
        own = memory.available() / self._ranks.on_this_machine
        share = len(self._rows.local) / self._rows.n
        return float(self._ranks.joined(np.array([own / share])).min())

    def host_sample(
        self, rows: SplitRows, numbers: npt.NDArray[np.int64]
    ) -> tuple[Matrix, npt.NDArray[np.int64]]:
        """A copy of the rows of these numbers, on every rank, and where they stand in it."""
        return rows.taken(numbers), np.arange(len(numbers))

    def reach(self, rows: SplitRows, sigma: float) -> float:
        """Largest distance of a row from the common centre, in units of sigma."""
        centering = Centering.of(rows.local, rows.counts, self._ranks, sigma, "float64")
        largest, scale = 0.0, 1.0
        for begin in range(0, len(rows.local), ROWS_AT_A_TIME):
            packed = centering.packed(rows.local[begin : begin + ROWS_AT_A_TIME])
            largest, scale = max(largest, float(packed.norms.max())), packed.scale
        largest = float(self._ranks.joined(np.array([largest])).max())
        return scale / sigma * math.sqrt(largest)

    def kernel_operator(
        self,
        rows: SplitRows,
        chosen: npt.NDArray[np.int64] | None,
        sigma: float,
        alpha: float | None,
        dtype: str,
        explicit: bool,
        memory_limit: float,
        progress: Callback | None,
    ) -> SplitProducts:
        """A for products, of all rows; the density matrix G / n where alpha is None."""
        if chosen is not None:
            raise ValueError("rows on several ranks are measured as a whole")
        return SplitProducts(rows, sigma, alpha, dtype, explicit, progress)

    def block(self, V: npt.NDArray[Any], dtype: str) -> Block:
        """A new block with the rows of V of this rank; V may have no others."""
        own, first = len(self._rows.local), self._rows.first
        rows = V if len(V) == own else V[first : first + own]
        return rows.astype(dtype, order="C")

    def inner(self, V: Block, W: Block) -> Doubles:
        """V^T W."""
        return self._ranks.summed(_core.inner(V, W))

    def gram(self, W: Block) -> Doubles:
        """W^T W."""
        return self._ranks.summed(_core.gram(W))

    def project_out(self, V: Sequence[Block], W: Block) -> None:
        """W <- W - V V^T W for V the blocks side by side."""
        if V:
            products = self._ranks.summed(np.vstack([_core.inner(one, W) for one in V]))
            W -= _core.combine(list(V), products)

    def largest_column(self, W: Block) -> float:
        """The largest Euclidean norm of a column."""
        squares = np.einsum("ij,ij->j", W, W, dtype=np.float64)
        return math.sqrt(float(self._ranks.summed(squares).max(initial=0.0)))
