"""Matrices and labels from files. Nothing is ever written, and nothing in a file is ever run."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from eigentropy._backends.host_arrays import Matrix, as_matrix, as_numpy
from eigentropy.io.archives import OPENERS
from eigentropy.io.paths import (
    SUFFIXES,
    TABLES,
    FileError,
    listed,
    named_errors,
    require_file,
    shown,
    split_key,
)
from eigentropy.io.tables import Table

Array = npt.NDArray[Any]


def read_matrix(path: str | os.PathLike[str], key: str | None = None) -> Matrix:
    """Read a matrix (n, d), one row a sample, from a file.

    ================= =========================================================================
    suffix            what is read
    ================= =========================================================================
    ``.npy``          the array, mapped into memory instead of copied
    ``.npz``          the array `key`; without `key` the only one
    ``.pt``, ``.pth`` the tensor, or the one at `key` of a dict (``outer.inner`` in nested ones);
                      needs torch, which loads with ``weights_only=True``
    ``.safetensors``  the tensor `key`; without `key` the only one. bfloat16 becomes float32
    ``.csv``,         all columns, or the one called `key`; a first line that is not numbers is
    ``.tsv``          the header. Needs pyarrow
    ``.parquet``      the same; a column of lists of one length counts as that many columns
    ``.zarr``         a directory: the array, or the one at `key` of a group (``outer/inner``).
                      Needs zarr. What does not fit into memory is copied to a temporary file
    ================= =========================================================================

    Parameters
    ----------
    path : str or path
        ``FILE:KEY`` is short for `key`.
    key : str, optional

    Returns
    -------
    array of shape (n, d)
        float32 or float64; (n, ...) is flattened.

    Raises
    ------
    FileError
        Whatever is wrong with the file or its contents.
    """
    return read_sample(path, key)[0]


def read_labels(path: str | os.PathLike[str], key: str | None = None) -> Array:
    """Read one label a row, shape (n,), from a file of any kind that `read_matrix` reads.

    Floats that are all whole numbers, as many programs write class numbers, become integers.

    Raises
    ------
    FileError
        Whatever is wrong with the file or its contents; missing labels.
    """
    path, key = split_key(path, key)
    return _checked_labels(_Contents(path).labels(key), shown(path, key))


def read_sample(
    path: str | os.PathLike[str], key: str | None = None, column: str | None = None
) -> tuple[Matrix, Array | None]:
    """Read a matrix, and the labels that lie in the same file.

    Parameters
    ----------
    path, key
        As in `read_matrix`.
    column : str, optional
        Column of a table, or key of another kind of file, that holds the labels and is then not
        part of the matrix.

    Returns
    -------
    matrix : array of shape (n, d)
    labels : array of shape (n,), or None without `column`

    Raises
    ------
    FileError
        Whatever is wrong with the file or its contents.
    """
    path, key = split_key(path, key)
    contents = _Contents(path)
    labels = None
    if column is not None:
        labels = _checked_labels(contents.own_labels(column), shown(path, column))
    matrix = _checked_matrix(contents.matrix(key, without=column), path, key)
    if labels is not None and len(labels) != len(matrix):
        raise FileError(
            f"{shown(path, column)} has {len(labels)} entries, "
            f"{shown(path, key)} has {len(matrix)} rows"
        )
    return matrix, labels


def read_variable(path: str | os.PathLike[str], key: str | None = None) -> Matrix:
    """Read as `read_matrix` does, but a 1-d array of n numbers is a matrix (n, 1)."""
    path, key = split_key(path, key)
    array = _Contents(path).matrix(key)
    if array.ndim == 1:
        array = as_numpy(array, shown(path, key))[:, None]
    return _checked_matrix(array, path, key)


class _Contents:
    """What a file holds, opened by its suffix."""

    def __init__(self, path: Path) -> None:
        self._path = path
        require_file(path)
        suffix = path.suffix.lower()
        with named_errors(path):
            if suffix in TABLES:
                self._table: Table | None = Table(path)
            else:
                self._table = None
                self._members = OPENERS[suffix](path)

    def matrix(self, key: str | None, without: str | None = None) -> Array:
        with named_errors(self._path):
            if self._table is not None:
                return self._table.matrix(key, without)
            return self._member(key, without)

    def labels(self, key: str | None) -> Array:
        with named_errors(self._path):
            if self._table is not None:
                return self._table.labels(key)
            return as_numpy(self._member(key, None), shown(self._path, key))

    def own_labels(self, column: str) -> Array:
        try:
            return self.labels(column)
        except FileError as error:
            if not Path(column).suffix and os.sep not in column:
                raise
            hint = f"to name a file of labels, end it in one of {', '.join(SUFFIXES)}"
            raise FileError(f"{error}; {hint}") from error

    def _member(self, key: str | None, without: str | None) -> Array:
        file, members = shown(self._path), self._members
        names = [name for name in members if name != without]
        if list(members) == [""] and key is not None:
            raise FileError(f"{file} holds a single array without a key, so there is no {key!r}")
        if key is not None and key not in members:
            raise FileError(f"{file} has no array {key!r}; it has {listed(names) or 'none'}")
        if key is None and len(names) != 1:
            what = f"{len(names)} arrays ({listed(names)}); choose one" if names else "no array"
            where = f" with --key or as {self._path.name}:KEY" if names else " to read"
            raise FileError(f"{file} has {what}{where}")
        return members[names[0] if key is None else key]()


def _checked_matrix(array: Array, path: Path, key: str | None) -> Matrix:
    file = shown(path, key)
    if array.dtype.kind not in "biuf" and array.dtype.name != "bfloat16":
        raise FileError(f"{file} must hold real numbers, its dtype is {array.dtype}")
    if array.ndim < 2:
        what = "a scalar" if array.ndim == 0 else f"a 1-d array of length {array.size}"
        raise FileError(f"{file} holds {what}; a matrix (n, d) is wanted, one row a sample")
    with named_errors(path):  # of what is only read now
        try:
            return as_matrix(array, file)
        except (ValueError, TypeError) as error:
            if not str(error).startswith(file):
                raise
            raise FileError(str(error)) from error


def _checked_labels(array: Array, file: str) -> Array:
    if array.dtype.kind == "V" or array.dtype.names:
        raise FileError(f"{file} must hold labels, its dtype is {array.dtype}")
    if array.ndim == 0 or array.size != len(array):
        raise FileError(
            f"{file} has shape {array.shape}; labels are one value a row, shape (n,) "
            "(vectors are what --against takes)"
        )
    labels = array.reshape(-1)
    if labels.size == 0:
        raise FileError(f"{file} has no labels")
    if labels.dtype.kind != "f":
        return labels
    bad = ~np.isfinite(labels)
    if bad.any():
        raise FileError(
            f"{file} has no label (NaN or infinity) in {bad.sum()} of {bad.size} rows; "
            f"the first is row {bad.argmax()}"
        )
    # Above 2^53 a float64 no longer tells neighbouring whole numbers apart.
    whole = bool((labels == np.rint(labels)).all() and np.abs(labels).max() <= 2**53)
    return labels.astype(np.int64) if whole else labels
