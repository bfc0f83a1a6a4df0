"""Arrays of Zarr directories, whose chunks must not inflate to more than their shape says."""

from __future__ import annotations

import asyncio
import itertools
import math
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import zarr

from eigentropy._backends.libraries import is_zarr
from eigentropy._support import memory
from eigentropy._support.mapped_files import COPIED_AT_A_TIME, fits_in_memory
from eigentropy.io.inflation import inflates_beyond, is_inflating, kind
from eigentropy.io.paths import FileError, refused, shown

_METADATA = ("zarr.json", ".zarray", ".zgroup", ".zattrs", ".zmetadata")

# A chunk that gives so much more than its shape says does no harm: the library refuses it.
_HARMLESS = 2**26

# What the library keeps of each chunk while it reads an array.
_BYTES_PER_CHUNK = 4096


def opened(path: Path) -> Mapping[str, Callable[[], Any]]:
    """Return the name of each array, and the function that gives it unread."""
    if not any((path / name).is_file() for name in _METADATA):
        raise FileError(f"{shown(path)} holds neither a Zarr array nor a group")
    guards = Guards()
    arrays = list(_arrays(zarr.open(_guarded_store(path, guards), mode="r"), ""))
    return {name: partial(_checked, path, name, array, guards) for name, array in arrays}


def _arrays(node: Any, name: str) -> Iterator[tuple[str, Any]]:
    """Find the arrays in nested groups, names joined by slashes."""
    if is_zarr(node):
        yield name, node
        return
    members = itertools.chain(node.arrays(), node.groups())
    for inner, member in sorted(members, key=lambda member: str(member[0])):
        yield from _arrays(member, f"{name}/{inner}" if name else inner)


def _checked(path: Path, name: str, array: Any, guards: Guards) -> Any:
    """Return the array unread, since it may be larger than memory; a chunk must fit."""
    compressors = array.compressors if hasattr(array, "compressors") else (array.compressor,)
    codecs = [*(array.filters or ()), *(codec for codec in compressors or () if codec)]
    if any(getattr(codec, "codec_id", None) == "pickle" for codec in codecs):
        raise FileError(refused(path, "holds"))
    inflating = [codec for codec in codecs if is_inflating(codec)]
    if len(inflating) > 1:
        names = ", ".join(map(kind, inflating))
        raise FileError(f"{shown(path, name or None)} is compressed twice ({names}); save it anew")
    size = math.prod(array.chunks) * array.dtype.itemsize
    memory.require(
        size + _BYTES_PER_CHUNK * _chunks_at_a_time(array, size),
        f"an array {array.shape} in chunks of {size} bytes, of shape {tuple(array.chunks)},",
        "save it in chunks of some MiB",
    )
    shards = _shards(array)
    if inflating and shards is not None:
        guards[name] = Guard(shown(path, name or None), size, inflating[0], shards)
    return array


def _chunks_at_a_time(array: Any, size: int) -> int:
    """All of them, or those that are copied at a time of an array that is larger than memory."""
    if fits_in_memory(math.prod(array.shape) * array.dtype.itemsize):
        return math.prod(-(-n // c) for n, c in zip(array.shape, array.chunks, strict=True))
    return max(1, COPIED_AT_A_TIME // max(1, size))


def _shards(array: Any) -> int | None:
    """Count the chunks that lie together in one file, after which their places are listed.

    None if these are listed in another than the usual way, which cannot be told from a chunk.
    """
    outer = getattr(array, "shards", None)
    if outer is None:
        return 0
    sharding = array.metadata.codecs[0]
    place = getattr(sharding.index_location, "value", sharding.index_location)
    if place != "end" or [*map(kind, sharding.index_codecs)] != ["bytes", "crc32c"]:
        return None
    return int(math.prod(o // c for o, c in zip(outer, array.chunks, strict=True)))


@dataclass(frozen=True)
class Guard:
    """What the chunks of one array may inflate to."""

    name: str
    size: int
    codec: Any
    shards: int

    def check(self, file: str, data: bytes, is_part: bool) -> None:
        """Refuse a file of an array in which a chunk inflates to far more than its shape says."""
        for chunk in self._chunks(data) if self.shards and not is_part else [data]:
            found = inflates_beyond(self.codec, chunk, self.size + _HARMLESS)
            if found:
                raise FileError(
                    f"{self.name}: the chunk in {file} inflates to {found} bytes or more, and its "
                    f"shape needs {self.size}; it is damaged"
                )

    def _chunks(self, data: bytes) -> Iterator[bytes]:
        """The chunks of a shard; its end has the place and length of each, and a checksum."""
        index = np.frombuffer(data[-16 * self.shards - 4 : -4], "<u8")
        for place, length in index.reshape(-1, 2).tolist():
            yield data[place : place + length]


class Guards(dict[str, Guard]):
    """The guards of a store's arrays, by their paths."""

    def check(self, key: str, data: bytes, is_part: bool) -> None:
        """Let the guard of an array look at one of its chunks."""
        of = [name for name in self if not name or key.startswith(f"{name}/")]
        if of and Path(key).name not in _METADATA:
            self[max(of, key=len)].check(key, data, is_part)


def _guarded_store(path: Path, guards: Guards) -> Any:
    """A store of the installed version, whose chunks are looked at before they are inflated."""
    try:
        from zarr.storage import LocalStore, WrapperStore
    except ImportError:
        return _guarded_store_of_zarr_2(path, guards)

    class GuardedStore(WrapperStore[LocalStore]):
        async def get(self, key: str, prototype: Any, byte_range: Any = None) -> Any:
            buffer = await super().get(key, prototype, byte_range)
            is_index = type(byte_range).__name__ == "SuffixByteRequest"
            if guards and buffer is not None and not is_index:
                is_part = byte_range is not None
                await asyncio.to_thread(guards.check, key, buffer.to_bytes(), is_part)
            return buffer

    return GuardedStore(LocalStore(path, read_only=True))


def _guarded_store_of_zarr_2(path: Path, guards: Guards) -> Any:
    DirectoryStore: Any = zarr.storage.DirectoryStore  # type: ignore[attr-defined]

    class GuardedStore(DirectoryStore):  # type: ignore[misc]
        def __getitem__(self, key: str) -> bytes:
            data: bytes = super().__getitem__(key)
            guards.check(key, data, False)
            return data

    return GuardedStore(os.fspath(path))
