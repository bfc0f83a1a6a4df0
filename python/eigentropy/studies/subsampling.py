"""DSE of random subsets of the rows of trees."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from eigentropy.studies import data, estimators
from eigentropy.studies.estimators import spearman
from eigentropy.studies.rows import StudyRow
from eigentropy.studies.study import (
    Claim,
    Curve,
    Finding,
    Job,
    Panel,
    Study,
    StudyPlan,
    distinct,
    make_job,
    means,
    repeated,
    select,
)

NAMES = ("DSE sigma=10", "DSE auto")
SHARES = (1.0, 0.5, 0.3, 0.1)
TIMES = (1, 2, 3, 5)
BRANCHES = 3
DIMENSIONS = tuple(range(2, 31))
QUICK_DIMENSIONS = (2, 5, 10, 15, 20, 30)


def jobs(plan: StudyPlan) -> list[Job]:
    """One job for each dimension, share of rows and seed."""
    points = 2000 if plan.full else 300
    return [
        make_job("tree", {"points": points, "d": d, "share": share}, NAMES, seed, TIMES)
        for d in (DIMENSIONS if plan.full else QUICK_DIMENSIONS)
        for seed in plan.seeds(quick=3, full=3)
        for share in SHARES
    ]


def measure(job: Job) -> Iterable[StudyRow]:
    """Measure a share of the rows of a tree; smaller shares are subsets of larger ones."""
    s = job.settings
    Z, _ = data.tree(BRANCHES, int(s["points"]), int(s["d"]), seed=job.seed)
    return estimators.measure(job, Z[data.subset(len(Z), float(s["share"]), seed=job.seed)])


def findings(rows: Sequence[StudyRow]) -> list[Finding]:
    """How far the entropies move, and whether dimensions keep their order."""
    found = []
    for name in NAMES:
        for t in (1.0, 5.0):
            for share in (0.5, 0.1):
                found.append(_moves(select(rows, estimator=name, t=t), name, t, share))
    return found


def _moves(rows: Sequence[StudyRow], name: str, t: float, share: float) -> Finding:
    text = f"{name}, t = {t:g}: with {share:.0%} of the rows it moves by less than 10 %"
    claim = Claim("stays", text)
    whole = means(select(rows, share=1.0), "d")
    part = means(select(rows, share=share), "d")
    both = [d for d in whole if d in part]
    if not both:
        return claim.not_measured()
    worst = max(abs(part[d] - whole[d]) / whole[d] for d in both)
    order = spearman([whole[d] for d in both], [part[d] for d in both])
    measured = f"by {worst:.1%} at most; the order of d is kept to Spearman {order:.2f}"
    return claim.judged(measured, worst < 0.1)


def panels(rows: Sequence[StudyRow]) -> list[Panel]:
    """One plot for each estimator, at t = 1."""
    return [
        Panel(
            f"{name}, t = 1",
            "d",
            "bits",
            [
                Curve(
                    f"{share:.0%} of the rows",
                    repeated(select(rows, estimator=name, t=1.0, share=share), "d"),
                )
                for share in distinct(rows, "share")
            ],
            possible=(0.0, math.log2(BRANCHES * max(row["points"] for row in rows))),
        )
        for name in distinct(rows, "estimator")
    ]


STUDY = Study(
    name="subsampling",
    title="DSE of trees when a share of their rows is kept",
    jobs=jobs,
    measure=measure,
    findings=findings,
    panels=panels,
)
