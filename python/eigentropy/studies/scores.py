"""What networks are ranked by, by the names in the table of `models`: our scores and others'.

``Holevo auto`` is the adjusted kernel information, with a rule for sigma or ``0.2 medians``; the
others are of `eigentropy.baselines`. ``TransRate scaled`` is that of rows of unit deviation. A name
that ends in ``half`` is computed on the first half of the rows, and the probes of that name on the
second, so that the neighbours can be a score, too.
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
from eigentropy.studies.data import Labels
from eigentropy.studies.estimators import sigma_of
from eigentropy.studies.rows import Cell, StudyRow

Rows = npt.NDArray[Any]
Score = Callable[[Rows, Labels, int], float]

OURS = "Holevo auto"
WIDTHS = ("auto", "0.2 medians", "0.35 medians", "0.5 medians")

HALF = " half"


def _holevo(setting: str) -> Score:
    def score(Z: Rows, y: Labels, seed: int) -> float:
        found = eg.kernel_information(Z, y, sigma=sigma_of(setting, Z=Z), n_null=20, seed=seed)
        return float(found.adjusted())

    return score


def _adjusted(Z: Rows, y: Labels, seed: int) -> float:
    return eg.dsmi(Z, y, n_null=20, seed=seed).adjusted()


def _scaled(Z: Rows) -> Rows:
    """Of unit root mean square deviation, so that the scale of a network does not matter."""
    centred: npt.NDArray[np.float64] = Z - Z.mean(axis=0, dtype=np.float64)
    centred /= math.sqrt(np.square(centred).mean()) or 1.0
    return centred


SCORES: dict[str, Score] = {
    **{f"Holevo {setting}": _holevo(setting) for setting in WIDTHS},
    "LogME": lambda Z, y, seed: transferability.logme(Z, y).value,
    "H-score": lambda Z, y, seed: transferability.h_score(Z, y).value,
    "H-score shrunk": lambda Z, y, seed: (
        transferability.h_score(Z, y, shrinkage=transferability.LEDOIT_WOLF).value
    ),
    "TransRate": lambda Z, y, seed: transferability.transrate(Z, y).value,
    "TransRate scaled": lambda Z, y, seed: transferability.transrate(_scaled(Z), y).value,
    "effective rank": lambda Z, y, seed: spectral.effective_rank(Z).value,
    "RankMe": lambda Z, y, seed: spectral.rankme(Z).value,
    "alpha-ReQ": lambda Z, y, seed: geometry.alpha_req(Z).value,
    "self-clustering": lambda Z, y, seed: geometry.self_clustering(Z).value,
    "self-clustering centred": lambda Z, y, seed: geometry.self_clustering(Z, center=True).value,
    "uniformity": lambda Z, y, seed: geometry.uniformity(Z).value,
}

# On half of the rows only: on all of them the first is measured with the rules for sigma, and the
# others would be nearly the probes that they are compared with.
ON_HALF: dict[str, Score] = {
    **SCORES,
    "adjusted auto": _adjusted,
    "kNN": lambda Z, y, seed: probes.knn_accuracy(Z, y).value,
    "linear": lambda Z, y, seed: probes.linear_accuracy(Z, y).value,
}

NAMES = (*SCORES, *(name + HALF for name in ON_HALF))


def measure(cells: Sequence[Cell], Z: Rows, y: Labels) -> Iterator[StudyRow]:
    """The rows of those cells whose names are scores; NaN where a score is not defined."""
    half = slice(len(Z) // 2)
    for cell in cells:
        if cell.estimator in SCORES:
            yield _measured(cell, SCORES[cell.estimator], Z, y)
        elif cell.estimator in NAMES:
            score = ON_HALF[cell.estimator.removesuffix(HALF)]
            yield _measured(cell, score, Z[half], y[half])


def _measured(cell: Cell, score: Score, Z: Rows, y: Labels) -> StudyRow:
    start = time.perf_counter()
    with warnings.catch_warnings():
        # More columns than rows, or a kernel that does not fit, are results here, not mistakes.
        warnings.simplefilter("ignore", UserWarning)
        try:
            value = score(Z, y, cell.seed)
        except ValueError:  # equal rows, or rows without a direction: the network has collapsed
            value = math.nan
    return StudyRow(cell, value, math.nan, time.perf_counter() - start)
