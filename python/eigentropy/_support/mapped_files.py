"""Copies of arrays that are too large for memory, in temporary files that are mapped."""

from __future__ import annotations

import itertools
import math
import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from eigentropy._support import memory
from eigentropy._support.progress import Callback, reporter

# An array that takes more than this share of the free memory is copied to a file instead.
MEMORY_SHARE = 0.25

# Bytes that are copied at a time; one chunk, if a chunk is larger.
COPIED_AT_A_TIME = 2**25


def fits_in_memory(size: float) -> bool:
    """Whether an array of this many bytes leaves most of the free memory to the computation."""
    return size <= MEMORY_SHARE * memory.available()


def mapped_copy(
    source: Any,
    dtype: npt.DTypeLike,
    chunks: Sequence[int],
    name: str,
    progress: bool | Callback = False,
) -> npt.NDArray[Any]:
    """A read-only copy of `source` in a temporary file that has no name.

    The system removes the file when the array is gone, however the process ends.

    Parameters
    ----------
    source : array-like with a shape
        Is indexed by slices, one for each axis, that begin with a chunk.
    dtype : dtype
    chunks : sequence of int
        Shape of the pieces that `source` is stored in.
    name : str
        Of the argument, for messages.

    Raises
    ------
    MemoryError
        The directory for temporary files has too little room.
    """
    shape, dtype = tuple(source.shape), np.dtype(dtype)
    size = math.prod(shape) * dtype.itemsize
    directory = tempfile.gettempdir()
    _require_room(size, directory, name)
    with tempfile.TemporaryFile(dir=directory, prefix="eigentropy-") as file:
        try:
            os.posix_fallocate(file.fileno(), 0, size)  # writing to a map cannot say that it failed
        except OSError as error:
            raise MemoryError(
                f"the {size} bytes of a temporary copy of {name} cannot be had in {directory}: "
                f"{error.strerror}; {_ELSEWHERE}"
            ) from error
        copy = np.memmap(file, dtype, mode="r+", shape=shape)
    steps = _steps(shape, chunks, COPIED_AT_A_TIME // dtype.itemsize)
    with reporter(progress, f"copy of {name}") as report:
        for done, region in _regions(shape, steps):
            copy[region] = source[region]
            if report is not None:
                report(done)
    copy.flags.writeable = False
    return copy


_ELSEWHERE = "set TMPDIR to a directory on a disk with more room"


def _require_room(size: int, directory: str, name: str) -> None:
    if _is_in_memory(directory):
        what, free = ", which is in memory (tmpfs),", MEMORY_SHARE * memory.available()
    else:
        what, free = "", math.inf
    free = min(free, float(shutil.disk_usage(directory).free))
    memory.require(size, f"a temporary copy of {name} in {directory}{what}", _ELSEWHERE, free=free)


def _is_in_memory(directory: str) -> bool:
    """Whether what is written to files there takes memory."""
    device = os.stat(directory).st_dev  # noqa: PTH116
    number = f"{os.major(device)}:{os.minor(device)}"
    try:
        mounts = Path("/proc/self/mountinfo").read_text().splitlines()
    except OSError:
        return False
    for mount in mounts:  # "36 35 0:31 / /tmp rw,nosuid shared:3 - tmpfs tmpfs rw"
        fields, _, kind = mount.partition(" - ")
        if fields.split()[2] == number:
            return kind.split()[0] in ("tmpfs", "ramfs")
    return False


def _steps(shape: Sequence[int], chunks: Sequence[int], at_most: int) -> list[int]:
    """Shape of the piece that is copied at a time: whole chunks, the last axes first."""
    steps = [min(length, chunk) for length, chunk in zip(shape, chunks, strict=True)]
    for axis in reversed(range(len(shape))):
        fitting = max(1, at_most // math.prod(steps))
        steps[axis] = min(shape[axis], steps[axis] * fitting)
    return steps


def _regions(
    shape: Sequence[int], steps: Sequence[int]
) -> Iterator[tuple[float, tuple[slice, ...]]]:
    """The regions of an array, one behind the other, and the share that is done with each."""
    starts = [range(0, length, step) for length, step in zip(shape, steps, strict=True)]
    count = math.prod(len(axis) for axis in starts)
    for number, corner in enumerate(itertools.product(*starts), start=1):
        region = tuple(
            slice(start, min(start + step, length))
            for start, step, length in zip(corner, steps, shape, strict=True)
        )
        yield number / count, region
