"""Files of features, one model each: which files they are, and under which names."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np

from eigentropy._backends.host_arrays import Matrix
from eigentropy._support.warnings import warn
from eigentropy.io.files import Names, read_matrix
from eigentropy.io.paths import (
    SUFFIXES,
    FileError,
    is_data,
    listed,
    named_errors,
    require_file,
    shown,
    split_key,
)
from eigentropy.io.snapshot_files import natural_key

StrPath = str | os.PathLike[str]


def find_features(
    paths: StrPath | Iterable[StrPath], besides: Sequence[StrPath] = ()
) -> dict[str, Path]:
    """Find files of features, each of which is a model.

    Nothing is read: `read_features` reads one file, so that one model is in memory at a time.

    Parameters
    ----------
    paths : path, or iterable of paths
        Files, as ``FILE:KEY`` too, and directories of files. In a directory every file counts of a
        kind that `eigentropy.io.read_matrix` reads. What else is directly in it, hidden or not, is
        left out with a warning.
    besides : sequence of paths
        Files in a directory that are no features, such as labels. They are left out, too.

    Returns
    -------
    dict of str to Path
        From the name of each model, in natural order (vit2 before vit10), to its file. The name is
        that of the file without its suffix, and without its directory; of ``FILE:KEY`` it is
        ``name:KEY``.

    Raises
    ------
    FileError
        There is no such file, two models have one name, or there is no model at all.
    """
    given = [paths] if isinstance(paths, (str, os.PathLike)) else list(paths)
    found: dict[str, Path] = {}
    for path in dict.fromkeys(file for one in given for file in _files(Path(one), besides)):
        name = _name(path)
        if name in found:
            raise FileError(
                f"two models are called {name!r}: {shown(found[name])} and {shown(path)}; rename a "
                "file, or leave it out"
            )
        found[name] = path
    if not found:
        raise FileError("there is no model to rank: the list of files is empty")
    return {name: found[name] for name in sorted(found, key=natural_key)}


def read_features(
    path: StrPath,
    key: str | None = None,
    *,
    columns: Names | None = None,
    without: Names = (),
) -> Matrix:
    """Read the features (n, d) of one model, as `eigentropy.io.read_matrix` reads a matrix.

    Raises
    ------
    FileError
        Whatever is wrong with the file or its contents, such as a value that is not finite.
    MemoryError
        It would take more memory than is free.
    """
    return read_matrix(path, key, columns=columns, without=without)


def rows_by_header(path: StrPath, key: str | None = None) -> int | None:
    """How many rows a .npy or .safetensors file has, by its header; None where that is not known.

    What is wrong with the file is said where it is read.
    """
    path, key = split_key(path, key)
    shape: Sequence[int] = ()
    with suppress(OSError, ValueError, KeyError, TypeError, EOFError):
        if path.suffix.lower() == ".npy" and key is None:
            shape = np.load(path, mmap_mode="r", allow_pickle=False).shape
        elif path.suffix.lower() == ".safetensors":
            shape = _shape_of_tensor(path, key)
    return int(shape[0]) if len(shape) > 1 else None


def _shape_of_tensor(path: Path, key: str | None) -> Sequence[int]:
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        header = json.loads(file.read(min(length, path.stat().st_size)))
    header.pop("__metadata__", None)
    only = next(iter(header)) if len(header) == 1 else "features"
    shape: Sequence[int] = header[only if key is None else key]["shape"]
    return shape


def _files(path: Path, besides: Sequence[StrPath]) -> list[Path]:
    """The file itself, or the files of a directory."""
    if path.is_dir() and not is_data(path):
        return _files_in(path, {split_key(one, None)[0].absolute() for one in besides})
    require_file(path)  # now, rather than after hours of computing
    return [path]


def _files_in(directory: Path, besides: set[Path]) -> list[Path]:
    with named_errors(directory):
        inside = sorted(directory.iterdir())
        found = [path for path in inside if _is_of_features(path, besides)]
    left_out = listed([shown(Path(path.name)) for path in inside if path not in found])
    if not found:
        others = f"; what it has is left out: {left_out}" if left_out else "; it is empty"
        raise FileError(
            f"{shown(directory)} has no features directly in it: files that end in "
            f"{', '.join(SUFFIXES)} are wanted{others}"
        )
    if left_out:
        warn(f"{shown(directory)}: left out, since they are no features: {left_out}")
    return found


def _is_of_features(path: Path, besides: set[Path]) -> bool:
    is_known = path.suffix.lower() in SUFFIXES and not path.name.startswith(".")
    return is_known and is_data(path) and path.absolute() not in besides


def _name(path: Path) -> str:
    file, key = split_key(path, None)
    return shown(Path(file.stem), key)
