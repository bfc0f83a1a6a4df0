"""Jobs of a study as tasks of an engine: one file of rows a job, which outlives a killed run."""

from __future__ import annotations

import hashlib
import json
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from eigentropy._support.progress import Callback
from eigentropy._support.warnings import warn
from eigentropy.ranking.engines import TaskOutcome, run_tasks
from eigentropy.studies.rows import StudyRow, from_fields, to_fields
from eigentropy.studies.study import Job

Measure = Callable[[Job], Iterable[StudyRow]]


@dataclass(frozen=True)
class Engine:
    """What runs tasks: a number of processes of this machine, or a Ray cluster at an address."""

    processes: int
    ray: str | None = None
    gpus: float = 0.0  # that a task takes
    progress: bool | Callback = False

    def run(self, function: Any, tasks: Mapping[str, Any], folder: Path) -> TaskOutcome:
        """Call the function for each task whose file is not there."""
        shown = self.progress
        return run_tasks(
            function,
            tasks,
            folder,
            engine="processes" if self.ray is None else "ray",
            address=self.ray,
            workers=self.processes if self.ray is None else None,
            gpus_per_task=self.gpus,
            progress=(lambda status: shown(status.share)) if callable(shown) else shown,
            fingerprint=_fingerprint,
        )


def task_rows(
    measure: Measure, jobs: Sequence[Job], folder: Path, engine: Engine
) -> Iterator[StudyRow]:
    """The rows of all jobs, each measured once.

    A job that fails has no rows, and a warning says why. One that is done is read from its file.
    """
    if not jobs:
        return
    outcome = engine.run(write_rows, {_name(job): (measure, job) for job in jobs}, folder)
    for path in outcome.done.values():
        rows, warned = _read(path)
        for line in warned:
            warn(line)
        yield from rows
    for name, reason in outcome.failed.items():
        warn(f"{name} is left out: {reason}")


def write_rows(task: tuple[Measure, Job], path: Path) -> None:
    """Measure a job and write its rows and its warnings as JSON. An engine calls this."""
    measure, job = task
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("default")
        rows = [to_fields("", row) for row in measure(job)]
    warned = list(dict.fromkeys(str(warning.message) for warning in caught))
    path.write_text(json.dumps({"rows": rows, "warnings": warned}))


def _read(path: Path) -> tuple[list[StudyRow], list[str]]:
    found = json.loads(path.read_text())
    return [from_fields("", texts) for texts in found["rows"]], found["warnings"]


def _name(job: Job) -> str:
    return f"{job.settings['model']} {job.data} {job.seed}"


def _fingerprint(task: tuple[Any, Job]) -> str:
    """Of the cells: another size, or fewer scores that are left, is another task."""
    return hashlib.sha256(repr(task[1].cells).encode()).hexdigest()[:16]
