"""Learning against memorising: networks learn labels, a share of which is drawn at random.

Information about the labels that a network is told, on the pictures it is trained on, beside that
about the true labels on pictures that are held out. And the units of Z: how diverse they are, and
whether one unit answers to one picture.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from eigentropy.studies import courses, data, differences
from eigentropy.studies.courses import RUN, Numbers, Sizes, Training
from eigentropy.studies.estimators import spearman
from eigentropy.studies.rows import StudyRow
from eigentropy.studies.study import (
    Claim,
    Curve,
    Finding,
    Job,
    Panel,
    StudyPlan,
    distinct,
    means,
    repeated,
    select,
)

SHARES = (0.0, 0.25, 0.5, 1.0)

# Of labels that mean something, and of labels that can only be learned by heart. Units are compared
# between these.
MEANT, RANDOM = SHARES[0], SHARES[-1]

# Pictures on which Z is measured, with their labels.
TRAINING, HELD_OUT = "training, labels as told", "held out, true labels"
STATISTICS = ("DSE auto", "DSMI(Z;Y) auto", "adjusted(Z;Y) auto")
DIVERSITIES, SELECTIVITY = ("DSE of units", "kernel entropy of units"), "selectivity of units"
OF_UNITS = (*DIVERSITIES, SELECTIVITY)
OF_RUN = ("loss", "training accuracy", "accuracy")

MEMORISED = 0.9

# Half of the training digits: fewer pictures are learned by heart sooner.
EXAMPLES = {"digits": 450}


def jobs(plan: StudyPlan) -> list[Job]:
    """One job for each network, share of wrong labels, and seed."""
    name = courses.data_of(plan)
    count = courses.epochs(plan, name, quick=120, full=300)
    return [
        courses.job(
            name,
            {"network": network, "share": share, "epochs": count},
            seed,
            courses.observed(count, plan),
            _numbers(share),
        )
        for network in courses.networks(plan, name)
        for share in SHARES
        for seed in plan.seeds(quick=3, full=courses.repetitions(name))
    ]


def _numbers(share: float) -> dict[str, Sequence[str]]:
    of_pictures = (*STATISTICS, *(OF_UNITS if share in (MEANT, RANDOM) else ()))
    return {TRAINING: of_pictures, HELD_OUT: of_pictures, RUN: OF_RUN}


def _prepare(job: Job, sizes: Sizes, recorder: Any) -> Training:
    from eigentropy.studies.vision import architectures, learning, pictures
    from eigentropy.studies.vision.unit_numbers import unit_numbers
    from eigentropy.studies.vision.watching import Watch

    settings, seed = job.settings, job.seed
    training, heldout = pictures.load(job.data, sizes.digits)
    training = training.at_most(EXAMPLES.get(job.data, len(training)), seed)
    told = training.relabelled(data.corrupted(training.y, float(settings["share"]), seed=seed))
    network = architectures.make(str(settings["network"]), told, seed, sizes.side)
    points = sizes.points_of(job.data, network.name)
    seen = told.at_most(points, seed)
    watch = Watch(network, heldout, points, place=HELD_OUT, record=recorder)
    other = Watch(network, seen, points, place=TRAINING)
    plan = sizes.course(job.data, int(settings["epochs"]), network.name)

    def measure(epoch: int, loss: float) -> Numbers:
        shares = [learning.accuracy(network, seen, part) for part in (seen, heldout)]
        values = dict(zip(OF_RUN, (loss, *shares), strict=True))
        numbers = {(RUN, name): value for name, value in values.items()}
        numbers |= watch(epoch, values) | other(epoch)
        if settings["share"] in (MEANT, RANDOM):
            numbers |= unit_numbers(network, seen, TRAINING)
            numbers |= unit_numbers(network, heldout.at_most(points, seed), HELD_OUT)
        return numbers

    return learning.train(network, told, plan, learning.CrossEntropy(), seed), measure


def findings(rows: Sequence[StudyRow]) -> list[Finding]:
    """Whether labels are memorised, and which information shows it."""
    found = []
    for network in distinct(rows, "network"):
        end = courses.last(select(rows, network=network))
        found += [
            _memorised(end, network),
            _information(end, network),
            _falls(end, network, "accuracy", RUN),
            _falls(end, network, "DSMI(Z;Y) auto", HELD_OUT),
            _falls(end, network, "adjusted(Z;Y) auto", HELD_OUT),
            *_units(select(rows, network=network), end, network),
        ]
    return found


def _units(rows: Sequence[StudyRow], end: Sequence[StudyRow], network: str) -> list[Finding]:
    """What the lecture says of units: diverse where features are learned, one for one picture."""
    start = select(rows, epoch=0)
    learned, heart = {"share": MEANT}, {"share": RANDOM}
    text = f"{network}: held-out {{}} rises while true labels are learned"
    found = [
        _differ("diversity", text, name, (end, learned), (start, learned), HELD_OUT)
        for name in DIVERSITIES
    ]
    text = f"{network}: held-out {{}} is larger where true labels are learned than random ones"
    found += [
        _differ("more diverse", text, name, (end, learned), (end, heart), HELD_OUT)
        for name in DIVERSITIES
    ]
    text = f"{network}: {{}} on the pictures learned rises while random labels are memorised"
    found.append(_differ("one unit", text, SELECTIVITY, (end, heart), (start, heart), TRAINING))
    text = f"{network}: {{}} on the pictures learned is larger with random labels than true ones"
    found.append(_differ("one unit", text, SELECTIVITY, (end, heart), (end, learned), TRAINING))
    return found


def _differ(kind: str, text: str, name: str, one: Any, other: Any, place: str) -> Finding:
    """Whether a number of some rows is larger than that of others, in the runs of each seed."""
    of = (select(rows, estimator=name, place=place, **settings) for rows, settings in (one, other))
    return differences.judged(Claim(kind, text.format(name)), differences.paired(*of), 1)


def _memorised(end: Sequence[StudyRow], network: str) -> Finding:
    text = f"{network}: random labels are learned by heart (accuracy {MEMORISED} on them)"
    claim = Claim("by heart", text)
    values = means(select(end, estimator="training accuracy"), "share")
    if 1.0 not in values:
        return claim.not_measured()
    return claim.judged(f"{values[1.0]:.3f}", values[1.0] >= MEMORISED)


def _information(end: Sequence[StudyRow], network: str) -> Finding:
    """Whether memorised pictures have information about meaningless labels."""
    claim = Claim(
        "learned",
        f"{network}: where all labels are random, adjusted(Z;Y) is larger on the pictures "
        "learned, about the labels told, than on those held out, about the true ones",
    )
    values = [
        means(select(end, estimator="adjusted(Z;Y) auto", place=place, share=1.0), "share")
        for place in (TRAINING, HELD_OUT)
    ]
    if not all(values):
        return claim.not_measured()
    told, true = (value[1.0] for value in values)
    return claim.judged(f"{told:.3f} and {true:.3f}", told > true)


def _falls(end: Sequence[StudyRow], network: str, name: str, place: str) -> Finding:
    claim = Claim("falls", f"{network}: held-out {name} falls with the share of random labels")
    values = means(select(end, estimator=name, place=place), "share")
    rho = spearman(list(values), list(values.values()))
    if not math.isfinite(rho):
        return claim.judged("not measured" if not values else "the same for all", None)
    said = ", ".join(f"{value:.3f}" for value in values.values())
    shares = ", ".join(f"{share:.0%}" for share in values)
    return claim.judged(f"{said} at {shares}", rho <= -0.95)


def panels(rows: Sequence[StudyRow]) -> list[Panel]:
    """Both informations and accuracies over epochs, and the units, for each share."""
    drawn = []
    for network in distinct(rows, "network"):
        for name, place, most in (
            ("training accuracy", RUN, 1.0),
            ("adjusted(Z;Y) auto", TRAINING, 1.0),
            ("adjusted(Z;Y) auto", HELD_OUT, 1.0),
            (DIVERSITIES[0], HELD_OUT, math.inf),
            (DIVERSITIES[1], HELD_OUT, math.inf),
            (SELECTIVITY, TRAINING, 1.0),
        ):
            chosen = select(rows, network=network, estimator=name, place=place)
            curves = [
                Curve(f"{share:.0%} random", repeated(select(chosen, share=share), "epoch"))
                for share in sorted(distinct(chosen, "share"))
            ]
            of = "" if place == RUN else f", {place}"
            drawn.append(Panel(f"{network}{of}", "epoch", name, curves, possible=(0.0, most)))
    return drawn


STUDY = courses.study(
    "memorization",
    "information while networks learn labels of which a share is random",
    _prepare,
    jobs=jobs,
    findings=findings,
    panels=panels,
)
