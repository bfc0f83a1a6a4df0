"""Short pieces of work side by side, each on its share of the threads.

The loops of a spectrum of some hundred rows are too short for several threads. Spectra side by side
keep them busy.
"""

from __future__ import annotations

import contextvars
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar

from eigentropy import _core

Found = TypeVar("Found")


def in_parallel(works: Sequence[Callable[[], Found]]) -> list[Found]:
    """What the pieces of work return.

    The caller's thread does its part. Threads are started here and joined, so that none is there
    that a fork would lose. Where a piece fails, those that have not begun are left out. Of several
    errors the first one is raised, or an interrupt.
    """
    threads = min(len(works), _core.thread_count())
    if threads < 2:
        return [work() for work in works]
    found: dict[int, Found] = {}
    errors: dict[int, BaseException] = {}
    waiting = deque(enumerate(works))
    share = _core.thread_count() // threads

    def serve() -> None:
        with _limited(share):
            while waiting and not errors:
                try:
                    number, work = waiting.popleft()
                except IndexError:  # another thread has taken it
                    return
                try:
                    found[number] = work()
                except BaseException as error:  # Ctrl-C, too: the other threads are to end
                    errors[number] = error

    helpers = _started(serve, threads - 1)
    try:
        serve()
    finally:
        waiting.clear()  # an interrupt between two pieces is in no list of errors
        for helper in helpers:
            helper.join()
    if errors:
        interrupts = [number for number, one in errors.items() if not isinstance(one, Exception)]
        raise errors[min(interrupts or errors)]
    return [found[number] for number in range(len(works))]


def _started(serve: Callable[[], None], count: int) -> list[threading.Thread]:
    """Threads that serve, or as many as the process may start, in the caller's context."""
    started: list[threading.Thread] = []
    for _ in range(count):
        context = contextvars.copy_context()
        helper = threading.Thread(target=context.run, args=(serve,), daemon=True)
        try:
            helper.start()
        except RuntimeError:  # the process has no more threads
            break
        started.append(helper)
    return started


@contextmanager
def _limited(threads: int) -> Iterator[None]:
    """What this thread asks the core for takes at most so many threads."""
    before = _core.thread_limit()
    _core.limit_threads(threads)
    try:
        yield
    finally:
        _core.limit_threads(before)
