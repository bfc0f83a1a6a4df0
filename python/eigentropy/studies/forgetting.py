"""A second task: half of the classes are learned, then the other half, without the first.

What the representation still says of the first classes, block by block, beside what the network
still answers, and what a linear probe still finds.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Any

import numpy as np

from eigentropy._support.options import integer
from eigentropy.studies import courses, differences
from eigentropy.studies.courses import RUN, Numbers, Sizes, Training
from eigentropy.studies.rows import Parameter, StudyRow
from eigentropy.studies.study import (
    Claim,
    Curve,
    Finding,
    Job,
    Panel,
    StudyPlan,
    distinct,
    repeated,
    select,
)

FIRST, SECOND = "first classes", "second classes"
STATISTICS = ("DSE auto", "DSMI(Z;Y) auto", "adjusted(Z;Y) auto", "accuracy", "linear probe")
AT_ENDS = ("kernel information(Z;Y) auto", "adjusted kernel information(Z;Y) auto")
AT_BLOCKS = ("adjusted(Z;Y) auto", *AT_ENDS)


def jobs(plan: StudyPlan) -> list[Job]:
    """One job for each network and seed; each task takes half of the epochs."""
    data = courses.data_of(plan)
    count = integer(courses.epochs(plan, data, quick=80, full=200), "epochs", at_least=2)
    half = courses.observed(count // 2, plan)
    at = sorted({*half, *(count // 2 + epoch for epoch in half)})
    return [
        _job(data, {"network": network, "epochs": count}, seed, at)
        for network in courses.networks(plan, data)
        for seed in plan.seeds(quick=3, full=5)
    ]


def _job(data: str, settings: dict[str, Parameter], seed: int, at: list[int]) -> Job:
    """The numbers of Z at all epochs, and those of the blocks before and after the second task."""
    of_z = {FIRST: STATISTICS, SECOND: STATISTICS, RUN: ("loss",)}
    of_blocks = {FIRST: AT_ENDS, **dict.fromkeys(_blocks(str(settings["network"])), AT_BLOCKS)}
    count = int(settings["epochs"])
    parts = (
        courses.job(data, settings, seed, *of)
        for of in ((at, of_z), ((count // 2, at[-1]), of_blocks))
    )
    return Job(tuple(cell for part in parts for cell in part.cells))


def _blocks(network: str) -> list[str]:
    """The places of a network's blocks, on the first classes."""
    return [f"{FIRST}, block {i + 1}" for i in range(len(courses.BLOCKS[network]))]


def _prepare(job: Job, sizes: Sizes, recorder: Any) -> Training:
    from eigentropy.studies.vision import architectures, learning, pictures
    from eigentropy.studies.vision.watching import Watch

    settings, seed = job.settings, job.seed
    training, heldout = pictures.load(job.data, sizes.digits)
    network = architectures.make(str(settings["network"]), training, seed, sizes.side)
    points, half = sizes.points_of(job.data, network.name), int(settings["epochs"]) // 2
    tasks = dict(zip((FIRST, SECOND), _halves(training), strict=True))
    tests = dict(zip((FIRST, SECOND), _halves(heldout), strict=True))
    records = {FIRST: recorder, SECOND: None}
    watches = {
        name: Watch(network, tests[name], points, place=name, record=records[name])
        for name in tests
    }
    blocks = Watch(network, tests[FIRST], points, blocks=True, further=("kernel_y",), place=FIRST)
    at_ends = {cell.settings["epoch"] for cell in job.cells if cell.estimator in AT_ENDS}
    plan = sizes.course(job.data, half, network.name)
    objective = learning.CrossEntropy()

    def epochs() -> Iterator[tuple[int, float]]:
        first, second = (
            learning.train(network, tasks[name], plan, objective, seed) for name in tasks
        )
        later = ((half + epoch, loss) for epoch, loss in second if epoch > 0)
        return chain(first, later)

    def measure(epoch: int, loss: float) -> Numbers:
        numbers: Numbers = {(RUN, "loss"): loss}
        for name, watch in watches.items():
            seen = tasks[name].at_most(points, seed)
            values = {
                "accuracy": learning.accuracy(network, seen, tests[name]),
                "linear probe": learning.linear_probe(network, seen, tests[name]),
            }
            numbers |= {(name, key): value for key, value in values.items()}
            numbers |= watch(epoch, {"loss": loss, **values})
        return blocks(epoch) | numbers if epoch in at_ends else numbers

    return epochs(), measure


def _halves(pictures: Any) -> list[Any]:
    """The pictures of the first half of the classes, and the other pictures."""
    first = pictures.y < pictures.classes // 2
    return [pictures.some(np.flatnonzero(rows)) for rows in (first, ~first)]


def findings(rows: Sequence[StudyRow]) -> list[Finding]:
    """What is lost of the first classes while the second are learned."""
    found = []
    for network in distinct(rows, "network"):
        of = select(rows, network=network, place=FIRST)
        found += [
            _lost(of, "accuracy", f"{network}: the answers to the first classes are forgotten"),
            _lost(of, "linear probe", f"{network}: so is what a linear probe of Z finds of them"),
            _falls(of, "DSMI(Z;Y) auto", network),
            _falls(of, "adjusted(Z;Y) auto", network),
            *_information(select(rows, network=network), network),
        ]
    return found


