"""How soon a collapse is seen: small self-supervised runs in which one begins at a known step.

SimCLR and VICReg learn digits in health; then what prevents a collapse is taken away. The alarm of
`eigentropy.torch` stands beside ranks with the thresholds that people use.
"""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from eigentropy.baselines._pytorch import threads_for
from eigentropy.studies.detectors import AGGREGATE, ALARM, BESIDE, DETECTORS, RANKS
from eigentropy.studies.faults import (
    AT_ONCE,
    CLASS,
    DIMENSIONAL,
    FAULTS,
    HEALTHY,
    METHODS,
    ONSETS,
    SIMCLR,
    Schedule,
)
from eigentropy.studies.models import halves, require_sklearn
from eigentropy.studies.networks import torch_for_networks
from eigentropy.studies.rows import Cell, Parameter, StudyRow, sorted_parameters
from eigentropy.studies.study import (
    Claim,
    Curve,
    Finding,
    Job,
    Listing,
    Panel,
    Study,
    StudyPlan,
    repeated,
    select,
)

# What is drawn, each as a share of its mean in the reference.
CURVES = (*RANKS, "DSE", "spread", "scale")

# False alarms may be this share of the healthy runs; and a collapse is to be found first in this
# share of the runs.
FALSE, FIRST = 0.05, 0.8

# Looks between the points of a curve.
APART = 8


@dataclass(frozen=True)
class CollapseSizes:
    """How much is trained on and looked at. Tests take less."""

    schedule: Schedule = field(default_factory=Schedule)
    digits: int | None = None  # pictures in each half; None: all
    points: int = 300  # held-out pictures of each look
    viewed: int = 100  # further ones, of whose views LiDAR is
    views: int = 10


SIZES = CollapseSizes()


def faults_of(method: str) -> tuple[str, ...]:
    """SimCLR has no term against few directions that could be taken away."""
    return tuple(fault for fault in FAULTS if (method, fault) != (SIMCLR, DIMENSIONAL))


def jobs(plan: StudyPlan) -> list[Job]:
    """One job for each method and seed: all of its faults begin in the same network."""
    torch_for_networks()
    require_sklearn()
    seeds = plan.seeds(quick=10, full=10)
    found = [_job(method, seed, plan.full) for seed in seeds for method in METHODS]
    if plan.full:  # as many further runs in health, for the share of false alarms
        further = range(seeds.stop, seeds.stop + len(seeds))
        found += [
            Job(_detections(method, HEALTHY, "", seed)) for seed in further for method in METHODS
        ]
    return found


def _job(method: str, seed: int, full: bool) -> Job:
    cells = [*_detections(method, HEALTHY, "", seed), *_curves(method, HEALTHY, seed)]
    for fault in faults_of(method):
        for onset in ONSETS if full else (AT_ONCE,):
            cells += _detections(method, fault, onset, seed)
        cells += _curves(method, fault, seed)
    return Job(tuple(cells))


def _cell(name: str, seed: int, **settings: Parameter) -> Cell:
    return Cell("digits", sorted_parameters(settings), name, seed)


def _detections(method: str, fault: str, onset: str, seed: int) -> tuple[Cell, ...]:
    return tuple(_cell(name, seed, method=method, fault=fault, onset=onset) for name in DETECTORS)


def _curves(method: str, fault: str, seed: int) -> tuple[Cell, ...]:
    schedule = SIZES.schedule
    onset = "" if fault == HEALTHY else AT_ONCE
    looks = range(-schedule.reference, schedule.after, APART)
    return tuple(
        _cell(name, seed, method=method, fault=fault, onset=onset, step=look * schedule.every)
        for look in looks
        for name in CURVES
    )


def measure(job: Job, sizes: CollapseSizes = SIZES) -> Iterator[StudyRow]:
    """Train the network of a job in health, and a copy of it for each fault."""
    with threads_for(torch_for_networks(), 0):  # the networks are small
        training, watch = _in_health(job, sizes)
        for fault, onset in dict.fromkeys(
            (c.settings["fault"], c.settings["onset"]) for c in job.cells
        ):
            start = time.perf_counter()
            found = _values(training.fork(fault), watch, str(fault), str(onset), sizes)
            seconds = (time.perf_counter() - start) / sizes.schedule.after
            for cell in job.cells:
                if (cell.settings["fault"], cell.settings["onset"]) == (fault, onset):
                    key = (cell.estimator, cell.settings.get("step"))
                    if key in found:
                        yield StudyRow(cell, found[key], math.nan, seconds)


def _in_health(job: Job, sizes: CollapseSizes) -> tuple[Any, Any]:
    """The training up to the onset, and the looks at it."""
    from eigentropy.studies.vision import self_supervised
    from eigentropy.studies.vision.collapse_watch import CollapseWatch

    schedule = sizes.schedule
    X, heldout, y, y_heldout = halves(sizes.digits)
    training = self_supervised.Training(
        str(job.settings["method"]), self_supervised.tensor(X), y, schedule, job.seed
    )
    for _ in range(schedule.warm_up):
        training.step()
    further = self_supervised.tensor(heldout[sizes.points : sizes.points + sizes.viewed])
    watch = CollapseWatch(
        training.network,
        self_supervised.tensor(heldout[: sizes.points]),
        y_heldout[: sizes.points],
        self_supervised.views_of_each(further, sizes.views, seed=0),
        schedule,
    )
    for _ in range(schedule.reference):
        watch.look()
        for _ in range(schedule.every):
            training.step()
    return training, watch


