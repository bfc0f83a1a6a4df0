"""A CUDA device: the functions of the plug-in, with the caller's stream and array library."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from eigentropy import _core
from eigentropy._backends import plugin
from eigentropy._backends.costs import GPU_COSTS
from eigentropy._backends.cpu import SOLVER_COLUMNS, Block, Doubles
from eigentropy._backends.device_arrays import (
    device_array,
    device_matrices,
    device_rows,
    plugin_array,
    returned,
)
from eigentropy._backends.host_arrays import Matrix, as_matrix, as_numpy
from eigentropy._backends.shapes import check_finite
from eigentropy._support import memory
from eigentropy._support.progress import Callback, reporter


@dataclass(frozen=True)
class Cuda:
    """A CUDA device, by the plug-in.

    Attributes
    ----------
    index : int
    library : str
        Whose arrays the caller has: "torch", "cupy", "other", or "numpy" for the host's.
    source : object
        The caller's array, whose stream is worked in; None for the host's.
    """

    index: int
    library: str = "numpy"
    source: Any = None

    costs = GPU_COSTS
    # What it computes with: rows, or what `_kernels/given.py` has in their place.
    holds = "rows"
    is_sparse = False
    has_low_rank = False
    has_estimates = True
    widens_distances = False
    solver_may_refuse = True
    keeps_distances = False
    keeps_half_precision = True
    halves_come_first = False
    shares_kernel = False
    has_ranks = False

    @property
    def name(self) -> str:
        """As `device` takes it."""
        return f"cuda:{self.index}"

    @property
    def _core(self) -> Any:
        return plugin.core()

    def _stream(self) -> int:
        """The stream that is the caller's now."""
        return 0 if self.source is None else int(self.source.stream())

    def _made(self, array: Any) -> Any:
        """An array of the plug-in that outlives the call, and keeps the stream it was made in."""
        owner = None if self.source is None else self.source.stream_owner()
        if owner is not None:
            array.keep_stream(owner)
        return array

    def rows(self, Z: Any, progress: bool | Callback = False) -> Any:
        """Z as finite rows (n, d): where it lies, or uploaded from the host."""
        array = device_array(Z, "Z")
        if array is None:
            return self._upload(as_matrix(Z, progress=progress), "the rows of Z")
        rows = plugin_array(device_rows(array, "Z"), self.index)
        check_finite(self._core.nonfinite_rows(rows, self._stream()), rows.shape[0], "Z")
        return rows

    def _upload(self, array: npt.NDArray[Any], what: str) -> Any:
        memory.require(
            array.nbytes,
            f"{what} on {self.name}",
            "pass fewer rows (max_points), or device='cpu'",
            free=self.available(),
        )
        return self._core.upload(np.ascontiguousarray(array), self.index, self._stream())

    def host_rows(self, rows: Any) -> Matrix:
        """All rows on the host; float16 and bfloat16 as float32."""
        return self.host_sample(rows, np.arange(rows.shape[0]))[0]

    def host_sample(
        self, rows: Any, numbers: npt.NDArray[np.int64]
    ) -> tuple[Matrix, npt.NDArray[np.int64]]:
        """A copy of the rows of these numbers, and where they stand in it."""
        host: Matrix = rows.take(numbers, self._stream())
        return host, np.arange(len(numbers))

    def available(self) -> float:
        """Bytes that are free. What torch or CuPy keep for themselves is not."""
        return float(self._core.memory(self.index)[0])

    def matrix_bytes(self, n: int, d: int, dtype: str, rows: int) -> float:
        """Of an n x n matrix, what the solver needs beside it, and a centred copy of the rows.

        cuSOLVER is asked for the size of its workspace later, by the plug-in.
        """
        copied = float(max(n, rows)) * d
        return np.dtype(dtype).itemsize * (float(n) * (n + SOLVER_COLUMNS) + copied)

    def reach(self, rows: Any, sigma: float) -> float:
        """As on the host: see `eigentropy._backends.cpu.Cpu.reach`."""
        return float(self._core.reach(rows, sigma, self._stream()))

    def spectrum(
        self, rows: Any, sigma: float, alpha: float | None, dtype: str, progress: Callback | None
    ) -> tuple[npt.NDArray[Any], float, float, float, float]:
        """All eigenvalues, descending; tr A, |A|_F^2, the sum of the kernel, `reach`.

        A is the kernel G itself where alpha is None.
        """
        with self._solver(rows.shape[0]):
            spectrum: tuple[npt.NDArray[Any], float, float, float, float] = self._core.spectrum(
                rows, sigma, alpha, dtype, progress, self._stream()
            )
        return spectrum

    def matrix(
        self, rows: Any, sigma: float, alpha: float | None, dtype: str, progress: Callback | None
    ) -> tuple[Any, float, float]:
        """A, tr A, |A|_F^2."""
        A, trace, frobenius2, _ = self._core.matrix(
            rows, sigma, alpha, dtype, progress, self._stream()
        )
        return self._made(A), trace, frobenius2

    def eigenpairs(
        self, rows: Any, sigma: float, alpha: float, dtype: str, k: int, progress: Callback | None
    ) -> tuple[npt.NDArray[Any], npt.NDArray[Any], Doubles]:
        """K eigenvalues after the first, their vectors, the degrees."""
        with self._solver(rows.shape[0]):
            values, vectors, degrees = self._core.eigenpairs(
                rows, sigma, alpha, dtype, k, progress, self._stream()
            )
        return values, vectors, degrees

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
        with self._solver(int(np.diff(offsets).max())):
            values, kernel_sums, traces = self._core.subset_spectra(
                rows,
                offsets,
                indices,
                sigma,
                alpha,
                dtype,
                memory_limit=memory_limit,
                progress=progress,
                stream=self._stream(),
            )
        return values, kernel_sums, traces

    def eigvalsh(self, A: Any, overwrite: bool, progress: bool | Callback) -> Any:
        """The eigenvalues of symmetric matrices (..., n, n), descending, (..., n), where A lies.

        A copy is solved; A itself is never overwritten.
        """
        array = device_matrices(A, "A")
        n = array.shape[-1]
        stack = array.reshape(math.prod(array.shape[:-2]), n, n)
        memory.require(
            self.matrix_bytes(n, 0, stack.dtype, 0),
            f"a copy of the {n} x {n} matrix on {self.name}, with what the solver needs beside it,",
            "pass the matrix as a NumPy array to solve it on the CPU",
            free=self.available(),
        )
        batch = plugin_array(stack, self.index)
        with self._solver(n), reporter(progress, "eigenvalues") as report:
            values: npt.NDArray[Any] = self._core.symmetric_eigenvalues(
                batch, report, self._stream()
            )
        return self.returned(values.reshape(array.shape[:-1]))

    def symmetric_product(self, A: Callable[[], Any], V: Any, dtype: str) -> Any:
        """A() @ V for V (n,) or (n, m), as the caller's library has it."""
        array = device_array(V, "V")
        if array is None:
            host = np.ascontiguousarray(as_numpy(V, "V"), dtype=dtype)
            shape = host.shape
        else:
            self._require_same(array.device, "V")
            shape = array.shape
        if 0 in shape:
            return self.returned(np.empty(shape, dtype))
        columns = (shape[0], math.prod(shape[1:]))
        if array is None:
            V, stream = self._upload(host.reshape(columns), "V"), self._stream()
        else:  # in whose stream V may still be on its way
            stream = array.stream()
            array = array if array.dtype == dtype else array.astype(dtype)
            array = array.contiguous().reshape(*columns)
            V = plugin_array(array, self.index)
        product = self._core.symmetric_product(A(), V, stream)
        if array is not None:  # which the caller may drop before it has been read
            array.keep_for_stream()
        if self.library == "numpy":
            host_product: npt.NDArray[Any] = product.numpy(stream)
            return host_product.reshape(shape)
        if self.source is not None and stream != self._stream():
            self._core.synchronize(self.index, stream)  # the caller goes on in another stream
        owner = self.source if array is None else array  # in whose stream it was made
        if owner is not None and owner.stream_owner() is not None:
            product.keep_stream(owner.stream_owner())
        return returned(self._with_shape(product, shape), self.library, self.index)

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
        return self._core.KernelOperator(
            rows, sigma, alpha, dtype, explicit, memory_limit, progress, self._stream(), rows=chosen
        )

    def block(self, V: Any, dtype: str) -> Block:
        """A new block with the entries of V; one that is on the device already is taken over."""
        if not isinstance(V, np.ndarray):
            return V
        return self._upload(V.astype(dtype, order="C"), "a block of vectors")

    def product(self, products: Any, V: Block, progress: Callback | None) -> Block:
        """A @ V, a new block."""
        return products.matmul(V, progress)

    def inner(self, V: Block, W: Block) -> Doubles:
        """V^T W."""
        products: Doubles = self._core.inner(V, W, self._stream())
        return products

    def gram(self, W: Block) -> Doubles:
        """W^T W."""
        products: Doubles = self._core.gram(W, self._stream())
        return products

    def project_out(self, V: Sequence[Block], W: Block) -> None:
        """W <- W - V V^T W for V the blocks side by side."""
        self._core.project_out(list(V), W, self._stream())

    def combine(self, V: Sequence[Block], C: Doubles) -> Block:
        """V C for V the blocks side by side."""
        if C.shape[1] == 0:  # the last block of a space that is exhausted
            return np.empty((V[0].shape[0], 0))
        return self._core.combine(list(V), np.ascontiguousarray(C), self._stream())

    def largest_column(self, W: Block) -> float:
        """The largest Euclidean norm of a column."""
        return float(self._core.largest_column(W, self._stream()))

    def as_host(self, matrix: Any) -> npt.NDArray[Any]:
        """A matrix on the host."""
        host: npt.NDArray[Any] = matrix.numpy(self._stream())
        return host

    def without_source(self) -> Cuda:
        """The same device, which keeps no array of the caller alive."""
        return replace(self, source=None)

    def returned(self, array: npt.NDArray[Any]) -> Any:
        """A spectrum as the caller has it: in the type and on the device of Z."""
        if self.library != "other":
            return returned(array, self.library, self.index)
        flat = np.ascontiguousarray(array).reshape(1, -1)
        flat_there = self._made(self._core.upload(flat, self.index, self._stream()))
        return self._with_shape(flat_there, array.shape)

    def _with_shape(self, array: Any, shape: tuple[int, ...]) -> Any:
        """The same memory, contiguous, with another shape."""
        if array.shape == shape:
            return array
        size = np.dtype(array.dtype).itemsize
        strides = tuple(size * math.prod(shape[i + 1 :]) for i in range(len(shape)))
        return self._core.Array(array.pointer, shape, strides, array.dtype, self.index, array)

    def _require_same(self, device: int | None, name: str) -> None:
        if device is not None and device != self.index:
            raise ValueError(
                f"{name} lies on cuda:{device} and Z on {self.name}; bring them to one device"
            )

    @contextlib.contextmanager
    def _solver(self, n: int) -> Iterator[None]:
        """Give errors of the eigenvalue solver the names and the advice that the CPU's have.

        Others of CUDA are passed on as they are.
        """
        module = self._core
        try:
            yield
        except module.SolverError as error:
            raise _core.SolverError(str(error)) from error
        except module.DeviceError as error:
            if "cusolver" not in str(error).lower():
                raise
            raise _core.SolverError(
                f"cuSOLVER refuses a matrix of {n} x {n} ({error}); use method='stochastic' or "
                "'auto', which need none, or device='cpu'"
            ) from error
        except MemoryError as error:
            raise MemoryError(
                f"{error}; use method='stochastic' or 'auto', which need no matrix"
            ) from error
