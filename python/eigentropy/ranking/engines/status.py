"""What is done and what is running where, for a reader or for a function of the caller's."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from eigentropy._support.printable import printable
from eigentropy._support.progress import LINES_EVERY, Meter, duration
from eigentropy.ranking.engines.pool import ProcessPlace


@dataclass(frozen=True)
class RunningTask:
    """Where a task runs, and since when, on the clock of `time.monotonic`."""

    place: ProcessPlace
    since: float

    def __str__(self) -> str:
        return f"{self.place}, {duration(time.monotonic() - self.since)}"


@dataclass(frozen=True)
class TaskStatus:
    """How far the tasks are.

    Attributes
    ----------
    total, done, failed : int
        Tasks in all, those with a result, and those that have none and are not called again.
    lost : int
        How often the process of a task was lost.
    running : mapping of str to RunningTask
        The tasks that are being worked on, and where.
    """

    total: int
    done: int
    failed: int
    lost: int
    running: Mapping[str, RunningTask] = field(default_factory=dict)

    @property
    def share(self) -> float:
        """Of the tasks, those of which it is known what has become of them."""
        return (self.done + self.failed) / self.total if self.total else 1.0

    def __str__(self) -> str:
        numbers = {"failed": self.failed, "times a process was lost": self.lost}
        parts = [f"{self.done} of {self.total} done"]
        return ", ".join(parts + [f"{count} {what}" for what, count in numbers.items() if count])

    def lines(self) -> list[str]:
        """One line for each task that is running."""
        return [f"  {printable(name)}: {where}" for name, where in self.running.items()]


Report = Callable[[TaskStatus], object]


@contextmanager
def reported(progress: bool | Report) -> Iterator[Report]:
    """What to call with each status: the caller's function, or one that shows it on stderr."""
    if callable(progress):
        yield progress
    elif not progress or sys.stderr is None:
        yield lambda status: None
    else:
        from rich.console import Console  # most calls show nothing

        console = Console(stderr=True)
        if console.is_terminal and not console.is_dumb_terminal:
            with _live(console) as report:
                yield report
        else:
            yield _Log(console)


@contextmanager
def _live(console: Any) -> Iterator[Report]:
    """As many lines as tasks run, written anew each time."""
    from rich.live import Live
    from rich.text import Text

    meter = Meter("tasks")
    with Live(console=console, transient=True, auto_refresh=False) as live:

        def report(status: TaskStatus) -> None:
            meter.update(status.share)
            text = "\n".join([f"{status}, {meter.times()}", *status.lines()])
            live.update(Text(text, overflow="ellipsis", no_wrap=True), refresh=True)

        yield report


class _Log:
    """Lines for a file every few seconds, and at the end."""

    def __init__(self, console: Any) -> None:
        self._stream, self._meter = console.file, Meter("tasks")
        self._at = time.monotonic()

    def __call__(self, status: TaskStatus) -> None:
        self._meter.update(status.share)
        now = time.monotonic()
        if now < self._at + LINES_EVERY and status.share < 1.0:
            return
        self._at = now
        lines = [f"{status}, {self._meter.times()}", *status.lines()]
        print("\n".join(lines), file=self._stream, flush=True)
