"""Layers on the information plane while networks learn, by kernels, clusters and bins.

The lecture says that information about the input first rises and then falls while a network learns,
that information about the labels rises, and that no layer knows more of the labels than the layer
before it. Here each way of measuring is asked what it sees of that.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from eigentropy._support.interval import LEVEL
from eigentropy.studies import courses
from eigentropy.studies.courses import RUN, Numbers, Sizes, Training
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

ACTIVATIONS = ("tanh", "relu")
WAYS = ("kernel", "clusters", "bins")
PLACES = ("layer 1", "layer 2", "layer 3")

# Random orders behind each information.
N_NULL = 8

# Which attributes of a layer on the plane are kept, and what the rows call them.
NUMBERS = {
    "about_input": "I(X;h)",
    "about_label": "I(Y;h)",
}

# Of the last epoch: the p-value of the data-processing inequality, and how far below the curve of
# the input's clusters a layer lies.
P_VALUE, BELOW = "p", "below the curve"

# Where the curve is computed. Its upper bound between these is that of tangents, slightly above it.
BETAS = tuple(1.15**step for step in range(1, 25, 2))

# The epoch of the largest I(X; h) is chosen on as many of the first seeds, and judged on the rest.
CHOOSING = 2


def jobs(plan: StudyPlan) -> list[Job]:
    """One job for each activation and seed."""
    data = courses.data_of(plan)
    count = courses.epochs(plan, data, quick=60, full=200)
    at = courses.observed(count, plan)
    numbers = {
        RUN: ("loss", "accuracy"),
        **{place: [f"{n} {way}" for way in WAYS for n in NUMBERS.values()] for place in PLACES},
    }
    last = {place: [*(f"{P_VALUE} {way}" for way in WAYS), BELOW] for place in PLACES}
    found = []
    for activation in ACTIVATIONS:
        settings: dict[str, Parameter] = {"network": f"perceptron {activation}", "epochs": count}
        for seed in plan.seeds(quick=6, full=20):
            over = courses.job(data, settings, seed, at, numbers)
            end = courses.job(data, settings, seed, [count], last)
            found.append(Job(over.cells + end.cells))
    return found


def _prepare(job: Job, sizes: Sizes, recorder: Any) -> Training:
    from eigentropy.studies.vision import learning, perceptrons, pictures

    settings, seed = job.settings, job.seed
    training, heldout = pictures.load(job.data, sizes.digits)
    activation = str(settings["network"]).rpartition(" ")[2]
    network = perceptrons.make(activation, training, seed)
    probe = heldout.at_most(sizes.points_of(job.data, network.name), seed)
    end = int(settings["epochs"])

    def measure(epoch: int, loss: float) -> Numbers:
        found = perceptrons.representations(network, probe.X.float())
        rows = {name: part.numpy() for name, part in found.items()}
        numbers: Numbers = {
            (RUN, "loss"): loss,
            (RUN, "accuracy"): learning.accuracy(network, training, heldout),
        }
        return numbers | on_planes(rows, probe.y, seed, tested=epoch == end)

    plan = sizes.course(job.data, end, network.name)
    return learning.train(network, training, plan, learning.CrossEntropy(), seed), measure


def on_planes(rows: Mapping[str, Any], y: Any, seed: int, *, tested: bool) -> Numbers:
    """The numbers of every layer by every way; with its tests where `tested`."""
    from eigentropy import bottleneck

    numbers: Numbers = {}
    for way in WAYS:
        plane = bottleneck.layers(rows, y, by=way, n_null=N_NULL, sampling=tested, seed=seed)
        for place, layer in zip(PLACES, plane.layers, strict=True):
            for attribute, name in NUMBERS.items():
                numbers[place, f"{name} {way}"] = getattr(layer, attribute).value
            numbers[place, f"{P_VALUE} {way}"] = layer.p_value
        if way == "clusters" and tested:
            for place, gap in zip(PLACES, below_the_curve(plane), strict=True):
                numbers[place, BELOW] = gap
    return numbers


def below_the_curve(plane: Any) -> list[float]:
    """How much less each layer says of Y than the best encoder of the same I(X; T) does."""
    from eigentropy import bottleneck

    kept, said = plane.on_curve().T
    curve = bottleneck.curve(plane.joint(), BETAS, direction="up", base=plane.base)
    most = curve.bounds(kept)[1]
    return [float(gap) for gap in most - said]


def findings(rows: Sequence[StudyRow]) -> list[Finding]:
    """What each way of measuring sees of the lecture's claims."""
    found = []
    for network in distinct(rows, "network"):
        of = select(rows, network=network)
        for way in WAYS:
            said = f"{network}, {way}"
            seen = _sees(of, said, way)
            found.append(seen)
            if seen.holds is not False:
                found += [step(of, said, way) for step in (_phases, _learns, _inequality)]
        found.append(_below(of, str(network)))
    return found


def _sees(rows: Sequence[StudyRow], of: str, way: str) -> Finding:
    """Whether there is a value of the labels at all: not where every row is a symbol of its own."""
    claim = Claim("sees", f"{of}: the information about the labels has a value in every layer")
    end = courses.last(rows)
    count = len(select(end, estimator="accuracy")) * len(PLACES)
    values = [row.value for row in select(end, estimator=f"I(Y;h) {way}")]
    if not count:
        return claim.not_measured()
    known = sum(map(math.isfinite, values))
    return claim.judged(f"in {known} of {count} layers at the end", known == count)


