"""What a study is: its plan, its jobs, what its rows say, and how to choose among the rows."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from eigentropy._support.options import integer
from eigentropy.studies.rows import Cell, Parameter, StudyRow, sorted_parameters

# Where studies of training keep a run directory for each network, beside the table.
RUNS = "runs"


@dataclass(frozen=True)
class StudyPlan:
    """How much of a study to run."""

    full: bool = False
    seed: int = 0
    repetitions: int | None = None  # None: the study's own number
    data: str | None = None  # None: the study's own
    epochs: int | None = None  # of studies of training; None: the study's own
    models: Path | None = None  # a list of models, of studies that take one; None: their own

    def __post_init__(self) -> None:
        """Check the numbers before anything is measured."""
        integer(self.seed, "seed", at_least=0)
        if self.repetitions is not None:
            integer(self.repetitions, "repetitions", at_least=1)
        if self.epochs is not None:
            integer(self.epochs, "epochs", at_least=1)

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
        """The parameters that all cells share, which determine the data."""
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
    """The settings that identify the training run of a job: not epoch and place."""
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


# Estimators without a diffusion time.
BASELINES = ("CSE", "CSMI", "plug-in", "KSG", "MINE")


@dataclass(frozen=True)
class Finding:
    """One line of the verdict: a claim, what was measured, whether it holds (None: not known)."""

    claim: str
    measured: str
    holds: bool | None
    kind: str  # of the claim, for programs


@dataclass(frozen=True)
class Claim:
    """What is expected of the rows. Claims of one kind are judged alike."""

    kind: str
    text: str

    def judged(self, measured: str, holds: bool | None) -> Finding:
        """The finding: what was measured, and whether the claim holds."""
        return Finding(self.text, measured, holds, self.kind)

    def not_measured(self) -> Finding:
        """The finding where rows are missing."""
        return self.judged("not measured", None)


@dataclass(frozen=True)
class Curve:
    """Values over x, one group of repetitions for each x.

    `possible` is what they estimate can be, where that is not what the panel says.
    """

    label: str
    points: dict[float, list[float]]
    possible: tuple[float, float] | None = None


@dataclass(frozen=True)
class Panel:
    """One plot: curves with confidence bands, a scatter of points, or a map of values.

    `possible` is what the values estimate can be, as far as it is known. Bands end there. A `small`
    panel is one of a grid: it stands below its title and right of its y, without numbers. The
    points of a `joined` scatter are a path, such as over the epochs; its last point is larger.
    """

    title: str
    x: str
    y: str
    curves: list[Curve] = field(default_factory=list)
    log_x: bool = False
    scatter: bool = False
    joined: bool = False
    small: bool = False
    possible: tuple[float, float] = (0.0, math.inf)
    cells: dict[tuple[float, float], float] = field(default_factory=dict)  # a map: (x, y) -> value


@dataclass(frozen=True)
class Listing:
    """A further table, for a study whose verdict does not show everything."""

    title: str
    headings: list[str]
    lines: list[list[str]]


@dataclass(frozen=True)
class Study:
    """A question, the jobs that answer it, and what their rows say.

    `measure` yields the rows of a job one by one; it may yield none for a cell that an estimator
    cannot measure, with a warning. `parallel` studies run one process a job. Those with `records`
    take the directory for their runs as a second argument. The jobs of those `by_engine` are tasks
    of an engine, each of which leaves its rows in a file there.
    """

    name: str
    title: str
    jobs: Callable[[StudyPlan], list[Job]]
    measure: Callable[..., Iterable[StudyRow]]
    findings: Callable[[Sequence[StudyRow]], list[Finding]]
    panels: Callable[[Sequence[StudyRow]], list[Panel]]
    listing: Callable[[Sequence[StudyRow]], Listing] | None = None
    parallel: bool = False
    records: bool = False
    by_engine: bool = False
    takes_models: bool = False  # a list of them, --models
    data: tuple[str, ...] = ()  # what --data may name
    below: str = (  # what its figure shows
        "shaded: 95 % confidence of the mean over repetitions (seeds), within what is possible"
    )


@dataclass(frozen=True)
class Outcome:
    """The rows of a finished study, and what is printed and drawn of them."""

    rows: list[StudyRow]
    findings: list[Finding]
    panels: list[Panel]
    listing: Listing | None
    measured: int  # rows that this run has added
    notes: list[str]
    runs: list[Path] = field(default_factory=list)  # recorded ones, of the first seed


def select(rows: Iterable[StudyRow], **wanted: Any) -> list[StudyRow]:
    """Rows whose estimator, data, seed or parameters have these values."""
    found = list(rows)
    for name, value in wanted.items():
        found = [row for row in found if _entry(row, name) == value]
    return found


def _entry(row: StudyRow, name: str) -> Any:
    if name in ("estimator", "data", "seed"):
        return getattr(row.cell, name)
    return next((value for key, value in row.cell.parameters if key == name), None)


def repeated(rows: Iterable[StudyRow], x: str) -> dict[float, list[float]]:
    """The values of the repetitions for each x, in the order of x."""
    points: dict[float, list[float]] = {}
    for row in rows:
        points.setdefault(float(row[x]), []).append(row.value)
    return dict(sorted(points.items()))


def means(rows: Iterable[StudyRow], x: str) -> dict[float, float]:
    """The mean over the repetitions for each x."""
    return {at: math.fsum(v) / len(v) for at, v in repeated(rows, x).items()}


def distinct(rows: Iterable[StudyRow], name: str) -> list[Any]:
    """The values that an estimator's name or a parameter takes, in the order of appearance."""
    return list(dict.fromkeys(_entry(row, name) for row in rows))
