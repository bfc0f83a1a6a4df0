"""The diffusion operator, or the density matrix, of rows that lie on several ranks."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from eigentropy._support import memory
from eigentropy._support.progress import Callback, part
from eigentropy.distributed.centering import Centering
from eigentropy.distributed.ring import Ring
from eigentropy.distributed.rows import SplitRows

Array = npt.NDArray[Any]
Doubles = npt.NDArray[np.float64]


class SplitProducts:
    """A for products with blocks of vectors, of which each rank has its rows.

    It is what `KernelOperator` of the core is to rows of one process. Every rank calls the same
    methods in the same order.

    Attributes
    ----------
    n : int
        Rows of all ranks.
    trace, kernel_sum : float
    degrees, scaling : array of shape (n,)
        On every rank.
    """

    def __init__(
        self,
        rows: SplitRows,
        sigma: float,
        alpha: float | None,
        dtype: str,
        keeps: bool,
        progress: Callback | None = None,
    ) -> None:
        self._rows, self._ranks, self.n = rows, rows.ranks, rows.n
        local, d, item = rows.local, rows.d, np.dtype(dtype).itemsize
        with self._ranks.together():
            memory.require(
                1.25 * len(local) * d * item,
                f"a packed copy of the {len(local)} rows of this rank",
                "start more ranks, on more machines, or pass a random subset of the rows",
            )
        centering = Centering.of(local, rows.counts, self._ranks, sigma, dtype)
        with self._ranks.together(rows.described):
            packed = centering.packed(local)
        self._dtype = np.dtype(dtype)
        self._ring = Ring(packed, rows.counts, self._ranks, dtype, keeps)
        self._frobenius2: float | None = None
        passes = 2 if alpha else 1
        q = self._row_sums(np.ones(len(local)), part(progress, 0.0, 1.0 / passes))
        q_of_all = self._joined(q)
        self.kernel_sum = float(q_of_all.sum())
        if alpha is None:
            self._s = np.full(len(local), 1.0 / math.sqrt(self.n))
            self.trace, self.degrees = 1.0, q_of_all
            self.scaling = np.full(self.n, 1.0 / math.sqrt(self.n))
            return
        w, d_i, unit = np.ones(len(local)), q, 1.0
        if alpha != 0.0:
            q_ref = float(q_of_all.min())
            w, unit = (q / q_ref) ** -alpha, q_ref ** (-2.0 * alpha)
            d_i = self._row_sums(w, part(progress, 1.0 / passes, 1.0))
        self._s = w / np.sqrt(d_i)
        self.scaling = self._joined(self._s)
        self.trace = float(self.scaling @ self.scaling)
        if not math.isfinite(self.trace):
            raise ValueError(
                f"the operator of {self.n} rows has entries that are not finite: (q_i q_j)^alpha "
                f"is beyond {dtype} for alpha = {alpha:g}; pass a smaller alpha, or dtype='float64'"
            )
        self.degrees = self._joined(d_i * unit)

    @property
    def frobenius2(self) -> float:
        r"""\|A\|_F^2, by one pass over the kernel at the first use."""
        if self._frobenius2 is None:
            empty = np.empty((len(self._s), 0), self._dtype)
            _, squares = self._ring.product(empty, self._s)
            self._frobenius2 = float(self._ranks.summed(np.array([squares]))[0])
        return self._frobenius2

    def matmul(self, V: Array, progress: Callback | None = None) -> Array:
        """The rows of A V of this rank, for the rows of V of this rank, in the dtype of V."""
        W = (self._s[:, None] * V.astype(np.float64)).astype(self._dtype)
        product, _ = self._ring.product(np.ascontiguousarray(W), None, progress)
        return (self._s[:, None] * product).astype(V.dtype)

    def _row_sums(self, w: Doubles, progress: Callback | None) -> Doubles:
        """w_i sum_j G_ij w_j of the rows of this rank."""
        W = np.ascontiguousarray(w.astype(self._dtype)[:, None])
        sums, _ = self._ring.product(W, None, progress)
        return w * sums[:, 0]

    def _joined(self, values: Doubles) -> Doubles:
        return self._ranks.joined(values, self._rows.counts)
