"""Writing files so that an interruption leaves no part of one."""

from __future__ import annotations

import os
from pathlib import Path

from eigentropy.io.paths import FileError, shown


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file so that its old or its new content is there at any moment, never a part."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        try:
            temporary.write_bytes(content)
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        raise FileError(f"{shown(path)} cannot be written: {error.strerror or error}") from error


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
