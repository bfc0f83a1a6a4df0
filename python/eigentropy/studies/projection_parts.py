"""How the study `projection` measures distances, closed forms, entropies and random layers."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

import eigentropy as eg
from eigentropy.studies import data
from eigentropy.studies.data import Array, Labels
from eigentropy.studies.projection_sets import (
    DENSE,
    SETS,
    Arc,
    distances,
    isometric,
    layered,
    project,
)
from eigentropy.studies.rows import Cell, StudyRow
from eigentropy.studies.study import Job

MEASURES: dict[str, Callable[..., Any]] = {
    "DSE": eg.dse,
    "DSMI": eg.dsmi,
    "kernel entropy": eg.kernel_entropy,
    "kernel information": eg.kernel_information,
}
LABELLED = ("DSMI", "kernel information")

# Beside a measure of projected rows: its sampling error on all columns, and ways to correct it.
ERROR, HALVES, KEPT, MOMENT = "error", "by halves", "sigma kept", "kernel divided"
CORRECTIONS = {
    HALVES: ("DSE", "kernel entropy"),
    KEPT: ("DSE", "kernel entropy"),
    MOMENT: ("DSE",),
}

# Of unit vectors, and of the kernel: how many projections, and to how many columns.
LENGTHS, LENGTH_COLUMNS, LENGTH_DRAWS = (5, 40, 150), 200, 400
KERNEL_COLUMNS, KERNEL_ROWS, KERNEL_DRAWS = (64, 256), 40, 200
KERNELS = ("plain", "unbiased")

# Of the series of 0F1; with u up to 30 it has 1e-9.
TERMS = 150


def beside(names: Sequence[str], parts: Sequence[str]) -> list[str]:
    """The names, and each with every part behind it."""
    return [*names, *(f"{name} {part}" for name in names for part in parts)]


def measure(job: Job) -> Iterator[StudyRow]:
    """Measure the part that a job is of."""
    return PARTS[str(job.settings["part"])](job)


def _row(cell: Cell, value: float, start: float, error: float = math.nan) -> StudyRow:
    # So many digits are enough, and the stored table is small.
    return StudyRow(cell, float(f"{value:.7g}"), error, time.perf_counter() - start)


def _distances(job: Job) -> Iterator[StudyRow]:
    s = job.settings
    Z, _ = SETS[job.data](int(s["n"]), int(s["d"]), job.seed)
    before = distances(Z)
    for eps in dict.fromkeys(cell.settings["eps"] for cell in job.cells):
        start = time.perf_counter()
        cells = [cell for cell in job.cells if cell.settings["eps"] == eps]
        k = int(cells[0].settings["k"])
        off = distances(project(Z, k, str(s["kind"]), job.seed)) / before - 1.0
        values = {
            "outside": float(np.mean(np.abs(off) > float(eps))),
            "distortion": math.sqrt(float(np.mean(off**2))),
        }
        yield from (_row(cell, values[cell.estimator], start) for cell in cells)


def _lengths(job: Job) -> Iterator[StudyRow]:
    """One unit vector in many random orthogonal projections, without scaling: of mean k / d."""
    from scipy.special import betainc

    start, rng = time.perf_counter(), np.random.default_rng([job.seed, 1701])
    d, k = LENGTH_COLUMNS, int(job.settings["k"])
    frames = np.linalg.qr(rng.standard_normal((LENGTH_DRAWS, d, k)))[0]
    squared = np.sort(np.einsum("ij,ij->i", frames[:, 0], frames[:, 0]))
    law = betainc(k / 2, (d - k) / 2, np.minimum(squared, 1.0))
    steps = np.arange(LENGTH_DRAWS + 1) / LENGTH_DRAWS
    gap = max(float(np.max(steps[1:] - law)), float(np.max(law - steps[:-1])))
    deviation = math.sqrt(2.0 * k * (d - k) / (d * d * (d + 2.0)))
    values = {
        "z": float((squared.mean() - k / d) / deviation * math.sqrt(LENGTH_DRAWS)),
        "spread": float(squared.std() / deviation),
        "law": gap * math.sqrt(LENGTH_DRAWS),
    }
    yield from (_row(cell, values[cell.estimator], start) for cell in job.cells)


def kernel_of(squared: Array, k: int, which: str) -> Array:
    """A kernel of squared distances after projecting to k columns, in units of sigma squared.

    "plain" is exp(-u / 2), whose mean over Gaussian projections is (1 + x / k)^(-k/2) for
    u = x before. "divided" is exp(-u / 2 - u^2 / (4 (k + 2))), which is divided by the factor by
    which that exceeds exp(-x / 2), to first order in 1 / k. The mean of "unbiased",
    0F1(k / 2; -k u / 4), is exp(-x / 2).
    """
    if which == "unbiased":
        total, term = np.ones_like(squared), np.ones_like(squared)
        for m in range(TERMS):
            term = term * (-k / 4.0) * squared / ((k / 2.0 + m) * (m + 1.0))
            total += term
        return total
    second = squared**2 / (4.0 * (k + 2.0)) if which == "divided" else 0.0
    found: Array = np.exp(-squared / 2.0 - second)
    return found


def _kernel(job: Job) -> Iterator[StudyRow]:
    """The mean of the kernel over Gaussian projections, over what it is before."""
    start, k = time.perf_counter(), int(job.settings["k"])
    Z, _ = SETS["Gaussian"](KERNEL_ROWS, 10 * KERNEL_ROWS, job.seed)
    Z /= eg.bandwidth(Z)
    x = distances(Z)
    draws = range(job.seed * KERNEL_DRAWS, (job.seed + 1) * KERNEL_DRAWS)
    after = [distances(project(Z, k, DENSE, draw)) for draw in draws]
    expected = {"plain": (1.0 + x / k) ** (-k / 2) * np.exp(x / 2.0), "unbiased": np.ones_like(x)}
    for name in KERNELS:
        ratios = np.array([np.mean(kernel_of(u, k, name) * np.exp(x / 2.0)) for u in after])
        error = float(ratios.std(ddof=1)) / math.sqrt(KERNEL_DRAWS)
        z = (float(ratios.mean()) - float(expected[name].mean())) / error
        for cell in job.cells:
            if cell.estimator == name:
                yield _row(cell, float(ratios.mean()), start, error)
            elif cell.estimator == f"{name} z":
                yield _row(cell, z, start)


def _measures(job: Job) -> Iterator[StudyRow]:
    s = job.settings
    Z, labels = SETS[job.data](int(s["n"]), int(s["d"]), job.seed)
    by_place: dict[tuple[int, str], list[Cell]] = {}
    for cell in job.cells:
        at = int(cell.settings["k"]), str(cell.settings["kind"])
        by_place.setdefault(at, []).append(cell)
    sigma = math.nan
    for (k, kind), cells in by_place.items():
        names = [cell.estimator for cell in cells]
        if k == 0:
            yield from _measured(cells, isometric(Z), labels)
            continue
        rows = project(Z, k, kind, job.seed)
        if any(name.endswith(KEPT) for name in names) and math.isnan(sigma):
            sigma = eg.bandwidth(isometric(Z))
        yield from _measured(cells, rows, labels, sigma)


def _measured(
    cells: Sequence[Cell], Z: Array, labels: Labels, sigma: float = math.nan
) -> Iterator[StudyRow]:
    """Each cell of these rows: a measure, its error, or what a correction makes of it."""
    results: dict[str, Any] = {}

    def value(name: str, rows: Array, **options: Any) -> Any:
        about = (labels,) if name in LABELLED else ()
        return MEASURES[name](rows, *about, **options)

    for cell in cells:
        start = time.perf_counter()
        name = next(m for m in MEASURES if cell.estimator in beside([m], (ERROR, *CORRECTIONS)))
        if name not in results:
            results[name] = value(name, Z)
        plain, part = results[name], cell.estimator.removeprefix(name).strip()
        if part == "":
            found = float(plain)
        elif part == ERROR:
            found = plain.sampling_error
        elif part == KEPT:
            found = float(value(name, Z, sigma=sigma))
        elif part == MOMENT:
            G = np.eye(len(Z))
            pairs = np.triu_indices(len(Z), 1)
            G[pairs] = kernel_of(distances(Z) / plain.sigma**2, Z.shape[1], "divided")
            G.T[pairs] = G[pairs]
            found = float(eg.dse(G, kernel="precomputed"))
        else:
            half = Z.shape[1] // 2
            found = 2.0 * float(plain) - float(
                np.mean([float(value(name, Z[:, i : i + half])) for i in (0, half)])
            )
        yield _row(cell, found, start)


def _layers(job: Job) -> Iterator[StudyRow]:
    s = job.settings
    X, y = data.digits()
    chosen = data.subset(len(X), int(s["n"]) / len(X), seed=job.seed)
    X, y = X[chosen], y[chosen]
    width, depth, relu = int(s["width"]), int(s["depth"]), s["kind"] == "ReLU"
    Z = layered(X, width, depth, relu=relu, seed=job.seed) if width else X
    start, measures = time.perf_counter(), []
    for cell in job.cells:
        if cell.estimator not in ("distortion", "shrinkage"):
            measures.append(cell)
            continue
        expected = Arc.of(X, depth).squared if relu else distances(X)
        ratio = distances(Z) / (expected if cell.estimator == "distortion" else distances(X))
        off = float(np.sqrt(np.mean((ratio - 1.0) ** 2)))
        yield _row(cell, off if cell.estimator == "distortion" else float(np.median(ratio)), start)
    yield from _measured(measures, Z, y)


PARTS = {
    "distances": _distances,
    "lengths": _lengths,
    "kernel": _kernel,
    "measures": _measures,
    "layers": _layers,
}
