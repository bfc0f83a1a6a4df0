"""Which rule should choose the width of the kernel: six questions, thirteen data sets.

A seventh, how well the statistics rank networks, is the study `models`. `criteria.py` has what the
numbers of this study say about each question.
"""

from __future__ import annotations

import importlib.util
import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from eigentropy._support.warnings import warn
from eigentropy.studies import data, estimators
from eigentropy.studies.criteria import DEFAULT, RULES, findings, listing
from eigentropy.studies.rows import Parameter, StudyRow
from eigentropy.studies.sets import HIDDEN_LAYER, SETS, SPREADS, DataSet
from eigentropy.studies.study import (
    Curve,
    Job,
    Panel,
    Study,
    StudyPlan,
    make_job,
    repeated,
    select,
)

# The times at which a plateau of S(t) is searched for, and how close to 0 and to log2(n) a flat
# piece does not count as a plateau.
TIMES = tuple(2.0**power for power in range(15))
NEAR_ONE_CLUSTER, NEAR_NO_CLUSTERS = 0.5, 1.0

LAWS, NOISES, AMBIENT = ("uniform", "normal"), (0.01, 0.1), 100
DIMENSIONS = tuple(range(1, 21))
QUICK_DIMENSIONS = (1, 2, 3, 5, 7, 10, 15, 20)

SPREAD = tuple(step / 12 for step in range(13))
QUICK_SPREAD = tuple(step / 6 for step in range(7))

SCALES = (0.01, 0.1, 1.0, 10.0, 100.0)
CORRUPTIONS = (0.0, 0.1, 0.25, 0.5, 0.75, 0.9, 1.0)
SHARES = (0.5, 0.25)
DRAWS, FULL_DRAWS = 5, 10

LABEL_ENTROPY = "H(Y)"

ENTROPIES = tuple(f"DSE {rule}" for rule in RULES)
PLATEAUS = tuple(f"plateau {rule}" for rule in RULES)
INFORMATIONS = tuple(f"{kind} {rule}" for rule in RULES for kind in ("DSMI", "adjusted"))


