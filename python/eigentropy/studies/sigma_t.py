"""Maps of DSE and adjusted DSMI over sigma and t.

sigma is in units of the spread of the rows, the root of the trace of their covariance, so that a
map is the same whatever the scale. The paper's sigma = 10 is examined by scaling the rows.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Sequence

import numpy as np

from eigentropy.studies import data, estimators
from eigentropy.studies.rows import StudyRow
from eigentropy.studies.study import (
    Claim,
    Finding,
    Job,
    Panel,
    Study,
    StudyPlan,
    distinct,
    make_job,
    means,
    select,
)

DATA = ("blobs", "tree", "gaussian")
TIMES = (1, 2, 3, 5, 10, 20, 50, 100)
WIDTHS = (0.05, 0.1, 0.15, 0.2, 0.3, 0.5, 0.7, 1.0, 1.5, 2.0, 5.0)
QUICK_WIDTHS = (0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0)
D, GROUPS = 20, 3

MOVES = "sigma = 10 measures the scale: rows times 0.01 and 100 move DSE"
STAYS = "sigma = auto does not: DSE stays within 0.01 bits"

# Scales of the data at which the paper's sigma = 10 is examined.
SCALES = (0.01, 1.0, 100.0)


def jobs(plan: StudyPlan) -> list[Job]:
    """One job for each data set, seed and width, and one for each scale at sigma = 10."""
    n = 1500 if plan.full else 450
    seeds = plan.seeds(quick=1, full=3)
    widths = WIDTHS if plan.full else QUICK_WIDTHS
    maps = [
        make_job(name, {"n": n, "width": width}, [f"{kind} width" for kind in kinds], seed, TIMES)
        for name in DATA
        for seed in seeds
        for width in widths
        for kinds in ([("DSE",)] if name == "gaussian" else [("DSE", "adjusted")])
    ]
    fixed = [
        make_job(name, {"n": n, "scale": scale}, ["DSE sigma=10", "DSE auto"], seed, [1])
        for name in DATA
        for seed in seeds
        for scale in SCALES
    ]
    return maps + fixed


def measure(job: Job) -> Iterable[StudyRow]:
    """Rows of d = 20; `width` becomes a sigma, `scale` multiplies the rows."""
    n = int(job.settings["n"])
    Z, labels = _rows_of(job.data, n, job.seed)
    if "scale" in job.settings:
        return estimators.measure(job, Z * float(job.settings["scale"]), labels)
    sigma = float(job.settings["width"]) * math.sqrt(float(Z.var(axis=0).sum()))
    return estimators.measure(job, Z, labels, sigma=sigma)


def _rows_of(name: str, n: int, seed: int) -> tuple[data.Array, data.Labels]:
    if name == "blobs":
        return data.blobs(n, D, GROUPS, seed=seed)
    if name == "tree":
        return data.tree(GROUPS, n // GROUPS, D, seed=seed)
    rng = np.random.default_rng(seed)
    return rng.standard_normal((n, D)), np.arange(n) % GROUPS


def findings(rows: Sequence[StudyRow]) -> list[Finding]:
    """S falls with t and with sigma; a fixed sigma saturates as the scale of the data changes."""
    some = select(rows, estimator="DSE width")
    return [_falls(some, "t", "width"), _falls(some, "width", "t"), *_ranges(rows)]


def _falls(rows: Sequence[StudyRow], x: str, others: str) -> Finding:
    text = f"DSE falls as {x} grows, at every {others} (by 1e-6 bits it may rise)"
    claim = Claim("falls", text)
    curves = [
        list(means(select(rows, data=name, **{others: value}), x).values())
        for name in distinct(rows, "data")
        for value in distinct(rows, others)
    ]
    curves = [values for values in curves if len(values) >= 2]
    if not curves:
        return claim.not_measured()
    rises = [max(b - a for a, b in itertools.pairwise(v)) for v in curves]
    return claim.judged(
        f"{sum(rise <= 1e-6 for rise in rises)} of {len(rises)} curves; "
        f"the largest step up is {max(0.0, *rises):.2g} bits",
        max(rises) <= 1e-6,
    )


def _ranges(rows: Sequence[StudyRow]) -> list[Finding]:
    found = []
    for name, claim in (
        ("DSE sigma=10", Claim("moves", MOVES)),
        ("DSE auto", Claim("stays", STAYS)),
    ):
        moves = [_move(select(rows, estimator=name, data=d)) for d in distinct(rows, "data")]
        measured = [move for move in moves if move is not None]
        if not measured:
            found.append(claim.not_measured())
            continue
        text = f"by {min(measured):.2g} to {max(measured):.2g} bits"
        holds = min(measured) > 1.0 if name.endswith("10") else max(measured) <= 0.01
        found.append(claim.judged(text, holds))
    return found


def _move(rows: Sequence[StudyRow]) -> float | None:
    by_scale = means([row for row in rows if "scale" in row.cell.settings], "scale")
    if len(by_scale) < 2:
        return None
    return max(by_scale.values()) - min(by_scale.values())


def panels(rows: Sequence[StudyRow]) -> list[Panel]:
    """A map for each data set and quantity."""
    drawn = []
    for name in distinct(rows, "data"):
        for kind in ("DSE", "adjusted"):
            some = select(rows, data=name, estimator=f"{kind} width")
            if not some:
                continue
            cells = {
                (width, t): value
                for width in distinct(some, "width")
                for t, value in means(select(some, width=width), "t").items()
            }
            drawn.append(Panel(f"{kind}, {name}", "sigma / spread", "t", cells=cells))
    return drawn


STUDY = Study(
    name="sigma-t",
    title="maps of DSE and adjusted DSMI over sigma and t, and what a fixed sigma does to scales",
    jobs=jobs,
    measure=measure,
    findings=findings,
    panels=panels,
)
