"""Computations that a signal may interrupt although their library does not look at signals."""

from __future__ import annotations

import contextvars
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time

import numpy as np
import pytest

import eigentropy
from eigentropy._support.interruption import BRIEF, abandoned, interruptible

LONG = 2.0


@pytest.fixture
def ctrl_c():
    """Sends SIGINT after some seconds."""
    previous = signal.signal(signal.SIGINT, signal.default_int_handler)
    timers = []

    def after(seconds):
        timers.append(threading.Timer(seconds, os.kill, (os.getpid(), signal.SIGINT)))
        timers[-1].start()

    yield after
    for timer in timers:
        timer.join()
    signal.signal(signal.SIGINT, previous)


def test_the_result_and_the_error_are_those_of_the_computation():
    assert interruptible(lambda: 7) == 7
    with pytest.raises(ZeroDivisionError):
        interruptible(lambda: 1 // 0)
    assert interruptible(lambda: None) is None


def test_context_variables_are_those_of_the_caller():
    variable = contextvars.ContextVar("variable", default=1)
    variable.set(2)
    assert interruptible(variable.get) == 2


def test_another_thread_than_the_main_one_computes_by_itself():
    seen = []
    thread = threading.Thread(target=lambda: seen.append(interruptible(threading.current_thread)))
    thread.start()
    thread.join()
    assert seen == [thread]


def test_what_is_brief_is_computed_on_the_thread_of_the_caller():
    caller = threading.current_thread()
    assert interruptible(threading.current_thread, BRIEF) is caller
    assert interruptible(threading.current_thread, BRIEF + 1) is not caller
    assert interruptible(threading.current_thread) is not caller


def test_what_is_brief_in_the_core_is_computed_on_the_thread_of_the_caller():
    A = np.eye(300) + 0.1  # of so few rows one thread finds the eigenvalues
    eigentropy.eigvalsh(A)
    of_caller, of_all = time.thread_time(), time.process_time()
    for _ in range(50):
        eigentropy.eigvalsh(A)
    of_caller, of_all = time.thread_time() - of_caller, time.process_time() - of_all
    assert of_caller > 0.5 * of_all


def test_a_step_that_cannot_be_stopped_is_left_and_known_until_it_ends(ctrl_c):
    start = time.perf_counter()
    ctrl_c(0.1)
    with pytest.raises(KeyboardInterrupt):
        interruptible(lambda: time.sleep(LONG))  # of a thread that gets no signals
    assert time.perf_counter() - start < 1.0
    (left,) = abandoned()
    left.join()
    assert abandoned() == []


def test_a_signal_that_does_not_end_the_wait_is_seen(ctrl_c):
    """One that comes just before the wait; here because another thread gets it."""
    start = time.perf_counter()
    ctrl_c(0.2)
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        with pytest.raises(KeyboardInterrupt):
            interruptible(lambda: time.sleep(LONG))
        assert time.perf_counter() - start < 1.0
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    for left in abandoned():
        left.join()


def test_a_computation_in_python_is_stopped(ctrl_c):
    steps = []

    def compute():
        while True:
            steps.append(None)
            time.sleep(0.01)

    ctrl_c(0.1)
    with pytest.raises(KeyboardInterrupt):
        interruptible(compute)
    assert abandoned() == []
    count = len(steps)
    time.sleep(0.05)
    assert len(steps) == count


def test_a_handler_that_does_not_raise_lets_the_computation_finish():
    handled = []
    previous = signal.signal(signal.SIGUSR1, lambda *_: handled.append(time.perf_counter()))
    start = time.perf_counter()
    sender = threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGUSR1))
    try:
        sender.start()
        assert interruptible(lambda: time.sleep(0.6)) is None
    finally:
        sender.join()  # without our handler the signal would end the tests
        signal.signal(signal.SIGUSR1, previous)
    assert handled[0] - start < 0.5


EXIT = """
    import atexit, os, signal, threading, time

    def tell():  # the last of all; not called by a process that does not unload
        print("alive", any(thread.daemon for thread in threading.enumerate()))

    atexit.register(tell)
    from eigentropy._support.interruption import interruptible
    from eigentropy.cli.running import exit_codes

    signal.signal(signal.SIGINT, signal.default_int_handler)

    def compute():
        time.sleep({long})

    threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGINT)).start()
    {call}
"""


@pytest.mark.parametrize(
    ("call", "code", "printed"),
    [
        ("interruptible(compute)", 130, ""),
        ("exit_codes(lambda: interruptible(compute))()", 130, ""),
        (
            "try: interruptible(compute)\n    except KeyboardInterrupt: pass",
            0,
            "alive False\n",
        ),
    ],
    ids=["uncaught", "command", "caught"],
)
def test_a_process_that_ctrl_c_ends_waits_for_nothing(call, code, printed):
    """One that goes on waits, or what is left behind would crash in a process that unloads."""
    result = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(EXIT.format(call=call, long=LONG))],
        capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert result.returncode == code, result.stderr
    assert result.stdout == printed
