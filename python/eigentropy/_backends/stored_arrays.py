"""Arrays that are not in memory as rows: Zarr, HDF5 and sparse ones, read a block at a time."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from eigentropy._backends.libraries import is_hdf5, is_sparse, is_sparse_file, is_zarr
from eigentropy._support import memory

Region = tuple[slice, ...]


class StoredArray:
    """An array whose parts become NumPy arrays when they are asked for.

    Attributes
    ----------
    shape : tuple of int
    dtype : numpy.dtype
    chunks : tuple of int
        Shape of the pieces that it is stored in.
    """

    def __init__(self, array: Any, chunks: tuple[int, ...] | None) -> None:
        self._array = array
        self.shape = tuple(int(length) for length in array.shape)
        self.dtype = np.dtype(array.dtype)
        self.chunks = chunks or (1, *self.shape[1:])

    def __getitem__(self, region: Region) -> npt.NDArray[Any]:
        """A part, given by a slice for each axis."""
        part: npt.NDArray[Any] = self._array[region]
        return part

    def chosen(self, rows: npt.NDArray[np.int64]) -> Any:
        """Some rows, by their ascending numbers: no others are kept in memory."""
        return self._array[rows]

    def whole(self, name: str) -> npt.NDArray[Any]:
        """All of it as a NumPy array."""
        memory.require(
            math.prod(self.shape) * self.dtype.itemsize,
            f"{name} of shape {self.shape}, read into memory,",
            "pass a part of it",
        )
        return self[(slice(None),) * len(self.shape)]


class _Zarr(StoredArray):
    def __init__(self, array: Any) -> None:
        super().__init__(array, array.chunks)

    def chosen(self, rows: npt.NDArray[np.int64]) -> Any:
        return self._array.oindex[rows]


class _Sparse(StoredArray):
    """Of SciPy, or in the file behind an AnnData: rows become dense when they are read."""

    def __init__(self, array: Any) -> None:
        super().__init__(array, None)

    def __getitem__(self, region: Region) -> npt.NDArray[Any]:
        rows, *others = region
        dense: npt.NDArray[Any] = self._array[rows].toarray()
        return dense[(slice(None), *others)]

    def chosen(self, rows: npt.NDArray[np.int64]) -> Any:
        return _Sparse(self._array[rows])


def stored_array(value: Any, name: str) -> StoredArray | None:
    """`value` as an array that is read by blocks; None for any other array."""
    if isinstance(value, StoredArray):
        return value
    if is_zarr(value):
        return _Zarr(value)
    if is_hdf5(value):
        if not value:
            raise ValueError(f"{name} is a data set of an HDF5 file that is closed: open it again")
        if value.shape is None:
            raise ValueError(f"{name} is an HDF5 data set without entries")
        return StoredArray(value, value.chunks)
    if is_sparse(value):
        return _Sparse(_by_rows(value, name))
    if is_sparse_file(value):
        return _Sparse(value if value.format == "csr" else _by_rows(value.to_memory(), name))
    return None


def _by_rows(matrix: Any, name: str) -> Any:
    """The same matrix in the format whose rows can be read, without a copy if it has it."""
    if matrix.ndim != 2:
        raise ValueError(
            f"{name} must have shape (n, d), one row a sample, got a sparse array of shape "
            f"{matrix.shape}"
        )
    return matrix.tocsr()
