"""How a study runs: unfinished jobs, in several processes, with each number written at once."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from eigentropy._support.progress import Callback, reporter
from eigentropy._support.warnings import warn
from eigentropy.studies.rows import StudyRow, StudyTable, opened
from eigentropy.studies.study import RUNS, Job, Outcome, Study, StudyPlan, run_directory
from eigentropy.studies.tasks import Engine, task_rows


def run(
    study: Study,
    plan: StudyPlan,
    path: Path,
    *,
    processes: int | None = None,
    progress: bool | Callback = False,
    on_row: Callable[[StudyRow], object] | None = None,
    ray: str | None = None,
    gpus: float = 0.0,
) -> Outcome:
    """Measure what `path` does not hold yet and judge all rows of the plan.

    `processes` is of parallel studies, one a core by default. Where an engine runs the jobs, `ray`
    is the address of a cluster, or "auto", and `gpus` the share of a GPU that a job takes.

    Raises
    ------
    FileError
        `path` cannot be written or holds something else.
    ImportError
        An optional package is missing; the message names the extra.
    """
    jobs, runs = study.jobs(plan), path.parent / RUNS
    if study.records:
        study = replace(study, measure=partial(study.measure, runs=runs.absolute()))
    cells = [cell for job in jobs for cell in job.cells]
    shown = False if study.by_engine else progress  # the engine shows its own
    with opened(study.name, path) as table, reporter(shown, study.name) as callback:
        done = before = len(table.of(cells))
        left = _unfinished(jobs, table)
        workers = processes or len(os.sched_getaffinity(0))
        if study.by_engine:
            engine = Engine(workers, ray, gpus, progress)
            found = task_rows(study.measure, left, runs / study.name / "tasks", engine)
        else:
            found = _rows(study, left, workers)
        for row in found:
            table.add(row)
            done += 1
            if on_row is not None:
                on_row(row)
            if callback is not None:
                callback(done / len(cells))
        rows, notes = table.of(cells), list(table.notes)
    missing = len(cells) - len(rows)
    if missing:
        notes.append(f"{missing} of {len(cells)} numbers could not be measured")
    listing = study.listing(rows) if study.listing else None
    added = len(rows) - before
    recorded = [run_directory(runs, study.name, job) for job in jobs if job.seed == plan.seed]
    recorded = [run for run in recorded if study.records and (run / "values.jsonl").is_file()]
    return Outcome(rows, study.findings(rows), study.panels(rows), listing, added, notes, recorded)


def _unfinished(jobs: Sequence[Job], table: StudyTable) -> list[Job]:
    left = [replace(j, cells=tuple(c for c in j.cells if c not in table.rows)) for j in jobs]
    return [job for job in left if job.cells]


def _rows(study: Study, jobs: list[Job], processes: int) -> Iterator[StudyRow]:
    if not study.parallel or processes == 1 or len(jobs) < 2:
        for job in jobs:
            yield from study.measure(job)
        return
    # Spawned, since a fork of a process with threads, such as PyTorch's, may hang.
    context = multiprocessing.get_context("spawn")
    options: dict[str, Any] = {"mp_context": context, "initializer": _ignore_interrupts}
    with _one_thread_each(), ProcessPoolExecutor(processes, **options) as pool:
        waiting = [pool.submit(_measured, study.measure, job) for job in jobs]
        try:
            for done in as_completed(waiting):
                rows, warned = done.result()
                for line in warned:
                    warn(line)
                yield from rows
        except BrokenProcessPool as error:
            raise ChildProcessError(
                "a process was killed, perhaps for lack of memory; run the same command again to "
                "continue, with fewer --processes"
            ) from error
        except BaseException:
            for future in waiting:
                future.cancel()
            raise


def _ignore_interrupts() -> None:
    """Leave Ctrl-C to the waiting process, which then starts no further jobs."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


_THREADS = ("EIGENTROPY_NUM_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


@contextlib.contextmanager
def _one_thread_each() -> Iterator[None]:
    """Processes that start inside use one thread each."""
    before = {name: os.environ.get(name) for name in _THREADS}
    os.environ.update(dict.fromkeys(_THREADS, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _measured(
    measure: Callable[[Job], Iterable[StudyRow]], job: Job
) -> tuple[list[StudyRow], list[str]]:
    """The rows of a job and the warnings, computed in another process."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("default")
        rows = list(measure(job))
    return rows, list(dict.fromkeys(str(warning.message) for warning in caught))
