"""Writing files so that an interruption leaves no part of one."""

from __future__ import annotations

import os
import uuid
from pathlib import Path

from eigentropy.io.paths import FileError, OutputExistsError, shown


def require_new(path: Path, overwrite: bool = False) -> None:
    """Refuse an output, before anything is computed, that could not or must not be written.

    Raises
    ------
    FileError
        There is no directory for it.
    OutputExistsError
        It exists, and `overwrite` is false.
    """
    if not path.absolute().parent.is_dir():
        raise FileError(
            f"{shown(path)} cannot be written: there is no directory {shown(path.parent)}; "
            "make it, or choose another output"
        )
    if os.path.lexists(path) and not overwrite and not is_stream(path):
        raise OutputExistsError(
            f"{shown(path)} exists and is left as it is; choose another output, or replace it by "
            "--force (in Python overwrite=True)"
        )


def is_stream(path: Path) -> bool:
    """Whether the path names a pipe, or a device that keeps nothing, such as /dev/null.

    Nothing is lost by writing to it. A disk is no stream.
    """
    return path.is_char_device() or path.is_fifo()


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file so that its old or its new content is there at any moment, never a part.

    A pipe, or a device such as /dev/null, is written to, and not replaced by a file.
    """
    try:
        _write(path, content)
    except OSError as error:
        raise FileError(f"{shown(path)} cannot be written: {error.strerror or error}") from error


def _write(path: Path, content: bytes) -> None:
    if is_stream(path):
        path.write_bytes(content)
        return
    target = Path(os.path.realpath(path))  # a link stays a link
    temporary = target.with_name(f".{uuid.uuid4().hex}.tmp")
    try:
        temporary.write_bytes(content)
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)


def append_whole(path: Path, content: bytes) -> None:
    """Add all of the content to a file or nothing: what comes next would join a part of it."""
    with path.open("ab", buffering=0) as file:
        size = file.seek(0, os.SEEK_END)
        try:
            while content:
                content = content[file.write(content) :]
        except BaseException:
            file.truncate(size)
            raise
