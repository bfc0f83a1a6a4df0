"""The multislice operator: its spectral entropy, and one step of its diffusion."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from eigentropy._backends.rows import Rows
from eigentropy._kernels.graph import SparseOperator, normalised
from eigentropy._kernels.knn import Knn
from eigentropy._measures.entropy import entropies
from eigentropy._measures.operator import DiffusionOperator
from eigentropy._measures.results import DiffusionEntropy
from eigentropy._spectra.plan import SpectrumPlan
from eigentropy.embed.multislice import transition
from eigentropy.embed.results import StepEntropies


class _Graph(Knn):
    """Computes with a sparse kernel that is known, in the place of one of nearest neighbours."""

    def __init__(self, kernel: Any, seed: int) -> None:
        super().__init__(0, seed)
        self.kernel = kernel

    def operator(
        self, rows: Any, chosen: npt.NDArray[np.int64] | None, alpha: float | None, progress: Any
    ) -> SparseOperator:
        """The matrix of all rows."""
        assert chosen is None, "units at an epoch are no sample of units at epochs"
        assert alpha is not None
        return normalised(self.kernel, alpha)


def spectral_entropy(
    kernel: Any, t: float, base: float, plan: SpectrumPlan, seed: int
) -> DiffusionEntropy:
    """DSE of P = D^-1 K, by the method that the plan asks for."""
    rows = Rows(np.zeros((kernel.shape[0], 1)), _Graph(kernel, seed))
    operator = DiffusionOperator(rows, alpha=0.0, seed=seed)
    return entropies(operator, [t], base, plan)[0]


def step_entropies(kernel: Any, units: int, base: float) -> StepEntropies:
    """The shares and the entropy of a step from a point drawn by its degree."""
    P = transition(kernel)
    row = np.repeat(np.arange(P.shape[0]), np.diff(P.indptr))
    stays = row // units == P.indices // units
    start = kernel.sum(axis=1) / kernel.sum()  # the stationary distribution
    leaves = np.bincount(row, P.data * ~stays, minlength=len(start))
    share = 1.0 - leaves
    surprise = -_xlogx(P.data)
    unit = math.log(base)

    def mean(values: Any) -> float:
        return float(start @ values) / unit

    def of_place(places: Any, own: Any) -> float:
        """Share times entropy of P within these places: -sum P log P + w log w."""
        return mean(np.bincount(row, surprise * places, minlength=len(start)) + _xlogx(own))

    within, between = of_place(stays, share), of_place(~stays, leaves)
    choice = -mean(_xlogx(share) + _xlogx(leaves))
    total = mean(np.bincount(row, surprise, minlength=len(start)))
    left = float(start @ leaves)
    return StepEntropies(1.0 - left, left, total, choice, within, between)


def _xlogx(x: Any) -> Any:
    return x * np.log(np.where(x > 0.0, x, 1.0))
