"""Progress of long calls: none, a bar on stderr, or the caller's function."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

Callback = Callable[[float], object]


@contextmanager
def reporter(progress: bool | Callback, description: str) -> Iterator[Callback | None]:
    """What the core calls with the fraction that is done, from 0 to 1.

    `progress` is False (no report), True (a bar on stderr) or a function of the fraction.
    """
    if callable(progress):
        yield progress
    elif progress:
        with _bar(description) as callback:
            yield callback
    else:
        yield None


@contextmanager
def _bar(description: str) -> Iterator[Callback]:
    # Imported here: most calls show no bar.
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as bar:
        task: Any = bar.add_task(description, total=1.0)
        yield lambda done: bar.update(task, completed=done)
