"""Arrays in: recognises NumPy, torch, CuPy, Zarr and DLPack objects without importing libraries.

The only file that names torch or cupy.
"""

from __future__ import annotations

import math
import sys
from typing import Any

import numpy as np
import numpy.typing as npt

from eigentropy import _core
from eigentropy._progress import Callback
from eigentropy._temporary import fits_in_memory, mapped_copy

Matrix = npt.NDArray[np.floating[Any]]

_DLPACK_CPU = 1


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
        Fewer than two dimensions, empty, NaN or infinity.
    NotImplementedError
        The array lives on a GPU.
    MemoryError
        There is no room for the temporary file.
    """
    array: Any = Z if is_zarr(Z) else as_numpy(Z, name)
    dtype = _float_dtype(array.dtype, name)
    shape = tuple(array.shape)
    if len(shape) < 2:
        what = "a scalar" if len(shape) == 0 else f"a 1-d array of length {shape[0]}"
        raise ValueError(
            f"{name} must have shape (n, d), one row a sample, got {what}; "
            f"use {name}[:, None] for n scalars and {name}[None, :] for one sample"
        )
    if 0 in shape:
        raise ValueError(f"{name} is empty: its shape is {shape}")
    if not _can_be_shared(array, dtype):
        if fits_in_memory(math.prod(shape) * dtype.itemsize):
            array = np.ascontiguousarray(array[...], dtype=dtype)
        else:
            chunks = array.chunks if is_zarr(array) else (1,) * len(shape)
            array = mapped_copy(array, dtype, chunks, name, progress)
    matrix: Matrix = array.reshape(shape[0], -1)
    _check_finite(matrix, name)
    return matrix


def is_zarr(value: Any) -> bool:
    """Whether `value` is a Zarr array, of zarr-python 2 or 3."""
    zarr = sys.modules.get("zarr")
    return zarr is not None and isinstance(value, zarr.Array)


def row_count(Z: Any) -> int:
    """Number of rows; not every array has a length."""
    return int(Z.shape[0]) if is_zarr(Z) else len(Z)


def chosen_rows(Z: Any, rows: npt.NDArray[np.int64]) -> Any:
    """Some rows of an array, of which no others are kept in memory."""
    return Z.oindex[rows] if is_zarr(Z) else Z[rows]


def as_square_matrices(A: Any, name: str = "A") -> Matrix:
    """`A` as float32 or float64 matrices (..., n, n), without a copy where possible.

    The types are converted as by `as_matrix`. Whether the entries are finite is not looked at.

    Raises
    ------
    TypeError
        Not numbers, or complex.
    ValueError
        Not square, or empty.
    NotImplementedError
        The array lives on a GPU.
    """
    raw = as_numpy(A, name)
    if raw.dtype.kind == "c":
        raise TypeError(f"{name} is complex ({raw.dtype}); only real symmetric matrices are solved")
    array = raw.astype(_float_dtype(raw.dtype, name), copy=False)
    if array.ndim < 2 or array.shape[-1] != array.shape[-2]:
        raise ValueError(f"{name} must have shape (n, n) or (..., n, n), got {array.shape}")
    if array.size == 0:
        raise ValueError(f"{name} is empty: its shape is {array.shape}")
    if any(stride % array.itemsize for stride in array.strides) or not array.flags.aligned:
        array = np.ascontiguousarray(array)  # a field of a packed structured array
    return array


def as_numpy(value: Any, name: str) -> npt.NDArray[Any]:
    """`value` as a NumPy array of whatever dtype, sharing its memory where possible."""
    if isinstance(value, np.ndarray):
        return value
    torch = sys.modules.get("torch")
    if torch is not None and isinstance(value, torch.Tensor):
        return _from_torch(value, name)
    if hasattr(value, "__cuda_array_interface__"):
        raise NotImplementedError(_no_gpu(name))
    if hasattr(value, "__dlpack_device__") and not hasattr(value, "__array__"):
        if value.__dlpack_device__()[0] != _DLPACK_CPU:
            raise NotImplementedError(_no_gpu(name))
        return np.from_dlpack(value)
    try:
        return np.asarray(value)
    except ValueError as error:  # rows of different lengths
        raise ValueError(f"{name} is not a rectangular array: {error}") from error


def _from_torch(tensor: Any, name: str) -> npt.NDArray[Any]:
    torch = sys.modules["torch"]
    if tensor.device.type != "cpu":
        raise NotImplementedError(_no_gpu(name))
    if tensor.layout is not torch.strided:
        raise TypeError(f"{name} is a sparse tensor; pass {name}.to_dense()")
    tensor = tensor.detach()
    if tensor.dtype is torch.bfloat16:  # NumPy has no such type
        tensor = tensor.float()
    array: npt.NDArray[Any] = tensor.numpy()
    return array


def _no_gpu(name: str) -> str:
    return (
        f"{name} lives on a GPU, and this version of eigentropy computes on the CPU only: "
        f"pass {name}.cpu() (torch) or {name}.get() (CuPy)"
    )


def _float_dtype(dtype: np.dtype[Any], name: str) -> np.dtype[np.floating[Any]]:
    """float32 or float64, in native byte order, for numbers of this dtype."""
    if dtype.kind == "c":
        raise TypeError(
            f"{name} is complex ({dtype}); pass real features, such as "
            f"np.concatenate([{name}.real, {name}.imag], axis=1)"
        )
    if dtype.name == "bfloat16":  # ml_dtypes, as JAX uses it
        return np.dtype(np.float32)
    if dtype.kind not in "iubf":
        raise TypeError(f"{name} must hold numbers, got an array of dtype {dtype}")
    single = dtype.kind == "f" and dtype.itemsize <= 4
    return np.dtype(np.float32 if single else np.float64)


def _can_be_shared(array: Any, dtype: np.dtype[Any]) -> bool:
    """Whether the rows can be read where they are."""
    if is_zarr(array) or array.dtype != dtype:
        return False
    if any(stride % dtype.itemsize for stride in array.strides) or not array.flags.aligned:
        return False  # a field of a packed structured array
    row = array[:1]
    return np.may_share_memory(row, row.reshape(1, -1))  # else (n, ...) is flattened by a copy


def _check_finite(matrix: Matrix, name: str) -> None:
    count, first = _core.nonfinite_rows(matrix)
    if count:
        raise ValueError(
            f"{name} has NaN or infinity in {count} of its {len(matrix)} rows; "
            f"the first is row {first}"
        )
