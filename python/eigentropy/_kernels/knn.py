"""kernel="knn": a device that makes the matrix of rows from the graph of their neighbours."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from eigentropy import _core
from eigentropy._backends.cpu import Cpu
from eigentropy._backends.devices import HOST, parse
from eigentropy._backends.host_arrays import as_numpy, opened_array, refuse_device_array
from eigentropy._backends.rows import Rows
from eigentropy._kernels.given import GIVEN, KERNELS
from eigentropy._kernels.graph import SparseOperator, row_alone, scipy_sparse, sparse_operator
from eigentropy._kernels.leading import count_above, leading_eigenpairs
from eigentropy._kernels.neighbours import nearest_neighbours
from eigentropy._support.options import integer, one_of
from eigentropy._support.progress import Callback, part
from eigentropy._support.warnings import warn

Doubles = npt.NDArray[np.float64]

DEFAULT_NEIGHBOURS = 15

# How much of the time of a spectrum, or of products, is over when the neighbours are known.
NEIGHBOURS_SHARE = 0.3

# A squared distance is computed again by differences where it is below 1/1000 of the largest
# squared norm, and the exponents of the weights are about 1 at most. So their rounding is that of a
# Gaussian kernel whose rows are up to this many widths from the centre.
REACH = math.sqrt(2000.0)


class Knn(Cpu):
    """Computes with the sparse matrix of a graph of nearest neighbours.

    The neighbours of all rows are found once. Groups of rows have neighbours of their own: where a
    group has too few rows for `n_neighbors`, all of them.

    Attributes
    ----------
    n_neighbors : int
    seed : int
        Of an index for many rows, and of the vectors that Lanczos starts from.
    """

    holds = "knn"
    is_sparse = True
    has_low_rank = False
    keeps_distances = False
    keeps_half_precision = False
    shares_kernel = False

    def __init__(self, n_neighbors: int, seed: int) -> None:
        self.n_neighbors, self.seed = n_neighbors, seed
        self._known: tuple[float, SparseOperator] | None = None

    def __copy__(self) -> Knn:
        """For other rows: it knows no graph."""
        return Knn(self.n_neighbors, self.seed)

    def reach(self, rows: Any, sigma: float) -> float:
        """What stands for the reach of a Gaussian kernel in bounds of rounding."""
        return REACH

    def spectrum(
        self, rows: Any, sigma: float, alpha: float | None, dtype: str, progress: Callback | None
    ) -> tuple[npt.NDArray[Any], float, float, float, float]:
        """Magnitudes of all eigenvalues, descending; their sum, |A|_F^2, the sum of the weights."""
        operator = self.operator(rows, None, alpha, part(progress, 0.0, NEIGHBOURS_SHARE))
        values = _magnitudes(operator, dtype, part(progress, NEIGHBOURS_SHARE, 1.0))
        total = float(values.sum(dtype=np.float64))
        return values, total, operator.trace, operator.kernel_sum, REACH

    def matrix(
        self, rows: Any, sigma: float, alpha: float | None, dtype: str, progress: Callback | None
    ) -> tuple[Any, float, float]:
        """A, sparse; tr A, |A|_F^2."""
        operator = self.operator(rows, None, alpha, progress)
        return operator.A.astype(dtype), float(operator.A.diagonal().sum()), operator.trace

    def symmetric_product(self, A: Any, V: Any, dtype: str) -> Any:
        """A() @ V for V (n,) or (n, m)."""
        refuse_device_array(V, "V")
        return A() @ np.ascontiguousarray(as_numpy(V, "V"), dtype=dtype)

    def as_host(self, matrix: Any) -> npt.NDArray[Any]:
        """A as an array (n, n)."""
        dense: npt.NDArray[Any] = matrix.toarray()
        return dense

    def eigenpairs(
        self,
        rows: Any,
        sigma: float,
        alpha: float | None,
        dtype: str,
        k: int,
        progress: Callback | None,
    ) -> tuple[npt.NDArray[Any], npt.NDArray[Any], Doubles]:
        """K eigenvalues after the first, their vectors, the degrees."""
        operator = self.operator(rows, None, alpha, progress)
        return *leading_eigenpairs(operator, k, self.seed), operator.degrees

    def count_above(self, rows: Any, alpha: float, magnitude: float, progress: Any) -> int:
        """How many eigenvalues have a magnitude above this one."""
        return count_above(self.operator(rows, None, alpha, progress), magnitude, self.seed)

    def subset_spectra(
        self,
        rows: Any,
        offsets: npt.NDArray[np.int64],
        indices: npt.NDArray[np.int64],
        sigma: float,
        alpha: float | None,
        dtype: str,
        memory_limit: float,
        progress: Callback | None,
    ) -> tuple[npt.NDArray[Any], Doubles, Doubles]:
        """Magnitudes of the eigenvalues of each subset, the sums of their weights and of them."""
        sizes = np.diff(offsets)
        values = np.empty(len(indices), dtype)
        kernel_sums, traces = np.empty(len(sizes)), np.empty(len(sizes))
        ends = np.cumsum(sizes.astype(np.float64) ** 2)
        for number, (start, stop) in enumerate(pairwise(offsets)):
            operator = self.operator(rows, indices[start:stop], alpha, None)
            values[start:stop] = found = _magnitudes(operator, dtype, None)
            kernel_sums[number], traces[number] = operator.kernel_sum, found.sum(dtype=np.float64)
            if progress is not None:
                progress(float(ends[number] / ends[-1]))
        return values, kernel_sums, traces

    def kernel_operator(
        self,
        rows: Any,
        chosen: npt.NDArray[np.int64] | None,
        sigma: float,
        alpha: float | None,
        dtype: str,
        explicit: bool,
        memory_limit: float,
        progress: Callback | None,
    ) -> SparseOperator:
        """A^2 for products, with its norms."""
        found, measured = part(progress, 0.0, 0.5), part(progress, 0.5, 1.0)
        return self.operator(rows, chosen, alpha, found).with_norm_of_square(measured)

    def operator(
        self,
        rows: Any,
        chosen: npt.NDArray[np.int64] | None,
        alpha: float | None,
        progress: Callback | None,
    ) -> SparseOperator:
        """The matrix of all rows, which is kept, or of some by themselves."""
        assert alpha is not None, "kernel='knn' makes no density matrix"
        if chosen is None and self._known is not None and self._known[0] == alpha:
            return self._known[1]
        n = len(rows) if chosen is None else len(chosen)
        if n == 1:
            return row_alone()
        k = min(self.n_neighbors, n - 1)
        neighbours = nearest_neighbours(rows, k, chosen, self.seed, progress)
        found = sparse_operator(neighbours, alpha)
        if chosen is None:
            _warn_of_copies(int((neighbours.squared[:, -1] == 0.0).sum()), n, k)
            self._known = alpha, found
        return found

    def without_source(self) -> Cpu:
        """The host, which keeps no graph."""
        return HOST


def is_square(kernel: Any) -> bool:
    """Whether Z is a matrix (n, n) of the caller's, of all kernels that a diffusion may have."""
    return one_of(kernel, "kernel", (*KERNELS, "knn")) in GIVEN


