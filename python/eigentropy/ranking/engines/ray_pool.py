"""The engine of a cluster: one Ray task for each task, few of which wait at Ray."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Iterator
from typing import Any

from eigentropy.ranking.engines.pool import Begun, Ended, Event, Lost, ProcessPlace
from eigentropy.ranking.engines.ray_cluster import connect, imported_ray, require_room, room_of
from eigentropy.ranking.engines.work import Function, Work, described, perform

# Tasks that wait at Ray beyond those that have room, so that no process is idle in between.
AHEAD = 2

# Seconds after which the nodes are counted again: they come and go.
RECOUNT = 10.0


class RayPool:
    """Tasks at Ray, each of which says first where it runs and then what has become of it."""

    def __init__(
        self,
        function: Function,
        workers: int | None,
        gpus: float,
        memory_of_task: int | None,
        address: str | None,
    ) -> None:
        self._ray = imported_ray()
        self._output = contextlib.ExitStack()
        # Ray prints a paragraph for each lost worker to where the program's results may go.
        self._output.enter_context(contextlib.redirect_stdout(sys.stderr))
        self._function, self._workers = function, workers
        self._needs = {"CPU": 1.0}
        self._needs |= {"GPU": gpus} if gpus else {}
        self._needs |= {"memory": float(memory_of_task)} if memory_of_task else {}
        self._at_ray: dict[Any, str] = {}
        self._counted, self._most = 0.0, 0
        self._is_own = False
        try:
            self._is_own = connect(self._ray, address, workers)
            require_room(self._ray, self._needs)
        except BaseException:
            self.close(at_once=True)
            raise
        # A lost task is given again by us, who count how often, and report it.
        self._task = self._ray.remote(
            num_cpus=1, num_gpus=gpus, memory=memory_of_task, max_retries=0
        )(_stream)

    def room(self) -> int:
        """Few more than run at a time."""
        if time.monotonic() > self._counted + RECOUNT or not self._most:
            self._counted, self._most = time.monotonic(), room_of(self._ray, self._needs)
        most = self._most + AHEAD if self._workers is None else self._workers
        return most - len(self._at_ray)

    def start(self, name: str, argument: Any) -> None:
        """Hand a task to Ray."""
        self._at_ray[self._task.remote(self._function, argument)] = name

    def events(self, timeout: float) -> list[Event]:
        """What the first task says that has something to say."""
        if not self._at_ray:
            time.sleep(timeout)
            return []
        ready, _ = self._ray.wait(list(self._at_ray), num_returns=1, timeout=timeout)
        return [self._event(one) for one in ready]

    def close(self, at_once: bool) -> None:
        """Leave the cluster, which ends our tasks, or end a Ray of our own."""
        try:
            if self._is_own:
                self._ray.shutdown()
            elif at_once:
                for one in self._at_ray:
                    self._ray.cancel(one, force=True)
        finally:
            self._output.close()

    def _event(self, stream: Any) -> Event:
        name, errors = self._at_ray[stream], self._ray.exceptions
        try:
            said = self._ray.get(next(stream))
        except errors.RayTaskError as error:  # before `perform` could see it
            event: Event = Ended(name, Work(None, described(error.cause or error)))
        except errors.RayError as error:
            event = Lost(name, _how_it_ended(error))
        else:
            if isinstance(said, ProcessPlace):
                return Begun(name, said)
            event = Ended(name, said)
        del self._at_ray[stream]
        return event


def _stream(function: Function, argument: Any) -> Iterator[ProcessPlace | Work]:
    """Where a task runs, as soon as it does, and later what it has brought; on a node."""
    yield ProcessPlace.of_this_process()
    yield perform(lambda: (function, argument))


def _how_it_ended(error: Exception) -> str:
    known = {
        "OutOfMemoryError": "Ray ended its process, since the node ran out of memory",
        "NodeDiedError": "its node is gone",
        "WorkerCrashedError": "its process was killed or crashed, perhaps for lack of memory",
    }
    text = " ".join(str(error).split()).partition(". ")[0]
    return known.get(type(error).__name__, f"Ray lost it ({type(error).__name__}: {text[:200]})")
