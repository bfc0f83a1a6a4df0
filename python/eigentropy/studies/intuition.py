"""Three blobs and diffusion time: DSE falls towards log2(number of clusters).

The paper's intuition figure: as t grows, small eigenvalues die out and one of each cluster remains.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Sequence

from eigentropy.studies import data, estimators
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

BLOBS = 3
ENTROPIES = ("DSE sqrt-d", "DSE auto")
INFORMATIONS = ("DSMI sigma=1", "DSMI auto", "adjusted auto")
INFORMATION_TIMES = (1, 2, 3, 4, 5, 10, 100, 1000)
QUICK_TIMES = (1, 2, 3, 5, 7, 10, 20, 30, 50, 70, 100, 200, 300, 500, 700, 999)


def jobs(plan: StudyPlan) -> list[Job]:
    """Entropies over a fine grid of t, informations over the paper's."""
    n = 3000 if plan.full else 600
    times = range(1, 1000) if plan.full else QUICK_TIMES
    return [
        make_job("stretched blobs", {"n": n, "d": d}, names, seed, grid)
        for d in (2, 3)
        for seed in plan.seeds(quick=3, full=5)
        for names, grid in ((ENTROPIES, times), (INFORMATIONS, INFORMATION_TIMES))
    ]


def measure(job: Job) -> Iterable[StudyRow]:
    """The same spectrum serves every t."""
    n, d = int(job.settings["n"]), int(job.settings["d"])
    Z, labels = data.stretched_blobs(n, d, BLOBS, seed=job.seed)
    return estimators.measure(job, Z, labels)


def findings(rows: Sequence[StudyRow]) -> list[Finding]:
    """DSE never rises with t, and ends near log2(3)."""
    found = []
    for name in ENTROPIES:
        for d in distinct(rows, "d"):
            curve = means(select(rows, d=d, estimator=name), "t")
            found += [_falls(curve, d, name), *_ends(curve, d, name)]
    return found


def _falls(curve: dict[float, float], d: int, name: str) -> Finding:
    claim = Claim("falls", f"d = {d}: {name} falls with t")
    if len(curve) < 3:
        return claim.not_measured()
    values = list(curve.values())
    # At its limit the curve is constant, except for rounding.
    step = max(b - a for a, b in itertools.pairwise(values))
    measured = f"the largest step up is {max(0.0, step):.1g} bits"
    return claim.judged(measured, step < 1e-6 and values[-1] < values[0])


def _ends(curve: dict[float, float], d: int, name: str) -> list[Finding]:
    if len(curve) < 3:
        return []
    limit, (first, *_, end) = math.log2(BLOBS), curve.values()
    claim = Claim("limit", f"d = {d}: {name} tends to log2({BLOBS}) = {limit:.3f} bits")
    measured = f"{end:.3f} at t = {max(curve):g}, from {first:.3f}"
    return [claim.judged(measured, abs(end - limit) <= 0.2)]


def panels(rows: Sequence[StudyRow]) -> list[Panel]:
    """Entropies and informations over t."""
    drawn = []
    for d in distinct(rows, "d"):
        log_n = math.log2(max(row["n"] for row in rows))
        for title, names, most in (
            ("DSE", ENTROPIES, log_n),
            ("DSMI", INFORMATIONS, math.log2(3)),
        ):
            curves = [
                Curve(
                    name,
                    repeated(select(rows, d=d, estimator=name), "t"),
                    estimators.possible(name),
                )
                for name in names
            ]
            of = f"{title}, three blobs, d = {d}"
            drawn.append(Panel(of, "t", "bits", curves, log_x=True, possible=(0.0, most)))
    return drawn


STUDY = Study(
    name="intuition",
    title="DSE and DSMI of three blobs over diffusion time t",
    jobs=jobs,
    measure=measure,
    findings=findings,
    panels=panels,
)
