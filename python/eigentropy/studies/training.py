"""Entropy and information while networks learn: labels, contrasts of views, or permuted labels.

The paper's training dynamics, block by block. Everything is measured on pictures that the networks
are not trained on.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from eigentropy.studies import courses
from eigentropy.studies.courses import RUN, Numbers, Sizes, Training, Z
from eigentropy.studies.figures import band
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

SUPERVISED, SIMCLR, PERMUTED = "supervised", "SimCLR", "permuted labels"
KINDS = (SUPERVISED, SIMCLR, PERMUTED)

KERNEL = ("kernel entropy auto", "kernel information(Z;Y) auto")
KERNEL_X = "kernel information(Z;X) auto"
AT_BLOCKS = ("DSE auto", "DSMI(Z;Y) auto", "adjusted(Z;Y) auto", "DSMI(Z;X) auto", *KERNEL)
AT_Z = (*AT_BLOCKS, "DSE sigma=10", "DSMI(Z;Y) sigma=10", "DSMI(Z;X) sigma=10", KERNEL_X)
INFORMATIONS = ("DSMI(Z;Y) auto", "adjusted(Z;Y) auto", "DSMI(Z;Y) sigma=10")
OF_RUN = ("loss", "training accuracy", "accuracy")

# The place of Z measured with the true labels, in networks that learn permuted labels.
TRUE = "Z, true labels"

# Information about permuted labels stays below this share of that in real learning.
MOST = 0.2

# Held-out accuracy from which a network has learned, and that on its own permuted labels from which
# it has overfitted: five times that of guessing.
LEARNED = {"mnist-5000": 0.96, "cifar10": 0.70}
OVERFITTED = 0.5

# Pictures in a batch where there are few in all, so that a pass has more than some steps.
SMALL_BATCH = 32

# Passes through this many pictures, where the networks for 28 and 32 pixels do not learn the labels
# of all: two views a picture take twice as long, and few pictures are learned by heart sooner.
FEWER = {
    (PERMUTED, "mnist-5000"): (500, 60),
    (PERMUTED, "fashion-mnist"): (500, 60),
    (PERMUTED, "mnist"): (500, 60),
    (PERMUTED, "cifar10"): (500, 60),
    (SIMCLR, "mnist-5000"): (4000, 8),
    (SIMCLR, "fashion-mnist"): (10_000, 3),
    (SIMCLR, "mnist"): (10_000, 3),
    (SIMCLR, "cifar10"): (10_000, 3),
}


def jobs(plan: StudyPlan) -> list[Job]:
    """One job for each network, what it learns, and seed."""
    data = courses.data_of(plan)
    return [
        _job(plan, data, network, kind, seed)
        for network in courses.networks(plan, data)
        for kind in KINDS
        for seed in plan.seeds(quick=3, full=courses.repetitions(data))
    ]


def _job(plan: StudyPlan, data: str, network: str, kind: str, seed: int) -> Job:
    count = courses.epochs(plan, data, quick=60, full=200, network=network)
    settings: dict[str, Parameter] = {"network": network, "training": kind}
    if network not in courses.PAPER and (kind, data) in FEWER:
        settings["pictures"], passes = FEWER[kind, data]
        count = plan.epochs or passes
    settings["epochs"] = count
    looks = 8 if data == "digits" else 4
    at = courses.observed(count, plan, looks)
    return courses.job(data, settings, seed, at, _numbers(network, kind))


def _numbers(network: str, kind: str) -> dict[str, Sequence[str]]:
    blocks = len(courses.BLOCKS[network])
    true = {TRUE: INFORMATIONS} if kind == PERMUTED else {}
    return {**{f"block {i + 1}": AT_BLOCKS for i in range(blocks)}, Z: AT_Z, **true, RUN: OF_RUN}


def _prepare(job: Job, sizes: Sizes, recorder: Any) -> Training:
    from eigentropy.studies.vision import architectures, learning, pictures
    from eigentropy.studies.vision.watching import PAPER_SIGMA, Watch

    settings, seed, kind = job.settings, job.seed, job.settings["training"]
    training, heldout = pictures.load(job.data, sizes.digits)
    training = training.at_most(int(settings.get("pictures", len(training))), seed)
    if job.settings["network"] not in courses.PAPER:
        heldout = heldout.at_most(courses.HELD_OUT, 0)
    if kind == PERMUTED:
        rng = np.random.default_rng([seed, 8])
        training, told = (part.relabelled(rng.permutation(part.y)) for part in (training, heldout))
    else:
        told = heldout
    network = architectures.make(str(settings["network"]), training, seed, sizes.side)
    objective = _objective(str(kind), job.data, network, seed)
    share = learning.linear_probe if kind == SIMCLR else learning.accuracy
    points = sizes.points_of(job.data, network.name)
    seen = training.at_most(points, seed)
    kernel = ("kernel", "kernel_y")
    watch = Watch(
        network, told, points, blocks=True, clusters=True, further=kernel, record=recorder
    )
    others = [
        Watch(network, told, points, sigma=PAPER_SIGMA, clusters=True),
        Watch(network, told, points, further=("kernel_x",)),
    ]
    if kind == PERMUTED:
        sigmas = ("auto", PAPER_SIGMA)
        others += [Watch(network, heldout, points, sigma=s, place=TRUE) for s in sigmas]
    plan = sizes.course(job.data, int(settings["epochs"]), network.name)
    if kind == PERMUTED and "pictures" in settings:
        plan = replace(plan, batch_size=SMALL_BATCH)

    def measure(epoch: int, loss: float) -> Numbers:
        shares = [share(network, seen, part) for part in (seen, told)]
        values = dict(zip(OF_RUN, (loss, *shares), strict=True))
        numbers = {(RUN, name): value for name, value in values.items()}
        numbers |= watch(epoch, values)
        for other in others:
            numbers |= other(epoch)
        return numbers

    return learning.train(network, training, plan, objective, seed), measure


def _objective(kind: str, data: str, network: Any, seed: int) -> Any:
    """The loss of a kind. What is to be learned by heart, and by the paper's networks, stays."""
    from eigentropy.studies.vision import learning

    if kind == SIMCLR:
        return learning.Contrastive(network.width, seed, flips=data in ("cifar10", "stl10"))
    if kind == PERMUTED or network.name in courses.PAPER:
        return learning.CrossEntropy()
    return learning.supervised(data)


