"""DSE of noisy manifolds of growing intrinsic dimension in a high-dimensional space."""

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

NAMES = ("DSE sigma=10", "DSE auto", "CSE 10 bins")
LAWS = ("uniform", "normal")
NOISES = (1e-2, 1e-1, 5e-1)
TIMES = (1, 2, 3, 5)

# The paper gives their number but not the values: 20 from 1 to 512, in steps of about 1.4.
DIMENSIONS = (1, 2, 3, 4, 5, 6, 8, 11, 16, 22, 32, 45, 64, 90, 128, 181, 256, 362, 443, 512)
QUICK_DIMENSIONS = (1, 2, 4, 8, 16, 32, 64, 128)


def jobs(plan: StudyPlan) -> list[Job]:
    """One job for each law, noise, intrinsic dimension and seed."""
    n, D = (500, 2048) if plan.full else (300, 512)
    names = estimators.available(NAMES)
    return [
        make_job(law, {"n": n, "D": D, "k": k, "noise": noise}, names, seed, TIMES)
        for law in LAWS
        for noise in NOISES
        for seed in plan.seeds(quick=3, full=3)
        for k in (DIMENSIONS if plan.full else QUICK_DIMENSIONS)
    ]


def measure(job: Job) -> Iterable[StudyRow]:
    """Map k coordinates into D dimensions by an isometry, add noise, and measure."""
    s = job.settings
    Z = data.manifold(
        int(s["n"]), int(s["k"]), int(s["D"]), job.data, float(s["noise"]), seed=job.seed
    )
    return estimators.measure(job, Z)


def findings(rows: Sequence[StudyRow]) -> list[Finding]:
    """Whether DSE, at t = 1, rises with k at every noise, and bins do not."""
    noises = distinct(rows, "noise") or NOISES
    return [
        *(_rises(rows, name, noise) for name in NAMES[:2] for noise in noises),
        _does_not_rise(rows, NAMES[2]),
    ]


def _rises(rows: Sequence[StudyRow], name: str, noise: float) -> Finding:
    wanted = [row for row in select(rows, estimator=name, noise=noise) if _first(row)]
    text = f"{name}, noise {noise:g}: rises with the intrinsic dimension (Spearman >= 0.95)"
    claim = Claim("rises", text)
    worst = _worst(wanted)
    if worst is None:
        return claim.not_measured()
    values = [row.value for row in wanted]
    span = f"{min(values):.2f} to {max(values):.2f} bits"
    return claim.judged(f"Spearman {worst:.3f} at the least, {span}", worst >= 0.95)


def _does_not_rise(rows: Sequence[StudyRow], name: str) -> Finding:
    wanted = select(rows, estimator=name)
    text = f"{name} does not rise with the intrinsic dimension (by less than 0.1 bits)"
    claim = Claim("stays", text)
    if not wanted:
        return claim.not_measured()
    values = [row.value for row in wanted]
    span = f"{min(values):.2f} to {max(values):.2f} bits"
    return claim.judged(span, max(values) - min(values) < 0.1)


def _worst(rows: Sequence[StudyRow]) -> float | None:
    """The smallest rank correlation of a law; a constant curve has none and does not rise."""
    curves = [means(select(rows, data=law), "k") for law in distinct(rows, "data")]
    found = [spearman(list(c), list(c.values())) for c in curves if len(c) >= 3]
    return min((0.0 if math.isnan(rho) else rho) for rho in found) if found else None


def panels(rows: Sequence[StudyRow]) -> list[Panel]:
    """One plot for each law and noise, at t = 1."""
    drawn = []
    for law in distinct(rows, "data"):
        for noise in distinct(rows, "noise"):
            some = select(rows, data=law, noise=noise)
            curves = [
                Curve(name, repeated([r for r in select(some, estimator=name) if _first(r)], "k"))
                for name in distinct(some, "estimator")
            ]
            title = f"{law}, noise {noise:g}, t = 1"
            possible = 0.0, math.log2(max(row["n"] for row in some))
            drawn.append(
                Panel(title, "intrinsic dimension", "bits", curves, log_x=True, possible=possible)
            )
    return drawn


def _first(row: StudyRow) -> bool:
    return row.cell.settings.get("t", 1.0) == 1.0


STUDY = Study(
    name="intrinsic-dimension",
    title="DSE rises with the intrinsic dimension of noisy data, binned entropy does not",
    jobs=jobs,
    measure=measure,
    findings=findings,
    panels=panels,
)
