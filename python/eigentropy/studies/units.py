"""Units over epochs: whether a number over the units tells learning from memorising.

A network learns pictures with their labels; another one learns the same pictures with the labels
scrambled. Numbers over their hidden units, on held-out pictures and without labels, are compared.
The first half of the seeds chooses the number and its threshold, the other half decides.
"""

from __future__ import annotations

import math
import time
import warnings
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from eigentropy.embed import selectivity, unit_entropies
from eigentropy.embed.units import is_constant
from eigentropy.studies import courses, differences
from eigentropy.studies.courses import RUN, Course, Numbers
from eigentropy.studies.figures import band
from eigentropy.studies.rows import StudyRow
from eigentropy.studies.study import (
    Claim,
    Curve,
    Finding,
    Job,
    Listing,
    Panel,
    Study,
    StudyPlan,
    distinct,
    repeated,
    select,
)

LEARNING, MEMORISING = "true", "scrambled"
LAYERS = ("hidden 1", "hidden 2")
WIDTH = 256

# Places are layers, on held-out pictures, or on those learned.
LEARNED = ", pictures learned"

# At each look; at the end; of the run.
DSE, KERNEL, SELECTIVE = "DSE of units", "kernel entropy of units", "selectivity"
AT_END = ("multislice DSE", "between-epoch share", "step entropy within an epoch", "constant units")
OF_RUN = ("training accuracy", "accuracy")

# What may tell learning from memorising: it takes no label.
CANDIDATES = (DSE, KERNEL, SELECTIVE, *AT_END[:3])

# Pictures learned: few enough to be learned by heart. And those of each probe.
EXAMPLES, PROBE = 450, 300

# Looks at the units, from before training to its end.
LOOKS = 30

# Of multislice entropies, which are estimated.
TOL = 1e-2

BY_HEART = 0.95  # accuracy on scrambled labels
ONE_INPUT = 0.9  # selectivity of a unit that answers to hardly more than one picture


def jobs(plan: StudyPlan) -> list[Job]:
    """One job for each network: labels and seed."""
    name = courses.data_of(plan)
    count = plan.epochs if plan.epochs is not None else 240
    looks = sorted({round(count * k / (LOOKS - 1)) for k in range(LOOKS)})
    always: dict[str, tuple[str, ...]] = {}
    for layer in LAYERS:
        always |= {layer: (DSE, KERNEL, SELECTIVE), layer + LEARNED: (SELECTIVE,)}
    last = {RUN: OF_RUN, **dict.fromkeys(LAYERS, AT_END)}
    return [
        Job(
            tuple(
                cell
                for at, numbers in ((looks, always), (looks[-1:], last))
                for cell in courses.job(
                    name, {"labels": labels, "epochs": count}, seed, at, numbers
                ).cells
            )
        )
        for labels in (LEARNING, MEMORISING)
        for seed in plan.seeds(quick=10, full=20)
    ]


class UnitSizes(NamedTuple):
    """How much is trained on and measured. Tests take less."""

    digits: int | None = None
    examples: int = EXAMPLES
    probe: int = PROBE
    width: int = WIDTH


def measure(job: Job, sizes: UnitSizes = UnitSizes()) -> Iterator[StudyRow]:  # noqa: B008
    """Train the network of a job and measure its units."""
    yield from courses.rows(job, _measured(job, sizes))


def _measured(job: Job, sizes: UnitSizes) -> Iterator[tuple[int, Numbers, float]]:
    from eigentropy.studies.vision import learning, pictures, units

    seed, at = job.seed, courses.wanted(job)
    training, heldout = pictures.load(job.data, sizes.digits)
    training, heldout = training.at_most(sizes.examples, seed), heldout.at_most(sizes.probe, seed)
    if job.settings["labels"] == MEMORISING:
        training = training.relabelled(np.random.default_rng([seed, 3]).permutation(training.y))
    seen = training.at_most(sizes.probe, seed)
    network = units.perceptron(training, LAYERS, sizes.width, seed)
    course = Course(int(job.settings["epochs"]), 2e-3, 64)
    found = units.recorded(network, training, course, seed, at, {"": heldout, LEARNED: seen})
    start = time.perf_counter()
    values: dict[tuple[str, str], Any] = {}
    for layer in LAYERS:
        values |= {(layer, name): value for name, value in _numbers(found[""][layer]).items()}
        values[layer + LEARNED, SELECTIVE] = _mean_selectivity(found[LEARNED][layer])
    ends = {
        (RUN, name): learning.accuracy(network, training, of)
        for name, of in zip(OF_RUN, (training, heldout), strict=True)
    }
    seconds = (time.perf_counter() - start) / len(at)
    for look, epoch in enumerate(at):
        own = {key: value[look] for key, value in values.items() if np.ndim(value)}
        if look == len(at) - 1:
            own |= ends | {key: value for key, value in values.items() if not np.ndim(value)}
        yield epoch, own, seconds