def _courses(rows: Sequence[StudyRow], name: str, place: str) -> dict[int, dict[float, float]]:
    """For each seed the values over the epochs."""
    by_seed: dict[int, dict[float, float]] = {}
    for row in select(rows, estimator=name, place=place):
        by_seed.setdefault(row.cell.seed, {})[float(row["epoch"])] = row.value
    return by_seed


def _phases(rows: Sequence[StudyRow], of: str, way: str) -> Finding:
    """Whether I(X; h) of the last layer is higher in between than at both ends of the training."""
    claim = Claim("phases", f"{of}: I(X; {PLACES[-1]}) first rises, then falls (the lecture)")
    by_seed = _courses(rows, f"I(X;h) {way}", PLACES[-1])
    chosen, judged = _split(by_seed)
    if not chosen or len(judged) < 2:
        return claim.not_measured()
    epochs = sorted(set.intersection(*(set(course) for course in by_seed.values())))
    peak = max(epochs, key=lambda epoch: math.fsum(course[epoch] for course in chosen))
    ends = epochs[0], epochs[-1]
    gaps = [[course[peak] - course[end] for course in judged] for end in ends]
    intervals = [_interval_of_mean(gap) for gap in gaps]
    said = " and ".join(f"{low:.3f} .. {high:.3f}" for low, high in intervals)
    measured = f"above start and end at epoch {peak:g} by {said} bits ({len(judged)} seeds)"
    return claim.judged(measured, all(low > 0.0 for low, _ in intervals))


def _split(by_seed: dict[int, dict[float, float]]) -> tuple[list[Any], list[Any]]:
    """The courses of the seeds that choose, and of those that decide."""
    seeds = sorted(by_seed)
    return [by_seed[s] for s in seeds[:CHOOSING]], [by_seed[s] for s in seeds[CHOOSING:]]


def _learns(rows: Sequence[StudyRow], of: str, way: str) -> Finding:
    claim = Claim("learns", f"{of}: I(Y; {PLACES[-1]}) rises (the lecture)")
    gaps = [
        course[max(course)] - course[min(course)]
        for course in _courses(rows, f"I(Y;h) {way}", PLACES[-1]).values()
        if len(course) > 1
    ]
    if len(gaps) < 2:
        return claim.not_measured()
    low, high = _interval_of_mean(gaps)
    return claim.judged(f"by {low:.3f} .. {high:.3f} bits ({len(gaps)} seeds)", low > 0.0)


def _inequality(rows: Sequence[StudyRow], of: str, way: str) -> Finding:
    text = f"{of}: no layer is measured to say more of Y than the one before (data processing)"
    claim = Claim("inequality", text)
    tested = select(courses.last(rows), estimator=f"{P_VALUE} {way}")
    if not tested:
        return claim.not_measured()
    tested = [row for row in tested if math.isfinite(row.value)]
    if not tested:
        return claim.judged("no test: halves of the rows have no value", None)
    rising = sum(row.value <= 1.0 - LEVEL for row in tested)
    runs = {row.cell.seed for row in tested if row.value <= 1.0 - LEVEL}
    seeds = {row.cell.seed for row in tested}
    measured = f"{rising} of {len(tested)} layers do, in {len(runs)} of {len(seeds)} runs"
    return claim.judged(measured, len(runs) <= allowed(len(seeds)))


def allowed(runs: int) -> int:
    """The most runs with a false alarm that chance gives, where one in 20 has one."""
    probability, count = 0.0, -1
    while probability < LEVEL:
        count += 1
        share = (1.0 - LEVEL) ** count * LEVEL ** (runs - count)
        probability += math.comb(runs, count) * share
    return count


def _below(rows: Sequence[StudyRow], network: str) -> Finding:
    claim = Claim("curve", f"{network}: every layer lies below the information curve")
    values = [row.value for row in select(courses.last(rows), estimator=BELOW)]
    if not values:
        return claim.not_measured()
    measured = f"by {min(values):.3f} .. {max(values):.3f} bits, {len(values)} layers"
    return claim.judged(measured, min(values) >= -1e-6)


def _interval_of_mean(values: Sequence[float]) -> tuple[float, float]:
    mean, half = band(values)
    return mean - half, mean + half


def panels(rows: Sequence[StudyRow]) -> list[Panel]:
    """The plane by each way: one point an epoch for each layer."""
    drawn = []
    for network in distinct(rows, "network"):
        for way in WAYS:
            of = select(rows, network=network)
            curves = [Curve(place, _plane(of, place, way)) for place in PLACES]
            if any(curve.points for curve in curves):
                title = f"{network}, by {way}"
                axes = ("I(X; h), bits", "I(Y; h), bits")
                drawn.append(Panel(title, *axes, curves, scatter=True, joined=True))
    return drawn


def _plane(rows: Sequence[StudyRow], place: str, way: str) -> dict[float, list[float]]:
    """The means over the seeds at every epoch."""
    x, y = (
        repeated(select(rows, estimator=f"{name} {way}", place=place), "epoch")
        for name in ("I(X;h)", "I(Y;h)")
    )
    points: dict[float, list[float]] = {}
    for epoch in sorted(x.keys() & y.keys()):
        at, value = float(np.mean(x[epoch])), float(np.mean(y[epoch]))
        if math.isfinite(value):
            points.setdefault(at, []).append(value)
    return points


STUDY = courses.study(
    "bottleneck",
    "layers on the information plane while networks learn, by kernels, clusters and bins",
    _prepare,
    jobs=jobs,
    findings=findings,
    panels=panels,
)
