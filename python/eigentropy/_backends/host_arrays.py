"""Arrays on the host: NumPy, torch, Zarr and DLPack, as NumPy arrays without a copy where possible.

torch and Zarr are recognised by what `sys.modules` already holds.
"""

from __future__ import annotations

import math
import sys
from typing import Any

import numpy as np
import numpy.typing as npt

from eigentropy import _core
from eigentropy._backends.device_arrays import DeviceArray, device_array, refuse_sparse
from eigentropy._backends.shapes import check_finite, check_shape, check_square, float_dtype
from eigentropy._support.mapped_files import fits_in_memory, mapped_copy
from eigentropy._support.progress import Callback

Matrix = npt.NDArray[np.floating[Any]]


def as_matrix(Z: Any, name: str = "Z", progress: bool | Callback = False) -> Matrix:
    """The rows of `Z` as a finite float32 or float64 array (n, d), without a copy where possible.

    float16 and bfloat16 become float32; integers and booleans float64. (n, ...) is flattened.
    What must be copied, as Zarr arrays must, and does not fit into memory is copied into a
    temporary file, which is mapped; `progress` is of that.

    Raises
    ------
    TypeError
        Not numbers, or complex.
    ValueError
        Fewer than two dimensions, empty, NaN or infinity; the array lies on a GPU.
    MemoryError
        There is no room for the temporary file.
    """
    refuse_device_array(Z, name)
    array: Any = Z if is_zarr(Z) else as_numpy(Z, name)
    dtype = float_dtype(array.dtype, name)
    shape = tuple(array.shape)
    check_shape(shape, name)
    if not _can_be_shared(array, dtype):
        if fits_in_memory(math.prod(shape) * dtype.itemsize):
            array = np.ascontiguousarray(array[...], dtype=dtype)
        else:
            chunks = array.chunks if is_zarr(array) else (1,) * len(shape)
            array = mapped_copy(array, dtype, chunks, name, progress)
    matrix: Matrix = array.reshape(shape[0], -1)
    check_finite(_core.nonfinite_rows(matrix), len(matrix), name)
    return matrix


def is_zarr(value: Any) -> bool:
    """Whether `value` is a Zarr array, of zarr-python 2 or 3."""
    zarr = sys.modules.get("zarr")
    return zarr is not None and isinstance(value, zarr.Array)


def row_count(Z: Any) -> int:
    """Number of rows; not every array has a length."""
    array = Z if is_zarr(Z) else device_array(Z, "Z")
    return len(Z) if array is None else int(array.shape[0])


def with_shape(Z: Any, name: str = "Z") -> Any:
    """Z as something that has a shape: a NumPy, Zarr or device array. The last two as they are."""
    if is_zarr(Z):
        return Z
    array = device_array(Z, name)
    return as_numpy(Z, name) if array is None else array


def chosen_rows(Z: Any, rows: npt.NDArray[np.int64]) -> Any:
    """Some rows of what `with_shape` gives, of which no others are kept in memory."""
    if is_zarr(Z):
        return Z.oindex[rows]
    return Z.chosen(rows) if isinstance(Z, DeviceArray) else Z[rows]


def as_square_matrices(A: Any, name: str = "A") -> Matrix:
    """`A` as float32 or float64 matrices (..., n, n), without a copy where possible.

    The types are converted as by `as_matrix`. Whether the entries are finite is not looked at.

    Raises
    ------
    TypeError
        Not numbers, or complex.
    ValueError
        Not square, or empty; the array lies on a GPU.
    """
    refuse_device_array(A, name)
    raw = as_numpy(A, name)
    if raw.dtype.kind == "c":
        raise TypeError(f"{name} is complex ({raw.dtype}); only real symmetric matrices are solved")
    array = raw.astype(float_dtype(raw.dtype, name), copy=False)
    check_square(array.shape, name)
    if any(stride % array.itemsize for stride in array.strides) or not array.flags.aligned:
        array = np.ascontiguousarray(array)  # a field of a packed structured array
    return array


def as_numpy(value: Any, name: str) -> npt.NDArray[Any]:
    """`value` as a NumPy array of whatever dtype, sharing its memory where possible.

    What lies on a GPU is copied, which is for labels, spectra and the like.
    """
    if isinstance(value, np.ndarray):
        return value
    array = device_array(value, name)
    if array is not None:
        return array.numpy()
    torch = sys.modules.get("torch")
    if torch is not None and isinstance(value, torch.Tensor):
        return _from_torch(value, name)
    if hasattr(value, "__dlpack_device__") and not hasattr(value, "__array__"):
        return np.from_dlpack(value)
    try:
        return np.asarray(value)
    except ValueError as error:  # rows of different lengths
        raise ValueError(f"{name} is not a rectangular array: {error}") from error


def refuse_device_array(value: Any, name: str) -> None:
    """Refuse what lies on a GPU, where everything else is on the host."""
    if not is_zarr(value) and device_array(value, name) is not None:
        raise ValueError(
            f"{name} lies on a GPU, and this is computed on the CPU: "
            f"pass {name}.cpu() (torch) or {name}.get() (CuPy)"
        )


def _from_torch(tensor: Any, name: str) -> npt.NDArray[Any]:
    torch = sys.modules["torch"]
    if tensor.device.type != "cpu":
        raise NotImplementedError(
            f"{name} lies on {tensor.device}, where eigentropy does not compute: pass {name}.cpu()"
        )
    refuse_sparse(tensor, name)
    tensor = tensor.detach().resolve_conj().resolve_neg()
    if tensor.dtype is torch.bfloat16:  # NumPy has no such type
        tensor = tensor.float()
    array: npt.NDArray[Any] = tensor.numpy()
    return array


def _can_be_shared(array: Any, dtype: np.dtype[Any]) -> bool:
    """Whether the rows can be read where they are."""
    if is_zarr(array) or array.dtype != dtype:
        return False
    if any(stride % dtype.itemsize for stride in array.strides) or not array.flags.aligned:
        return False  # a field of a packed structured array
    row = array[:1]
    return np.may_share_memory(row, row.reshape(1, -1))  # else (n, ...) is flattened by a copy
