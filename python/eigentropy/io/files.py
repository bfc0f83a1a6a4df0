"""Matrices and labels from files. Nothing is ever written, and nothing in a file is ever run."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from eigentropy._backends.host_arrays import Matrix, as_matrix, as_numpy
from eigentropy._backends.libraries import is_zarr
from eigentropy._support import memory
from eigentropy._support.warnings import warn
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
Names = str | Sequence[str]


def read_matrix(
    path: str | os.PathLike[str],
    key: str | None = None,
    *,
    columns: Names | None = None,
    without: Names = (),
) -> Matrix:
    """Read a matrix (n, d), one row a sample, from a file.

    ================= =========================================================================
    suffix            what is read
    ================= =========================================================================
    ``.npy``          the array, mapped into memory instead of copied
    ``.npz``          the array `key`; without `key` the only one, or the one called ``features``.
                      It must fit into memory
    ``.pt``, ``.pth`` the tensor, or the one at `key` of a dict (``outer.inner`` in nested ones);
                      needs torch, which loads with ``weights_only=True``
    ``.safetensors``  the tensor `key`; without `key` the only one, or the one called
                      ``features``. bfloat16 becomes float32
    ``.csv``,         all columns, or the one called `key`; a first line that is not numbers is
    ``.tsv``          the header. Columns may be separated by commas, semicolons (then with decimal
                      commas, too), tabs, bars or white space. Needs pyarrow
    ``.parquet``      the same; a column of lists of one length counts as that many columns
    ``.zarr``         a directory: the array, or the one at `key` of a group (``outer/inner``).
                      Needs zarr. What does not fit into memory is copied to a temporary file
    ================= =========================================================================

    Parameters
    ----------
    path : str or path
        ``FILE:KEY`` is short for `key`.
    key : str, optional
    columns, without : str or sequence of str, optional
        Columns of a table that are features, or that are none: names, in which ``*`` stands for any
        characters, one by one or as a text with commas between them. Without `columns`, what only
        numbers the rows is left out with a warning: a first column without a name, or a column
        called index, id or the like, that has another whole number or word in every row.

    Returns
    -------
    array of shape (n, d)
        float32 or float64; (n, ...) is flattened.

    Raises
    ------
    FileError
        Whatever is wrong with the file or its contents.
    MemoryError
        It would take more memory than is free.
    """
    return read_sample(path, key, columns=columns, without=without)[0]


def read_labels(path: str | os.PathLike[str], key: str | None = None) -> Array:
    """Read one label a row, shape (n,), from a file of any kind that `read_matrix` reads.

    Of several arrays in a file without `key`, it is the one called ``labels``.

    Floats stay floats, which the measures take for scalars and cut into bins; where they are
    numbers of classes, pass ``kind="labels"`` to the measure.

    Raises
    ------
    FileError
        Whatever is wrong with the file or its contents; missing labels.
    """
    path, key = split_key(path, key)
    return _checked_labels(_Contents(path).labels(key), shown(path, key))


def read_sample(
    path: str | os.PathLike[str],
    key: str | None = None,
    column: str | None = None,
    *,
    columns: Names | None = None,
    without: Names = (),
) -> tuple[Matrix, Array | None]:
    """Read a matrix, and the labels that lie in the same file.

    Parameters
    ----------
    path, key
        As in `read_matrix`.
    column : str, optional
        Column of a table, or key of another kind of file, that holds the labels and is then not
        part of the matrix.
    columns, without
        As in `read_matrix`.

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
    features = contents.matrix(key, column, _names(columns), _names(without) or ())
    matrix = _checked_matrix(features, path, key)
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
        array = _whole(array, shown(path, key))[:, None]
    return _checked_matrix(array, path, key)


