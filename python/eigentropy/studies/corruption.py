"""Three blobs whose labels are corrupted bit by bit: Fig. 3, left and middle, of the paper."""

from __future__ import annotations

import itertools
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

ESTIMATORS = (
    "DSMI sqrt-d",
    "plain sqrt-d",
    "adjusted sqrt-d",
    "DSMI auto",
    "adjusted auto",
    "CSMI 5 bins",
    "CSMI 10 bins",
    "CSMI 100 bins",
    "plug-in 10 bins",
    "KSG continuous",
    "KSG",
    "MINE",
)
OURS = ("DSMI sqrt-d", "DSMI auto", "adjusted auto")
OTHERS = ("CSMI 5 bins", "KSG continuous", "KSG", "MINE")
SHARES = tuple(round(0.1 * i, 1) for i in range(11))

# The paper's settings of MINE, and settings that take some seconds.
MINE_FULL = {"learning_rate": 1e-4, "batch_size": 500, "epochs": 200, "bias_corrected": False}
MINE_QUICK = {"learning_rate": 1e-3, "batch_size": 250, "epochs": 60}


def jobs(plan: StudyPlan) -> list[Job]:
    """One job for each dimension, share of corrupted labels and seed."""
    n = 5000 if plan.full else 1000
    names = estimators.available(ESTIMATORS)
    return [
        make_job("blobs", {"n": n, "d": d, "share": share}, names, seed)
        for d in (20, 100)
        for seed in plan.seeds(quick=3, full=5)
        for share in SHARES
    ]


def measure(job: Job) -> Iterable[StudyRow]:
    """Blobs with this share of the labels replaced."""
    n, share = int(job.settings["n"]), float(job.settings["share"])
    Z, labels = data.blobs(n, int(job.settings["d"]), seed=job.seed)
    told = data.corrupted(labels, share, seed=job.seed)
    mine = MINE_FULL if n >= 5000 else MINE_QUICK
    return estimators.measure(job, Z, told, **mine)


def findings(rows: Sequence[StudyRow]) -> list[Finding]:
    """In the paper all fall at d = 20, and neighbours and bins are 0 at d = 100."""
    return [
        *(_falls(rows, 20, name) for name in (*OURS, *OTHERS)),
        *(_falls(rows, 100, name) for name in OURS),
        *(_is_zero(rows, name) for name in ("KSG continuous", "CSMI 10 bins", "KSG")),
    ]


def _falls(rows: Sequence[StudyRow], d: int, name: str) -> Finding:
    claim = Claim("falls", f"d = {d}: {name} falls as labels are corrupted (Spearman <= -0.95)")
    curve = means(select(rows, d=d, estimator=name), "share")
    if len(curve) < 3:
        return claim.not_measured()
    rho = spearman(list(curve), list(curve.values()))
    if math.isnan(rho):
        return claim.judged(f"{min(curve.values()):.3f} throughout", False)
    values = list(curve.values())
    rise = max(b - a for a, b in itertools.pairwise(values))
    measured = f"Spearman {rho:.3f}, from {values[0]:.3f} to {values[-1]:.3f}"
    if rise > 0.01:  # a rank correlation forgives it
        measured += f", but a step up of {rise:.2f}"
    return claim.judged(measured, rho <= -0.95)


def _is_zero(rows: Sequence[StudyRow], name: str) -> Finding:
    """The paper claims this of the continuous KSG; the one for labels is compared with it, too."""
    curve = means(select(rows, d=100, estimator=name), "share")
    claim = Claim("zero", f"d = 100: {name} is 0 or below whatever the labels (< 0.01 bits)")
    if not curve:
        return claim.not_measured()
    measured = f"{curve[min(curve)]:.3f} with clean, {curve[max(curve)]:.3f} with corrupted labels"
    return claim.judged(measured, max(curve.values()) < 0.01)


def panels(rows: Sequence[StudyRow]) -> list[Panel]:
    """One plot for each dimension."""
    return [
        Panel(
            f"blobs, d = {d}",
            "share of corrupted labels",
            "bits (adjusted: 0 to 1)",
            [
                Curve(
                    name,
                    repeated(select(rows, d=d, estimator=name), "share"),
                    estimators.possible(name),
                )
                for name in distinct(select(rows, d=d), "estimator")
            ],
            possible=(0.0, math.log2(3)),  # of blobs with equal shares
        )
        for d in distinct(rows, "d")
    ]


STUDY = Study(
    name="corruption",
    title="DSMI, bins, KSG and MINE as labels of three blobs are corrupted (Fig. 3 left, middle)",
    jobs=jobs,
    measure=measure,
    findings=findings,
    panels=panels,
)
