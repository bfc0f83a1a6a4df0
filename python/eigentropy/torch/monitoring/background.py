"""Measuring beside the training: on a thread that is there while something waits to be measured.

That thread computes and writes. What the caller is told, warnings and errors and what an alarm
does, waits for the next call on the caller's own thread.
"""

from __future__ import annotations

import atexit
import contextvars
import multiprocessing
import os
import sys
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import cache, partial
from multiprocessing.util import Finalize
from typing import NoReturn

from eigentropy._support.interruption import POLL
from eigentropy._support.lifetime import SILENT
from eigentropy._support.options import integer
from eigentropy._support.warnings import CollectedWarnings, Said, warn

# How many measurements may be under way with background=True: one is measured, one waits.
UNDER_WAY = 2

# What is left to do on the caller's thread.
Afterwards = Callable[[], object]


class BackgroundError(RuntimeError):
    """A measurement in the background failed; `__cause__` is its own error.

    Attributes
    ----------
    step : int
        Of the monitor.
    """

    def __init__(self, message: str, step: int) -> None:
        super().__init__(message)
        self.step = step

    def __reduce__(self) -> tuple[type[BackgroundError], tuple[str, int]]:
        return type(self), (str(self), self.step)


def checked_background(background: bool | int) -> int | None:
    """The argument `background` of a monitor: how many measurements may be under way, or None."""
    if isinstance(background, bool):
        return UNDER_WAY if background else None
    return integer(background, "background", at_least=1)


@dataclass(frozen=True)
class _Job:
    """A measurement, and the context that it was asked for in."""

    step: int
    work: Callable[[], Afterwards]
    context: contextvars.Context

    def done(self) -> list[Afterwards]:
        """What is left to do when it has been measured."""
        return self.context.run(self._measured)

    def _measured(self) -> list[Afterwards]:
        left: list[Afterwards]
        with CollectedWarnings() as said:
            try:
                left = [self.work()]
            except BaseException as error:  # on this thread nobody else would hear of it
                left = [partial(_fail, self.step, error)]
        return [*(partial(_warn, one) for one in said), *left]


def _warn(said: Said) -> None:
    warn(said.message, said.category)


def _fail(step: int, error: BaseException) -> NoReturn:
    raise BackgroundError(
        f"step {step} could not be measured in the background: {type(error).__name__}: {error}",
        step,
    ) from error


class Background:
    """Does one piece of work after the other on a thread of its own, at most `most` at a time.

    The thread ends when nothing waits, so that there is none that a fork would lose. A process that
    is forked meanwhile has no part in what waits.

    Parameters
    ----------
    most : int
        How many pieces may be under way, with the one that is being done.
    """

    def __init__(self, most: int) -> None:
        self.most = most
        self.begin_anew()
        _living.add(self)

    def begin_anew(self) -> None:
        """Forget everything, as a forked process must."""
        self._changed = threading.Condition()
        self._jobs: deque[_Job] = deque()
        self._left: deque[Afterwards] = deque()
        self._thread: threading.Thread | None = None
        self._worker: int | None = None  # the thread that does a piece of work now

    @property
    def under_way(self) -> int:
        """How many pieces of work are not done."""
        return len(self._jobs)

    def make_room(self) -> None:
        """Wait until there is room for one more piece of work; Ctrl-C ends the wait alone."""
        self._wait_for(self.most - 1)

    def wait(self) -> None:
        """Wait until everything is done; Ctrl-C ends the wait alone."""
        self._wait_for(0)

    def _wait_for(self, most: int) -> None:
        if self._is_inside():
            return  # it would wait for itself
        with self._changed:
            while len(self._jobs) > most:
                self._changed.wait(POLL)

    def _is_inside(self) -> bool:
        """Whether a piece of work asks, such as a logger that takes the state of its monitor."""
        return self._worker == threading.get_ident()

    def begin(self, step: int, work: Callable[[], Afterwards]) -> None:
        """Let work be done, of which the step does not wait; it returns what is left to do."""
        _finish_in(os.getpid())
        job = _Job(step, work, contextvars.copy_context())
        with self._changed:
            self._jobs.append(job)
            if self._thread is not None or self._is_inside():
                return
            self._thread = threading.Thread(
                target=self._work, name="eigentropy monitor", daemon=True
            )
            try:
                self._thread.start()
            except RuntimeError:  # the process has no more threads, or ends
                self._thread = None
        if self._thread is None:
            self._work()

    def _work(self) -> None:
        self._worker = threading.get_ident()
        while True:
            with self._changed:
                if not self._jobs:
                    self._thread = self._worker = None
                    return
                job = self._jobs[0]
            left = job.done()
            del job  # and its rows
            with self._changed:
                self._jobs.popleft()
                self._left.extend(left)
                self._changed.notify_all()

    def tell(self) -> None:
        """Do, on the caller's thread and in order, what is left of the work that is done.

        Raises
        ------
        BackgroundError
            A piece of work failed. What comes after it is done at the next call.
        """
        while self._left and not self._is_inside():
            self._left.popleft()()

    def end(self) -> None:
        """Wait, and do what is left; errors are warnings, where there is nobody to catch them."""
        self.wait()
        while self._left:
            try:
                self.tell()
            except Exception as error:
                with suppress(Exception):  # a filter may make it an error
                    warn(str(error))

    def __del__(self) -> None:
        if self._left and not sys.is_finalizing():
            self.end()


_living: weakref.WeakSet[Background] = weakref.WeakSet()


def _in_child() -> None:
    for one in list(_living):
        one.begin_anew()


os.register_at_fork(after_in_child=_in_child)


@atexit.register
def _finish() -> None:
    """Lose nothing when the process ends, unless Ctrl-C says so."""
    start, is_said = time.monotonic(), False
    try:
        while waiting := sum(one.under_way for one in list(_living)):
            time.sleep(POLL)
            if not is_said and time.monotonic() > start + SILENT:
                is_said = True
                print(
                    f"eigentropy: {waiting} measurements of monitors are under way, and the "
                    "process ends after them; Ctrl-C drops them",
                    file=sys.stderr,
                    flush=True,
                )
        for one in list(_living):
            one.end()
    except KeyboardInterrupt:  # a thread that computes would crash in a process that unloads
        for stream in (sys.stdout, sys.stderr):
            with suppress(OSError, ValueError, AttributeError):
                stream.flush()
        os._exit(130)


@cache
def _finish_in(pid: int) -> None:
    """See to it that this process, if multiprocessing has forked it, ends as others do.

    Such a process ends without what `atexit` knows.
    """
    if multiprocessing.parent_process() is not None:
        Finalize(None, _finish, exitpriority=0)
