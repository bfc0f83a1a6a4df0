"""The engine of this machine: spawned processes, of which each may be killed alone."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import signal
import sys
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from tempfile import TemporaryDirectory
from typing import Any

from eigentropy._support import memory
from eigentropy.ranking.engines.gpus import gpu_shares
from eigentropy.ranking.engines.pool import Begun, Ended, Event, Lost, ProcessPlace
from eigentropy.ranking.engines.work import Function, perform

# Seconds that an idle process has to end by itself.
PATIENCE = 5.0

THREADS = ("EIGENTROPY_NUM_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")

_GUARD = (
    "a process of the pool ended before it began (exit code {code}): each process imports the "
    "script, which must therefore be a file, and call this function below "
    "`if __name__ == '__main__':`"
)


class ProcessNotBegunError(RuntimeError):
    """A process of the pool could not import the script that has started it."""


class ProcessPool:
    """So many spawned processes as cores, memory and GPUs allow, each with its part of the cores.

    Each process but the first is started when it is needed, and lives until the end. One that is
    killed takes only its own task along, unlike those of concurrent.futures.
    """

    def __init__(
        self, function: Function, workers: int | None, gpus: float, memory_of_task: int | None
    ) -> None:
        cores = len(os.sched_getaffinity(0))
        shares = gpu_shares(gpus) if gpus else [None] * max(cores, workers or 0)
        most = min(workers or cores, len(shares), _fitting(memory_of_task))
        self._function = function
        self._shares = deque(shares[:most])
        self._threads = max(1, cores // most)
        self._idle: list[_Worker] = []
        self._busy: dict[Connection, _Worker] = {}
        self._folder = TemporaryDirectory(prefix="eigentropy-")
        try:
            # Before any task is claimed: a script without a guard fails here in its processes,
            # and would wait there for a task that we have claimed.
            self._idle.append(self._new())
        except BaseException:
            self._folder.cleanup()
            raise

    def room(self) -> int:
        """Processes without a task, started or not."""
        return len(self._idle) + len(self._shares)

    def start(self, name: str, argument: Any) -> None:
        """Give a task to an idle process, or to a new one."""
        task = pickle.dumps((self._function, argument))
        worker = self._idle.pop() if self._idle else self._new()
        worker.task = name
        with suppress(OSError):  # it is gone, and its end of the pipe says so
            worker.connection.send_bytes(task)
        self._busy[worker.connection] = worker

    def events(self, timeout: float) -> list[Event]:
        """What the processes say, and which of them are gone."""
        if not self._busy:
            time.sleep(timeout)
        ready = wait(list(self._busy), timeout) if self._busy else []
        return [self._event(self._busy[one]) for one in ready if isinstance(one, Connection)]

    def close(self, at_once: bool) -> None:
        """End all processes; those with a task only at once."""
        for worker in [*self._idle, *self._busy.values()]:
            worker.end(at_once)
        self._folder.cleanup()

    def _new(self) -> _Worker:
        share = self._shares.popleft()
        values = dict.fromkeys(THREADS, str(self._threads))
        if share is not None:
            values["CUDA_VISIBLE_DEVICES"] = share
        with _environment(values), _interrupts_held_back():
            return _Worker(self._folder.name, share)

    def _event(self, worker: _Worker) -> Event:
        try:
            said = worker.connection.recv()
        except (OSError, EOFError):
            return self._lost(worker)
        if isinstance(said, ProcessPlace):
            worker.has_begun = True
            return Begun(worker.task, said)
        del self._busy[worker.connection]
        self._idle.append(worker)
        return Ended(worker.task, said)

    def _lost(self, worker: _Worker) -> Event:
        del self._busy[worker.connection]
        code = worker.end(at_once=False)  # it is at its end, and the code says why
        self._shares.append(worker.share)
        if code > 0 and not worker.has_begun:
            raise ProcessNotBegunError(_GUARD.format(code=code))
        return Lost(worker.task, _how_it_ended(code))


class _Worker:
    """A process, our end of the pipe to it, and the task that it has."""

    def __init__(self, folder: str, share: str | None) -> None:
        context = multiprocessing.get_context("spawn")
        self.connection, theirs = context.Pipe()
        self.process: SpawnProcess = context.Process(
            target=_serve, args=(theirs, folder), daemon=False
        )
        self.process.start()
        theirs.close()  # so that the pipe ends with the process
        self.share, self.task, self.has_begun = share, "", False

    def end(self, at_once: bool) -> int:
        """Wait for its end, of which the exit code is returned."""
        if at_once:
            self.process.kill()
        self.connection.close()
        self.process.join(PATIENCE)
        if self.process.is_alive():
            self.process.kill()
        self.process.join()
        code = self.process.exitcode or 0
        self.process.close()
        return code


def _serve(connection: Connection, folder: str) -> None:
    """Work on tasks until the pipe ends; in a process of its own."""
    with suppress(OSError):
        os.dup2(2, 1)  # what a task prints is no output of the program
    threading.Thread(target=_end_with_parent, daemon=True).start()
    with suppress(EOFError, BrokenPipeError):
        while True:
            task = connection.recv_bytes()
            connection.send(ProcessPlace.of_this_process())
            connection.send(perform(partial(pickle.loads, task), folder))


def _end_with_parent() -> None:
    """End this process when the one that started it is killed: nobody would take its results."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)


def _fitting(memory_of_task: int | None) -> int:
    """How many tasks the memory that is free now holds."""
    if memory_of_task is None:
        return sys.maxsize
    memory.require(
        memory_of_task,
        "a task (memory_per_task)",
        "free some, take a smaller memory_per_task, or leave it out",
    )
    return int(memory.available() // memory_of_task)


def _how_it_ended(code: int) -> str:
    if code >= 0:
        return f"its process ended with exit code {code}"
    name = signal.Signals(-code).name
    why = ", perhaps for lack of memory" if name == "SIGKILL" else ""
    return f"its process was ended by {name}{why}"


@contextmanager
def _interrupts_held_back() -> Iterator[None]:
    """Processes that start inside never see Ctrl-C, which is for the one that waits for them."""
    resource_tracker.ensure_running()  # which would let signals pass again
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def _environment(values: dict[str, str]) -> Iterator[None]:
    """Processes that start inside have these variables: libraries read them when they load."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