def _numbers(units: Any) -> dict[str, Any]:
    """Every number over the units of a layer; those of each look are arrays."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # constant units are counted below
        found = unit_entropies(units, tol=TOL)
    values = (
        found.multislice,
        found.step.between_share,
        found.step.within / found.step.within_share,
        float(is_constant(units[-1:]).mean()),
    )
    return {
        DSE: found.dse,
        KERNEL: found.kernel_entropy,
        SELECTIVE: _mean_selectivity(units),
        **dict(zip(AT_END, values, strict=True)),
    }


def _mean_selectivity(units: Any) -> Any:
    """Of the units that answer to something."""
    return np.nanmean(selectivity(units), axis=-1)


def findings(rows: Sequence[StudyRow]) -> list[Finding]:
    """Whether learning and memorising are told apart, and how diverse and selective units are."""
    end = courses.last(rows)
    more = "learning makes units more diverse than before training"
    own = "memorising makes units more selective than before training"
    return [
        _by_heart(end),
        *(_told_apart(end, layer) for layer in LAYERS),
        *(_differs(end, "diverse", layer, DSE, LEARNING, "are more diverse") for layer in LAYERS),
        *(_rises(rows, layer, DSE, LEARNING, more) for layer in LAYERS),
        *(
            _differs(end, "selective", layer + LEARNED, SELECTIVE, MEMORISING, "are more selective")
            for layer in LAYERS
        ),
        *(_rises(rows, layer + LEARNED, SELECTIVE, MEMORISING, own) for layer in LAYERS),
        *(_one_input(end, layer) for layer in LAYERS),
    ]


def by_seed(rows: Sequence[StudyRow], place: str, name: str, labels: str) -> dict[int, float]:
    """The value of each seed."""
    return differences.by_seed(select(rows, place=place, estimator=name, labels=labels))


def _by_heart(end: Sequence[StudyRow]) -> Finding:
    claim = Claim("by heart", f"scrambled labels are learned by heart (accuracy {BY_HEART})")
    told = list(by_seed(end, RUN, "training accuracy", MEMORISING).values())
    true = list(by_seed(end, RUN, "accuracy", LEARNING).values())
    if not told:
        return claim.not_measured()
    said = f"at least {min(told):.3f}; true ones reach {np.mean(true):.3f} on held-out pictures"
    return claim.judged(said, min(told) >= BY_HEART)


class UnitRule(NamedTuple):
    """A threshold of a number: memorising is above it, or below."""

    name: str
    threshold: float
    above: bool
    distance: float  # of the means, in standard deviations of the seeds

    def is_right(self, value: float, labels: str) -> bool:
        """Whether a network is told by it."""
        return (value > self.threshold) == (self.above == (labels == MEMORISING))


def rule_of(rows: Sequence[StudyRow], layer: str, name: str) -> UnitRule | None:
    """The threshold in the middle between the means; None for rows that do not differ."""
    true, told = (
        np.array(list(by_seed(rows, layer, name, labels).values()))
        for labels in (LEARNING, MEMORISING)
    )
    if not len(true) or not len(told) or not np.isfinite([*true, *told]).all():
        return None
    apart = float(told.mean() - true.mean())
    spread = math.sqrt((float(true.var()) + float(told.var())) / 2.0)
    if apart == 0.0:
        return None
    distance = abs(apart) / spread if spread else math.inf
    return UnitRule(name, float(true.mean()) + apart / 2.0, apart > 0.0, distance)


class UnitVerdict(NamedTuple):
    """What a rule of some seeds says of the networks of other seeds."""

    rule: UnitRule
    chose: list[int]
    values: dict[str, list[float]]  # of the other seeds, by their labels

    @property
    def right(self) -> list[bool]:
        """Of each network, whether it is told rightly."""
        return [self.rule.is_right(v, labels) for labels, of in self.values.items() for v in of]


def verdicts(end: Sequence[StudyRow], layer: str) -> list[UnitVerdict]:
    """Of each number that differs on the first half of the seeds; none if no others are left."""
    seeds = sorted(distinct(end, "seed"))
    chose = seeds[: (len(seeds) + 1) // 2]
    rows = [row for row in end if row.cell.seed in chose]
    rules = [rule_of(rows, layer, name) for name in CANDIDATES]
    others = [row for row in end if row.cell.seed not in chose]
    return [
        UnitVerdict(
            rule,
            chose,
            {
                labels: list(by_seed(others, layer, rule.name, labels).values())
                for labels in (LEARNING, MEMORISING)
            },
        )
        for rule in rules
        if rule is not None and others
    ]


def _told_apart(end: Sequence[StudyRow], layer: str) -> Finding:
    claim = Claim(
        "apart",
        f"{layer}: a number over the units on held-out pictures tells memorising from learning on "
        "seeds that have not chosen it",
    )
    if len(distinct(end, "seed")) < 2:
        return claim.not_measured()
    known = verdicts(end, layer)
    if not known:
        return claim.judged("no number differs", False)
    best = max(known, key=lambda one: one.rule.distance)
    ranges = " and ".join(f"{min(v):.3f} .. {max(v):.3f} ({k})" for k, v in best.values.items())
    said = (
        f"{best.rule.name}, threshold {best.rule.threshold:.3f} of seeds {best.chose[0]} to "
        f"{best.chose[-1]}; the others: {ranges}; {sum(best.right)} of {len(best.right)} right"
    )
    return claim.judged(said, all(best.right))


def listing(rows: Sequence[StudyRow]) -> Listing:
    """Every number and layer: how far apart on the seeds that choose, how many right of others."""
    end = courses.last(rows)
    lines = []
    for layer in LAYERS:
        for one in sorted(verdicts(end, layer), key=lambda v: -v.rule.distance):
            means = [f"{np.mean(values):.3f}" for values in one.values.values()]
            rule = f"{one.rule.threshold:.3f}", f"{one.rule.distance:.1f}"
            right = f"{sum(one.right)} of {len(one.right)}"
            lines.append([layer, one.rule.name, *rule, *means, right])
    headings = ["layer", "number", "threshold", "apart", "learning", "memorising", "right"]
    return Listing(
        "Numbers over the units at the end, on held-out pictures: the threshold, and how many "
        "standard deviations the means are apart, of the first half of the seeds; means and what "
        "the threshold says of the other half",
        headings,
        lines,
    )


def _differs(
    end: Sequence[StudyRow], kind: str, place: str, name: str, larger: str, text: str
) -> Finding:
    """Whether a number is larger for these labels, by the interval of the difference of seeds."""
    what = "learning" if larger == LEARNING else "memorising"
    claim = Claim(kind, f"{place}: units {text} when {what} ({name})")
    one, other = (by_seed(end, place, name, labels) for labels in (LEARNING, MEMORISING))
    seeds = sorted(one.keys() & other.keys())
    if len(seeds) < 2:
        return claim.not_measured()
    sign = 1.0 if larger == LEARNING else -1.0
    mean, half = band([sign * (one[s] - other[s]) for s in seeds])
    means = [np.mean([of[s] for s in seeds]) for of in (one, other)]
    said = f"{means[0]:.3f} learning, {means[1]:.3f} memorising; difference {sign * mean:+.3f}"
    return claim.judged(f"{said} +- {half:.3f}", mean - half > 0.0)


def _rises(rows: Sequence[StudyRow], place: str, name: str, labels: str, text: str) -> Finding:
    """Whether a number is larger at the end than before training, by its interval over seeds."""
    claim = Claim("rises", f"{place}: {text} ({name})")
    ends = courses.ends(select(rows, place=place, estimator=name, labels=labels))
    if len(ends) < 2:
        return claim.not_measured()
    mean, half = band([after - before for before, after in ends.values()])
    start = np.mean([before for before, _ in ends.values()])
    return claim.judged(f"from {start:.3f} by {mean:+.3f} +- {half:.3f}", mean - half > 0.0)


def _one_input(end: Sequence[StudyRow], layer: str) -> Finding:
    claim = Claim(
        "one input",
        f"{layer}: memorising takes one unit for one picture (mean selectivity {ONE_INPUT})",
    )
    values = list(by_seed(end, layer + LEARNED, SELECTIVE, MEMORISING).values())
    if len(values) < 2:
        return claim.not_measured()
    mean, half = band(values)
    return claim.judged(f"{mean:.3f} +- {half:.3f}", mean - half >= ONE_INPUT)


def panels(rows: Sequence[StudyRow]) -> list[Panel]:
    """Entropies and selectivities over epochs, with both kinds of labels."""
    most = math.log2(WIDTH)
    wanted: list[tuple[str, str, float]] = [
        *((layer, name, most) for layer in LAYERS for name in (DSE, KERNEL)),
        *((layer + LEARNED, SELECTIVE, 1.0) for layer in LAYERS),
    ]
    return [
        Panel(
            place,
            "epoch",
            name,
            [
                Curve(f"{labels} labels", repeated(select(chosen, labels=labels), "epoch"))
                for labels in distinct(chosen, "labels")
            ],
            possible=(0.0, largest),
        )
        for place, name, largest in wanted
        for chosen in [select(rows, place=place, estimator=name)]
    ]


STUDY = Study(
    "units",
    "whether a number over the units tells learning from memorising",
    jobs,
    measure,
    findings,
    panels,
    listing,
    parallel=True,
    data=courses.DATA,
)
