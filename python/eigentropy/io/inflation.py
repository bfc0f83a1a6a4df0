"""How many bytes compressed data gives, found out without having them in memory."""

from __future__ import annotations

import bz2
import lzma
import zlib
from collections.abc import Callable
from typing import Any

_PIECE = 2**20


def inflates_beyond(codec: Any, data: bytes, most: int) -> int:
    """Return how many bytes `data` gives at least if these are more than `most`, else 0.

    Blosc, LZ4 and Zstandard say the size at the start of the data. The others are inflated, piece
    by piece, and no further than `most` bytes.
    """
    size = _SIZES[kind(codec)](codec, data, most) if is_inflating(codec) else 0
    return size if size > most else 0


def kind(codec: Any) -> str:
    """Return the name of a codec, of whichever library: "zstd" of ZstdCodec."""
    return type(codec).__name__.lower().removesuffix("codec")


def is_inflating(codec: Any) -> bool:
    """Say whether the codec may give many times the bytes that it takes."""
    return kind(codec) in _SIZES


def _blosc(codec: Any, data: bytes, most: int) -> int:
    return int.from_bytes(data[4:8], "little")


def _lz4(codec: Any, data: bytes, most: int) -> int:
    return int.from_bytes(data[:4], "little")


def _zstd(codec: Any, data: bytes, most: int) -> int:
    """RFC 8878: the frame's content size or, where there is none, a bound from its blocks."""
    if data[:4] != b"\x28\xb5\x2f\xfd" or len(data) < 6:
        return 0  # not a frame of data, which the decoder refuses
    flags = data[4]
    single = bool(flags & 0x20)
    place = 5 + (not single) + (0, 1, 2, 4)[flags & 3]
    width = (int(single), 2, 4, 8)[flags >> 6]
    if width:
        return int.from_bytes(data[place : place + width], "little") + 256 * (width == 2)
    return _zstd_blocks(data, place)


_ZSTD_BLOCK = 2**17  # what one compressed block gives at most


def _zstd_blocks(data: bytes, place: int) -> int:
    size = 0
    while place + 3 <= len(data):
        header = int.from_bytes(data[place : place + 3], "little")
        last, form, length = header & 1, header >> 1 & 3, header >> 3
        size += _ZSTD_BLOCK if form == 2 else length
        place += 3 + (1 if form == 1 else length)
        if last:
            break
    return size


def _streamed(new: Callable[[Any], Any]) -> Callable[[Any, bytes, int], int]:
    def size(codec: Any, data: bytes, most: int) -> int:
        total, rest = 0, data
        while rest and total <= most:  # several streams may follow one another
            stream = new(codec)
            while not stream.eof and total <= most:
                piece = stream.decompress(rest, _PIECE)
                rest = getattr(stream, "unconsumed_tail", b"")
                total += len(piece)
                if not piece and not rest:
                    return total  # cut short
            rest = stream.unused_data
        return total

    return size


_inflate = _streamed(lambda codec: zlib.decompressobj(wbits=47))  # of zlib or of gzip

_SIZES: dict[str, Callable[[Any, bytes, int], int]] = {
    "blosc": _blosc,
    "lz4": _lz4,
    "zstd": _zstd,
    "gzip": _inflate,
    "zlib": _inflate,
    "bz2": _streamed(lambda codec: bz2.BZ2Decompressor()),
    "lzma": _streamed(
        lambda codec: lzma.LZMADecompressor(
            codec.format, filters=codec.filters if codec.format == lzma.FORMAT_RAW else None
        )
    ),
}
