"""Names of files: their suffixes, FILE:KEY, and the error that names the file."""

from __future__ import annotations

import os
import pickle
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from eigentropy._support.printable import printable

ARCHIVES = (".npy", ".npz", ".pt", ".pth", ".safetensors")

TABLES = (".csv", ".tsv", ".parquet")

DIRECTORIES = (".zarr",)

SUFFIXES = ARCHIVES + TABLES + DIRECTORIES


class FileError(ValueError):
    """A file cannot be used; the message names it and says what is wrong and what to do."""


class OutputExistsError(FileError, FileExistsError):
    """An output is there already, and nobody has said that it may be replaced."""


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
    text = printable(os.fspath(path))
    return text if key is None else f"{text}:{printable(key)}"


def listed(names: list[str], most: int = 20) -> str:
    """List names for a message: all of them, or the first and how many there are."""
    quoted = ", ".join(repr(name) for name in names[:most])
    return quoted if len(names) <= most else f"{quoted} and {len(names) - most} more"


@contextmanager
def named_errors(path: Path) -> Iterator[None]:
    """Turn every failure to read into a FileError that names the file."""
    try:
        yield
    except (FileError, Warning):
        raise
    except FileNotFoundError:
        raise FileError(f"{shown(path)} does not exist") from None
    except PermissionError:
        raise FileError(f"{shown(path)} may not be read: permission denied") from None
    except pickle.UnpicklingError as error:  # torch, with a page of advice
        raise FileError(refused(path, "is damaged, or holds")) from error
    except MemoryError as error:
        raise MemoryError(f"{shown(path)}: {str(error) or 'out of memory'}") from error
    except Exception as error:  # the parsers of damaged files raise anything, AssertionError too
        if any(phrase in str(error) for phrase in _NUMPY_REFUSES):
            raise FileError(refused(path, "holds")) from error
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        raise FileError(
            f"{shown(path)} cannot be read as {path.suffix.lower()} (damaged, truncated, or of "
            f"another kind): {reason[:300]}"
        ) from error


# What NumPy says of arrays of Python objects, which are pickles.
_NUMPY_REFUSES = ("Object arrays cannot be loaded", "Python objects in dtype", "pickled data")


def missing_package(path: Path, what: str, package: str, install: str, instead: str) -> FileError:
    """Say that reading such files needs a package, how to install it and what does without."""
    return FileError(
        f"{shown(path)}: reading {what} needs {package}; pip install {install}, or save the matrix "
        f"as {instead}"
    )


def refused(path: Path, holds: str) -> str:
    """Say that a file holds pickles, which are never loaded."""
    return (
        f"{shown(path)} {holds} pickled Python objects, which are refused because loading them can "
        "run code; save the numbers themselves as an array or a tensor"
    )
