"""DSE of manifolds of growing intrinsic dimension, in a space of many more, with noise."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from eigentropy.studies import data, estimators
from eigentropy.studies.estimators import spearman
from eigentropy.studies.rows import Row
from eigentropy.studies.study import (
    Curve,
    Finding,
    Job,
    Panel,
    Plan,
    Study,
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

# The paper says how many, not which: 20 from 1 to 512, each about 1.4 times the one before.
DIMENSIONS = (1, 2, 3, 4, 5, 6, 8, 11, 16, 22, 32, 45, 64, 90, 128, 181, 256, 362, 443, 512)
QUICK_DIMENSIONS = (1, 2, 4, 8, 16, 32, 64, 128)


def jobs(plan: Plan) -> list[Job]:
    """One for each law, noise, intrinsic dimension and seed."""
    n, D = (500, 2048) if plan.full else (300, 512)
    names = estimators.available(NAMES)
    return [
        make_job(law, {"n": n, "D": D, "k": k, "noise": noise}, names, seed, TIMES)
        for law in LAWS
        for noise in NOISES
        for seed in plan.seeds(quick=2, full=3)
        for k in (DIMENSIONS if plan.full else QUICK_DIMENSIONS)
    ]


def measure(job: Job) -> Iterable[Row]:
    """Some coordinates, mapped into D dimensions by an isometry, with noise."""
    s = job.settings
    Z = data.manifold(
        int(s["n"]), int(s["k"]), int(s["D"]), job.data, float(s["noise"]), seed=job.seed
    )
    return estimators.measure(job, Z)


def findings(rows: Sequence[Row]) -> list[Finding]:
    """DSE rises with k at every noise, bins do not."""
    return [
        *(_rises(rows, name, t) for name in NAMES[:2] for t in (1.0, 5.0)),
        _does_not_rise(rows, NAMES[2]),
    ]


def _rises(rows: Sequence[Row], name: str, t: float) -> Finding:
    wanted = select(rows, estimator=name, t=t)
    worst = _worst(wanted)
    claim = f"{name}, t = {t:g}, rises with the intrinsic dimension (Spearman >= 0.95)"
    if worst is None:
        return Finding(claim, "not measured", None)
    return Finding(
        claim, f"Spearman {worst:.3f} at the least, of {_settings(wanted)}", worst >= 0.95
    )


def _does_not_rise(rows: Sequence[Row], name: str) -> Finding:
    """By how much it does, against what DSE does."""
    wanted = select(rows, estimator=name)
    claim = f"{name} does not rise with the intrinsic dimension"
    if not wanted:
        return Finding(claim, "not measured", None)
    values = [row.value for row in wanted]
    worst = _worst(wanted)
    rises = worst is not None and worst >= 0.95 and max(values) - min(values) > 0.1
    return Finding(claim, f"{min(values):.2f} to {max(values):.2f} bits", not rises)


def _curves(rows: Sequence[Row]) -> list[dict[float, float]]:
    return [
        means(select(rows, data=law, noise=noise), "k")
        for law in distinct(rows, "data")
        for noise in distinct(rows, "noise")
    ]


def _worst(rows: Sequence[Row]) -> float | None:
    # A curve that is constant has no rank correlation: it does not rise.
    found = [spearman(list(c), list(c.values())) for c in _curves(rows) if len(c) >= 3]
    return min((rho if rho == rho else 0.0) for rho in found) if found else None


def _settings(rows: Sequence[Row]) -> str:
    return f"{len(_curves(rows))} laws and noises"


def panels(rows: Sequence[Row]) -> list[Panel]:
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
            drawn.append(Panel(title, "intrinsic dimension", "bits", curves, log_x=True))
    return drawn


def _first(row: Row) -> bool:
    return row.cell.settings.get("t", 1.0) == 1.0


STUDY = Study(
    name="intrinsic-dimension",
    title="DSE rises with the intrinsic dimension of noisy data, binned entropy does not",
    jobs=jobs,
    measure=measure,
    findings=findings,
    panels=panels,
)
