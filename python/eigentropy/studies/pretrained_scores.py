"""What the study `pretrained` measures of features: the scores of `eigentropy rank`, and probes.

A name that ends in ``half`` is computed on a random half of each class, and the probes of that name
on the other half, where the accuracy of neighbours and of a linear classifier are scores, too.
"""

from __future__ import annotations

import math
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

import eigentropy as eg
from eigentropy.baselines import geometry, probes, spectral, transferability
from eigentropy.baselines.probes import cross_validated
from eigentropy.studies.data import Labels
from eigentropy.studies.models import PROBE, PROBES
from eigentropy.studies.rows import Cell, StudyRow

Rows = npt.NDArray[Any]
Values = dict[str, float]

HALF = " half"

OURS = "kernel_information_adjusted"
DIFFUSION = "dsmi_adjusted"


def _entropies(Z: Rows, y: Labels, seed: int) -> Values:
    return {"dse": float(eg.dse(Z, seed=seed)), "kernel_entropy": float(eg.kernel_entropy(Z))}


def _diffusion(Z: Rows, y: Labels, seed: int) -> Values:
    found = eg.dsmi(Z, y, kind="labels", n_null=20, seed=seed)
    return {"dsmi": float(found), DIFFUSION: found.adjusted()}


def _kernel(Z: Rows, y: Labels, seed: int) -> Values:
    found = eg.kernel_information(Z, y, kind="labels", n_null=20, seed=seed)
    return {"kernel_information": float(found), OURS: found.adjusted()}


def _one(name: str, of: Callable[[Rows, Labels], float]) -> Measure:
    return (name,), lambda Z, y, seed: {name: of(Z, y)}


# Names that are measured together, and how.
Measure = tuple[tuple[str, ...], Callable[[Rows, Labels, int], Values]]

MEASURES: tuple[Measure, ...] = (
    (("dse", "kernel_entropy"), _entropies),
    (("dsmi", DIFFUSION), _diffusion),
    (("kernel_information", OURS), _kernel),
    _one("logme", lambda Z, y: transferability.logme(Z, y).value),
    _one("h_score", lambda Z, y: transferability.h_score(Z, y).value),
    _one(
        "h_score_shrunk",
        lambda Z, y: transferability.h_score(Z, y, shrinkage=transferability.LEDOIT_WOLF).value,
    ),
    _one("transrate", lambda Z, y: transferability.transrate(Z, y).value),
    _one("rankme", lambda Z, y: spectral.rankme(Z).value),
    _one("effective_rank", lambda Z, y: spectral.effective_rank(Z).value),
    _one("self_clustering", lambda Z, y: geometry.self_clustering(Z).value),
)

# On half of the rows only: on all of them they are nearly the probes that they are compared with.
ON_HALF: tuple[Measure, ...] = (
    _one("knn_accuracy", lambda Z, y: probes.knn_accuracy(Z, y).value),
    _one("linear_accuracy", lambda Z, y: probes.linear_accuracy(Z, y).value),
)

SCORES = tuple(name for names, _ in MEASURES for name in names)
SCORES_OF_HALF = (*SCORES, *(name for names, _ in ON_HALF for name in names))
NAMES = (
    *PROBES,
    *SCORES,
    *(name + HALF for name in (*PROBES, *SCORES_OF_HALF)),
)


def halves(y: Labels) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Row numbers of two random halves, with half of each class in either, to within one row."""
    order = np.random.default_rng(0).permutation(len(y))
    order = order[np.argsort(y[order], kind="stable")]
    return np.sort(order[::2]), np.sort(order[1::2])


def measure(cells: Sequence[Cell], Z: Rows, y: Labels) -> Iterator[StudyRow]:
    """The rows of these cells, which share their seed; NaN where a score is not defined."""
    first, second = halves(y)
    whole = {cell.estimator: cell for cell in cells if not cell.estimator.endswith(HALF)}
    half = {
        cell.estimator.removesuffix(HALF): cell for cell in cells if cell.estimator.endswith(HALF)
    }
    yield from _probed(whole, Z, y)
    yield from _probed(half, Z[second], y[second])
    yield from _scored(MEASURES, whole, Z, y)
    yield from _scored((*MEASURES, *ON_HALF), half, Z[first], y[first])


def _probed(cells: dict[str, Cell], Z: Rows, y: Labels) -> Iterator[StudyRow]:
    for name in (name for name in PROBES if name in cells):
        start = time.perf_counter()
        accuracies = cross_validated(PROBE[name](), Z, y)
        error = float(np.std(accuracies, ddof=1)) / math.sqrt(len(accuracies))
        value = float(np.mean(accuracies))
        yield StudyRow(cells[name], value, error, time.perf_counter() - start)


def _scored(
    measures: Sequence[Measure], cells: dict[str, Cell], Z: Rows, y: Labels
) -> Iterator[StudyRow]:
    for names, of in measures:
        wanted = [name for name in names if name in cells]
        if not wanted:
            continue
        start = time.perf_counter()
        with warnings.catch_warnings():
            # More columns than rows, or a kernel that does not fit, are results here, not mistakes.
            warnings.simplefilter("ignore", UserWarning)
            try:
                values = of(Z, y, cells[wanted[0]].seed)
            except ValueError:  # equal rows, or rows without a direction
                values = {}
        seconds = time.perf_counter() - start
        for name in wanted:
            yield StudyRow(cells[name], values.get(name, math.nan), math.nan, seconds)
