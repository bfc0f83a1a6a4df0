"""Which estimators of information rank and detect dependence whose bits are known (benchmark-mi).

The values are of 400 rows. The p-values are of 100, a quarter of them: of the pairs as they are,
and of pairs whose Y is permuted, which are independent. The tasks of the group "choosing" choose
the setting of each estimator, one that ranks and one that detects; others judge it.
"""

from __future__ import annotations

import math
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np

import eigentropy as eg
from eigentropy._support.interval import LEVEL
from eigentropy.baselines import binning, ksg, mine
from eigentropy.studies import estimators, models, ranking
from eigentropy.studies.estimators import sigma_of, spearman
from eigentropy.studies.figures import band
from eigentropy.studies.known_tasks import BENCHMARK, CHOOSING, LADDER, ROWS, Array, tasks
from eigentropy.studies.rows import Cell, Parameter, StudyRow
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
    make_job,
    select,
)

SIGMAS = ("0.2", "0.25", "0.3", "0.35", "0.5", "0.7", "1", "1.4")

# The settings of each estimator, of which the tasks of the group "choosing" choose one.
CANDIDATES = {
    "kernel": tuple(f"kernel {sigma} medians" for sigma in SIGMAS),
    "DSMI": tuple(f"DSMI {sigma} medians" for sigma in ("0.2", "0.35", "0.5", "0.7", "1")),
    "KSG": ("KSG k=1", "KSG k=3", "KSG k=10"),
    "MINE": ("MINE",),
    "bins": ("bins 2", "bins 3", "bins 5", "bins 10"),
}

# What estimates bits. Kernel information of vectors and DSMI only grow with them.
IN_BITS = ("KSG", "MINE", "bins")

N, N_TEST = 400, 100
PARTS, DRAWS = ROWS // N, N // N_TEST

# As many permutations as DSMI has partitions: the smallest p is 1/21.
N_NULL = 20
REJECTED = 0.05

TRUE, PERMUTED = "true", "permuted"

MINE_OPTIONS: dict[str, Any] = {"epochs": 100, "batch_size": 100}

# What is aimed at.
RANK, RISE, OFF, DETECTED = 0.7, 0.9, 0.1, 0.8

# Of what is shown of a rank correlation, and judged: 0.9 of five tasks is less in floats.
DECIMALS = 3

Measured = tuple[float, float]


def jobs(plan: StudyPlan) -> list[Job]:
    """One job for each task and half of its rows; no p-values on ladders."""
    models.require_sklearn()
    seeds = plan.seeds(quick=1, full=PARTS)
    if seeds.stop > PARTS:
        raise ValueError(
            f"seed + repetitions must be at most {PARTS}, got {plan.seed} + {len(seeds)}: the "
            f"stored samples have {ROWS} rows, {N} for each repetition"
        )
    names = estimators.available([name for each in CANDIDATES.values() for name in each])
    return [
        Job(tuple(cell for each in _settings(task.group) for cell in
                  make_job(task.name, {"bits": round(task.bits, 6), "group": task.group, **each},
                           names, seed).cells))
        for task in tasks().values()
        for seed in seeds
    ]  # fmt: skip


# Of which pairs p-values are taken, by the group of the task: to choose a setting, dependent ones.
PAIRS = {BENCHMARK: (TRUE, PERMUTED), CHOOSING: (TRUE,)}


def _settings(group: str) -> list[dict[str, Parameter]]:
    tests: list[dict[str, Parameter]] = [
        {"number": "p", "n": N_TEST, "draw": draw, "pairs": pairs}
        for draw in range(DRAWS)
        for pairs in PAIRS.get(group, ())
    ]
    return [{"number": "value", "n": N}, *tests]


def measure(job: Job) -> Iterator[StudyRow]:
    """The rows of the task that each cell names, measured as it says."""
    for cell in job.cells:
        X, Y = rows_of(cell)
        start = time.perf_counter()
        with warnings.catch_warnings():
            # Heavy tails leave bins with one row, and what is saturated is a result here.
            warnings.simplefilter("ignore", UserWarning)
            found = MEASURES[cell.settings["number"], cell.estimator.split()[0]](cell, X, Y)
        value, error = found if isinstance(found, tuple) else (found, math.nan)
        yield StudyRow(cell, value, error, time.perf_counter() - start)