def jobs(plan: StudyPlan) -> list[Job]:
    """One job for each data set, seed and change of the rows or labels."""
    n = 1500 if plan.full else 600
    seeds = plan.seeds(quick=3, full=5)
    sets = _available()
    draws = range(FULL_DRAWS if plan.full else DRAWS)
    return [
        *(
            make_job(each.name, {"n": n}, PLATEAUS, seed)
            for each in sets
            if each.clusters
            for seed in seeds
        ),
        *(
            make_job(law, {"n": n // 2, "D": AMBIENT, "k": k, "noise": noise}, ENTROPIES, seed)
            for law in LAWS
            for noise in NOISES
            for seed in seeds
            for k in (DIMENSIONS if plan.full else QUICK_DIMENSIONS)
        ),
        *(
            make_job(name, {"n": n, "spread": spread}, ENTROPIES, seed)
            for name in SPREADS
            for seed in seeds
            for spread in (SPREAD if plan.full else QUICK_SPREAD)
        ),
        *(
            make_job(each.name, {"n": n, "scale": scale}, ENTROPIES, plan.seed)
            for each in sets
            for scale in SCALES
        ),
        *(
            make_job(each.name, {"n": n, "share": share, "draw": draw}, ENTROPIES, plan.seed)
            for each in sets
            for share, draw in [(1.0, 0), *itertools.product(SHARES, draws)]
        ),
        *(
            make_job(each.name, {"n": n, "corrupted": share}, _of_labels(share), seed)
            for each in sets
            if each.labelled
            for seed in seeds
            for share in CORRUPTIONS
        ),
    ]


def _of_labels(share: float) -> tuple[str, ...]:
    return (LABEL_ENTROPY, *INFORMATIONS) if share == 0.0 else INFORMATIONS


def _available() -> list[DataSet]:
    """The data sets whose packages are installed, with a warning about the others."""
    data.sklearn_table("iris")  # half of them, without which this is no comparison
    sets = list(SETS.values())
    if importlib.util.find_spec("torch") is None:
        warn(f"the {HIDDEN_LAYER} is left out: it needs torch, pip install 'eigentropy[torch]'")
        sets.remove(SETS[HIDDEN_LAYER])
    return sets


def measure(job: Job) -> Iterator[StudyRow]:
    """Make the rows, change them as the settings say, and measure them by every rule."""
    settings, n = job.settings, int(job.settings["n"])
    if job.data in SPREADS:
        Z = SPREADS[job.data](n, float(settings["spread"]), job.seed)
        yield from estimators.measure(job, Z)
    elif job.data in LAWS:
        k, D, noise = int(settings["k"]), int(settings["D"]), float(settings["noise"])
        Z = data.manifold(n, k, D, job.data, noise, seed=job.seed)
        yield from estimators.measure(job, Z)
    else:
        Z, labels = SETS[job.data].make(n, job.seed)
        yield from _of_set(job, Z, labels)


def _of_set(job: Job, Z: data.Array, labels: data.Labels | None) -> Iterator[StudyRow]:
    settings = job.settings
    if "corrupted" in settings:
        assert labels is not None
        told = data.corrupted(labels, float(settings["corrupted"]), seed=job.seed)
        yield from _informations(job, Z, told)
    elif "share" in settings:
        chosen = data.subset(len(Z), float(settings["share"]), seed=int(settings["draw"]))
        yield from (_per_row(row, len(chosen)) for row in estimators.measure(job, Z[chosen]))
    elif "scale" in settings:
        yield from estimators.measure(job, Z * float(settings["scale"]))
    else:
        yield from _plateaus(job, Z)


def _per_row(row: StudyRow, n: int) -> StudyRow:
    """S / log2(n), which can be compared between numbers of rows."""
    return replace(row, value=row.value / math.log2(n))


def _informations(job: Job, Z: data.Array, labels: data.Labels) -> Iterator[StudyRow]:
    entropies = [cell for cell in job.cells if cell.estimator == LABEL_ENTROPY]
    for cell in entropies:
        p = np.unique(labels, return_counts=True)[1] / len(labels)
        yield StudyRow(cell, -float(p @ np.log2(p)), 0.0, 0.0)
    others = tuple(cell for cell in job.cells if cell not in entropies)
    yield from estimators.measure(replace(job, cells=others), Z, labels)


def _plateaus(job: Job, Z: data.Array) -> Iterator[StudyRow]:
    for cell in job.cells:
        rule = cell.estimator.partition(" ")[2]
        settings: dict[str, Parameter] = cell.settings
        inner = make_job(job.data, settings, [f"DSE {rule}"], job.seed, TIMES)
        curve = list(estimators.measure(inner, Z))
        height = plateau([row.value for row in curve], len(Z))
        yield StudyRow(cell, height, math.nan, curve[0].seconds)


def plateau(entropies: Sequence[float], n: int) -> float:
    """The height at which S(t) falls least from one t to its double: log2 of the clusters.

    Near log2(n), where every row is alone, and near 0, where all are one cluster, S does not fall
    either; that is no plateau. Where S is nowhere between, it is S at the smallest t.
    """
    steps = [
        (before - after, 0.5 * (before + after))
        for before, after in itertools.pairwise(entropies)
        if before <= math.log2(n) - NEAR_NO_CLUSTERS and after >= NEAR_ONE_CLUSTER
    ]
    return min(steps)[1] if steps else entropies[0]


# What is drawn: for each kind of change, the rows that show it best.
_DRAWN: tuple[tuple[str, str, str, dict[str, Parameter]], ...] = (
    ("uniform, noise 0.01", "DSE", "k", {"data": "uniform", "noise": 0.01}),
    ("uniform, noise 0.1", "DSE", "k", {"data": "uniform", "noise": 0.1}),
    ("gathered classes", "DSE", "spread", {"data": "gathered classes"}),
    ("flattened rows", "DSE", "spread", {"data": "flattened rows"}),
    ("digits times a number", "DSE", "scale", {"data": "digits"}),
    ("digits", "adjusted", "corrupted", {"data": "digits"}),
)
_AXES = {
    "k": "intrinsic dimension", "spread": "spread", "scale": "factor",
    "corrupted": "share of corrupted labels",
}  # fmt: skip


def panels(rows: Sequence[StudyRow]) -> list[Panel]:
    """DSE over intrinsic dimension, spread and scale; DSMI over corruption."""
    drawn = []
    for title, kind, x, wanted in _DRAWN:
        some = [row for row in select(rows, **wanted) if x in row.cell.settings]
        curves = [
            Curve(rule, repeated(select(some, estimator=f"{kind} {rule}"), x)) for rule in RULES
        ]
        if some:
            of_entropy = "DSE, bits", (0.0, math.log2(max(row["n"] for row in some)))
            y, possible = of_entropy if kind == "DSE" else (kind, (0.0, 1.0))
            drawn.append(Panel(title, _AXES[x], y, curves, log_x=x == "scale", possible=possible))
    return drawn


STUDY = Study(
    name="bandwidth",
    title=f"rules for sigma beside {DEFAULT}: clusters, dimension, range, scale, subsets, labels",
    jobs=jobs,
    measure=measure,
    findings=findings,
    panels=panels,
    listing=listing,
    parallel=True,
)