def findings(rows: Sequence[StudyRow]) -> list[Finding]:
    """Whether networks learn and overfit, what rises, what stays near 0, how blocks follow."""
    informations = [name for name in (*INFORMATIONS, KERNEL[1]) if select(rows, estimator=name)]
    found = [_learned(rows, data) for data in distinct(rows, "data") if data in LEARNED]
    found += [_overfitted(rows)]
    found += [
        _rises(select(rows, place=Z, training=kind, estimator=f"DSE {sigma}"), claim)
        for kind in KINDS
        for sigma in ("sigma=10", "auto")
        for claim in [f"{kind}: DSE(Z), {_said(sigma)}, rises (the paper)"]
    ]
    found += [
        _rises(of, f"{kind}: {KERNEL[0]} rises, too")
        for kind in KINDS
        for of in [select(rows, place=Z, training=kind, estimator=KERNEL[0])]
        if of
    ]
    found += [
        _rises(select(rows, place=Z, training=kind, estimator=name), f"{kind}: {name} rises")
        for kind in (SUPERVISED, SIMCLR)
        for name in informations
    ]
    found += [_stays_below(rows, name) for name in informations]
    found += [
        _rises(
            select(rows, place=TRUE, training=PERMUTED, estimator=name),
            f"{PERMUTED}: {name} of the true labels does not rise",
            -1,
        )
        for name in INFORMATIONS[1:2]
    ]
    for data in distinct(rows, "data"):
        rising = data not in ("cifar10", "stl10")
        trend = "rises (the paper, of MNIST)" if rising else "falls (the paper)"
        found += [
            _rises(of, f"{kind}: {name}, {trend}", 1 if rising else -1)
            for kind in (SUPERVISED, SIMCLR)
            for name in ("DSMI(Z;X) sigma=10", "DSMI(Z;X) auto", KERNEL_X)
            for of in [select(rows, data=data, place=Z, training=kind, estimator=name)]
            if of
        ]
    return [*found, *_along_blocks(rows)]


