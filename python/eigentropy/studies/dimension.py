"""Three blobs in more and more dimensions: Fig. 3, right, of the paper.

The labels are certain at every dimension, so the truth is H(Y) = log2(3) = 1.585 bits throughout.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from eigentropy.studies import data, estimators
from eigentropy.studies.corruption import MINE_FULL, MINE_QUICK
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

ESTIMATORS = (
    "DSMI sqrt-d",
    "plain sqrt-d",
    "adjusted sqrt-d",
    "DSMI auto",
    "adjusted auto",
    "p auto",
    "CSMI 10 bins",
    "KSG continuous",
    "KSG",
    "MINE",
)
DIMENSIONS = (20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000, 20_000)
QUICK_DIMENSIONS = (20, 100, 500, 2000, 20_000)

FULL_N = 5000

# Read off the paper's figure, in bits: DSMI at the two ends, MINE at the far one.
PAPER = {20: 1.3, 20_000: 0.58}
PAPER_MINE = 0.05


def jobs(plan: StudyPlan) -> list[Job]:
    """One job for each dimension and seed."""
    n = FULL_N if plan.full else 1000
    names = estimators.available(ESTIMATORS)
    every = [
        make_job("blobs", {"n": n, "d": d}, names, seed)
        for d in (DIMENSIONS if plan.full else QUICK_DIMENSIONS)
        for seed in plan.seeds(quick=3, full=5)
    ]
    if plan.full:
        return every
    # DSMI grows with n, so it is compared with the paper's value at the paper's n.
    ends = [make_job("blobs", {"n": FULL_N, "d": d}, ["DSMI sqrt-d"], plan.seed) for d in PAPER]
    return every + ends


def measure(job: Job) -> Iterable[StudyRow]:
    """Blobs with their true labels."""
    n, d = int(job.settings["n"]), int(job.settings["d"])
    Z, labels = data.blobs(n, d, seed=job.seed)
    return estimators.measure(job, Z, labels, **(MINE_FULL if n >= FULL_N else MINE_QUICK))


def findings(rows: Sequence[StudyRow]) -> list[Finding]:
    """Whether the paper's curve is reproduced, and what a sigma that follows the data gives."""
    found = [_as_in_the_paper(rows, d, value) for d, value in PAPER.items()]
    found += [
        _everywhere(rows, "DSMI auto", 1.3, "bits"),
        _everywhere(rows, "adjusted auto", 0.95, ""),
    ]
    largest = [row.value for row in select(rows, estimator="p auto")]
    if largest:
        claim = Claim("seen", "the dependence is seen at every d (p < 0.05)")
        found.append(claim.judged(f"largest p {max(largest):.3g}", max(largest) < 0.05))
    found += [_at_the_end(rows, e, 0.01) for e in ("KSG continuous", "CSMI 10 bins", "KSG")]
    found.append(_at_the_end(rows, "MINE", 2 * PAPER_MINE))
    return found


def _as_in_the_paper(rows: Sequence[StudyRow], d: int, paper: float) -> Finding:
    """The matched estimator: the paper's code subtracts from the entropy of random groups, too."""
    text = f"n = {FULL_N}, d = {d}: DSMI with sigma = sqrt(d) is about {paper} bits"
    claim = Claim("as in the paper", text)
    found = means(select(rows, n=FULL_N, d=d, estimator="DSMI sqrt-d"), "d")
    if not found:
        return claim.not_measured()
    return claim.judged(f"{found[d]:.2f}", abs(found[d] - paper) <= 0.1)


def _everywhere(rows: Sequence[StudyRow], name: str, least: float, unit: str) -> Finding:
    curve = means(select(rows, estimator=name), "d")
    claim = Claim("at least", f"{name} stays at {least} {unit}".rstrip() + " or more at every d")
    if not curve:
        return claim.not_measured()
    measured = f"from {min(curve.values()):.3f} to {max(curve.values()):.3f}"
    return claim.judged(measured, min(curve.values()) >= least)


def _at_the_end(rows: Sequence[StudyRow], name: str, below: float) -> Finding:
    """At the largest dimension, if it is the paper's."""
    curve = means(select(rows, estimator=name, d=20_000), "d")
    claim = Claim("below", f"{name} is below {below} bits at d = 20000")
    if not curve:
        return claim.not_measured()
    return claim.judged(f"{curve[20_000]:.3f}", curve[20_000] < below)


def panels(rows: Sequence[StudyRow]) -> list[Panel]:
    """Every estimator over d."""
    names = [name for name in distinct(rows, "estimator") if name != "p auto"]
    least = min(distinct(rows, "n"), default=0)
    shown = select(rows, n=least)
    curves = [
        Curve(name, repeated(select(shown, estimator=name), "d"), estimators.possible(name))
        for name in names
    ]
    y, possible = "bits (adjusted: 0 to 1)", (0.0, math.log2(3))
    return [Panel("three blobs, true labels", "d", y, curves, log_x=True, possible=possible)]


STUDY = Study(
    name="dimension",
    title="DSMI, bins, KSG and MINE from 20 to 20 000 dimensions (Fig. 3 right)",
    jobs=jobs,
    measure=measure,
    findings=findings,
    panels=panels,
)
