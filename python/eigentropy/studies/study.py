"""What a study is, and how it runs: jobs that are not done yet, each number written at once."""

from __future__ import annotations

import contextlib
import math
import multiprocessing
import os
import signal
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from eigentropy._support.options import integer
from eigentropy._support.progress import Callback, reporter
from eigentropy._support.warnings import warn
from eigentropy.studies.rows import Cell, Parameter, Row, Table, opened, sorted_parameters

# Where studies of training keep a run directory for each network, beside the table.
RUNS = "runs"


@dataclass(frozen=True)
class Plan:
    """How much of a study to run."""

    full: bool = False
    seed: int = 0
    repetitions: int | None = None  # None: the study's own number
    data: str | None = None  # None: the study's own

    def __post_init__(self) -> None:
        """Check the numbers before anything is measured."""
        integer(self.seed, "seed", at_least=0)
        if self.repetitions is not None:
            integer(self.repetitions, "repetitions", at_least=1)

    def seeds(self, quick: int, full: int) -> range:
        """One seed a repetition."""
        count = self.repetitions or (full if self.full else quick)
        return range(self.seed, self.seed + count)


@dataclass(frozen=True)
class Job:
    """Cells that share their data, measured one after the other."""

    cells: tuple[Cell, ...]

    @property
    def settings(self) -> dict[str, Parameter]:
        """What all cells have in common: enough to make the data."""
        first, *others = [cell.settings for cell in self.cells]
        return {k: v for k, v in first.items() if all(o.get(k) == v for o in others)}

    @property
    def data(self) -> str:
        """The name of the data."""
        return self.cells[0].data

    @property
    def seed(self) -> int:
        """The seed of the data and of the estimators."""
        return self.cells[0].seed


def common(job: Job) -> dict[str, Parameter]:
    """What tells the training run of a job from others: not what changes within it."""
    return {k: v for k, v in job.settings.items() if k not in ("epoch", "place")}


def run_directory(runs: Path, study: str, job: Job) -> Path:
    """Where the training run of a job is recorded."""
    words = [study, job.data, *map(str, common(job).values()), str(job.seed)]
    return runs / "-".join(words).replace(" ", "_")


def make_job(
    data: str,
    settings: dict[str, Parameter],
    estimators: Sequence[str],
    seed: int,
    times: Sequence[float] = (),
) -> Job:
    """The job that measures these estimators, each at each of the times, on the same data."""
    settings_of = [{**settings, "t": float(t)} for t in times] or [settings]
    return Job(
        tuple(
            Cell(data, sorted_parameters(each), name, seed)
            for name in estimators
            for each in (settings_of if not name.startswith(BASELINES) else [settings])
        )
    )


# Estimators that know no diffusion time.
BASELINES = ("CSE", "CSMI", "plug-in", "KSG", "MINE")


@dataclass(frozen=True)
class Finding:
    """One line of the verdict: a claim, what was measured, whether it holds (None: not known)."""

    claim: str
    measured: str
    holds: bool | None


@dataclass(frozen=True)
class Curve:
    """Values over x, one group of repetitions for each x."""

    label: str
    points: dict[float, list[float]]


@dataclass(frozen=True)
class Panel:
    """One plot: curves with confidence bands, a scatter of points, or a map of values."""

    title: str
    x: str
    y: str
    curves: list[Curve] = field(default_factory=list)
    log_x: bool = False
    scatter: bool = False
    cells: dict[tuple[float, float], float] = field(default_factory=dict)  # a map: (x, y) -> value


@dataclass(frozen=True)
class Listing:
    """A table of its own, for a study whose verdict does not say it all."""

    title: str
    headings: list[str]
    lines: list[list[str]]


@dataclass(frozen=True)
class Study:
    """A question, the jobs that answer it, and what their rows say.

    `measure` yields the rows of a job one by one; it may yield none for a cell that an estimator
    cannot measure, with a warning. `parallel` studies run one process a job. Those with `records`
    take the directory for their runs as a second argument.
    """

    name: str
    title: str
    jobs: Callable[[Plan], list[Job]]
    measure: Callable[..., Iterable[Row]]
    findings: Callable[[Sequence[Row]], list[Finding]]
    panels: Callable[[Sequence[Row]], list[Panel]]
    listing: Callable[[Sequence[Row]], Listing] | None = None
    parallel: bool = False
    records: bool = False
    data: tuple[str, ...] = ()  # what --data may name


