"""Ctrl-C during calls into libraries that do not look at signals."""

from __future__ import annotations

import contextvars
import ctypes
import math
import threading
from collections.abc import Callable
from concurrent.futures import Future, wait
from typing import TypeVar

Result = TypeVar("Result")

# How long a computation that was told to stop is waited for: it holds memory and processors.
PATIENCE = 0.3

# A signal that comes just before the wait does not end it: how often signals are looked at.
POLL = 0.05

# So few operations, of all kinds, are over in a tenth of a second or so: nobody misses Ctrl-C.
BRIEF = 3 * 10**7

_abandoned: list[threading.Thread] = []


def interruptible(compute: Callable[[], Result], operations: float = math.inf) -> Result:
    """What `compute` returns; a signal handler may raise, such as at Ctrl-C, while it computes.

    Python runs signal handlers on the main thread, between two steps of its own. A library that
    computes for seconds in one step would delay them, so it computes on another thread meanwhile.
    After an exception that thread stops at its next step in Python; `compute` must write nothing
    that the caller still reads. What is local to a thread and not in a context variable is not
    known there.

    At most BRIEF `operations`, roughly, are done at once: a thread would only take time to start.
    """
    if operations <= BRIEF or threading.current_thread() is not threading.main_thread():
        return compute()  # on other threads no signal arrives
    future: Future[Result] = Future()
    run = contextvars.copy_context().run
    thread = threading.Thread(target=run, args=(_into, future, compute), daemon=True)
    try:
        thread.start()
        while not future.done():
            wait([future], timeout=POLL)
    except BaseException:
        _stop(thread)
        raise
    return future.result()


def abandoned() -> list[threading.Thread]:
    """The threads that have been told to stop and are still in a step that cannot be stopped."""
    _abandoned[:] = [thread for thread in _abandoned if thread.is_alive()]
    return list(_abandoned)


def _into(future: Future[Result], compute: Callable[[], Result]) -> None:
    try:
        future.set_result(compute())
    except BaseException as error:
        future.set_exception(error)


def _stop(thread: threading.Thread) -> None:
    if thread.ident is None:
        return
    # SystemExit is the one exception that a thread may end by without a word.
    ctypes.pythonapi.PyThreadState_SetAsyncExc(
        ctypes.c_ulong(thread.ident), ctypes.py_object(SystemExit)
    )
    thread.join(PATIENCE)
    if thread.is_alive():
        _abandoned.append(thread)
