"""Matrices and labels from files. Nothing is ever written, and nothing in a file is ever run."""

from __future__ import annotations

import itertools
import json
import math
import os
import pickle
import stat
import warnings
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from eigentropy._backends.host_arrays import Matrix, as_matrix, as_numpy, is_zarr
from eigentropy._support.mapped_files import fits_in_memory, mapped_copy

Array = npt.NDArray[Any]

ARCHIVES = (".npy", ".npz", ".pt", ".pth", ".safetensors")
TABLES = (".csv", ".tsv", ".parquet")
DIRECTORIES = (".zarr",)
SUFFIXES = ARCHIVES + TABLES + DIRECTORIES


class FileError(ValueError):
    """A file cannot be used; the message names it and says what is wrong and what to do."""


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


def is_file_name(text: str) -> bool:
    """Say whether `text` names a file, by its suffix, rather than a column of one."""
    return split_key(text, None)[0].suffix.lower() in SUFFIXES


def require_file(path: str | os.PathLike[str]) -> None:
    """Raise FileError unless this is a file of a known kind with something in it."""
    path, _ = split_key(path, None)
    with named_errors(path):
        status = path.stat()
    is_directory = stat.S_ISDIR(status.st_mode)
    if is_directory and path.suffix.lower() not in DIRECTORIES:
        raise FileError(f"{shown(path)} is a directory; a file is wanted")
    if path.suffix.lower() in DIRECTORIES and not is_directory:
        raise FileError(f"{shown(path)} is a file; a directory is wanted")
    if path.suffix.lower() not in SUFFIXES:
        kind = repr(path.suffix) if path.suffix else "without a suffix"
        raise FileError(
            f"{shown(path)}: unknown kind of file {kind}; known are {', '.join(SUFFIXES)}"
        )
    if status.st_size == 0 and not is_directory:
        raise FileError(f"{shown(path)} is empty (0 bytes)")


def is_data(path: Path) -> bool:
    """Say whether this is a file, or a directory that holds arrays as a file does."""
    return path.is_dir() if path.suffix.lower() in DIRECTORIES else path.is_file()


def split_key(path: str | os.PathLike[str], key: str | None) -> tuple[Path, str | None]:
    """Return path and key of ``FILE:KEY``, unless a file of just that name is there."""
    text = os.fspath(path)
    name, colon, inline = text.rpartition(":")
    if not colon or Path(name).suffix.lower() not in SUFFIXES or Path(text).exists():
        return Path(text), key
    if key is not None and key != inline:
        raise FileError(f"{shown(Path(text))} names the key {inline!r}, but key is {key!r}")
    return Path(name), inline


def shown(path: Path, key: str | None = None) -> str:
    """Return a path as it can be printed, whatever bytes its name has."""
    text = os.fsencode(path).decode("utf-8", "backslashreplace")
    return text if key is None else f"{text}:{key}"


def listed(names: list[str], most: int = 20) -> str:
    """List names for a message: all of them, or the first and how many there are."""
    quoted = ", ".join(repr(name) for name in names[:most])
    return quoted if len(names) <= most else f"{quoted} and {len(names) - most} more"


class _Contents:
    """What a file holds, opened by its suffix."""

    def __init__(self, path: Path) -> None:
        self._path = path
        require_file(path)
        suffix = path.suffix.lower()
        with named_errors(path):
            if suffix in TABLES:
                from eigentropy.io.tables import Table

                self._table: Table | None = Table(path)
            else:
                self._table = None
                self._members = _OPENERS[suffix](path)

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


@contextmanager
def named_errors(path: Path) -> Iterator[None]:
    """Turn every failure to read into a FileError that names the file."""
    try:
        yield
    except FileError:
        raise
    except FileNotFoundError:
        raise FileError(f"{shown(path)} does not exist") from None
    except PermissionError:
        raise FileError(f"{shown(path)} may not be read: permission denied") from None
    except pickle.UnpicklingError as error:  # torch, with a page of advice
        raise FileError(_refused(path, "is damaged, or holds")) from error
    except MemoryError as error:
        raise MemoryError(f"{shown(path)}: {str(error) or 'out of memory'}") from error
    except Exception as error:  # the parsers of damaged files raise anything, AssertionError too
        if any(phrase in str(error) for phrase in _NUMPY_REFUSES):
            raise FileError(_refused(path, "holds")) from error
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        raise FileError(
            f"{shown(path)} cannot be read as {path.suffix.lower()} (damaged, truncated, or of "
            f"another kind): {reason[:300]}"
        ) from error


# What NumPy says of arrays of Python objects, which are pickles.
_NUMPY_REFUSES = ("Object arrays cannot be loaded", "Python objects in dtype", "pickled data")


def _refused(path: Path, holds: str) -> str:
    return (
        f"{shown(path)} {holds} pickled Python objects, which are refused because loading them can "
        "run code; save the numbers themselves as an array or a tensor"
    )


# Readers: the names of the arrays in a file, each with the function that loads it.

_Members = Mapping[str, Callable[[], Array]]


def _open_npy(path: Path) -> _Members:
    array = np.lib.format.open_memmap(path, mode="r")
    return {"": lambda: array}


def _open_npz(path: Path) -> _Members:
    with path.open("rb") as file:
        if not zipfile.is_zipfile(file):
            raise ValueError("it is not a zip archive")
    with np.load(path, allow_pickle=False) as archive:
        return {name: partial(_npz_array, path, name) for name in archive.files}


