"""Samples of pairs whose mutual information is known, from PyPI's benchmark-mi.

`known_tasks.npz` holds them, as `scripts/make_known_tasks.py` has drawn and stored them: 800 rows a
task, each number within 6e-5 of itself. The groups of tasks: "benchmark", the 40 of Czyz et al.,
Beyond normal: on the evaluation of mutual information estimators, NeurIPS 2023, arXiv 2306.11078;
"choosing", others of the same kinds, by which settings are chosen; and "ladder ...", of one kind
each, with more and more dependence.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]

FILE = Path(__file__).with_name("known_tasks.npz")

ROWS = 800

BENCHMARK, CHOOSING, LADDER = "benchmark", "choosing", "ladder"


@dataclass(frozen=True)
class KnownTask:
    """Pairs of rows of X and Y, drawn one after the other, and I(X; Y) of their distribution."""

    name: str
    group: str
    bits: float
    X: Array
    Y: Array


@cache
def tasks() -> dict[str, KnownTask]:
    """All tasks by the names that benchmark-mi gives them."""
    with np.load(FILE) as stored:
        planes, names, groups = stored["bytes"], stored["names"], stored["groups"]
        dims, bits = stored["dims"], stored["bits"]
    values = np.ascontiguousarray(planes.T).view("<f4").reshape(-1, ROWS).astype(np.float64)
    parts = np.split(values, np.cumsum(dims.ravel())[:-1])
    return {
        str(name): KnownTask(str(name), str(group), float(known), X.T, Y.T)
        for name, group, known, X, Y in zip(
            names, groups, bits, parts[::2], parts[1::2], strict=True
        )
    }