def uses_neighbours(kernel: Any, n_neighbors: Any) -> bool:
    """Whether the kernel is "knn"; ValueError for neighbours of another one."""
    known = one_of(kernel, "kernel", (*KERNELS, "knn"))
    if known != "knn" and n_neighbors is not None:
        raise ValueError(
            f"n_neighbors={n_neighbors!r} is for kernel='knn', and kernel is {known!r}: leave it "
            "out, or pass kernel='knn'"
        )
    return known == "knn"


def knn_rows(
    Z: Any, n_neighbors: Any, device: Any = None, seed: int = 0, progress: Any = False
) -> Rows:
    """The rows of Z, with a device that joins each with its nearest neighbours.

    Raises
    ------
    TypeError, ValueError
        Z is no matrix of finite real numbers, has too few rows, lies on a GPU, or `device` is one.
    ImportError
        SciPy is missing.
    """
    k = DEFAULT_NEIGHBOURS if n_neighbors is None else n_neighbors
    k = integer(k, "n_neighbors", at_least=1)
    if parse(device)[0] == "cuda":
        raise ValueError(
            f"device={str(device)!r}: kernel='knn' is computed on the CPU: leave device out, or "
            "use kernel='gaussian'"
        )
    scipy_sparse()
    known = Knn(k, seed)
    rows = Rows(known.rows(opened_array(Z), progress), known)
    if k >= rows.n:
        raise ValueError(
            f"n_neighbors={k} needs at least {k + 1} rows, for a row is no neighbour of itself, "
            f"but Z has {rows.n}: pass a smaller n_neighbors"
        )
    return rows


def _warn_of_copies(copied: int, n: int, k: int) -> None:
    """Copies are joined with the first of them alone, and look like different rows."""
    if copied:
        warn(
            f"{copied} of the {n} rows of Z have n_neighbors={k} copies or more, which "
            "kernel='knn' counts as different rows at small t; drop copies, such as by "
            "np.unique(Z, axis=0), or use a larger n_neighbors"
        )


def _magnitudes(
    operator: SparseOperator, dtype: str, progress: Callback | None
) -> npt.NDArray[Any]:
    dense = operator.dense(dtype)
    values = _core.symmetric_eigenvalues(dense[None], "auto", True, progress)[0]
    magnitudes: npt.NDArray[Any] = np.sort(np.abs(values))[::-1]
    return magnitudes
