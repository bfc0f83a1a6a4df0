"""Arrays in: recognises NumPy, torch, CuPy and DLPack objects without importing their libraries.

The only file that names torch or cupy.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import numpy.typing as npt

from eigentropy import _core

Matrix = npt.NDArray[np.floating[Any]]

_DLPACK_CPU = 1


def as_matrix(Z: Any, name: str = "Z") -> Matrix:
    """The rows of `Z` as a finite float32 or float64 array (n, d), without a copy where possible.

    float16 and bfloat16 become float32; integers and booleans float64: a copy, in memory, also of
    a mapped file. (n, ...) is flattened.

    Raises
    ------
    TypeError
        Not numbers, or complex.
    ValueError
        Fewer than two dimensions, empty, NaN or infinity.
    NotImplementedError
        The array lives on a GPU.
    """
    array = _as_float(as_numpy(Z, name), name)
    if array.ndim < 2:
        what = "a scalar" if array.ndim == 0 else f"a 1-d array of length {array.size}"
        raise ValueError(
            f"{name} must have shape (n, d), one row a sample, got {what}; "
            f"use {name}[:, None] for n scalars and {name}[None, :] for one sample"
        )
    if array.shape[0] == 0 or array.size == 0:
        raise ValueError(f"{name} is empty: its shape is {array.shape}")
    matrix = array.reshape(array.shape[0], -1)
    if any(stride % matrix.itemsize for stride in matrix.strides) or not matrix.flags.aligned:
        matrix = np.ascontiguousarray(matrix)  # a field of a packed structured array
    _check_finite(matrix, name)
    return matrix


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
    array = _as_float(raw, name)
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


def _as_float(array: npt.NDArray[Any], name: str) -> Matrix:
    kind = array.dtype.kind
    if kind == "c":
        raise TypeError(
            f"{name} is complex ({array.dtype}); pass real features, such as "
            f"np.concatenate([{name}.real, {name}.imag], axis=1)"
        )
    if array.dtype.name == "bfloat16":  # ml_dtypes, as JAX uses it
        return array.astype(np.float32)
    if kind in "iub":
        return array.astype(np.float64)
    if kind != "f":
        raise TypeError(f"{name} must hold numbers, got an array of dtype {array.dtype}")
    wanted: type[np.floating[Any]]
    if array.dtype.itemsize < 4:
        wanted = np.float32
    else:
        wanted = np.float32 if array.dtype.itemsize == 4 else np.float64
    return array.astype(wanted, copy=False)  # also makes foreign byte orders native


def _check_finite(matrix: Matrix, name: str) -> None:
    count, first = _core.nonfinite_rows(matrix)
    if count:
        raise ValueError(
            f"{name} has NaN or infinity in {count} of its {len(matrix)} rows; "
            f"the first is row {first}"
        )