def _values(
    training: Any, watch: Any, fault: str, onset: str, sizes: CollapseSizes
) -> dict[tuple[str, Parameter | None], float]:
    """Steps to each detection, and the points of the curves, by name and step."""
    schedule = sizes.schedule
    watch, step = watch.copy(training.network), 0
    for _ in range(schedule.after):
        watch.look()
        for _ in range(schedule.every):
            training.step(schedule.strength(fault, onset, step))
            step += 1
    found: dict[tuple[str, Parameter | None], float] = {
        (name, None): look * schedule.every for name, look in watch.first_looks().items()
    }
    for name in CURVES:
        curve = watch.curves[name]
        usual = math.fsum(curve[: schedule.reference]) / schedule.reference
        for look, value in enumerate(curve):
            found[name, (look - schedule.reference) * schedule.every] = value / usual
    return found


def findings(rows: Sequence[StudyRow]) -> list[Finding]:
    """False alarms, and which collapse the alarm finds before RankMe is half of what it was."""
    found = [
        _false_alarms(select(rows, fault=HEALTHY, method=method), method) for method in METHODS
    ]
    for onset in [o for o in ONSETS if select(rows, onset=o)]:
        for method in METHODS:
            for fault in faults_of(method):
                of = select(rows, method=method, fault=fault, onset=onset)
                text = f"{method}, {fault} collapse, {onset}: the alarm finds it before "
                if fault == CLASS:
                    claim = Claim("class", f"{text}it does without classes")
                    found.append(_first(of, claim, AGGREGATE))
                else:
                    claim = Claim("first", f"{text}RankMe has halved")
                    found.append(_first(of, claim, BESIDE))
        claim = Claim(
            "all", f"all collapses, {onset}: the alarm finds them before RankMe has halved"
        )
        found.append(_first(select(rows, onset=onset), claim, BESIDE))
    return found


def _steps(rows: Sequence[StudyRow], name: str) -> dict[Any, float]:
    """Steps to the detection for each run; infinite where there is none."""
    return {
        (*row.cell.parameters, row.cell.seed): math.inf if math.isnan(row.value) else row.value
        for row in select(rows, estimator=name)
    }


def _false_alarms(rows: Sequence[StudyRow], method: str) -> Finding:
    claim = Claim(
        "false alarms", f"{method}, healthy: at most {FALSE:.0%} of the runs have an alarm"
    )
    steps = _steps(rows, ALARM)
    if not steps:
        return claim.not_measured()
    false = sum(map(math.isfinite, steps.values()))
    return claim.judged(f"{false} of {len(steps)} runs", false <= FALSE * len(steps))


def _first(rows: Sequence[StudyRow], claim: Claim, other: str) -> Finding:
    """Whether the alarm is before another detector in most runs."""
    ours, theirs = (_steps(rows, name) for name in (ALARM, other))
    if not (ours and theirs):
        return claim.not_measured()
    first = sum(steps < theirs[run] for run, steps in ours.items())
    measured = f"in {first} of {len(ours)} runs; {_said(ours)} against {_said(theirs)}"
    if other != BESIDE:
        measured += f"; {BESIDE}: {_said(_steps(rows, BESIDE))}"
    return claim.judged(measured, first >= FIRST * len(ours))


def _said(steps: Mapping[Any, float]) -> str:
    """How many runs are found, and after how many steps, by the median; empty for no run."""
    if not steps:
        return ""
    found = sum(map(math.isfinite, steps.values()))
    middle = statistics.median(steps.values())
    return f"{found}/{len(steps)}" + (f" after {middle:g}" if math.isfinite(middle) else "")


def listing(rows: Sequence[StudyRow]) -> Listing:
    """For each detector the false alarms, and the runs that it finds."""
    columns = [
        (method, fault) for fault in FAULTS for method in METHODS if fault in faults_of(method)
    ]
    lines = []
    for onset in [o for o in ONSETS if select(rows, onset=o)]:
        for name in DETECTORS:
            of = select(rows, estimator=name)
            healthy = select(of, fault=HEALTHY)
            false = [row for row in healthy if math.isfinite(row.value)]
            cells = [
                _said(_steps(select(of, method=method, fault=fault, onset=onset), name))
                for method, fault in columns
            ]
            lines.append([name, onset, f"{len(false)}/{len(healthy)}", *cells])
    return Listing(
        "Runs that are found, and the median number of steps from the onset, runs that are not "
        "found counted as later than all others; false alarms are of healthy runs",
        ["detector", "onset", "false alarms", *(f"{fault}, {method}" for method, fault in columns)],
        lines,
    )


def panels(rows: Sequence[StudyRow]) -> list[Panel]:
    """What each measure does around the onset, as a share of its mean in the reference."""
    drawn = []
    for fault in (HEALTHY, *FAULTS):
        for method in METHODS:
            of = select(rows, method=method, fault=fault)
            curves = [
                Curve(name, repeated(select(of, estimator=name), "step"))
                for name in CURVES
                if select(of, estimator=name)
            ]
            if curves:
                title = f"{method}, {fault}"
                drawn.append(Panel(title, "steps from the onset", "share of the reference", curves))
    return drawn


STUDY = Study(
    "collapse",
    "how soon alarms and thresholds see that a representation collapses",
    jobs=jobs,
    measure=measure,
    findings=findings,
    panels=panels,
    listing=listing,
    parallel=True,
)
