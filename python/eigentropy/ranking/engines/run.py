"""Run many independent tasks, each of which writes one result file, and resume after any end."""

from __future__ import annotations

import os
import time
from collections import Counter, deque
from collections.abc import Callable, Mapping
from pathlib import Path
from pickle import PicklingError
from typing import Any

from eigentropy._support.options import integer, nonnegative, one_of
from eigentropy._support.warnings import warn
from eigentropy.io.paths import shown
from eigentropy.ranking.engines.claims import Claims
from eigentropy.ranking.engines.files import is_whole, keep, result_file
from eigentropy.ranking.engines.outcome import TaskOutcome
from eigentropy.ranking.engines.pool import Begun, Ended, Event, Lost, Pool
from eigentropy.ranking.engines.processes import ProcessPool
from eigentropy.ranking.engines.ray_pool import RayPool
from eigentropy.ranking.engines.status import Report, RunningTask, TaskStatus, reported
from eigentropy.ranking.engines.work import Function

ENGINES = ("processes", "ray")

# Seconds after which to look again what other programs have made of tasks, and to report.
POLL = 0.5


def run_tasks(
    function: Function,
    tasks: Mapping[str, Any],
    directory: str | os.PathLike[str],
    *,
    engine: str = "processes",
    workers: int | None = None,
    address: str | None = None,
    gpus_per_task: float = 0.0,
    memory_per_task: int | None = None,
    retries: int = 2,
    progress: bool | Report = False,
    fingerprint: Callable[[Any], str] | None = None,
) -> TaskOutcome:
    """Call `function(argument, path)` once for each task, and keep one result file of each.

    Parameters
    ----------
    function
        A function of a module, which other processes can import. It writes JSON to `path`, a
        temporary file of its own; the engine then puts the file in its place in one step.
    tasks
        The argument of each task by the task's name; arguments are pickled. Any text is a name:
        the file of a result has the name with what a file name cannot hold as ``%2F``.
    directory
        Where the result files are; it is made if it is missing. A task whose file is there is
        done and is not called again; a file that is damaged is replaced. Several calls, also on
        several machines with this directory, share the tasks: none is at work at two places, and
        each call returns when all are done.
    engine
        "processes" for processes of this machine, or "ray" (the extra `ray`).
    workers
        How many tasks run at a time, at most; None for as many as there are cores, or as the
        cluster has room for.
    address
        Of the Ray cluster: "auto" for the one that runs on this machine or that RAY_ADDRESS names,
        "local" for a Ray of this call alone, or host:port. None takes "auto" if there is one, and
        "local" otherwise.
    gpus_per_task
        GPUs that a task needs; below 1, tasks share one. A fraction only says how many tasks are
        on a GPU at a time, and limits no memory.
    memory_per_task
        Bytes that a task needs. So many tasks run at a time as the memory holds.
    retries
        How often a task is called again whose process was killed, such as for lack of memory. A
        task that raises has failed and is not called again.
    progress
        Whether to show on stderr what is done and what is running where, or a function of a
        `TaskStatus`.
    fingerprint
        A text that tells arguments apart which give other results under the same name. It becomes
        part of the file's name, so that a task with a new argument is not taken for done.

    Returns
    -------
    TaskOutcome
        `done` has the file of each task that is done, `failed` why each of the others failed.

    Raises
    ------
    ImportError
        Ray is missing.
    ProcessNotBegunError
        A process could not import the script: its call is not below ``if __name__ == "__main__":``,
        or it is no file.
    ConnectionError
        No Ray cluster can be reached at the address, or one of another version.
    KeyboardInterrupt
        After all processes have ended; what was done is kept.
    """
    one_of(engine, "engine", ENGINES)
    workers = None if workers is None else integer(workers, "workers", at_least=1)
    gpus = nonnegative(gpus_per_task, "gpus_per_task")
    if memory_per_task is not None:
        memory_per_task = integer(memory_per_task, "memory_per_task", at_least=1)
    retries = integer(retries, "retries", at_least=0)
    folder = Path(directory)
    folder.mkdir(parents=True, exist_ok=True)
    files = {
        name: result_file(folder, name, fingerprint and fingerprint(argument))
        for name, argument in tasks.items()
    }
    failed: dict[str, str] = {}
    if not all(is_whole(path) for path in files.values()):
        with Claims(folder) as claims, reported(progress) as report:
            pool: Pool = (
                ProcessPool(function, workers, gpus, memory_per_task)
                if engine == "processes"
                else RayPool(function, workers, gpus, memory_per_task, address)
            )
            run = _Run(tasks, files, retries, claims, pool, report)
            _finished(run, pool, folder)
        failed = run.failed
    return TaskOutcome(
        {name: path for name, path in files.items() if name not in failed},
        {name: failed[name] for name in files if name in failed},
    )