def rows_of(cell: Cell) -> tuple[Array, Array]:
    """The rows of X and Y that a cell is about."""
    settings, task = cell.settings, tasks()[cell.data]
    n = int(settings["n"])
    first = N * cell.seed + n * int(settings.get("draw", 0))
    X, Y = task.X[first : first + n], task.Y[first : first + n]
    if settings.get("pairs") == PERMUTED:
        Y = Y[np.random.default_rng([cell.seed, int(settings["draw"]), 8]).permutation(n)]
    return X, Y


def _setting(cell: Cell) -> str:
    return cell.estimator.partition(" ")[2]


def _seed(cell: Cell) -> int:
    return DRAWS * cell.seed + int(cell.settings.get("draw", 0))


def _kernel(cell: Cell, X: Array, Y: Array) -> Any:
    """The joint kernel, X and Y each with a sigma of its own."""
    sigma, sigma_y = (sigma_of(_setting(cell), Z=Z) for Z in (X, Y))
    return eg.kernel_information(
        X, Y, kind="vectors", sigma=sigma, sigma_y=sigma_y, n_null=N_NULL, method="exact",
        seed=_seed(cell),
    )  # fmt: skip


def _diffusion(cell: Cell, X: Array, Y: Array) -> Any:
    """Y in ten bins, or in ten clusters where it has several columns."""
    sigma = sigma_of(_setting(cell), Z=X)
    Y = Y[:, 0] if Y.shape[1] == 1 else Y
    return eg.dsmi(X, Y, sigma=sigma, n_null=N_NULL, method="exact", seed=_seed(cell))


def _neighbours(cell: Cell, X: Array, Y: Array) -> float:
    k = int(_setting(cell).removeprefix("k="))
    return float(ksg.mutual_information(X, Y, k=k, seed=_seed(cell)))


def _trained(cell: Cell, X: Array, Y: Array) -> Measured:
    found = mine.mutual_information(X, Y, kind="vectors", seed=_seed(cell), **MINE_OPTIONS)
    return found.value, found.standard_error


def _binned(cell: Cell, X: Array, Y: Array, estimator: str = "matched") -> Measured:
    found = binning.mutual_information(
        X, Y, kind="vectors", bins=int(_setting(cell)), estimator=estimator, n_null=N_NULL,
        seed=_seed(cell),
    )  # fmt: skip
    return found.value, found.standard_error


def permutation_p(information: Callable[[Array], float], Y: Array, seed: int) -> float:
    """The share of permutations of Y, and of Y itself, with as much information as Y."""
    rng = np.random.default_rng([seed, 9])
    observed = information(Y)
    null = [information(Y[rng.permutation(len(Y))]) for _ in range(N_NULL)]
    return (1 + sum(value >= observed for value in null)) / (1 + N_NULL)


def _beyond_its_error(cell: Cell, X: Array, Y: Array) -> float:
    """The p-value of a bound with a normal error: no network is trained for each permutation."""
    value, error = _trained(cell, X, Y)
    return 0.5 * math.erfc(value / error / math.sqrt(2.0)) if error > 0 else 1.0


def _value(measure: Callable[..., Any], *given: Any) -> Measured:
    found = measure(*given)
    return found.value, found.standard_error


MEASURES: dict[tuple[Any, str], Callable[[Cell, Array, Array], float | Measured]] = {
    ("value", "kernel"): partial(_value, _kernel),
    ("value", "DSMI"): partial(_value, _diffusion),
    ("value", "KSG"): _neighbours,
    ("value", "MINE"): _trained,
    ("value", "bins"): _binned,
    ("p", "kernel"): lambda *given: float(_kernel(*given).p_value),
    ("p", "DSMI"): lambda *given: float(_diffusion(*given).p_value),
    ("p", "KSG"): lambda cell, X, Y: permutation_p(partial(_neighbours, cell, X), Y, _seed(cell)),
    ("p", "MINE"): _beyond_its_error,
    ("p", "bins"): lambda cell, X, Y: permutation_p(
        lambda permuted: _binned(cell, X, permuted, "plain")[0], Y, _seed(cell)
    ),
}


