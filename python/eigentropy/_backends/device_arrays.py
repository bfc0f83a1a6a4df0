"""Arrays in the memory of a CUDA device, whatever library made them. No library is imported."""

from __future__ import annotations

import contextlib
import copy
import itertools
import math
import sys
from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from eigentropy._backends import plugin
from eigentropy._backends.libraries import is_cupy, is_masked_tensor, is_torch
from eigentropy._backends.shapes import (
    check_present,
    check_shape,
    check_square,
    float_dtype,
    warn_if_flattened,
)

# Of DLPack's types of device.
_DLPACK_CPU = 1
_DLPACK_CUDA = (2, 13)  # the second one is managed memory

# What the CUDA plug-in reads as it is.
FLOATS = ("float16", "bfloat16", "float32", "float64")


class DeviceArray(ABC):
    """An array in the memory of a CUDA device, whatever library made it. Nothing is copied.

    Attributes
    ----------
    value : object
        The array itself, which keeps the memory alive.
    device : int or None
        Number of the device; None where the array does not say.
    dtype : str
        Its name, such as "float16".
    shape, strides : tuple of int
        Strides in bytes.
    pointer : int
    """

    library: str
    value: Any
    device: int | None
    dtype: str
    shape: tuple[int, ...]
    strides: tuple[int, ...]
    pointer: int

    @abstractmethod
    def stream(self) -> int:
        """The stream in whose order the caller works with it, as a cudaStream_t."""

    def stream_owner(self) -> Any:
        """What keeps this stream from being destroyed; None where nobody destroys it."""
        return None  # torch's are there as long as the process is

    def keep_for_stream(self) -> None:
        """Let its library keep the memory until the work that is in `stream` now has been done.

        For what reads the array after the caller may have dropped it.
        """
        return  # torch alone has such a thing

    @abstractmethod
    def astype(self, dtype: str) -> DeviceArray:
        """Converted by its own library; a copy."""

    @abstractmethod
    def reshape(self, *shape: int) -> DeviceArray:
        """A view where the strides allow one, else a copy by its own library."""

    @abstractmethod
    def contiguous(self) -> DeviceArray:
        """Itself, or a copy without room between its entries."""

    @abstractmethod
    def numpy(self) -> npt.NDArray[Any]:
        """A copy on the host; bfloat16 as float32."""

    @abstractmethod
    def chosen(self, rows: npt.NDArray[np.int64]) -> Any:
        """Some rows, as an array of its library or on the host."""


class _TorchArray(DeviceArray):
    library = "torch"

    def __init__(self, tensor: Any) -> None:
        self.value = tensor.detach().resolve_neg()  # (conj(z)).imag is negated only when it is read
        self.device = tensor.device.index
        self.dtype = str(tensor.dtype).removeprefix("torch.")
        self.shape = tuple(tensor.shape)
        size = tensor.element_size()
        self.strides = tuple(size * stride for stride in tensor.stride())
        self.pointer = tensor.data_ptr()

    def stream(self) -> int:
        return int(self._current_stream().cuda_stream)

    def keep_for_stream(self) -> None:
        # Without this, torch hands the memory out again in the order of the stream in which it was
        # allocated.
        self.value.record_stream(self._current_stream())

    def _current_stream(self) -> Any:
        return sys.modules["torch"].cuda.current_stream(self.value.device)

    def astype(self, dtype: str) -> DeviceArray:
        return _TorchArray(self.value.to(getattr(sys.modules["torch"], dtype)))

    def reshape(self, *shape: int) -> DeviceArray:
        return _TorchArray(self.value.reshape(shape))

    def contiguous(self) -> DeviceArray:
        return _TorchArray(self.value.contiguous())

    def numpy(self) -> npt.NDArray[Any]:
        tensor = self.value.float() if self.dtype == "bfloat16" else self.value
        array: npt.NDArray[Any] = tensor.cpu().numpy()
        return array

    def chosen(self, rows: npt.NDArray[np.int64]) -> Any:
        return self.value[sys.modules["torch"].from_numpy(rows)]


class _CupyArray(DeviceArray):
    library = "cupy"

    def __init__(self, array: Any) -> None:
        self.value = array
        self.device = int(array.device.id)
        self.dtype = array.dtype.name
        self.shape, self.strides = tuple(array.shape), tuple(array.strides)
        self.pointer = int(array.data.ptr)

    def stream(self) -> int:
        with self._on_its_device() as cupy:
            return int(cupy.cuda.get_current_stream().ptr)

    def stream_owner(self) -> Any:
        with self._on_its_device() as cupy:
            return cupy.cuda.get_current_stream()

    def astype(self, dtype: str) -> DeviceArray:
        with self._on_its_device():
            return _CupyArray(self.value.astype(dtype))

    def reshape(self, *shape: int) -> DeviceArray:
        with self._on_its_device():
            return _CupyArray(self.value.reshape(shape))

    def contiguous(self) -> DeviceArray:
        with self._on_its_device() as cupy:
            return _CupyArray(cupy.ascontiguousarray(self.value))

    def numpy(self) -> npt.NDArray[Any]:
        with self._on_its_device():
            array: npt.NDArray[Any] = self.value.get()
        return array.astype(np.float32) if self.dtype == "bfloat16" else array

    def chosen(self, rows: npt.NDArray[np.int64]) -> Any:
        with self._on_its_device() as cupy:
            return self.value[cupy.asarray(rows)]

    @contextlib.contextmanager
    def _on_its_device(self) -> Iterator[Any]:
        cupy = sys.modules["cupy"]
        with cupy.cuda.Device(self.device):
            yield cupy


