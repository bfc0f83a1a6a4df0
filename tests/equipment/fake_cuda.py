"""Stands in for the CUDA plug-in: its functions in NumPy, on the memory of the host.

As strict as the plug-in about types, so that what passes here passes there.
"""

from __future__ import annotations

import types
from dataclasses import dataclass, field

import numpy as np

from eigentropy import reference
from eigentropy._support.lifetime import version

ITEM_SIZES = {"float16": 2, "bfloat16": 2, "float32": 4, "float64": 8}

# Status codes of CUDA.
INVALID_HANDLE, ILLEGAL_ADDRESS, CAPTURED = 400, 700, 900


class DeviceError(RuntimeError):
    def __init__(self, message, code):
        super().__init__(message)
        self.code = code


class SolverError(ArithmeticError):
    pass


@dataclass
class State:
    """What tests do to the device, and what they see of it."""

    total: float = 64 * 2.0**30
    capability: tuple = (9, 0)
    driver: int = 13010
    pending: int = 0
    streams: set = field(default_factory=set)
    destroyed: set = field(default_factory=set)
    captured: set = field(default_factory=set)
    uploads: list = field(default_factory=list)
    calls: list = field(default_factory=list)


def view(pointer, shape, strides, dtype):
    """NumPy's view of this memory; bfloat16 as its bits."""
    if 0 in shape:
        return np.empty(shape, dtype)
    typestr = "<u2" if dtype == "bfloat16" else np.dtype(dtype).str
    interface = {"shape": shape, "strides": strides, "typestr": typestr, "version": 3}
    holder = types.SimpleNamespace(__array_interface__={**interface, "data": (pointer, False)})
    return np.asarray(holder)