def _learned(rows: Sequence[StudyRow], data: str) -> Finding:
    """Whether what is watched is learning: every network, in the mean over its seeds."""
    least = LEARNED[data]
    claim = Claim("learned", f"{SUPERVISED}, {data}: held-out accuracy reaches {least}")
    return _reaches(
        claim, select(rows, data=data, training=SUPERVISED, estimator="accuracy"), least
    )


def _overfitted(rows: Sequence[StudyRow]) -> Finding:
    text = f"{PERMUTED}: the networks overfit (accuracy {OVERFITTED} on the labels they are told)"
    of = select(rows, training=PERMUTED, estimator="training accuracy")
    return _reaches(Claim("overfitted", text), of, OVERFITTED)


def _reaches(claim: Claim, rows: Sequence[StudyRow], least: float) -> Finding:
    ends = {
        network: band([row.value for row in courses.last(select(rows, network=network))])
        for network in distinct(rows, "network")
    }
    measured = ", ".join(f"{name} {mean:.3f} ± {half:.3f}" for name, (mean, half) in ends.items())
    if not ends:
        return claim.not_measured()
    return claim.judged(measured, all(mean >= least for mean, _ in ends.values()))


def _said(sigma: str) -> str:
    return "sigma = 10" if sigma == "sigma=10" else "sigma auto"


def _rises(rows: Sequence[StudyRow], text: str, sign: int = 1) -> Finding:
    """Whether the last value is above (sign 1) or not above (-1) the first, in every run.

    With the change's mean over the seeds and half its 95 % confidence interval.
    """
    claim = Claim("rises" if sign > 0 else "does not rise", text)
    parts, right, count = [], 0, 0
    for network in distinct(rows, "network"):
        pairs = list(courses.ends(select(rows, network=network)).values())
        pairs = [pair for pair in pairs if all(map(math.isfinite, pair))]
        if not pairs:
            continue
        first, last = (math.fsum(values) / len(pairs) for values in zip(*pairs, strict=True))
        change, half = band([b - a for a, b in pairs])
        parts.append(f"{network} {first:.3f} to {last:.3f} ({change:+.3f} ± {half:.3f})")
        count += len(pairs)
        right += sum((b > a) if sign > 0 else (b <= a) for a, b in pairs)
    if not parts:
        return claim.not_measured()
    measured = f"{', '.join(parts)}; so in {right} of {count} runs"
    return claim.judged(measured, right == count)


def _stays_below(rows: Sequence[StudyRow], name: str) -> Finding:
    claim = Claim("below", f"{PERMUTED}: {name} stays below {MOST:.0%} of that in real learning")
    parts, largest = [], 0.0
    for network in distinct(rows, "network"):
        of = select(rows, place=Z, estimator=name, network=network)
        real = repeated(courses.last(select(of, training=SUPERVISED)), "epoch")
        told = repeated(select(of, training=PERMUTED), "epoch")
        if not real or not told:
            continue
        limit = _mean(*real.values())
        reached = max(_mean(values) for values in told.values())
        share = reached / limit if limit > 0 else math.inf
        parts.append(f"{network} {max(share, 0.0):.1%} of {limit:.3f}")
        largest = max(largest, share)
    return claim.judged(", ".join(parts) or "not measured", largest < MOST if parts else None)


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values)


