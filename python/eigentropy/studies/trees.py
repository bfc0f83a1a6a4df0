"""DSMI between trees of random walks and their branches, as the labels are corrupted."""

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

NAMES = ("DSMI sigma=10", "DSMI auto", "adjusted auto", "CSMI 10 bins")
BRANCHES = (2, 5, 10)
NOISES = (1e-2, 1e-1, 5e-1)
TIMES = (1, 2, 3, 5)
SHARES = tuple(round(i / 19, 4) for i in range(20))
QUICK_SHARES = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
D, POINTS = 20, 100


def jobs(plan: StudyPlan) -> list[Job]:
    """One job for each number of branches, noise, share of corrupted labels and seed."""
    names = estimators.available(NAMES)
    noises = NOISES if plan.full else NOISES[-1:]
    return [
        make_job(
            "tree", {"d": D, "branches": k, "noise": noise, "share": share}, names, seed, TIMES
        )
        for k in BRANCHES
        for noise in noises
        for seed in plan.seeds(quick=3, full=3)
        for share in (SHARES if plan.full else QUICK_SHARES)
    ]


def measure(job: Job) -> Iterable[StudyRow]:
    """A tree with noise, and its branches as labels."""
    s = job.settings
    clean, labels = data.tree(int(s["branches"]), POINTS, int(s["d"]), seed=job.seed)
    Z = data.noisy(clean, float(s["noise"]), seed=job.seed)
    return estimators.measure(job, Z, data.corrupted(labels, float(s["share"]), seed=job.seed))


def findings(rows: Sequence[StudyRow]) -> list[Finding]:
    """DSMI falls at every number of branches and noise, bins see nothing."""
    return [
        *(_falls(rows, name, t) for name in NAMES[:3] for t in (1.0, 5.0)),
        _sees_nothing(rows, NAMES[3]),
    ]


def _curves(rows: Sequence[StudyRow]) -> list[dict[float, float]]:
    return [
        means(select(rows, branches=k, noise=noise), "share")
        for k in distinct(rows, "branches")
        for noise in distinct(rows, "noise")
    ]


def _falls(rows: Sequence[StudyRow], name: str, t: float) -> Finding:
    text = f"{name}, t = {t:g}, falls as labels are corrupted (Spearman <= -0.9)"
    claim = Claim("falls", text)
    curves = [c for c in _curves(select(rows, estimator=name, t=t)) if len(c) >= 3]
    if not curves:
        return claim.not_measured()
    found = [spearman(list(c), list(c.values())) for c in curves]
    worst = max((0.0 if math.isnan(rho) else rho) for rho in found)  # NaN: a constant curve
    return claim.judged(f"Spearman {worst:.3f} or less in {len(curves)} settings", worst <= -0.9)


def _sees_nothing(rows: Sequence[StudyRow], name: str) -> Finding:
    wanted = select(rows, estimator=name)
    claim = Claim("stays", f"{name} does not fall")
    curves = [c for c in _curves(wanted) if len(c) >= 2]
    if not curves:
        return claim.not_measured()
    drop = max(c[min(c)] - c[max(c)] for c in curves)
    measured = f"clean minus corrupted: {drop:.3f} bits at most"
    return claim.judged(measured, drop < 0.05)


def panels(rows: Sequence[StudyRow]) -> list[Panel]:
    """One plot for each number of branches, at t = 1 and the largest noise."""
    drawn = []
    for k in distinct(rows, "branches"):
        some = select(rows, branches=k, noise=max(distinct(rows, "noise")))
        some = [row for row in some if row.cell.settings.get("t", 1.0) == 1.0]
        curves = [
            Curve(name, repeated(select(some, estimator=name), "share"), estimators.possible(name))
            for name in distinct(some, "estimator")
        ]
        title, x, possible = (
            f"{k} branches, t = 1",
            "share of corrupted labels",
            (0.0, math.log2(k)),
        )
        drawn.append(Panel(title, x, "bits (adjusted: 0 to 1)", curves, possible=possible))
    return drawn


STUDY = Study(
    name="trees",
    title="DSMI with the branches of random-walk trees as labels are corrupted",
    jobs=jobs,
    measure=measure,
    findings=findings,
    panels=panels,
)
