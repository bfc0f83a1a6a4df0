"""Entropy and information while networks learn: labels, contrasts of views, or permuted labels.

The paper's training dynamics, block by block. Everything is measured on pictures that the networks
are not trained on.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from eigentropy.studies import courses
from eigentropy.studies.courses import RUN, Numbers, Sizes, Training, Z
from eigentropy.studies.rows import StudyRow
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

AT_BLOCKS = ("DSE auto", "DSMI(Z;Y) auto", "adjusted(Z;Y) auto", "DSMI(Z;X) auto")
AT_Z = (*AT_BLOCKS, "DSE sigma=10", "DSMI(Z;Y) sigma=10", "DSMI(Z;X) sigma=10")
INFORMATIONS = ("DSMI(Z;Y) auto", "adjusted(Z;Y) auto", "DSMI(Z;Y) sigma=10")
OF_RUN = ("loss", "training accuracy", "accuracy")

# The place of Z measured with the true labels, in networks that learn permuted labels.
TRUE = "Z, true labels"

# Information about permuted labels stays below this share of that in real learning.
MOST = 0.2


def jobs(plan: StudyPlan) -> list[Job]:
    """One job for each network, what it learns, and seed."""
    data = courses.data_of(plan)
    count = courses.epochs(plan, data, quick=60, full=200)
    return [
        courses.job(
            data,
            {"network": network, "training": kind, "epochs": count},
            seed,
            courses.observed(count, plan),
            _numbers(network, kind),
        )
        for network in courses.networks(plan, data)
        for kind in KINDS
        for seed in plan.seeds(quick=3, full=5 if data == "digits" else 3)
    ]


def _numbers(network: str, kind: str) -> dict[str, Sequence[str]]:
    blocks = len(courses.BLOCKS[network])
    true = {TRUE: INFORMATIONS} if kind == PERMUTED else {}
    return {**{f"block {i + 1}": AT_BLOCKS for i in range(blocks)}, Z: AT_Z, **true, RUN: OF_RUN}


def _prepare(job: Job, sizes: Sizes, recorder: Any) -> Training:
    from eigentropy.studies.vision import architectures, learning, pictures
    from eigentropy.studies.vision.watching import PAPER_SIGMA, Watch

    settings, seed, kind = job.settings, job.seed, job.settings["training"]
    training, heldout = pictures.load(job.data, sizes.digits)
    if kind == PERMUTED:
        rng = np.random.default_rng([seed, 8])
        training, told = (part.relabelled(rng.permutation(part.y)) for part in (training, heldout))
    else:
        told = heldout
    network = architectures.make(str(settings["network"]), training, seed, sizes.side)
    objective = (
        learning.Contrastive(network.width, seed, flips=job.data in ("cifar10", "stl10"))
        if kind == SIMCLR
        else learning.CrossEntropy()
    )
    share = learning.linear_probe if kind == SIMCLR else learning.accuracy
    points = sizes.points_of(job.data)
    seen = training.at_most(points, seed)
    watch = Watch(network, told, points, blocks=True, clusters=True, record=recorder)
    others = [Watch(network, told, points, sigma=PAPER_SIGMA, clusters=True)]
    if kind == PERMUTED:
        sigmas = ("auto", PAPER_SIGMA)
        others += [Watch(network, heldout, points, sigma=s, place=TRUE) for s in sigmas]
    plan = sizes.course(job.data, int(settings["epochs"]))

    def measure(epoch: int, loss: float) -> Numbers:
        shares = [share(network, seen, part) for part in (seen, told)]
        values = dict(zip(OF_RUN, (loss, *shares), strict=True))
        numbers = {(RUN, name): value for name, value in values.items()}
        numbers |= watch(epoch, values)
        for other in others:
            numbers |= other(epoch)
        return numbers

    return learning.train(network, training, plan, objective, seed), measure


def findings(rows: Sequence[StudyRow]) -> list[Finding]:
    """What rises, what stays near 0, and how blocks follow each other."""
    found = [
        _rises(select(rows, place=Z, training=kind, estimator=f"DSE {sigma}"), claim)
        for kind in KINDS
        for sigma in ("sigma=10", "auto")
        for claim in [f"{kind}: DSE(Z), {_said(sigma)}, rises (the paper)"]
    ]
    found += [
        _rises(select(rows, place=Z, training=kind, estimator=name), f"{kind}: {name} rises")
        for kind in (SUPERVISED, SIMCLR)
        for name in INFORMATIONS
    ]
    found += [_stays_below(rows, name) for name in INFORMATIONS]
    found += [
        _rises(
            select(rows, place=TRUE, training=PERMUTED, estimator=name),
            f"{PERMUTED}: {name} of the true labels does not rise",
            -1,
        )
        for name in INFORMATIONS[1:2]
    ]
    for data in distinct(rows, "data"):
        rising = data in ("digits", "mnist")
        trend = "rises (the paper, of MNIST)" if rising else "falls (the paper)"
        found += [
            _rises(
                select(rows, place=Z, training=SUPERVISED, estimator=f"DSMI(Z;X) {sigma}"),
                f"{SUPERVISED}: DSMI(Z;X), {_said(sigma)}, {trend}",
                1 if rising else -1,
            )
            for sigma in ("sigma=10", "auto")
        ]
    return [*found, *_along_blocks(rows)]


def _said(sigma: str) -> str:
    return "sigma = 10" if sigma == "sigma=10" else "sigma auto"


def _rises(rows: Sequence[StudyRow], text: str, sign: int = 1) -> Finding:
    """Whether the last value is above (sign 1) or not above (-1) the first, in every run."""
    claim = Claim("rises" if sign > 0 else "does not rise", text)
    parts, right, count = [], 0, 0
    for network in distinct(rows, "network"):
        pairs = list(courses.ends(select(rows, network=network)).values())
        pairs = [pair for pair in pairs if all(map(math.isfinite, pair))]
        if not pairs:
            continue
        first, last = (math.fsum(values) / len(pairs) for values in zip(*pairs, strict=True))
        parts.append(f"{network} {first:.3f} to {last:.3f}")
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
        curves = _curves(select(rows, estimator=name, place=place))
        title = name.replace("(Z;", "(Z; ")
        drawn.append(Panel(title, "epoch", label, curves, possible=(0.0, most)))
    for network in distinct(rows, "network"):
        drawn.append(_plane(select(rows, network=network, training=SUPERVISED), str(network)))
    return drawn


def _curves(rows: Sequence[StudyRow]) -> list[Curve]:
    return [
        Curve(f"{network}, {kind}", repeated(select(rows, network=network, training=kind), "epoch"))
        for network in distinct(rows, "network")
        for kind in distinct(rows, "training")
    ]


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