def _along_blocks(rows: Sequence[StudyRow]) -> list[Finding]:
    """At the end of supervised learning, from the first block to the last."""
    claims = {
        "DSMI(Z;X) auto": ("falls", "data processing", -1),
        "adjusted(Z;Y) auto": ("rises", "the classes separate", 1),
    }
    found = []
    for name, (verb, reason, sign) in claims.items():
        parts, holds = [], True
        for network in distinct(rows, "network"):
            end = courses.last(select(rows, training=SUPERVISED, estimator=name, network=network))
            places = [p for p in distinct(end, "place") if p.startswith("block ")]
            values = [_mean([row.value for row in select(end, place=p)]) for p in places]
            if len(values) > 1:
                parts.append(f"{network} {', '.join(f'{v:.3f}' for v in values)}")
                holds &= all(sign * (b - a) >= 0 for a, b in itertools.pairwise(values))
        claim = Claim("along blocks", f"{name} {verb} from block to block at the end ({reason})")
        found.append(claim.judged("; ".join(parts) or "not measured", holds if parts else None))
    return found


def panels(rows: Sequence[StudyRow]) -> list[Panel]:
    """Z over epochs, and the information plane block by block."""
    drawn = []
    log_n = courses.largest_entropy(rows)
    for name, place, label, most in (
        ("accuracy", RUN, "held-out accuracy (SimCLR: linear probe)", 1.0),
        ("DSE sigma=10", Z, "bits", log_n),
        ("DSE auto", Z, "bits", log_n),
        ("DSMI(Z;Y) auto", Z, "bits", courses.LARGEST_INFORMATION),
        ("adjusted(Z;Y) auto", Z, "adjusted", 1.0),
        ("DSMI(Z;X) auto", Z, "bits", courses.LARGEST_INFORMATION),
    ):
        curves = _curves(select(rows, estimator=name, place=place), _axis(rows))
        title = name.replace("(Z;", "(Z; ")
        drawn.append(Panel(title, _axis(rows), label, curves, possible=(0.0, most)))
    for network in distinct(rows, "network"):
        drawn.append(_plane(select(rows, network=network, training=SUPERVISED), str(network)))
    return drawn


SHARE = "share of the passes"


def _axis(rows: Sequence[StudyRow]) -> str:
    """Epochs, or where networks take different numbers of them, the share that is done."""
    return "epoch" if len(distinct(rows, "epochs")) < 2 else SHARE


def _curves(rows: Sequence[StudyRow], axis: str) -> list[Curve]:
    curves = []
    for network in distinct(rows, "network"):
        for kind in distinct(rows, "training"):
            of = select(rows, network=network, training=kind)
            points = repeated(of, "epoch")
            scale = float(of[0]["epochs"]) if of and axis == SHARE else 1.0
            curves.append(Curve(f"{network}, {kind}", {x / scale: v for x, v in points.items()}))
    return curves


def _plane(rows: Sequence[StudyRow], network: str) -> Panel:
    curves = []
    for place in distinct(rows, "place"):
        x, y = (
            {
                (row.cell.seed, row["epoch"]): row.value
                for row in select(rows, estimator=n, place=place)
            }
            for n in ("DSMI(Z;X) auto", "DSMI(Z;Y) auto")
        )
        points: dict[float, list[float]] = {}
        for at in x.keys() & y.keys():
            points.setdefault(x[at], []).append(y[at])
        if points:
            curves.append(Curve(str(place), points))
    title = f"information plane: {network}, {SUPERVISED}"
    return Panel(title, "DSMI(block; X), bits", "DSMI(block; Y), bits", curves, scatter=True)


STUDY = courses.study(
    "training",
    "entropy and information while networks learn, block by block",
    _prepare,
    jobs=jobs,
    findings=findings,
    panels=panels,
)