# What the rows say


def by_task(rows: Sequence[StudyRow], name: str, group: str) -> tuple[list[float], list[float]]:
    """The known bits of the tasks of a group, and an estimator's values: means over the seeds."""
    found = select(rows, estimator=name, number="value", group=group)
    known: dict[str, float] = {row.cell.data: row["bits"] for row in found}
    values = [
        math.fsum(row.value for row in some) / len(some)
        for some in (select(found, data=task) for task in known)
    ]
    return list(known.values()), values


def ladders(rows: Sequence[StudyRow]) -> list[str]:
    """The groups of tasks of one kind."""
    return [group for group in distinct(rows, "group") if str(group).startswith(LADDER)]


def chosen(rows: Sequence[StudyRow], kind: str) -> str:
    """The setting that ranks the tasks that are kept for this best."""
    return _best({name: spearman(*by_task(rows, name, CHOOSING)) for name in CANDIDATES[kind]})


def chosen_to_detect(rows: Sequence[StudyRow], kind: str) -> str:
    """The setting that finds the dependence of the tasks that are kept for this most often."""
    return _best({name: rejected(rows, name, TRUE, CHOOSING)[0] for name in CANDIDATES[kind]})


def _best(scores: dict[str, float]) -> str:
    """The name with the largest number; the first of equals, and where none is known."""
    return max(scores, key=lambda name: -math.inf if math.isnan(scores[name]) else scores[name])


def rise(rows: Sequence[StudyRow], name: str) -> float:
    """Spearman correlation on the ladder where it is least."""
    found = [spearman(*by_task(rows, name, ladder)) for ladder in ladders(rows)]
    return min(found) if found else math.nan


def off(rows: Sequence[StudyRow], name: str) -> float:
    """Mean distance from the known bits over the benchmark's tasks, each half of the rows alone."""
    found = select(rows, estimator=name, number="value", group=BENCHMARK)
    return float(np.mean([abs(row.value - row["bits"]) for row in found])) if found else math.nan


def rejected(
    rows: Sequence[StudyRow], name: str, pairs: str, group: str = BENCHMARK
) -> tuple[float, float]:
    """Share of draws with p <= 0.05, and half its 95 % interval, over the tasks."""
    found = select(rows, estimator=name, number="p", pairs=pairs, group=group)
    shares = [
        float(np.mean([row.value <= REJECTED for row in select(found, data=task)]))
        for task in distinct(found, "data")
    ]
    return band(shares)


def findings(rows: Sequence[StudyRow]) -> list[Finding]:
    """How each estimator, with the settings that were chosen for it, ranks, rises and detects."""
    names = {kind: chosen(rows, kind) for kind in CANDIDATES}
    tests = [chosen_to_detect(rows, kind) for kind in CANDIDATES]
    return [
        *(_ranks(rows, name) for name in names.values()),
        *(_rises(rows, name) for name in names.values()),
        *(_off(rows, names[kind]) for kind in IN_BITS),
        *(_false_alarms(rows, name) for name in tests),
        *(_detects(rows, name) for name in tests),
    ]


def _ranks(rows: Sequence[StudyRow], name: str) -> Finding:
    claim = Claim("ranks", f"{name} ranks the tasks of the benchmark (Spearman >= {RANK})")
    known, values = by_task(rows, name, BENCHMARK)
    rho = spearman(known, values)
    if math.isnan(rho):
        return claim.not_measured()
    low, high = ranking.interval(known, values)
    measured = f"Spearman {rho:.3f} ({LEVEL:.0%}: {low:.3f} to {high:.3f}) over {len(known)} tasks"
    return claim.judged(measured, round(rho, DECIMALS) >= RANK)


def _rises(rows: Sequence[StudyRow], name: str) -> Finding:
    claim = Claim("rises", f"{name} rises with the dependence alone (Spearman >= {RISE})")
    rho = rise(rows, name)
    if math.isnan(rho):
        return claim.not_measured()
    return claim.judged(
        f"Spearman {rho:.3f} at the least of {len(ladders(rows))}", round(rho, DECIMALS) >= RISE
    )