def fake_plugin(device_count=2):
    """A new module like eigentropy_cuda13, on which nothing has happened yet."""
    state = State()

    def enter(name, stream):
        assert type(stream) is int
        state.calls.append(name)
        state.streams.add(stream)
        if stream in state.destroyed:
            raise DeviceError("cudaStreamQuery: invalid resource handle", INVALID_HANDLE)
        if stream in state.captured:
            raise DeviceError("a CUDA graph is being captured from this stream", CAPTURED)
        if state.pending:
            code, state.pending = state.pending, 0
            raise DeviceError("an earlier call has failed: illegal memory access", code)

    class Array:
        def __init__(self, pointer, shape, strides, dtype, device, owner):
            assert dtype in ITEM_SIZES
            if pointer % ITEM_SIZES[dtype]:
                raise ValueError("the memory is not aligned to its item size; pass a copy")
            assert len(shape) == len(strides)
            assert all(type(x) is int for x in (pointer, device, *shape, *strides))
            assert 0 <= device < device_count
            self.pointer, self.shape, self.strides = pointer, tuple(shape), tuple(strides)
            self.dtype, self.device, self._owner = dtype, device, owner

        @property
        def __cuda_array_interface__(self):
            typestr = "<V2" if self.dtype == "bfloat16" else np.dtype(self.dtype).str
            return {
                "shape": self.shape,
                "strides": self.strides,
                "typestr": typestr,
                "data": (self.pointer, False),
                "version": 3,
                "stream": 1,
            }

        def numpy(self, stream=0):
            enter("numpy", stream)
            values = self._values()
            if self.dtype == "bfloat16":
                return (values.astype(np.uint32) << 16).view(np.float32)
            return values.astype("float32" if self.dtype == "float16" else self.dtype)

        def keep_stream(self, stream):
            self._stream = stream

        def take(self, rows, stream=0):
            assert rows.dtype == np.int64
            return self.numpy(stream)[rows]

        def _values(self):
            return view(self.pointer, self.shape, self.strides, self.dtype)

    def own(values):
        values = np.ascontiguousarray(values)
        pointer = int(values.__array_interface__["data"][0])
        return Array(pointer, values.shape, values.strides, values.dtype.name, 0, values)

    def block(V, dtype=None):
        """The memory of a contiguous matrix of one precision."""
        assert type(V) is Array
        assert V.dtype in ("float32", "float64")
        assert dtype in (None, V.dtype)
        wanted = (ITEM_SIZES[V.dtype] * V.shape[1], ITEM_SIZES[V.dtype])
        sized = zip(V.shape, V.strides, wanted, strict=True)
        assert all(n < 2 or stride == right for n, stride, right in sized)
        return V._values()

    def host(Z, rows=None):
        assert type(Z) is Array
        values = Z.numpy().astype(np.float64)
        return values if rows is None else values[rows]

    def operator(Z, sigma, alpha):
        if alpha is None:
            return np.exp(-reference.squared_distances(Z) / (2 * sigma**2))
        return reference.diffusion_operator(Z, sigma, alpha)

    def kernel_sum(Z, sigma):
        return float(operator(Z, sigma, None).sum())

    def degrees_of(Z, sigma, alpha):
        G = operator(Z, sigma, None)
        q = G.sum(axis=1)
        return q, (G / np.outer(q, q) ** alpha).sum(axis=1)

    def upload(array, device, stream):
        enter("upload", stream)
        assert array.flags.c_contiguous
        assert array.dtype in (np.float32, np.float64)
        state.uploads.append(array.shape)
        uploaded = own(array.copy())
        uploaded.device = device
        return uploaded

    def nonfinite_rows(Z, stream):
        enter("nonfinite_rows", stream)
        bad = np.flatnonzero(~np.isfinite(host(Z)).all(axis=1))
        return len(bad), int(bad[0]) if len(bad) else -1

    def reach(Z, sigma, stream):
        enter("reach", stream)
        offsets = host(Z) - host(Z).mean(axis=0)
        return float(np.sqrt((offsets**2).sum(axis=1).max()) / sigma)

    def spectrum(Z, sigma, alpha, dtype, progress, stream):
        enter("spectrum", stream)
        A = operator(host(Z), sigma, alpha)
        values = np.linalg.eigvalsh(A.astype(dtype))[::-1].copy()
        if progress is not None:
            progress(1.0)
        sums = float(np.trace(A)), float((A**2).sum()), kernel_sum(host(Z), sigma)
        return values, *sums, reach(Z, sigma, stream)

    def matrix(Z, sigma, alpha, dtype, progress, stream):
        enter("matrix", stream)
        A = operator(host(Z), sigma, alpha)
        degrees = degrees_of(host(Z), sigma, alpha)[1]
        return own(A.astype(dtype)), float(np.trace(A)), float((A**2).sum()), degrees

    def eigenpairs(Z, sigma, alpha, dtype, k, progress, stream):
        enter("eigenpairs", stream)
        values, vectors = np.linalg.eigh(operator(host(Z), sigma, alpha))
        chosen = slice(-2, -2 - k, -1) if k + 2 <= len(values) else slice(-2, None, -1)
        degrees = degrees_of(host(Z), sigma, alpha)[1]
        return values[chosen].astype(dtype), vectors[:, chosen].astype(dtype), degrees

    def subset_spectra(
        Z,
        offsets,
        indices,
        sigma,
        alpha,
        dtype,
        kernels="auto",
        memory_limit=0.0,
        progress=None,
        stream=0,
    ):
        enter("subset_spectra", stream)
        assert memory_limit > 0
        subsets = [host(Z, rows) for rows in np.split(indices, offsets[1:-1])]
        values = [np.linalg.eigvalsh(operator(X, sigma, alpha))[::-1] for X in subsets]
        sums = np.array([kernel_sum(X, sigma) for X in subsets])
        traces = np.array([spectrum.sum() for spectrum in values])
        return np.concatenate(values).astype(dtype), sums, traces

    def symmetric_eigenvalues(A, progress, stream):
        enter("symmetric_eigenvalues", stream)
        assert len(A.shape) == 3
        return np.linalg.eigvalsh(A._values(), UPLO="U")[:, ::-1].copy()

    def symmetric_product(A, V, stream):
        enter("symmetric_product", stream)
        return own(block(A) @ block(V, A.dtype))

    class KernelOperator:
        def __init__(
            self, Z, sigma, alpha, dtype, explicit, memory_limit, progress, stream, rows=None
        ):
            enter("KernelOperator", stream)
            assert type(explicit) is bool
            assert memory_limit > 0
            assert rows is None or rows.dtype == np.int64
            X = host(Z, rows)
            self.n, self.kernel_sum = len(X), kernel_sum(X, sigma)
            if alpha is None:  # the density matrix
                self.degrees = operator(X, sigma, None).sum(axis=1)
                self.scaling = np.full(self.n, self.n**-0.5)
                self._A = operator(X, sigma, None) / self.n
            else:
                q, self.degrees = degrees_of(X, sigma, alpha)
                self.scaling = q**-alpha / np.sqrt(self.degrees)
                self._A = operator(X, sigma, alpha)
            self._dtype, self._stream = dtype, stream
            self.trace = 1.0 if alpha is None else float(np.trace(self._A))
            self.frobenius2 = float((self._A**2).sum())
            self._X, self._sigma = X, sigma

        def keep_in_half(self, progress=None):
            enter("keep_in_half", self._stream)
            assert self._dtype == "float32"
            G = operator(self._X, self._sigma, None)
            rounded = G.astype(np.float16).astype(np.float64)
            self._A = self.scaling[:, None] * rounded * self.scaling

        def matmul(self, V, progress=None):
            enter("matmul", self._stream)
            product = self._A @ block(V, self._dtype)
            return own(product.astype(self._dtype))

    def inner(V, W, stream):
        enter("inner", stream)
        return block(V).astype(np.float64).T @ block(W, V.dtype).astype(np.float64)

    def gram(W, stream):
        return inner(W, W, stream)

    def project_out(V, W, stream):
        enter("project_out", stream)
        w = block(W)
        none = np.zeros((len(w), 0))
        basis = np.hstack([none, *(block(one, W.dtype) for one in V)]).astype(np.float64)
        w -= (basis @ (basis.T @ w.astype(np.float64))).astype(W.dtype)

    def combine(V, C, stream):
        enter("combine", stream)
        assert C.dtype == np.float64
        assert C.shape[1] > 0
        basis = np.hstack([block(one) for one in V]).astype(np.float64)
        return own((basis @ C).astype(V[0].dtype))

    def largest_column(W, stream):
        enter("largest_column", stream)
        return float(np.sqrt((block(W).astype(np.float64) ** 2).sum(axis=0).max()))

    def devices():
        return [
            {
                "name": "Fake",
                "compute_capability": "{}.{}".format(*state.capability),
                "multiprocessors": 2,
                "memory": int(state.total),
            }
            for _ in range(device_count)
        ]

    emulation = types.SimpleNamespace(
        fail_once=lambda status: setattr(state, "pending", status),
        set_memory=lambda size: setattr(state, "total", size),
        set_compute_capability=lambda *pair: setattr(state, "capability", pair),
        set_driver_version=lambda number: setattr(state, "driver", number),
        make_stream=lambda: 4242,
        destroy_stream=state.destroyed.add,
        begin_capture=state.captured.add,
        end_capture=lambda stream: state.captured.remove(stream) or True,
    )
    core = types.ModuleType("eigentropy_cuda13._core")
    core.__dict__.update(
        emulated=True,
        fake=True,
        runtime_version=13000,
        driver_version=lambda: state.driver,
        devices=devices,
        memory=lambda device: (state.total, state.total),
        synchronize=lambda device, stream: enter("synchronize", stream),
        emulation=emulation,
        state=state,
        DeviceError=DeviceError,
        SolverError=SolverError,
        Array=Array,
        KernelOperator=KernelOperator,
        upload=upload,
        nonfinite_rows=nonfinite_rows,
        reach=reach,
        spectrum=spectrum,
        matrix=matrix,
        eigenpairs=eigenpairs,
        subset_spectra=subset_spectra,
        symmetric_eigenvalues=symmetric_eigenvalues,
        symmetric_product=symmetric_product,
        inner=inner,
        gram=gram,
        project_out=project_out,
        combine=combine,
        largest_column=largest_column,
    )
    package = types.ModuleType("eigentropy_cuda13")
    package.__version__, package._core = version(), core
    return package