class _ForeignArray(DeviceArray):
    """Of a library that is known by its ``__cuda_array_interface__`` only, versions 2 and 3."""

    library = "other"

    def __init__(self, value: Any, name: str) -> None:
        interface = value.__cuda_array_interface__
        if interface.get("mask") is not None:
            raise TypeError(f"{name} has masked entries; fill them before")
        self.value, self._name = value, name
        self.device = _dlpack_device(value)[1]
        if self.device is None and isinstance(getattr(value, "device", None), int):
            self.device = value.device  # an array of the plug-in
        dtype = np.dtype(interface["typestr"])
        self.dtype = dtype.name if dtype.isnative else dtype.str
        self.shape = tuple(interface["shape"])
        self.strides = interface.get("strides") or _without_gaps(self.shape, dtype.itemsize)
        self.pointer = int(interface["data"][0])
        self._stream = interface.get("stream")

    def stream(self) -> int:
        """None: nothing to wait for. 1 is the legacy default stream, which is number 0 here."""
        return 0 if self._stream in (None, 1) else int(self._stream)

    def stream_owner(self) -> Any:
        return self.value

    def astype(self, dtype: str) -> DeviceArray:
        if self.dtype == dtype:
            return self
        raise TypeError(
            f"{self._name} holds {self.dtype} on a GPU, in a library that eigentropy cannot "
            f"convert it with; pass {' or '.join(FLOATS[2:])}, or a torch or CuPy array"
        )

    def reshape(self, *shape: int) -> DeviceArray:
        if self.shape == shape:
            return self
        size = np.dtype(self.dtype).itemsize
        if self.strides == _without_gaps(self.shape, size):
            return self._with(shape, _without_gaps(shape, size))
        if shape == (self.shape[0], math.prod(self.shape[1:])):
            step = _common_step(self.shape[1:], self.strides[1:])
            if step is not None:
                return self._with(shape, (self.strides[0], step))
        raise ValueError(
            f"{self._name} of shape {self.shape} is not contiguous, and cannot be flattened to "
            "rows without a copy; pass a contiguous array, or a torch or CuPy array"
        )

    def contiguous(self) -> DeviceArray:
        wanted = _without_gaps(self.shape, np.dtype(self.dtype).itemsize)
        sized = zip(self.shape, self.strides, wanted, strict=True)
        if all(n == 1 or stride == right for n, stride, right in sized):
            return self
        raise ValueError(f"{self._name} must be contiguous, got strides {self.strides}")

    def numpy(self) -> npt.NDArray[Any]:
        array: npt.NDArray[Any] = plugin_array(self).numpy(self.stream())
        return array

    def chosen(self, rows: npt.NDArray[np.int64]) -> Any:
        return plugin_array(self).take(rows, self.stream())

    def _with(self, shape: tuple[int, ...], strides: tuple[int, ...]) -> DeviceArray:
        """The same memory with another shape."""
        view = copy.copy(self)
        view.shape, view.strides = shape, strides
        return view


def device_array(value: Any, name: str) -> DeviceArray | None:
    """`value` as an array on a CUDA device; None where it lies on the host. Loads nothing.

    Raises
    ------
    NotImplementedError
        On a device that is not CUDA's, or known by DLPack only, and there is neither torch nor
        CuPy to read it with.
    """
    if isinstance(value, (np.ndarray, DeviceArray)):
        return value if isinstance(value, DeviceArray) else None
    torch, cupy = sys.modules.get("torch"), sys.modules.get("cupy")
    if is_torch(value):
        return _TorchArray(dense_tensor(value, name)) if is_on_cuda(value) else None
    if is_cupy(value):
        return _CupyArray(value)
    if hasattr(value, "__cuda_array_interface__"):
        return _ForeignArray(value, name)
    kind = _dlpack_device(value)[0]
    if kind == _DLPACK_CPU:
        return None
    if kind in _DLPACK_CUDA and torch is not None and torch.cuda.is_available():
        return _TorchArray(torch.from_dlpack(value))
    if kind in _DLPACK_CUDA and cupy is not None:
        return _CupyArray(cupy.from_dlpack(value))
    raise NotImplementedError(
        f"{name} lies on a GPU and offers DLPack only (device type {kind}), for which eigentropy "
        "needs PyTorch with CUDA or CuPy: import one of them, or pass a NumPy array"
    )