@dataclass(frozen=True)
class Outcome:
    """Rows of a study that ran to its end, and what to tell about it."""

    rows: list[Row]
    findings: list[Finding]
    panels: list[Panel]
    listing: Listing | None
    measured: int  # rows that this run has added
    notes: list[str]
    runs: list[Path] = field(default_factory=list)  # recorded ones, of the first seed


def run(
    study: Study,
    plan: Plan,
    path: Path,
    *,
    processes: int | None = None,
    progress: bool | Callback = False,
    on_row: Callable[[Row], object] | None = None,
) -> Outcome:
    """Measure what `path` does not hold yet and judge all rows of the plan.

    `processes` is of parallel studies, one a core by default.

    Raises
    ------
    FileError
        `path` cannot be written or holds something else.
    ImportError
        An optional package is missing; the message names the extra.
    """
    jobs, runs = study.jobs(plan), path.parent / RUNS
    if study.records:
        study = replace(study, measure=partial(study.measure, runs=runs))
    cells = [cell for job in jobs for cell in job.cells]
    with opened(study.name, path) as table, reporter(progress, study.name) as callback:
        done = before = len(table.of(cells))
        for row in _rows(
            study, _unfinished(jobs, table), processes or len(os.sched_getaffinity(0))
        ):
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


def _unfinished(jobs: Sequence[Job], table: Table) -> list[Job]:
    left = [replace(j, cells=tuple(c for c in j.cells if c not in table.rows)) for j in jobs]
    return [job for job in left if job.cells]


def _rows(study: Study, jobs: list[Job], processes: int) -> Iterator[Row]:
    if not study.parallel or processes == 1 or len(jobs) < 2:
        for job in jobs:
            yield from study.measure(job)
        return
    # Started anew, since a fork of a process with threads, such as PyTorch's, may hang.
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
                "a process was killed, perhaps for lack of memory; the same command goes on, "
                "with fewer --processes"
            ) from error
        except BaseException:
            for future in waiting:
                future.cancel()
            raise


def _ignore_interrupts() -> None:
    """Ctrl-C is for the process that waits: it starts no further jobs."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


_THREADS = ("EIGENTROPY_NUM_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


@contextlib.contextmanager
def _one_thread_each() -> Iterator[None]:
    """Let the processes that start meanwhile use one thread each."""
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


def _measured(measure: Callable[[Job], Iterable[Row]], job: Job) -> tuple[list[Row], list[str]]:
    """All rows of a job, in a process of its own, and the warnings there."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("default")
        rows = list(measure(job))
    return rows, list(dict.fromkeys(str(warning.message) for warning in caught))


def select(rows: Iterable[Row], **wanted: Any) -> list[Row]:
    """Rows whose estimator, data, seed or parameters have these values."""
    found = list(rows)
    for name, value in wanted.items():
        found = [row for row in found if _entry(row, name) == value]
    return found


def _entry(row: Row, name: str) -> Any:
    if name in ("estimator", "data", "seed"):
        return getattr(row.cell, name)
    return next((value for key, value in row.cell.parameters if key == name), None)


def repeated(rows: Iterable[Row], x: str) -> dict[float, list[float]]:
    """The values of the repetitions for each x, in the order of x."""
    points: dict[float, list[float]] = {}
    for row in rows:
        points.setdefault(float(row[x]), []).append(row.value)
    return dict(sorted(points.items()))


def means(rows: Iterable[Row], x: str) -> dict[float, float]:
    """The mean over the repetitions for each x."""
    return {at: math.fsum(v) / len(v) for at, v in repeated(rows, x).items()}


def distinct(rows: Iterable[Row], name: str) -> list[Any]:
    """The values that an estimator's name or a parameter takes, in the order of appearance."""
    return list(dict.fromkeys(_entry(row, name) for row in rows))