def _information(rows: Sequence[StudyRow], network: str) -> list[Finding]:
    """How much of the first classes' information is lost, where, and whether a probe finds it."""
    places = [place for place in distinct(rows, "place") if place.startswith(FIRST)]
    blocks = sorted(place for place in places if place != FIRST)
    found = []
    for place in (*blocks, FIRST):
        at = "Z" if place == FIRST else place.removeprefix(f"{FIRST}, ")
        for name in AT_ENDS if place == FIRST else AT_ENDS[-1:]:
            text = f"{network}: {name} of the first classes falls at {at} (paired)"
            lost = _changes(select(rows, place=place), name)
            found.append(differences.judged(Claim("information", text), lost, -1))
    name = AT_BLOCKS[-1]
    places = [select(rows, place=place) for place in (FIRST, *blocks[:1])]
    text = f"{network}: Z loses more {name} of the first classes than block 1"
    more = _less(*(_changes(of, name) for of in places)) if blocks else []
    found.append(differences.judged(Claim("deep", text), more, -1))
    text = f"{network}: a linear probe of Z loses a smaller share than Z's {name}"
    shares = _less(*(_shares(places[0], of) for of in ("linear probe", name)))
    return [*found, differences.judged(Claim("recovered", text), shares, -1)]


def _less(values: Sequence[float], others: Sequence[float]) -> list[float]:
    return [a - b for a, b in zip(values, others, strict=True)]


def _changes(rows: Sequence[StudyRow], name: str) -> list[float]:
    """For each seed, what the second task adds to a number."""
    return [after - before for before, after in _around(rows, name)]


def _shares(rows: Sequence[StudyRow], name: str) -> list[float]:
    """For each seed, the share of a number that the second task takes."""
    pairs = _around(rows, name)
    return [1.0 - after / before if before else math.nan for before, after in pairs]


def _around(rows: Sequence[StudyRow], name: str) -> list[tuple[float, float]]:
    """For each seed, the value at the end of the first task and at the end of the second."""
    chosen = select(rows, estimator=name)
    half = max((row["epochs"] for row in chosen), default=0) // 2
    return list(courses.ends([row for row in chosen if row["epoch"] >= half]).values())


def _lost(rows: Sequence[StudyRow], name: str, text: str) -> Finding:
    claim = Claim("lost", f"{text} (below half)")
    pairs = _around(rows, name)
    if not pairs:
        return claim.not_measured()
    before, after = (math.fsum(values) / len(pairs) for values in zip(*pairs, strict=True))
    return claim.judged(f"{before:.3f} to {after:.3f}", after < before / 2)


def _falls(rows: Sequence[StudyRow], name: str, network: str) -> Finding:
    claim = Claim("falls", f"{network}: {name} of the first classes falls with the second task")
    pairs = _around(rows, name)
    if not pairs:
        return claim.not_measured()
    before, after = (math.fsum(values) / len(pairs) for values in zip(*pairs, strict=True))
    right = sum(b < a for a, b in pairs)
    measured = f"{before:.3f} to {after:.3f}; so in {right} of {len(pairs)} runs"
    return claim.judged(measured, right == len(pairs))


def panels(rows: Sequence[StudyRow]) -> list[Panel]:
    """Both tasks over the epochs of both."""
    drawn = []
    for name, most in (
        ("accuracy", 1.0),
        ("linear probe", 1.0),
        ("adjusted(Z;Y) auto", 1.0),
        ("DSMI(Z;Y) auto", courses.LARGEST_INFORMATION),
    ):
        curves = [
            Curve(f"{network}, {place}", repeated(chosen, "epoch"))
            for network in distinct(rows, "network")
            for place in (FIRST, SECOND)
            for chosen in [select(rows, network=network, place=place, estimator=name)]
        ]
        x = "epoch (the second task from the middle on)"
        drawn.append(Panel(name, x, name, curves, possible=(0.0, most)))
    return [*drawn, *(_by_block(rows, network) for network in distinct(rows, "network"))]


def _by_block(rows: Sequence[StudyRow], network: str) -> Panel:
    """What each block, and Z, says of the first classes, before and after the second task."""
    name = AT_BLOCKS[-1]
    of = select(rows, network=network, estimator=name)
    blocks = sorted(distinct(of, "place"), key=lambda place: (place == FIRST, place))
    ends: dict[str, dict[float, list[float]]] = {"before": {}, "after": {}}
    for number, place in enumerate(blocks, start=1):
        pairs = _around(select(of, place=place), name)
        for end, values in zip(ends.values(), zip(*pairs, strict=True), strict=False):
            end[float(number)] = list(values)
    curves = [Curve(f"{end} the second task", points) for end, points in ends.items()]
    title = f"{network}: first classes"
    return Panel(title, "block (the last: Z)", name, curves, possible=(0.0, 1.0))


STUDY = courses.study(
    "forgetting",
    "what a representation keeps of its first classes while it learns others",
    _prepare,
    jobs=jobs,
    findings=findings,
    panels=panels,
)
