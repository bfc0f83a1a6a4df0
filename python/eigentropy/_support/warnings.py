"""Warnings that point at the caller's line, however deep in the package they arise."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class SaturationWarning(UserWarning):
    """The bandwidth does not fit the data, so the entropy is near 0 or log n whatever they are."""


class PrecisionWarning(UserWarning):
    """The entropy at this t is not known as accurately as `tol` asks for."""


class ShapeWarning(UserWarning):
    """An array of three dimensions became one row a sample, which may not be what was meant."""


class GroupWarning(UserWarning):
    """Y looks like classes, and its type or its number of columns says something else."""


_PACKAGE = str(Path(__file__).parents[1])


def warn(message: str, category: type[Warning] = UserWarning) -> None:
    """Issue a warning at the first frame outside of this package."""
    level, frame = 1, sys._getframe()  # level 1 is this function
    while frame.f_back is not None and frame.f_code.co_filename.startswith(_PACKAGE):
        level, frame = level + 1, frame.f_back
    warnings.warn(message, category, stacklevel=level)


@contextmanager
def recorded_warnings() -> Iterator[list[str]]:
    """Collect what is warned about inside as one line each, the same only once."""
    lines: list[str] = []
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("ignore")
        for category in (UserWarning, RuntimeWarning):  # deprecations concern programmers
            warnings.simplefilter("always", category)
        try:
            yield lines
        finally:
            texts = (" ".join(str(warning.message).split()) for warning in caught)
            lines += dict.fromkeys(texts)
