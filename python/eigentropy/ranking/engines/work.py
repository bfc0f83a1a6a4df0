"""What a worker does, be it a process of the pool or one of Ray's."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from eigentropy._support.warnings import recorded_warnings
from eigentropy.ranking.engines.files import is_result

Function = Callable[[Any, Path], object]

# Errors whose message says all; with others the line helps that raised them.
SPEAKING = (ValueError, OSError, ImportError, MemoryError)


@dataclass(frozen=True)
class Work:
    """What a call of a task has brought: its file's content, or why there is none."""

    content: bytes | None
    reason: str = ""
    warned: tuple[str, ...] = ()


def perform(load: Callable[[], tuple[Function, Any]], folder: str | None = None) -> Work:
    """Call a task with a file in a folder of its own, and never raise.

    `load` gets the function and its argument, which may fail where a package is missing.
    """
    with recorded_warnings() as warned:
        content, reason = _content(load, folder)
    return Work(content, reason, tuple(warned))


def _content(
    load: Callable[[], tuple[Function, Any]], folder: str | None
) -> tuple[bytes | None, str]:
    try:
        with TemporaryDirectory(prefix="eigentropy-", dir=folder) as own:
            path = Path(own, "result")
            function, argument = load()
            function(argument, path)
            content = path.read_bytes() if path.exists() else None
    except BaseException as error:  # a task that calls sys.exit is no end of the worker
        return None, described(error)
    if content is None or not is_result(content):
        wrote = "nothing" if content is None else f"{len(content)} bytes that are no JSON object"
        return None, f"{_name(function)} wrote {wrote} to the path it was given; JSON is wanted"
    return content, ""


def described(error: BaseException) -> str:
    """An error in one line, with the place in the code where only that helps."""
    text = " ".join(f"{type(error).__name__}: {error}".split()).removesuffix(":")
    frames = traceback.extract_tb(error.__traceback__)
    if isinstance(error, SPEAKING) or not frames:
        return text
    return f"{text} ({Path(frames[-1].filename).name}, line {frames[-1].lineno})"


def _name(function: Any) -> str:
    return f"{function.__module__}.{function.__qualname__}"
