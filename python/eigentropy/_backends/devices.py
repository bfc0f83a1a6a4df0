"""Where things are computed: the choice of a device, and the functions of its core.

`Cpu` and `Cuda` have the same methods, those of `_core` with what is of the device beside them, so
that nothing else asks which of them it has. Rows, matrices and blocks of vectors stay where they
are; spectra, degrees and small matrices are NumPy arrays on the host.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from eigentropy import _core
from eigentropy._backends import plugin
from eigentropy._backends.arrays import (
    Matrix,
    as_matrix,
    as_numpy,
    check_finite,
    device_array,
    device_matrices,
    device_rows,
    plugin_array,
    refuse_device_array,
    returned,
)
from eigentropy._support import memory
from eigentropy._support.progress import Callback

# On the host NumPy arrays, on a GPU arrays of the plug-in.
Rows: TypeAlias = Any
Block: TypeAlias = Any
Doubles = npt.NDArray[np.float64]

# Rows may be long, and lie in a file: so many of their numbers are looked at together.
REACH_ELEMENTS = 2**20

# Beside its matrix an eigenvalue solver keeps reflectors, products, panels and the band itself.
SOLVER_COLUMNS = 300


class Cpu:
    """The host, by the extension module that is always there."""

    name = "cpu"
    on_gpu = False

    def rows(self, Z: Any, progress: bool | Callback = False) -> Rows:
        """Z as finite rows (n, d) that the functions below take."""
        return as_matrix(Z, progress=progress)

    def host_rows(self, rows: Rows, chosen: npt.NDArray[np.int64] | None) -> Matrix:
        """All rows on the host, or those that are chosen."""
        host: Matrix = rows if chosen is None else rows[chosen]
        return host

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

    def reach(self, rows: Rows, sigma: float) -> float:
        """Largest distance of a row from the mean row, in units of sigma; infinite on overflow."""
        largest = 0.0
        at_a_time = max(1, REACH_ELEMENTS // rows.shape[1])
        with np.errstate(over="ignore", invalid="ignore"):
            center = rows.mean(axis=0, dtype=np.float64)
            for start in range(0, len(rows), at_a_time):
                offsets = (rows[start : start + at_a_time] - center) / sigma
                norm = float(np.einsum("ij,ij->i", offsets, offsets).max())
                largest = max(largest, norm) if math.isfinite(norm) else math.inf
        return math.sqrt(largest)

    def spectrum(
        self, rows: Rows, sigma: float, alpha: float, dtype: str, progress: Callback | None
    ) -> tuple[npt.NDArray[Any], float, float, float]:
        """All eigenvalues, descending; tr A, |A|_F^2, the sum of the kernel."""
        return _core.spectrum(rows, sigma, alpha, dtype, progress)

    def matrix(
        self, rows: Rows, sigma: float, alpha: float, dtype: str, progress: Callback | None
    ) -> tuple[Any, float, float]:
        """A, tr A, |A|_F^2."""
        return _core.matrix(rows, sigma, alpha, dtype, progress)[:3]

    def eigenpairs(
        self, rows: Rows, sigma: float, alpha: float, dtype: str, k: int, progress: Callback | None
    ) -> tuple[npt.NDArray[Any], npt.NDArray[Any], Doubles]:
        """K eigenvalues after the first, their vectors, the degrees."""
        return _core.eigenpairs(rows, sigma, alpha, dtype, k, progress)

    def subset_spectra(
        self,
        rows: Rows,
        offsets: npt.NDArray[np.int64],
        indices: npt.NDArray[np.int64],
        sigma: float,
        alpha: float,
        dtype: str,
        memory_limit: float,
        progress: Callback | None,
    ) -> tuple[npt.NDArray[Any], Doubles, Doubles]:
        """The eigenvalues of each subset of the rows, the sums of their kernels, the traces."""
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
        rows: Rows,
        chosen: npt.NDArray[np.int64] | None,
        sigma: float,
        alpha: float,
        dtype: str,
        explicit: bool,
        memory_limit: float,
        progress: Callback | None,
    ) -> Any:
        """A for products, of all rows or of some by themselves: with its matrix, or without."""
        some = rows if chosen is None else rows[chosen]
        return _core.KernelOperator(some, sigma, alpha, dtype, explicit, memory_limit, progress)

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

    def returned(self, array: npt.NDArray[Any]) -> Any:
        """A spectrum as the caller has it."""
        return array


HOST = Cpu()


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

    on_gpu = True

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

    def rows(self, Z: Any, progress: bool | Callback = False) -> Rows:
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

    def host_rows(self, rows: Rows, chosen: npt.NDArray[np.int64] | None) -> Matrix:
        """All rows on the host, or those that are chosen; float16 and bfloat16 as float32."""
        if chosen is None:
            chosen = np.arange(rows.shape[0])
        host: Matrix = rows.take(chosen, self._stream())
        return host

    def available(self) -> float:
        """Bytes that are free. What torch or CuPy keep for themselves is not."""
        return float(self._core.memory(self.index)[0])

    def matrix_bytes(self, n: int, d: int, dtype: str, rows: int) -> float:
        """Of an n x n matrix, what the solver needs beside it, and a centred copy of the rows.

        cuSOLVER is asked for the size of its workspace later, by the plug-in.
        """
        copied = float(max(n, rows)) * d
        return np.dtype(dtype).itemsize * (float(n) * (n + SOLVER_COLUMNS) + copied)

    def reach(self, rows: Rows, sigma: float) -> float:
        """Largest distance of a row from the mean row, in units of sigma; infinite on overflow."""
        return float(self._core.reach(rows, sigma, self._stream()))

    def spectrum(
        self, rows: Rows, sigma: float, alpha: float, dtype: str, progress: Callback | None
    ) -> tuple[npt.NDArray[Any], float, float, float]:
        """All eigenvalues, descending; tr A, |A|_F^2, the sum of the kernel."""
        with self._solver(rows.shape[0]):
            spectrum: tuple[npt.NDArray[Any], float, float, float] = self._core.spectrum(
                rows, sigma, alpha, dtype, progress, self._stream()
            )
        return spectrum

    def matrix(
        self, rows: Rows, sigma: float, alpha: float, dtype: str, progress: Callback | None
    ) -> tuple[Any, float, float]:
        """A, tr A, |A|_F^2."""
        A, trace, frobenius2, _ = self._core.matrix(
            rows, sigma, alpha, dtype, progress, self._stream()
        )
        return self._made(A), trace, frobenius2

    def eigenpairs(
        self, rows: Rows, sigma: float, alpha: float, dtype: str, k: int, progress: Callback | None
    ) -> tuple[npt.NDArray[Any], npt.NDArray[Any], Doubles]:
        """K eigenvalues after the first, their vectors, the degrees."""
        with self._solver(rows.shape[0]):
            values, vectors, degrees = self._core.eigenpairs(
                rows, sigma, alpha, dtype, k, progress, self._stream()
            )
        return values, vectors, degrees

    def subset_spectra(
        self,
        rows: Rows,
        offsets: npt.NDArray[np.int64],
        indices: npt.NDArray[np.int64],
        sigma: float,
        alpha: float,
        dtype: str,
        memory_limit: float,
        progress: Callback | None,
    ) -> tuple[npt.NDArray[Any], Doubles, Doubles]:
        """The eigenvalues of each subset of the rows, the sums of their kernels, the traces."""
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

    def square_matrices(self, A: Any) -> tuple[Any, tuple[int, ...]]:
        """Matrices that lie here, as one stack (count, n, n), and the shape that they had."""
        array = device_matrices(A, "A")
        n = array.shape[-1]
        stack = array.reshape(math.prod(array.shape[:-2]), n, n)
        return plugin_array(stack, self.index), array.shape

    def symmetric_eigenvalues(self, A: Any, progress: Callback | None) -> npt.NDArray[Any]:
        """Of matrices (count, n, n), contiguous, on the device; descending, (count, n)."""
        with self._solver(A.shape[-1]):
            values: npt.NDArray[Any] = self._core.symmetric_eigenvalues(A, progress, self._stream())
        return values

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
            V = plugin_array(array.contiguous().reshape(*columns), self.index)
        product = self._core.symmetric_product(A(), V, stream)
        if self.library == "numpy":
            host_product: npt.NDArray[Any] = product.numpy(stream)
            return host_product.reshape(shape)
        owner = self.source if array is None else array  # in whose stream it was made
        if owner is not None and owner.stream_owner() is not None:
            product.keep_stream(owner.stream_owner())
        return returned(self._with_shape(product, shape), self.library, self.index)

    def kernel_operator(
        self,
        rows: Rows,
        chosen: npt.NDArray[np.int64] | None,
        sigma: float,
        alpha: float,
        dtype: str,
        explicit: bool,
        memory_limit: float,
        progress: Callback | None,
    ) -> Any:
        """A for products, of all rows or of some by themselves: with its matrix, or without."""
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
        plugin = self._core
        try:
            yield
        except plugin.SolverError as error:
            raise _core.SolverError(str(error)) from error
        except plugin.DeviceError as error:
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


Device: TypeAlias = Cpu | Cuda


def choose(device: Any, Z: Any, name: str = "Z") -> Device:
    """The device to compute on: where Z lies, unless `device` says otherwise.

    Raises
    ------
    ValueError
        `device` is none; Z lies on a GPU and `device` is another one, or the CPU.
    DeviceError, ImportError
        CUDA cannot be used, or has no device of this number.
    """
    kind, index = parse(device)
    array = device_array(Z, name)
    if array is None:
        if kind != "cuda":
            return HOST
        index = index or 0
        plugin.require_device(index)
        return Cuda(index)
    home = array.device if array.device is not None else (index or 0)
    if kind == "cpu":
        raise ValueError(
            f"{name} lies on cuda:{home}, and device is 'cpu': leave it out to compute there, "
            f"or pass {name}.cpu() (torch) or {name}.get() (CuPy)"
        )
    if index is not None and index != home:
        raise ValueError(
            f"{name} lies on cuda:{home}, and device is 'cuda:{index}': leave it out to "
            f"compute there, or bring {name} to cuda:{index}"
        )
    plugin.require_device(home)
    return Cuda(home, array.library, array)


def parse(device: Any) -> tuple[str | None, int | None]:
    """Kind and number of a device that was asked for: "cpu", "cuda", "cuda:1", torch's, or None."""
    if device is None:
        return None, None
    kind, colon, number = str(device).partition(":")
    if kind == "cpu" and (not colon or number == "0"):
        return "cpu", None
    if kind == "cuda" and (not colon or number.isdecimal()):
        return "cuda", int(number) if colon else None
    raise ValueError(
        f"device must be 'cpu', 'cuda', one of several as 'cuda:1', or None, got {device!r}"
    )
