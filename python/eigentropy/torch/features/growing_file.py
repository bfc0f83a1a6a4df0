"""A .safetensors file that is written row by row, and is there when it is complete."""

from __future__ import annotations

import fcntl
import json
import math
import os
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from eigentropy.io.paths import FileError, shown

Shapes = Mapping[str, tuple[str, tuple[int, ...]]]

DTYPES = {"F32": "<f4", "F64": "<f8", "I64": "<i8"}

# Bytes that the header keeps for what is known at the end. Space after a header is allowed.
SPARE = 1024


class GrowingFile:
    """Arrays of known shapes, filled in any order under a name that says so.

    The bytes of ``NAME.safetensors`` gather in ``.NAME.safetensors.partial`` beside it. One process
    has it at a time. What a killed process leaves is overwritten by the next one.

    Parameters
    ----------
    path : Path
    shapes : mapping of str to (str, tuple of int)
        Type ("F32", "F64", "I64") and shape of each array; those with 8 bytes a number come first.
    metadata : mapping of str to str

    Raises
    ------
    FileError
        The file cannot be made, or another process is writing it.
    """

    def __init__(self, path: Path, shapes: Shapes, metadata: Mapping[str, str]) -> None:
        self._path = path
        self._target = Path(os.path.realpath(path))  # a link stays a link
        self._partial = self._target.with_name(f".{self._target.name}.partial")
        self._entries = _entries(shapes)
        self._length = (len(self._header(metadata)) + SPARE + 7) // 8 * 8
        sizes = [entry["data_offsets"][1] for entry in self._entries.values()]
        try:
            self._target.parent.mkdir(parents=True, exist_ok=True)
            self._file = self._locked()
            try:
                self._file.truncate(0)
                # All of it now: a disk that is full later would end the process.
                os.posix_fallocate(self._file.fileno(), 0, 8 + self._length + max(sizes))
                self._write_header(metadata)
            except BaseException:
                self._partial.unlink(missing_ok=True)
                self._file.close()
                raise
        except OSError as error:
            raise FileError(
                f"{shown(path)} cannot be written: {error.strerror or error}"
            ) from error
        self._arrays = {key: self._mapped(entry) for key, entry in self._entries.items()}

    def _locked(self) -> IO[bytes]:
        """The partial file, which is this process's until it is closed."""
        while True:
            file = os.fdopen(os.open(self._partial, os.O_RDWR | os.O_CREAT, 0o666), "r+b")
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                # Between both calls another process may have completed the file.
                if self._partial.stat().st_ino == os.fstat(file.fileno()).st_ino:
                    return file
            except BlockingIOError:
                file.close()
                raise FileError(
                    f"{shown(self._path)} is being written by another process; wait for it, or "
                    "choose another output"
                ) from None
            except FileNotFoundError:
                pass
            file.close()

    def __enter__(self) -> GrowingFile:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, _: BaseException | None, __: TracebackType | None
    ) -> None:
        """Remove what is not complete."""
        if not self._file.closed:
            self._partial.unlink(missing_ok=True)
            self._file.close()

    def write(self, key: str, numbers: npt.NDArray[Any], rows: npt.NDArray[Any]) -> None:
        """Put rows at their places."""
        array = self._arrays[key]
        if rows.shape != (len(numbers), *array.shape[1:]):
            raise ValueError(
                f"{key}: rows of shape {rows.shape} do not fit {len(numbers)} places of "
                f"{array.shape}; the model must return as many numbers for every sample"
            )
        array[numbers] = rows

    def complete(self, metadata: Mapping[str, str]) -> None:
        """Write the metadata anew, and give the file its name."""
        for array in self._arrays.values():
            if isinstance(array, np.memmap):
                array.flush()
        self._write_header(metadata)
        os.fsync(self._file.fileno())
        self._partial.replace(self._target)
        self._file.close()

    def _mapped(self, entry: dict[str, Any]) -> npt.NDArray[Any]:
        dtype, shape = DTYPES[entry["dtype"]], tuple(entry["shape"])
        start = 8 + self._length + entry["data_offsets"][0]
        return np.memmap(self._partial, dtype, mode="r+", offset=start, shape=shape)

    def _header(self, metadata: Mapping[str, str]) -> bytes:
        return json.dumps({"__metadata__": dict(metadata), **self._entries}).encode()

    def _write_header(self, metadata: Mapping[str, str]) -> None:
        header = self._header(metadata).ljust(self._length)
        assert len(header) == self._length, "more metadata at the end than SPARE has room for"
        self._file.seek(0)
        self._file.write(self._length.to_bytes(8, "little") + header)
        self._file.flush()


def _entries(shapes: Shapes) -> dict[str, dict[str, Any]]:
    """What the header says of each array; they lie one behind the other."""
    entries, end = {}, 0
    for key, (dtype, shape) in shapes.items():
        start, end = end, end + math.prod(shape) * np.dtype(DTYPES[dtype]).itemsize
        entries[key] = {"dtype": dtype, "shape": list(shape), "data_offsets": [start, end]}
    return entries
