"""The host as a device: the functions of the extension module that is always there.

`Cpu` and `Cuda` have the same methods, so that nothing else asks which of the two it has.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from eigentropy import _core
from eigentropy._backends.costs import CPU_COSTS
from eigentropy._backends.host_arrays import (
    Matrix,
    as_matrix,
    as_numpy,
    as_square_matrices,
    refuse_device_array,
)
from eigentropy._support import memory
from eigentropy._support.progress import Callback, reporter

# A block of vectors: a NumPy array on the host, an array of the plug-in on a GPU.
Block: TypeAlias = Any
Doubles = npt.NDArray[np.float64]

# Beside its matrix an eigenvalue solver keeps reflectors, products, panels and the band: at most
# this many columns of n numbers.
SOLVER_COLUMNS = 300


class Cpu:
    """The host, by the extension module that is always there."""

    name = "cpu"
    costs = CPU_COSTS

    # What it computes with: rows, or what `_kernels/given.py` has in their place.
    holds = "rows"
    # Whether the matrix is sparse, and an estimate is of its square.
    is_sparse = False
    has_low_rank = True
    has_estimates = True
    # Whether distances that float32 does not resolve come from products in float64.
    widens_distances = True
    # True on a GPU: how much memory cuSOLVER needs is known only once it is asked.
    solver_may_refuse = False
    # Whether the distances behind the median are kept for a kernel in float32.
    keeps_distances = True
    # Whether 16 bits come with the first pass over the kernel, for as many tiles as fit.
    keeps_half_precision = True
    halves_come_first = True
    # Whether one operator has the products of the density matrix, too.
    shares_kernel = True
    # Whether other processes compute with it, which all have to ask for the same.
    has_ranks = False

    def rows(self, Z: Any, progress: bool | Callback = False) -> Any:
        """Z as finite rows (n, d) that the functions below take."""
        return as_matrix(Z, progress=progress)

    def host_rows(self, rows: Any) -> Matrix:
        """All rows on the host."""
        host: Matrix = rows
        return host

    def host_sample(
        self, rows: Any, numbers: npt.NDArray[np.int64]
    ) -> tuple[Matrix, npt.NDArray[np.int64]]:
        """A matrix that has the rows of these numbers, and where they stand: nothing is copied."""
        return rows, numbers

    def available(self) -> float:
        """Bytes that are free."""
        return memory.available()

    def matrix_bytes(self, n: int, d: int, dtype: str, rows: int) -> float:
        """Of an n x n matrix, what is needed beside it, and `rows` rows of d columns.

        At first that is a block of columns of the rows; once that is gone, it is the solver's.
        """
        beside = max(min(d, _core.widest_block), SOLVER_COLUMNS)
        copied = float(rows) * d if d <= _core.widest_block else 0.0
        return np.dtype(dtype).itemsize * (float(n) * (n + beside) + copied)

    def reach(self, rows: Any, sigma: float) -> float:
        """Largest distance of a row from the centre, in units of sigma; infinite on overflow.

        A gap between rows across which G is 0 counts as narrow: the core closes it.
        """
        return float(_core.reach(rows, sigma))

    def spectrum(
        self, rows: Any, sigma: float, alpha: float | None, dtype: str, progress: Callback | None
    ) -> tuple[npt.NDArray[Any], float, float, float, float]:
        """All eigenvalues, descending; tr A, |A|_F^2, the sum of the kernel, `reach`.

        A is the kernel G itself where alpha is None.
        """
        return _core.spectrum(rows, sigma, alpha, dtype, progress)

    def matrix(
        self, rows: Any, sigma: float, alpha: float | None, dtype: str, progress: Callback | None
    ) -> tuple[Any, float, float]:
        """A, tr A, |A|_F^2."""
        return _core.matrix(rows, sigma, alpha, dtype, progress)[:3]

    def eigenpairs(
        self, rows: Any, sigma: float, alpha: float, dtype: str, k: int, progress: Callback | None
    ) -> tuple[npt.NDArray[Any], npt.NDArray[Any], Doubles]:
        """K eigenvalues after the first, their vectors, the degrees."""
        return _core.eigenpairs(rows, sigma, alpha, dtype, k, progress)

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
        """The eigenvalues of each subset of the rows, the sums of their kernels, the traces.

        They are those of G itself where alpha is None.
        """
        return _core.subset_spectra(
            rows,
            offsets,
            indices,
            sigma,
            alpha,
            dtype,
            memory_limit=memory_limit,
            progress=progress,
        )

    def eigvalsh(self, A: Any, overwrite: bool, progress: bool | Callback) -> npt.NDArray[Any]:
        """The eigenvalues of symmetric matrices (..., n, n), descending, (..., n)."""
        matrices = as_square_matrices(A)
        n = matrices.shape[-1]
        copied_columns = 0 if overwrite else n
        memory.require(
            float(matrices.itemsize) * n * (copied_columns + SOLVER_COLUMNS),
            f"a copy of the {n} x {n} matrix, with what the solver needs beside it,",
            "pass overwrite=True if the matrix itself is not needed any more",
        )
        batch = matrices.reshape(-1, n, n)
        with reporter(progress, "eigenvalues") as report:
            values = _core.symmetric_eigenvalues(batch, "auto", overwrite, report)
        return values.reshape(matrices.shape[:-1])

    def symmetric_product(self, A: Callable[[], Any], V: Any, dtype: str) -> Any:
        """A() @ V for V (n,) or (n, m); A is asked for only if V has a column."""
        refuse_device_array(V, "V")
        vectors = np.ascontiguousarray(as_numpy(V, "V"), dtype=dtype)
        if vectors.size == 0:
            return vectors
        columns = vectors.reshape(len(vectors), -1)
        return _core.symmetric_product(A(), columns).reshape(vectors.shape)

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
    ) -> Any:
        """A for products, of all rows or of some by themselves: with its matrix, or without.

        A is the density matrix G / n where alpha is None.
        """
        return self.kernel_operator_with(
            rows, chosen, sigma, alpha, dtype, explicit, memory_limit, progress
        )

    def kernel_operator_with(
        self,
        rows: Any,
        chosen: npt.NDArray[np.int64] | None,
        sigma: float,
        alpha: float | None,
        dtype: str,
        explicit: bool,
        memory_limit: float,
        progress: Callback | None,
        limit_of_16_bits: float = 0.0,
        with_density: bool = False,
    ) -> Any:
        """The same with what only the host has.

        `limit_of_16_bits` bytes may be taken by tiles of G in 16 bits. `with_density` prepares
        products of G / n, too.
        """
        some = rows if chosen is None else rows[chosen]
        return _core.KernelOperator(
            some,
            sigma,
            alpha,
            dtype,
            explicit,
            memory_limit,
            progress,
            limit_of_16_bits,
            with_density,
        )

    def block(self, V: npt.NDArray[Any], dtype: str) -> Block:
        """A new block with the entries of V."""
        return V.astype(dtype, order="C")

    def product(self, products: Any, V: Block, progress: Callback | None) -> Block:
        """A @ V, a new block."""
        return np.ascontiguousarray(products.matmul(V, progress))

    def inner(self, V: Block, W: Block) -> Doubles:
        """V^T W."""
        return _core.inner(V, W)

    def gram(self, W: Block) -> Doubles:
        """W^T W."""
        return _core.gram(W)

    def project_out(self, V: Sequence[Block], W: Block) -> None:
        """W <- W - V V^T W for V the blocks side by side."""
        _core.project_out(list(V), W)

    def combine(self, V: Sequence[Block], C: Doubles) -> Block:
        """V C for V the blocks side by side."""
        return _core.combine(list(V), C)

    def largest_column(self, W: Block) -> float:
        """The largest Euclidean norm of a column."""
        return math.sqrt(float(np.einsum("ij,ij->j", W, W).max(initial=0.0)))

    def as_host(self, matrix: Any) -> npt.NDArray[Any]:
        """A matrix on the host."""
        host: npt.NDArray[Any] = matrix
        return host

    def without_source(self) -> Cpu:
        """The same device, which keeps no array of the caller alive."""
        return self

    def returned(self, array: npt.NDArray[Any]) -> Any:
        """A spectrum as the caller has it."""
        return array