def _finished(run: _Run, pool: Pool, folder: Path) -> None:
    """Run to the end, and end all processes whatever happens."""
    is_over = False
    try:
        run.finish()
        is_over = True
    except KeyboardInterrupt:
        raise KeyboardInterrupt(
            f"{run.status()}; the results are in {shown(folder)}, and the same call goes on from "
            "there"
        ) from None
    finally:
        pool.close(at_once=not is_over)
        for line in run.warned:
            warn(line)


class _Run:
    """The tasks of one call: those that wait, those at the pool, and what became of the others."""

    def __init__(
        self, tasks: Mapping[str, Any], files: Mapping[str, Path], retries: int, claims: Claims,
        pool: Pool, report: Report,
    ) -> None:  # fmt: skip
        self._tasks, self._files, self._retries = tasks, files, retries
        self._claims, self._pool, self._report = claims, pool, report
        self._waiting = deque(name for name in tasks if not is_whole(files[name]))
        self.done = len(tasks) - len(self._waiting)
        self.failed: dict[str, str] = {}
        self.warned: dict[str, None] = {}
        self._lost: Counter[str] = Counter()
        self._started: dict[str, RunningTask | None] = {}

    def finish(self) -> None:
        """Return when it is known of every task what has become of it."""
        while self._waiting or self._started:
            self._start()
            for event in self._pool.events(POLL):
                self._take(event)
            self._report(self.status())

    def status(self) -> TaskStatus:
        """How far the tasks are."""
        running = {name: where for name, where in self._started.items() if where is not None}
        lost = self._lost.total()
        return TaskStatus(len(self._tasks), self.done, len(self.failed), lost, running)

    def _start(self) -> None:
        """Fill the pool; what another program has in hand waits for its result."""
        for _ in range(len(self._waiting)):
            if self._pool.room() <= 0:
                return
            name = self._waiting.popleft()
            if not self._claims.take(self._files[name]):
                self._waiting.append(name)
            elif is_whole(self._files[name]):
                self._claims.release(self._files[name])
                self.done += 1
            else:
                self._hand_over(name)

    def _hand_over(self, name: str) -> None:
        try:
            self._pool.start(name, self._tasks[name])
        except (TypeError, AttributeError, PicklingError) as error:
            self._give_up(name, f"its argument or function cannot be pickled ({error})")
        else:
            self._started[name] = None

    def _take(self, event: Event) -> None:
        match event:
            case Begun(name, place):
                self._started[name] = RunningTask(place, time.monotonic())
            case Lost(name, reason):
                del self._started[name]
                self._lost[name] += 1
                if self._lost[name] <= self._retries:
                    self._waiting.append(name)
                else:
                    self._give_up(name, f"{reason}; tried {self._lost[name]} times")
            case Ended(name, work):
                del self._started[name]
                self.warned |= dict.fromkeys(f"{name}: {line}" for line in work.warned)
                if work.content is None:
                    self._give_up(name, work.reason)
                else:
                    keep(self._files[name], work.content)
                    self._claims.release(self._files[name])
                    self.done += 1

    def _give_up(self, name: str, reason: str) -> None:
        self.failed[name] = reason
        self._claims.release(self._files[name])