def is_on_cuda(tensor: Any) -> bool:
    """Whether a tensor of PyTorch lies on a device of CUDA; AMD's have the same name in PyTorch."""
    if tensor.device.type != "cuda":
        return False
    return not getattr(sys.modules["torch"].version, "hip", None)


def device_rows(array: DeviceArray, name: str) -> DeviceArray:
    """The rows (n, d) of an array on a device, of a float type, without a copy where possible.

    Integers and booleans become float64, and what cannot be flattened by strides is copied: both
    by the array's own library. Whether they are finite is not looked at.
    """
    dtype = array.dtype
    if dtype not in FLOATS:
        array = array.astype(float_dtype(_numpy_dtype(dtype, name), name).name)
    check_shape(array.shape, name)
    warn_if_flattened(array.shape, "float" in dtype, name)
    return array.reshape(array.shape[0], math.prod(array.shape[1:]))


def device_matrices(A: Any, name: str) -> DeviceArray:
    """Matrices (..., n, n) on a device: float32 or float64, contiguous; see as_square_matrices."""
    array = device_array(A, name)
    if array is None:
        raise ValueError(f"{name} does not lie on a GPU")
    dtype = "float32"
    if array.dtype != "bfloat16":
        numbers = _numpy_dtype(array.dtype, name)
        if numbers.kind == "c":
            raise TypeError(
                f"{name} is complex ({numbers}); only real symmetric matrices are solved"
            )
        dtype = float_dtype(numbers, name).name
    check_square(array.shape, name)
    return (array if array.dtype == dtype else array.astype(dtype)).contiguous()


def plugin_array(array: DeviceArray, device: int | None = None) -> Any:
    """The same memory as an array of the CUDA plug-in."""
    index = array.device if array.device is not None else (device or 0)
    return plugin.core().Array(
        array.pointer, array.shape, array.strides, array.dtype, index, array.value
    )


def returned(array: Any, library: str, device: int) -> Any:
    """A NumPy array or one of the plug-in as the caller's library has them, on that device.

    An array of the plug-in must have been made in the library's current stream. torch copies it:
    `Tensor.record_stream` keeps memory of torch's own alone. CuPy and others get it as it is.
    """
    if library == "torch":
        torch, place = sys.modules["torch"], f"cuda:{device}"
        if isinstance(array, np.ndarray):
            return torch.tensor(array, device=place)
        return torch.as_tensor(array, device=place).clone()
    if library == "cupy":
        cupy = sys.modules["cupy"]
        with cupy.cuda.Device(device):
            return cupy.asarray(array)
    return array


def dense_tensor(tensor: Any, name: str) -> Any:
    """A tensor whose entries stand in memory one behind the other.

    Raises
    ------
    TypeError
        It is sparse, nested or quantised.
    ValueError
        Entries are masked.
    """
    if is_masked_tensor(tensor):
        present = tensor.get_mask()
        rows = present.reshape(len(present), -1).all(dim=1)
        check_present(~rows.cpu().numpy(), name, f" (masked; {name}.to_tensor(value) fills them)")
        tensor = tensor.get_data()
    if tensor.is_nested:
        raise TypeError(
            f"{name} is a nested tensor, whose entries differ in length: pass "
            f"torch.cat({name}.unbind()) for one row a token, or their means for one row a text"
        )
    if tensor.is_quantized:
        raise TypeError(f"{name} is a quantised tensor; pass {name}.dequantize()")
    if tensor.layout is not sys.modules["torch"].strided:
        raise TypeError(f"{name} is a sparse tensor; pass {name}.to_dense()")
    return tensor


def _dlpack_device(value: Any) -> tuple[int, int | None]:
    """DLPack's type of device and its number; the CPU's where there is no DLPack."""
    if not hasattr(value, "__dlpack_device__"):
        return _DLPACK_CPU, None
    kind, index = value.__dlpack_device__()
    return int(kind), int(index)


def _without_gaps(shape: tuple[int, ...], itemsize: int) -> tuple[int, ...]:
    """Strides of a C-contiguous array."""
    return tuple(itemsize * math.prod(shape[i + 1 :]) for i in range(len(shape)))


def _common_step(shape: tuple[int, ...], strides: tuple[int, ...]) -> int | None:
    """The stride of these dimensions as a single one; None where they are not one."""
    sized = [(n, stride) for n, stride in zip(shape, strides, strict=True) if n > 1]
    for (_, outer), (n, inner) in itertools.pairwise(sized):
        if outer != n * inner:
            return None
    return sized[-1][1] if sized else strides[-1]


def _numpy_dtype(name: str, of: str) -> np.dtype[Any]:
    try:
        return np.dtype(name)
    except TypeError:  # torch's float8 and others
        raise TypeError(f"{of} must hold numbers, got an array of dtype {name}") from None