def check_header(path: str | os.PathLike[str]) -> None:
    """Refuse a .npy file without rows by its header; what else is wrong is said on reading it."""
    path, key = split_key(path, None)
    if path.suffix.lower() != ".npy":
        return
    try:
        array = _Contents(path).matrix(key)
    except FileError:
        return
    _require_rows(array, shown(path, key))


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

    def matrix(
        self,
        key: str | None,
        label: str | None = None,
        columns: Sequence[str] | None = None,
        without: Sequence[str] = (),
    ) -> Array:
        with named_errors(self._path):
            if self._table is not None:
                return self._table.matrix(key, label, columns, without)
            if columns is not None or without:
                raise FileError(
                    f"{shown(self._path)} is not a table, so it has no columns to choose; "
                    f"tables are {', '.join(TABLES)}"
                )
            return self._member(key, label, "features")

    def labels(self, key: str | None) -> Array:
        with named_errors(self._path):
            if self._table is not None:
                return self._table.labels(key)
            return _whole(self._member(key, None, "labels"), shown(self._path, key))

    def own_labels(self, column: str) -> Array:
        try:
            return self.labels(column)
        except FileError as error:
            if not Path(column).suffix and os.sep not in column:
                raise
            hint = f"to name a file of labels, end it in one of {', '.join(SUFFIXES)}"
            raise FileError(f"{error}; {hint}") from error

    def _member(self, key: str | None, without: str | None, usual: str) -> Array:
        """The array `key`; without one, the only array, or the one of the usual name."""
        file, members = shown(self._path), self._members
        names = [name for name in members if name != without]
        if key is None and len(names) > 1 and usual in names:
            key = usual
        if list(members) == [""] and key is not None:
            raise FileError(f"{file} holds a single array without a key, so there is no {key!r}")
        if key is not None and key not in members:
            raise FileError(f"{file} has no array {key!r}; it has {listed(names) or 'none'}")
        if key is None and len(names) != 1:
            what = f"{len(names)} arrays ({listed(names)}); choose one" if names else "no array"
            where = f" with --key or as {shown(Path(self._path.name))}:KEY" if names else " to read"
            raise FileError(f"{file} has {what}{where}{_weights_note(names)}")
        if key is None and _weights_note(names):
            warn(f"{file}: the only array, {names[0]!r}, is measured{_weights_note(names)}")
        return members[names[0] if key is None else key]()


def _names(given: Names | None) -> list[str] | None:
    """Names of columns one by one."""
    if isinstance(given, str):
        return [name.strip() for name in given.split(",")]
    return None if given is None else list(given)


def _whole(array: Any, name: str) -> Array:
    """The array in memory, as labels are needed."""
    if is_zarr(array):
        size = math.prod(array.shape) * array.dtype.itemsize
        memory.require(size, f"{name} of shape {tuple(array.shape)}", "save fewer of its values")
    return as_numpy(array, name)


_WEIGHTS = ("weight", "bias", "running_mean", "running_var", "in_proj_weight", "gamma", "beta")


def _weights_note(names: Sequence[str]) -> str:
    """Say what is meant, where these are the parameters of a model."""
    if not any(name.rpartition(".")[2] in _WEIGHTS for name in names):
        return ""
    return (
        ". These look like the weights of a model (a state dictionary). What is measured are "
        "activations: load the weights into the model, let eigentropy.torch.Monitor measure it, or "
        "save the outputs of a layer for some inputs, one row an input, as .npy"
    )


def _checked_matrix(array: Array, path: Path, key: str | None) -> Matrix:
    file = shown(path, key)
    if array.dtype.kind not in "biuf" and array.dtype.name != "bfloat16":
        raise FileError(f"{file} must hold real numbers, its dtype is {array.dtype}")
    _require_rows(array, file)
    with named_errors(path):  # of what is only read now
        try:
            return as_matrix(array, file)
        except (ValueError, TypeError) as error:
            if not str(error).startswith(file):
                raise
            raise FileError(str(error)) from error


def _require_rows(array: Array, file: str) -> None:
    if array.ndim < 2:
        what = "a scalar" if array.ndim == 0 else f"a 1-d array of length {array.size}"
        raise FileError(
            f"{file} holds {what}; a matrix (n, d) is wanted, one row a sample (labels are what "
            "--labels takes, in Python labels=)"
        )


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
    return labels