def _off(rows: Sequence[StudyRow], name: str) -> Finding:
    claim = Claim("bits", f"{name} is within {OFF} bits of the truth on average")
    distance = off(rows, name)
    if math.isnan(distance):
        return claim.not_measured()
    known, values = by_task(rows, name, BENCHMARK)
    low, high = min(gaps := [v - b for v, b in zip(values, known, strict=True)]), max(gaps)
    measured = f"off by {distance:.3f} bits on average, {low:+.2f} to {high:+.2f}"
    return claim.judged(measured, distance <= OFF)


def _false_alarms(rows: Sequence[StudyRow], name: str) -> Finding:
    text = f"{name}: p <= {REJECTED} in at most {REJECTED:.0%} of independent draws, within noise"
    return _share(rows, name, PERMUTED, Claim("false alarms", text))


def _detects(rows: Sequence[StudyRow], name: str) -> Finding:
    text = f"{name}: p <= {REJECTED} in {DETECTED:.0%} or more of dependent draws"
    return _share(rows, name, TRUE, Claim("detects", text))


def _share(rows: Sequence[StudyRow], name: str, pairs: str, claim: Claim) -> Finding:
    share, half = rejected(rows, name, pairs)
    if math.isnan(share):
        return claim.not_measured()
    holds = share - half <= REJECTED if pairs == PERMUTED else share >= DETECTED
    draws = len(select(rows, estimator=name, number="p", pairs=pairs, group=BENCHMARK))
    return claim.judged(f"{share:.1%} +- {half:.1%} of {draws}, n = {N_TEST}", holds)


def listing(rows: Sequence[StudyRow]) -> Listing:
    """Every setting; a star marks what chose the one that is judged."""
    lines = []
    for kind, names in CANDIDATES.items():
        stars = chosen(rows, kind), chosen_to_detect(rows, kind)
        lines += [
            [name, *_numbers(rows, kind, name, [name == best and len(names) > 1 for best in stars])]
            for name in names
            if select(rows, estimator=name)
        ]
    return Listing(
        f"Spearman correlation with the known information (n = {N}), mean distance from it, and "
        f"share of draws with p <= {REJECTED} (n = {N_TEST}); stars are at the settings that the "
        "tasks kept for this choose, to rank and to detect",
        ["estimator", "kept apart", "benchmark", "ladders, least", "bits off",
         "dependent, kept apart", "dependent", "independent"],
        lines,
    )  # fmt: skip


def _numbers(
    rows: Sequence[StudyRow], kind: str, name: str, stars: Sequence[bool]
) -> Iterator[str]:
    ranks = [spearman(*by_task(rows, name, group)) for group in (CHOOSING, BENCHMARK)]
    marks = [" *" if star else "" for star in stars]
    yield f"{ranks[0]:.{DECIMALS}f}{marks[0]}"
    yield from (f"{rho:.{DECIMALS}f}" for rho in (ranks[1], rise(rows, name)))
    yield f"{off(rows, name):.{DECIMALS}f}" if kind in IN_BITS else ""
    yield f"{rejected(rows, name, TRUE, CHOOSING)[0]:.1%}{marks[1]}"
    yield from (f"{rejected(rows, name, pairs)[0]:.1%}" for pairs in (TRUE, PERMUTED))


def panels(rows: Sequence[StudyRow]) -> list[Panel]:
    """Values of both halves over the known bits: of the benchmark, and along each ladder."""
    names = [chosen(rows, kind) for kind in CANDIDATES]
    return [
        Panel(
            group, "known bits", "value", [_curve(rows, name, group) for name in names],
            scatter=True,
        )
        for group in (BENCHMARK, *ladders(rows))
    ]  # fmt: skip


def _curve(rows: Sequence[StudyRow], name: str, group: str) -> Curve:
    points: dict[float, list[float]] = {}
    for row in select(rows, estimator=name, number="value", group=group):
        points.setdefault(float(row["bits"]), []).append(row.value)
    return Curve(name, dict(sorted(points.items())))


STUDY = Study(
    name="known-information",
    title="which estimators rank and detect dependence whose bits are known (benchmark-mi)",
    jobs=jobs,
    measure=measure,
    findings=findings,
    panels=panels,
    listing=listing,
    parallel=True,
)
