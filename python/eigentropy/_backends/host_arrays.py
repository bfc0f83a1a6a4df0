"""Arrays on the host, whatever library made them, as NumPy arrays without a copy where possible."""

from __future__ import annotations

import math
import os
import sys
from typing import Any

import numpy as np
import numpy.typing as npt

from eigentropy import _core
from eigentropy._backends import libraries
from eigentropy._backends.device_arrays import DeviceArray, dense_tensor, device_array
from eigentropy._backends.shapes import (
    check_finite,
    check_present,
    check_shape,
    check_square,
    float_dtype,
    is_missing,
    warn_if_flattened,
)
from eigentropy._backends.stored_arrays import StoredArray, stored_array
from eigentropy._backends.tables import table_array, unpacked
from eigentropy._support.mapped_files import fits_in_memory, mapped_copy
from eigentropy._support.progress import Callback
from eigentropy._support.warnings import ShapeWarning, warn

Matrix = npt.NDArray[np.floating[Any]]


def as_matrix(Z: Any, name: str = "Z", progress: bool | Callback = False) -> Matrix:
    """The rows of `Z` as a finite float32 or float64 array (n, d), without a copy where possible.

    float16 and bfloat16 become float32; integers and booleans float64. (n, ...) is flattened.
    What must be copied, as Zarr, HDF5 and sparse arrays must, and does not fit into memory is
    copied into a temporary file, which is mapped; `progress` is of that.

    Raises
    ------
    TypeError
        Not numbers, or complex.
    ValueError
        Fewer than two dimensions, empty, NaN, infinity or missing entries; the array lies on a GPU.
    MemoryError
        There is no room for the temporary file.

    Warns
    -----
    ShapeWarning
        Floats of three dimensions.
    """
    array = opened_array(Z, name)
    if isinstance(array, DeviceArray):
        raise _on_a_gpu(name)
    dtype = float_dtype(array.dtype, name)
    shape = tuple(array.shape)
    check_shape(shape, name)
    warn_if_flattened(shape, array.dtype.kind not in "iub", name)
    if isinstance(array, StoredArray) or not _can_be_shared(array, dtype):
        if fits_in_memory(math.prod(shape) * dtype.itemsize):
            array = np.ascontiguousarray(array[(slice(None),) * len(shape)], dtype=dtype)
        else:
            chunks = array.chunks if isinstance(array, StoredArray) else (1,) * len(shape)
            array = mapped_copy(array, dtype, chunks, name, progress)
    matrix: Matrix = array.reshape(shape[0], -1)
    check_finite(_core.nonfinite_rows(matrix), len(matrix), name)
    return matrix


def opened_array(Z: Any, name: str = "Z") -> npt.NDArray[Any] | StoredArray | DeviceArray:
    """Z as an array, wherever it lies, of which nothing has been read that is not in memory.

    This is the door for rows: whatever comes in is one of three kinds of array from here on.
    """
    if type(Z) is np.ndarray:
        return Z
    Z = unpacked(Z, name)
    array = stored_array(Z, name)
    if array is not None:
        return array
    return device_array(Z, name) or as_numpy(Z, name, numbers=True)


def chosen_rows(
    Z: npt.NDArray[Any] | StoredArray | DeviceArray, rows: npt.NDArray[np.int64]
) -> Any:
    """Some rows of what `opened_array` gives, of which no others are kept in memory."""
    return Z[rows] if isinstance(Z, np.ndarray) else Z.chosen(rows)


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
    raw = as_numpy(A, name, numbers=True)
    if raw.dtype.kind == "c":
        raise TypeError(f"{name} is complex ({raw.dtype}); only real symmetric matrices are solved")
    array = raw.astype(float_dtype(raw.dtype, name), copy=False)
    check_square(array.shape, name)
    if any(stride % array.itemsize for stride in array.strides) or not array.flags.aligned:
        array = np.ascontiguousarray(array)  # a field of a packed structured array
    return array


def as_numpy(value: Any, name: str, numbers: bool = False) -> npt.NDArray[Any]:
    """`value` as a NumPy array of whatever dtype, sharing its memory where possible.

    What lies on a GPU is copied, and what lies in a file is read, which is for labels, spectra and
    the like. Nothing is lost: what NumPy would make text of stays an array of objects.

    Parameters
    ----------
    value, name
    numbers : bool
        Of a table, every column has to hold numbers.

    Raises
    ------
    ValueError
        Missing or masked entries, with their number; rows of different lengths.
    """
    if type(value) is np.ndarray:
        return value
    value = unpacked(value, name)
    if isinstance(value, np.ndarray):
        return _plain(value, name)
    stored = stored_array(value, name)
    if stored is not None:
        return stored.whole(name)
    array = device_array(value, name)
    if array is not None:
        return array.numpy()
    if libraries.is_torch(value):
        return _from_torch(value, name)
    table = table_array(value, name, numbers)
    if table is not None:
        return table
    if hasattr(value, "__dlpack_device__") and not hasattr(value, "__array__"):
        return np.from_dlpack(value)
    return _from_sequence(value, name, numbers)


