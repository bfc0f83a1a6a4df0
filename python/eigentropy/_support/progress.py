"""Progress of long calls: none, the caller's function, or a bar, a line or lines for a reader."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from typing import Any, TextIO

import numpy as np

Callback = Callable[[float], object]

# Seconds between two lines where stderr is no terminal; a shorter call writes none.
LINES_EVERY = 10.0

# Seconds between two changes of a notebook's output.
OUTPUT_EVERY = 0.5

# A remaining time is shown from FIRST_SECONDS on, if the second half of the time so far has done
# FIRST_SHARE of the work or more, and if its pace and that of the last quarter differ by the factor
# AGREEMENT at most.
FIRST_SECONDS, FIRST_SHARE, AGREEMENT = 2.0, 0.02, 1.5

# Shares that are nearer to each other are not remembered.
RESOLUTION = 0.005


@contextmanager
def reporter(progress: bool | Callback, description: str) -> Iterator[Callback | None]:
    """What the core calls with the fraction that is done, from 0 to 1.

    `progress` is False (no report), True (for a reader, on stderr or in a notebook) or a function
    of the fraction.
    """
    if callable(progress):
        yield progress
    elif progress:
        meter = Meter(description)
        with _shown(meter) as callback:
            yield Shares(callback, meter)
    else:
        yield None


def part(report: Callback | None, start: float, stop: float) -> Callback | None:
    """A report of one stretch of the work: its shares 0 .. 1 are start .. stop of the whole."""
    if not callable(report):
        return None
    return Shares(report, getattr(report, "meter", None), start, stop)


def stage(report: Callback | None, words: str) -> None:
    """Say what comes next, if the progress is shown to a reader."""
    meter = getattr(report, "meter", None)
    if isinstance(meter, Meter):
        meter.stage = words


class Shares:
    """Passes shares on, as those of a stretch of the whole; knows the meter that a reader sees."""

    def __init__(
        self, report: Callback, meter: Meter | None, start: float = 0.0, stop: float = 1.0
    ) -> None:
        self._report, self.meter, self._start, self._stop = report, meter, start, stop

    def __call__(self, share: float) -> None:
        self._report(float((1.0 - share) * self._start + share * self._stop))


class Meter:
    """How much is done, for how long it has been going on, and how long the rest will take."""

    def __init__(self, description: str, clock: Callable[[], float] = time.monotonic) -> None:
        self.description, self.stage, self._clock = description, "", clock
        self._begun = self._last = clock()
        self.share = 0.0
        self._times, self._shares = [self._begun], [0.0]

    def update(self, share: float) -> None:
        """Take note of the share that is done; a lower one begins anew."""
        self._last = self._clock()
        if share < self.share:
            self._times, self._shares = [self._last], [share]
        elif share >= self._shares[-1] + RESOLUTION:
            self._times.append(self._last)
            self._shares.append(share)
        self.share = share

    @property
    def elapsed(self) -> float:
        """Seconds since the start."""
        return self._clock() - self._begun

    def remaining(self) -> float | None:
        """Seconds that the rest takes at the pace of late; None where there is no such pace."""
        since = self._last - self._times[0]
        silent = self._clock() - self._last
        if since < FIRST_SECONDS or silent > since / 4 or self.share >= 1.0:
            return None
        half, quarter = self._done_in(since / 2), self._done_in(since / 4)
        if half < FIRST_SHARE or quarter <= 0.0:
            return None
        paces = since / 2 / half, since / 4 / quarter
        if max(paces) > AGREEMENT * min(paces):
            return None
        return max(0.0, max(paces) * (1.0 - self.share) - silent)

    def _done_in(self, seconds: float) -> float:
        """The share that was done in the last seconds before the last report."""
        times, shares = [*self._times, self._last], [*self._shares, self.share]
        return self.share - float(np.interp(self._last - seconds, times, shares))

    def __str__(self) -> str:
        """What, how much, for how long, and how long the rest will take."""
        return f"{self.what()}: {100 * self.share:.0f} %, {self.times()}"

    def what(self) -> str:
        """What is being done, with its stage where that is known."""
        return f"{self.description}, {self.stage}" if self.stage else self.description

    def times(self) -> str:
        """For how long, and how long the rest will take, if that is known."""
        left = self.remaining()
        return duration(self.elapsed) + ("" if left is None else f", {duration(left)} left")


def duration(seconds: float) -> str:
    """Minutes and seconds, or hours, minutes and seconds."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def _shown(meter: Meter) -> AbstractContextManager[Callback]:
    """For the reader that there is: in a notebook, at a terminal, or of a file."""
    if _in_notebook():
        return _output(meter)
    from rich.console import Console  # most calls show nothing

    console = Console(stderr=True, force_jupyter=False)
    if console.is_terminal and not console.is_dumb_terminal:
        return _bar(meter, console)
    return lines(meter, sys.stderr)


def _in_notebook() -> bool:
    python = sys.modules.get("IPython")
    return getattr(python and python.get_ipython(), "kernel", None) is not None


@contextmanager
def _output(meter: Meter) -> Iterator[Callback]:
    """One line of the notebook's output, which is written anew; it needs no widgets."""
    display = sys.modules["IPython.display"].display

    handle: Any = None
    told = 0.0

    def show() -> None:
        nonlocal handle
        text = {"text/plain": str(meter)}
        if handle is None:
            handle = display(text, raw=True, display_id=True)
        else:
            handle.update(text, raw=True)

    def update(share: float) -> None:
        nonlocal told
        meter.update(share)
        if meter.elapsed >= told + OUTPUT_EVERY:
            told = meter.elapsed
            show()

    yield update
    if handle is not None:
        show()


@contextmanager
def _bar(meter: Meter, console: Any) -> Iterator[Callback]:
    from rich.progress import BarColumn, Progress, ProgressColumn, TaskProgressColumn
    from rich.text import Text

    class Told(ProgressColumn):
        def __init__(self, words: Callable[[], str]) -> None:
            super().__init__()
            self.words = words

        def render(self, _: Any) -> Text:
            return Text(self.words())

    columns = Told(meter.what), BarColumn(), TaskProgressColumn(), Told(meter.times)
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task(meter.description, total=1.0)

        def update(share: float) -> None:
            meter.update(share)
            bar.update(task, completed=share)

        yield update


@contextmanager
def lines(meter: Meter, stream: TextIO | None, every: float = LINES_EVERY) -> Iterator[Callback]:
    """A line on the stream every few seconds, also while nothing is reported."""
    finished = threading.Event()

    def tell() -> None:
        while not finished.wait(every):
            with suppress(OSError, ValueError):  # nobody reads it any more
                print(meter, file=stream, flush=True)

    if stream is None:  # a program without a console
        yield meter.update
        return
    thread = threading.Thread(target=tell, daemon=True)
    thread.start()
    try:
        yield meter.update
    finally:
        finished.set()
        thread.join()
