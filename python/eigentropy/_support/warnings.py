"""Warnings that point at the caller's line, however deep in the package they arise."""

from __future__ import annotations

import contextlib
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import NamedTuple


class SaturationWarning(UserWarning):
    """The bandwidth does not fit the data, so the entropy is near 0 or log n whatever they are."""


class PrecisionWarning(UserWarning):
    """The entropy at this t is not known as accurately as `tol` asks for."""


class ShapeWarning(UserWarning):
    """An array of three dimensions became one row a sample, which may not be what was meant."""


class GroupWarning(UserWarning):
    """Y looks like classes, and its type or its number of columns says something else."""


_PACKAGE = str(Path(__file__).parents[1])
# Frames of these are no caller's: context managers of the package are run by `contextlib`.
_BETWEEN = (_PACKAGE, contextlib.__file__)


class Said(NamedTuple):
    """A warning that has not been issued yet."""

    message: str
    category: type[Warning]


_collected: ContextVar[list[Said] | None] = ContextVar("collected", default=None)


def warn(message: str, category: type[Warning] = UserWarning) -> None:
    """Issue a warning at the first frame outside of this package."""
    kept = _collected.get()
    if kept is not None:
        kept.append(Said(message, category))
        return
    level, frame = 1, sys._getframe()  # level 1 is this function
    while frame.f_back is not None and frame.f_code.co_filename.startswith(_BETWEEN):
        level, frame = level + 1, frame.f_back
    warnings.warn(message, category, stacklevel=level)


class CollectedWarnings:
    """Keep what `warn` is told inside, in this thread alone.

    The filters of Python's `warnings` belong to the whole process: what changes them on one thread
    takes away what others are told. On a thread beside the caller's use this.
    """

    def __enter__(self) -> list[Said]:
        kept: list[Said] = []
        self._token = _collected.set(kept)
        return kept

    def __exit__(self, *_: object) -> None:
        _collected.reset(self._token)


def are_collected() -> bool:
    """Whether `warn` keeps what it is told, in this thread."""
    return _collected.get() is not None


@contextmanager
def ignored_warnings(message: str = "") -> Iterator[None]:
    """Issue none whose text begins like this, of whatever library; on the caller's thread only.

    Beside the caller's thread, where the filters are not ours to change, other libraries warn.
    """
    if are_collected():
        yield
        return
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=message)
        yield


@contextmanager
def recorded_warnings() -> Iterator[list[str]]:
    """Collect what is warned about inside as one line each, the same only once."""
    lines: list[str] = []
    if are_collected():
        with CollectedWarnings() as said:
            try:
                yield lines
            finally:
                lines += dict.fromkeys(" ".join(one.message.split()) for one in said)
        return
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("ignore")
        for category in (UserWarning, RuntimeWarning):  # deprecations concern programmers
            warnings.simplefilter("always", category)
        try:
            yield lines
        finally:
            texts = (" ".join(str(warning.message).split()) for warning in caught)
            lines += dict.fromkeys(texts)
