"""Entropy or information of the representation as a term of the loss, with few labels and many.

The paper's authors planned cross-entropy + w DSE(z) on CIFAR-10 with w = 1e-2, and did not report
it. Here every term is compared with none, on the same seeds.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from eigentropy.studies import courses, differences
from eigentropy.studies.courses import RUN, Numbers, Sizes, Training, Z
from eigentropy.studies.figures import band
from eigentropy.studies.rows import StudyRow
from eigentropy.studies.study import (
    Claim,
    Curve,
    Finding,
    Job,
    Listing,
    Panel,
    StudyPlan,
    distinct,
    select,
)

NONE = "none"
TERMS = ("raise DSE", "lower DSE", "raise DSMI")
WEIGHTS = (0.01, 0.1)  # the first is the paper's
FEW = 100

STATISTICS = ("DSE auto", "DSMI(Z;Y) auto", "adjusted(Z;Y) auto")


def jobs(plan: StudyPlan) -> list[Job]:
    """One job for each term, weight, number of labels, and seed."""
    data = courses.data_of(plan)
    many = 800 if data == "digits" else 5000
    # Few labels are fitted within these epochs; as many steps as for many would take longer.
    courses_of = {
        labels: courses.epochs(plan, data, quick=quick, full=full)
        for labels, quick, full in ((FEW, 200, 400), (many, 30, 200))
    }
    # Three seeds are too few for small differences.
    seeds = plan.seeds(quick=5, full=20 if data == "digits" else 5)
    return [
        courses.job(
            data,
            {"network": network, "labels": labels, "term": term, "weight": w, "epochs": count},
            seed,
            [count],
            {Z: STATISTICS, RUN: ["training accuracy", "accuracy"]},
        )
        for network in courses.networks(plan, data)[:1]
        for labels, count in courses_of.items()
        for term, w in ((NONE, 0.0), *((t, w) for t in TERMS for w in WEIGHTS))
        for seed in seeds
    ]


def _prepare(job: Job, sizes: Sizes, recorder: Any) -> Training:
    from eigentropy.studies.vision import architectures, learning, pictures
    from eigentropy.studies.vision.watching import Watch

    settings, seed = job.settings, job.seed
    training, heldout = pictures.load(job.data, sizes.digits)
    chosen = balanced(training.y, int(settings["labels"]), seed)
    few = training.some(chosen)
    network = architectures.make(str(settings["network"]), training, seed, sizes.side)
    points = sizes.points_of(job.data, network.name)
    watch = Watch(network, heldout, points, record=recorder)
    plan = sizes.course(job.data, int(settings["epochs"]), network.name)
    objective = objective_of(str(settings["term"]), float(settings["weight"]))

    def measure(epoch: int, loss: float) -> Numbers:
        values = {
            "training accuracy": learning.accuracy(network, few, few),
            "accuracy": learning.accuracy(network, few, heldout),
        }
        numbers: Numbers = {(RUN, name): value for name, value in values.items()}
        return numbers | watch(epoch, {"loss": loss, **values})

    return learning.train(network, few, plan, objective, seed), measure


def balanced(y: Any, count: int, seed: int) -> Any:
    """Numbers of `count` rows drawn at random, balanced over the classes as far as possible."""
    order = np.random.default_rng([seed, 10]).permutation(len(y))
    turn = np.empty(len(y), dtype=np.int64)  # how many of its class come before
    for label in np.unique(y):
        of = order[y[order] == label]
        turn[of] = np.arange(len(of))
    return np.sort(order[np.argsort(turn[order], kind="stable")][:count])


def objective_of(term: str, weight: float) -> Any:
    """Cross-entropy with this term, such as "raise DSE", or with NONE."""
    from eigentropy.studies.vision.learning import CrossEntropy
    from eigentropy.torch import EntropyLoss, InformationLoss

    if term == NONE:
        return CrossEntropy()
    goal, kind = term.split()
    if kind == "DSMI":
        return CrossEntropy(InformationLoss(weight, goal), takes_labels=True)
    return CrossEntropy(EntropyLoss(weight, goal))


def findings(rows: Sequence[StudyRow]) -> list[Finding]:
    """Whether each term moves what it is meant to move, and whether accuracy gains."""
    found = []
    for labels in distinct(rows, "labels"):
        of = select(rows, labels=labels)
        for term in TERMS:
            name = "DSE auto" if term.endswith("DSE") else "DSMI(Z;Y) auto"
            sign = -1 if term.startswith("lower") else 1
            verb = "lower" if sign < 0 else "higher"
            text = f"{labels} labels: {term}, w = {WEIGHTS[-1]:g}: held-out {name} is {verb}"
            claim = Claim("term", text)
            found.append(_differs(of, term, WEIGHTS[-1], name, claim, sign))
        for term in TERMS:
            for weight in WEIGHTS:
                text = f"{labels} labels: {term}, w = {weight:g}: held-out accuracy is higher"
                claim = Claim("accuracy", text)
                found.append(_differs(of, term, weight, "accuracy", claim, 1))
    return found


def _differences(rows: Sequence[StudyRow], term: str, weight: float, name: str) -> list[float]:
    """For each seed, the value with the term minus the value without it."""
    of, without = (
        select(rows, term=t, weight=w, estimator=name) for t, w in ((term, weight), (NONE, 0.0))
    )
    return differences.paired(of, without)


def _differs(
    rows: Sequence[StudyRow], term: str, weight: float, name: str, claim: Claim, sign: int
) -> Finding:
    """The claim holds if the whole 95 % interval of the difference has the sign."""
    return differences.judged(claim, _differences(rows, term, weight, name), sign, "+.4f")


def listing(rows: Sequence[StudyRow]) -> Listing:
    """Means over the seeds of all terms."""
    names = ("accuracy", *STATISTICS)
    lines = []
    for labels in distinct(rows, "labels"):
        for term in distinct(rows, "term"):
            for weight in distinct(select(rows, term=term), "weight"):
                of = select(rows, labels=labels, term=term, weight=weight)
                cells = [band([row.value for row in select(of, estimator=n)]) for n in names]
                shown = [f"{mean:.3f} +- {half:.3f}" for mean, half in cells]
                lines.append([str(labels), f"{term} {weight:g}" if weight else term, *shown])
    return Listing(
        f"Held-out pictures, mean and 95 % interval over {len(distinct(rows, 'seed'))} seeds",
        ["labels", "term, w", *names],
        lines,
    )


# A difference may be negative.
_DIFFERENCES = (-math.inf, math.inf)


def panels(rows: Sequence[StudyRow]) -> list[Panel]:
    """The difference that a term makes, over its weight."""
    drawn = []
    for labels in distinct(rows, "labels"):
        for name in ("accuracy", "DSE auto", "adjusted(Z;Y) auto"):
            of = select(rows, labels=labels)
            curves = [
                Curve(term, {w: _differences(of, term, w, name) for w in WEIGHTS}) for term in TERMS
            ]
            title, y = f"{labels} labels", f"{name}, less without"
            drawn.append(Panel(title, "weight", y, curves, log_x=True, possible=_DIFFERENCES))
    return drawn


STUDY = courses.study(
    "regularization",
    "entropy and information of the representation as a term of the loss",
    _prepare,
    jobs=jobs,
    findings=findings,
    panels=panels,
    listing=listing,
)
