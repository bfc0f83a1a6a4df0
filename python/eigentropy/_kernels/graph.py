"""The sparse diffusion matrix of a graph of nearest neighbours whose widths adapt to the rows."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from eigentropy._kernels.neighbours import NearestNeighbours
from eigentropy._support.interruption import interruptible
from eigentropy._support.progress import Callback

Doubles = npt.NDArray[np.float64]

# Entries of A^2 at a time, at most: 200 MiB.
ENTRIES_AT_A_TIME = 2**24


@dataclass(frozen=True)
class SparseOperator:
    r"""The sparse symmetric diffusion matrix A, and what is known of its square.

    A has eigenvalues in [-1, 1], that is, A^2 is positive semidefinite with eigenvalues in [0, 1].
    This class stands for A^2, as what estimates a spectrum wants it.

    Attributes
    ----------
    A : sparse array of shape (n, n)
        CSR, in float64.
    degrees : array of shape (n,)
        A sqrt(degrees) = sqrt(degrees).
    kernel_sum : float
        Sum of all weights.
    frobenius2 : float
        \|A^2\|_F^2; NaN where it was not asked for.
    """

    A: Any
    degrees: Doubles
    kernel_sum: float
    frobenius2: float = float("nan")

    @property
    def n(self) -> int:
        """Number of rows."""
        return int(self.A.shape[0])

    @property
    def trace(self) -> float:
        r"""Tr A^2 = \|A\|_F^2."""
        data = self.A.data.astype(np.float64, copy=False)
        return float(data @ data)

    def matmul(self, V: npt.NDArray[Any], progress: Callback | None = None) -> npt.NDArray[Any]:
        """A^2 @ V for V of shape (n, m), in the dtype of V: a new array."""
        A = self.A
        product: npt.NDArray[Any] = interruptible(lambda: A @ (A @ V), 2 * A.nnz * V.shape[1])
        return product

    def with_norm_of_square(self, progress: Callback | None) -> SparseOperator:
        r"""The same with \|A^2\|_F^2."""
        return replace(self, frobenius2=_frobenius2_of_square(self.A, progress))

    def in_precision(self, dtype: str) -> SparseOperator:
        """The same with an A in this precision."""
        return replace(self, A=self.A.astype(dtype))

    def dense(self, dtype: str = "float64") -> npt.NDArray[Any]:
        """A as an array (n, n)."""
        matrix: npt.NDArray[Any] = self.A.astype(dtype).toarray()
        return matrix


def sparse_operator(neighbours: NearestNeighbours, alpha: float) -> SparseOperator:
    r"""The diffusion matrix of the graph in which i and j are joined if either lists the other.

    .. math:: W_{ij} = e^{-r_{ij}^2 / (\sigma_i \sigma_j)}, \quad W_{ii} = 1

    with :math:`\sigma_i` the distance of i to its k-th neighbour; then the normalisation with
    alpha, as of the Gaussian kernel.
    """
    return normalised(_weights(neighbours), alpha)


def normalised(W: Any, alpha: float) -> SparseOperator:
    """The diffusion matrix of symmetric weights >= 0, in CSR, no row of which is 0."""
    kernel_sum = float(W.data.sum())
    q = _row_sums(W)
    K = _scaled(W, (q / q.max()) ** -alpha)
    degrees = _row_sums(K)
    return SparseOperator(_scaled(K, degrees**-0.5), degrees, kernel_sum)


def row_alone() -> SparseOperator:
    """The matrix of one row."""
    return SparseOperator(_identity(1), np.ones(1), 1.0)


def scipy_sparse() -> Any:
    """SciPy's sparse arrays."""
    try:
        from scipy import sparse
    except ImportError as error:
        raise ImportError(
            "kernel='knn' needs SciPy's sparse matrices: pip install 'eigentropy[neighbours]'"
        ) from error
    return sparse


def _identity(n: int) -> Any:
    """In CSR; `eye_array` is in SciPy from 1.12 on."""
    sparse = scipy_sparse()
    return sparse.csr_array(sparse.eye(n, format="csr"))


def _weights(neighbours: NearestNeighbours) -> Any:
    """W, in CSR with sorted columns; exactly symmetric."""
    sparse = scipy_sparse()
    n, k = neighbours.rows.shape
    distances = np.sqrt(neighbours.squared)
    sigma = _widths(neighbours.rows, distances)
    ratios = (distances / sigma[:, None]) * (distances / sigma[neighbours.rows])
    listed = sparse.csr_array(
        (np.exp(-ratios).ravel(), neighbours.rows.ravel(), np.arange(0, n * k + 1, k)), shape=(n, n)
    )
    W = listed.maximum(listed.T.tocsr()) + _identity(n)
    W.sort_indices()
    return W


def _widths(rows: npt.NDArray[np.int64], distances: Doubles) -> Doubles:
    """The distance to the k-th neighbour.

    Where the k nearest rows are all equal to the row, the smallest distance from which another row
    lists it; any width where none does, for its weights are then all of distance 0.
    """
    sigma = distances[:, -1].copy()
    alone = sigma == 0.0
    if alone.any():
        from_others = np.full(len(sigma), np.inf)
        apart = distances > 0.0
        np.minimum.at(from_others, rows[apart], distances[apart])
        sigma[alone] = from_others[alone]
        sigma[np.isinf(sigma)] = 1.0
    return sigma


def _row_sums(matrix: Any) -> Doubles:
    sums: Doubles = np.add.reduceat(matrix.data, matrix.indptr[:-1])  # no row is empty
    return sums


def _scaled(matrix: Any, s: Doubles) -> Any:
    """diag(s) matrix diag(s), exactly symmetric."""
    scaled = matrix.copy()
    scaled.data *= np.repeat(s, np.diff(matrix.indptr)) * s[matrix.indices]
    return scaled


def _frobenius2_of_square(A: Any, progress: Callback | None) -> float:
    r"""\|A^2\|_F^2, some rows of A^2 at a time."""
    sizes = np.diff(A.indptr)
    # Products that a row of A^2 takes: at least as many as it has entries.
    work = np.cumsum(np.add.reduceat(sizes[A.indices], A.indptr[:-1]))
    total, start = 0.0, 0
    while start < len(sizes):
        done = work[start - 1] if start else 0
        stop = max(start + 1, int(np.searchsorted(work, done + ENTRIES_AT_A_TIME, side="right")))
        entries = interruptible(_square_rows(A, slice(start, stop)))
        total += float(entries @ entries)
        start = stop
        if progress is not None:
            progress(float(work[start - 1] / work[-1]))
    return total


def _square_rows(A: Any, some: slice) -> Any:
    return lambda: (A[some] @ A).data