def refuse_device_array(value: Any, name: str) -> None:
    """Refuse what lies on a GPU, where everything else is on the host."""
    if not libraries.is_zarr(value) and device_array(value, name) is not None:
        raise _on_a_gpu(name)


def _on_a_gpu(name: str) -> ValueError:
    return ValueError(
        f"{name} lies on a GPU, and this is computed on the CPU: "
        f"pass {name}.cpu() (torch) or {name}.get() (CuPy)"
    )


def _plain(array: npt.NDArray[Any], name: str) -> npt.NDArray[Any]:
    """An array of a class of its own without it: masked arrays, matrices with other rules."""
    if isinstance(array, np.memmap):
        return array
    if isinstance(array, np.ma.MaskedArray):
        _refuse_masked(array, name)
        array = array.data
    return np.asarray(array)


def _refuse_masked(array: np.ma.MaskedArray[Any, Any], name: str) -> None:
    mask = np.ascontiguousarray(np.ma.getmaskarray(array)).view(np.bool_)  # of each field
    if mask.any():
        rows = np.any(mask.reshape(len(array) if array.ndim else 1, -1), axis=1)
        details = f" ({np.count_nonzero(mask)} masked entries, which {name}.filled(value) fills)"
        check_present(np.atleast_1d(rows), name, details)


def _from_sequence(value: Any, name: str, numbers: bool) -> npt.NDArray[Any]:
    """Lists and the like; text, and labels, are what they were."""
    if isinstance(value, (str, bytes, os.PathLike)):
        raise TypeError(
            f"{name} is {value!r}: if that is the name of a file, pass what the file holds, by "
            "numpy.load(path) or eigentropy.io.read_matrix(path)"
        )
    if isinstance(value, (list, tuple)) and any(map(np.ma.isMaskedArray, value)):
        check_present(np.array([is_missing(entry) for entry in value]), name, " (masked)")
    try:
        array = np.asarray(value)
    except ValueError as error:  # rows of different lengths
        raise ValueError(f"{name} is not a rectangular array: {error}") from error
    except (RuntimeError, TypeError) as error:  # tensors with a gradient, or on a GPU
        raise TypeError(
            f"{name} cannot be read as one array: {error}; of a list of tensors pass "
            f"torch.stack({name})"
        ) from error
    if numbers and isinstance(value, tuple) and array.ndim > 2:
        warn(
            f"{name} is a tuple of {len(value)} arrays of shape {array.shape[1:]}, which is taken "
            f"for {len(value)} rows: pass one of them, such as {name}[-1], if it is the output of "
            "several layers",
            ShapeWarning,
        )
    is_text = array.dtype.kind in "US"  # NaN, None and numbers among strings became strings
    if is_text or not (numbers or _is_exact(array)):
        objects = np.array(value, dtype=object)
        lost = is_text or all(isinstance(entry, int) for entry in objects.flat)
        return objects if lost and not np.array_equal(objects, array) else array
    return array


def _is_exact(array: npt.NDArray[Any]) -> bool:
    """Whether no integer of 64 bits can have become one of these floats by rounding."""
    return array.dtype.kind != "f" or bool((np.abs(array) < 2.0**53).all())


def _from_torch(tensor: Any, name: str) -> npt.NDArray[Any]:
    torch = sys.modules["torch"]
    of_numpy = (torch.float16, torch.float32, torch.float64)
    if tensor.device.type != "cpu":
        raise NotImplementedError(
            f"{name} lies on {tensor.device}, where eigentropy does not compute: pass {name}.cpu()"
        )
    tensor = dense_tensor(tensor, name).detach().resolve_conj().resolve_neg()
    if tensor.dtype is torch.complex32:  # NumPy has none of these types
        tensor = tensor.to(torch.complex64)
    elif tensor.is_floating_point() and tensor.dtype not in of_numpy:
        tensor = tensor.float()
    array: npt.NDArray[Any] = tensor.numpy()
    return array


def _can_be_shared(array: Any, dtype: np.dtype[Any]) -> bool:
    """Whether the rows can be read where they are."""
    if array.dtype != dtype:
        return False
    if any(stride % dtype.itemsize for stride in array.strides) or not array.flags.aligned:
        return False  # a field of a packed structured array
    if array.flags.c_contiguous:
        return True
    row = array[:1]
    return np.may_share_memory(row, row.reshape(1, -1))  # else (n, ...) is flattened by a copy