def _npz_array(path: Path, name: str) -> Array:
    with np.load(path, allow_pickle=False) as archive:
        member = archive[name]
    if not isinstance(member, np.ndarray):  # a zip file with something else in it
        raise FileError(f"{shown(path)}: {name!r} is not an array")
    return member


def _open_torch(path: Path) -> _Members:
    try:
        import torch
    except ImportError as error:
        raise FileError(
            f"{shown(path)}: reading {path.suffix} needs torch; pip install torch, or save the "
            "matrix as .npy or .safetensors"
        ) from error
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of pickle protocols, asking to report it to torch
        loaded = torch.load(path, map_location="cpu", weights_only=True)
    members = dict(_tensors(loaded, ""))
    if not members:
        raise FileError(
            f"{shown(path)} has no tensor: it is a {type(loaded).__name__}, and a tensor or a "
            "dict of tensors is wanted"
        )
    return {name: partial(as_numpy, tensor, shown(path)) for name, tensor in members.items()}


def _tensors(value: Any, name: str) -> Iterator[tuple[str, Any]]:
    """Find the tensors in nested dicts, keys joined by dots; other entries are passed over."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _tensors(inner, f"{name}.{key}" if name else str(key))
    elif hasattr(value, "detach"):
        yield name, value


# https://github.com/huggingface/safetensors#format; bfloat16, which NumPy lacks, is the upper
# half of a float32.
_SAFETENSORS = {
    "F64": "<f8",
    "F32": "<f4",
    "F16": "<f2",
    "BF16": "<u2",
    "I64": "<i8",
    "I32": "<i4",
    "I16": "<i2",
    "I8": "i1",
    "U64": "<u8",
    "U32": "<u4",
    "U16": "<u2",
    "U8": "u1",
    "BOOL": "?",
}


def _open_safetensors(path: Path) -> _Members:
    """Length of the header (8 bytes), the header (JSON), then the tensors' bytes."""
    size = path.stat().st_size
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if size < 8 or length > size - 8:
            raise ValueError(f"its header should have {length} bytes, the file has {size}")
        header = json.loads(file.read(length))
    start = 8 + length
    tensors = {name: entry for name, entry in header.items() if name != "__metadata__"}
    if any(start + entry["data_offsets"][1] > size for entry in tensors.values()):
        raise ValueError(f"its header promises more bytes than the {size} of the file")
    return {name: partial(_safetensor, path, name, entry, start) for name, entry in tensors.items()}


def _safetensor(path: Path, name: str, entry: dict[str, Any], start: int) -> Array:
    kind, shape = entry["dtype"], tuple(entry["shape"])
    if kind not in _SAFETENSORS:
        raise FileError(
            f"{shown(path, name)} has dtype {kind}, which cannot be read; convert it to F32"
        )
    dtype = np.dtype(_SAFETENSORS[kind])
    begin, end = entry["data_offsets"]
    if begin < 0 or min(shape, default=0) < 0 or end - begin != math.prod(shape) * dtype.itemsize:
        raise ValueError(f"{name!r} has {end - begin} bytes for shape {shape} of {kind}")
    if begin == end:
        return np.empty(shape, dtype)
    array = np.memmap(path, dtype, mode="r", offset=start + begin, shape=shape)
    if kind != "BF16":
        return array
    widened = _Widened(array)
    if fits_in_memory(2 * array.nbytes):
        return widened[...]
    return mapped_copy(widened, np.float32, (1,) * array.ndim, shown(path, name))


class _Widened:
    """bfloat16, as 16 bits each, that become float32 where they are looked at."""

    def __init__(self, bits: Array) -> None:
        self._bits = bits
        self.shape = bits.shape

    def __getitem__(self, region: Any) -> Array:
        wide: Array = self._bits[region].astype("<u4") << 16
        return wide.view("<f4")


_ZARR_METADATA = ("zarr.json", ".zarray", ".zgroup")


def _open_zarr(path: Path) -> _Members:
    try:
        import zarr
    except ImportError as error:
        raise FileError(
            f"{shown(path)}: reading .zarr needs zarr; pip install 'eigentropy[zarr]'"
        ) from error
    if not any((path / name).is_file() for name in _ZARR_METADATA):
        raise FileError(f"{shown(path)} holds neither a Zarr array nor a group")
    arrays = list(_zarr_arrays(zarr.open(os.fspath(path), mode="r"), ""))
    return {name: partial(_zarr_array, path, array) for name, array in arrays}


def _zarr_arrays(node: Any, name: str) -> Iterator[tuple[str, Any]]:
    """Find the arrays in nested groups, names joined by slashes."""
    if is_zarr(node):
        yield name, node
        return
    members = itertools.chain(node.arrays(), node.groups())
    for inner, member in sorted(members, key=lambda member: str(member[0])):
        yield from _zarr_arrays(member, f"{name}/{inner}" if name else inner)


def _zarr_array(path: Path, array: Any) -> Any:
    """Return it unread, since it may be larger than memory."""
    compressors = array.compressors if hasattr(array, "compressors") else (array.compressor,)
    codecs = (*(array.filters or ()), *(compressors or ()))
    if any(getattr(codec, "codec_id", None) == "pickle" for codec in codecs):
        raise FileError(_refused(path, "holds"))
    return array


_OPENERS: dict[str, Callable[[Path], _Members]] = {
    ".npy": _open_npy,
    ".npz": _open_npz,
    ".pt": _open_torch,
    ".pth": _open_torch,
    ".safetensors": _open_safetensors,
    ".zarr": _open_zarr,
}


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
