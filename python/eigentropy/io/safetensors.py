"""Tensors from .safetensors files, without the package of that name."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from eigentropy._support import memory
from eigentropy._support.mapped_files import fits_in_memory, mapped_copy
from eigentropy.io.paths import FileError, shown

Array = npt.NDArray[Any]


# https://github.com/huggingface/safetensors#format; bfloat16, which NumPy lacks, is the upper
# half of a float32.
_DTYPES = {
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


# Memory for one character of a header, whose smallest entries are dictionaries: {"":{}}.
_BYTES_PER_CHARACTER = 64


def opened(
    path: Path, fits: Callable[[float], bool] = fits_in_memory
) -> Mapping[str, Callable[[], Array]]:
    """Return each tensor's name, and the function that loads it.

    bfloat16 becomes float32: in memory where `fits` says so of its bytes, else in a mapped file.

    The file holds the length of the header (8 bytes), the header (JSON), then the tensors' bytes.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if size < 8 or length > size - 8:
            raise ValueError(f"its header should have {length} bytes, the file has {size}")
        memory.require(
            _BYTES_PER_CHARACTER * length,
            f"its header of {length} bytes",
            "save the tensor alone, as .npy",
        )
        header = json.loads(file.read(length))
    start = 8 + length
    tensors = {name: entry for name, entry in header.items() if name != "__metadata__"}
    end = start + max((entry["data_offsets"][1] for entry in tensors.values()), default=0)
    if end > size:
        raise ValueError(f"its header promises {end} bytes, the file has {size}")
    return {
        name: partial(_safetensor, path, name, entry, start, fits)
        for name, entry in tensors.items()
    }


def _safetensor(
    path: Path, name: str, entry: dict[str, Any], start: int, fits: Callable[[float], bool]
) -> Array:
    kind, shape = entry["dtype"], tuple(entry["shape"])
    if kind not in _DTYPES:
        raise FileError(
            f"{shown(path, name)} has dtype {kind}, which cannot be read; convert it to F32"
        )
    dtype = np.dtype(_DTYPES[kind])
    begin, end = entry["data_offsets"]
    if begin < 0 or min(shape, default=0) < 0 or end - begin != math.prod(shape) * dtype.itemsize:
        raise ValueError(f"{name!r} has {end - begin} bytes for shape {shape} of {kind}")
    if begin == end:
        return np.empty(shape, dtype)
    array = np.memmap(path, dtype, mode="r", offset=start + begin, shape=shape)
    if kind != "BF16":
        return array
    widened = _Widened(array)
    if fits(2 * array.nbytes):
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
