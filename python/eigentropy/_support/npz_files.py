"""Arrays of .npz files, whose sizes are looked at before anything is inflated."""

from __future__ import annotations

import math
import zipfile
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt
from numpy.lib import format as npy

from eigentropy._support import memory


def npz_names(path: Path) -> list[str]:
    """Names of the arrays, as NumPy has them."""
    with zipfile.ZipFile(path) as archive:
        return [name.removesuffix(".npy") for name in archive.namelist()]


def npz_array(path: Path, name: str) -> npt.NDArray[Any]:
    """Read the array of this name, which must fit into memory.

    Raises
    ------
    ValueError
        It is not an array, or its header promises more than is stored.
    MemoryError
        It needs more memory than is free.
    """
    with zipfile.ZipFile(path) as archive:
        known = archive.namelist()
        member = archive.getinfo(name if name in known else f"{name}.npy")
        memory.require(
            member.file_size,
            f"{name!r}, which inflates from {member.compress_size} to {member.file_size} bytes,",
            "save it as .npy, which is read in place",
        )
        with archive.open(member) as file:
            require_whole(file, repr(name), member.file_size)
        with archive.open(member) as file:
            array: npt.NDArray[Any] = npy.read_array(file, allow_pickle=False)
            return array


def require_whole(file: Any, name: str, size: int) -> None:
    """Refuse a header of more bytes than follow, which NumPy would allocate first.

    Parameters
    ----------
    file : binary file
        A .npy file of `size` bytes, or one inside of a .npz file, at its beginning.
    name : str
        For messages.
    """
    shape, dtype = _header(file, name)
    declared, stored = math.prod(shape) * dtype.itemsize, size - file.tell()
    if declared > stored and not dtype.hasobject:  # pickles have their own message
        raise ValueError(
            f"{name} has {stored} bytes, and shape {shape} of {dtype} needs {declared}"
        )


def _header(file: BinaryIO, name: str) -> tuple[tuple[int, ...], np.dtype[Any]]:
    if not file.peek(6).startswith(npy.MAGIC_PREFIX):  # type: ignore[attr-defined]
        raise ValueError(f"{name} is not an array")
    version = npy.read_magic(file)
    read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
    shape, _, dtype = read(file)
    return shape, dtype
