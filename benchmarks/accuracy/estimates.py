"""What the programs about the stochastic estimate share: data, and an operator that counts."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.datasets import load_digits, make_blobs, make_swiss_roll

import eigentropy as eg
from eigentropy._spectra.estimated import EstimatedSpectrum
from eigentropy._spectra.stochastic import THOROUGH, Effort, estimate_spectrum

DTYPE = "float32"


@dataclass(frozen=True)
class Data:
    """Rows with the sigma that they are measured at."""

    name: str
    Z: np.ndarray
    sigma: float | str


def data_sets(n: int) -> list[Data]:
    """Eight data sets of n rows, the digits of at most the 1797 that there are.

    sigma is the default rule's for the Gaussian data and the blobs.
    """
    rng = np.random.default_rng(0)
    roll, digits = make_swiss_roll(n, random_state=2)[0], load_digits().data[:n]
    return [
        Data("gaussian d=20", rng.normal(size=(n, 20)), "auto"),
        Data("gaussian d=512", rng.normal(size=(n, 512)), "auto"),
        Data("blobs d=20", make_blobs(n, 20, centers=3, random_state=1)[0], "auto"),
        Data("blobs d=100", make_blobs(n, 100, centers=3, random_state=1)[0], "auto"),
        Data("swiss roll sigma=1", roll, 1.0),
        Data("swiss roll sigma=10", roll, 10.0),
        Data("digits sigma=10", digits, 10.0),
        Data("digits sigma=20", digits, 20.0),
    ]


class Counted:
    """A, as `estimate` wants it, that counts products."""

    def __init__(self, products: Any) -> None:
        self._products = products
        self.n, self.trace, self.degrees = products.n, products.trace, products.degrees
        self.calls = self.columns = 0

    @property
    def frobenius2(self) -> float:
        """Comes with the first product; before, it would take a pass."""
        value: float = self._products.frobenius2
        return value

    def matmul(self, V: np.ndarray, progress: object = None) -> np.ndarray:
        self.calls += 1
        self.columns += V.shape[1]
        product: np.ndarray = self._products.matmul(V, progress)
        return product


def products(data: Data, alpha: float, *, explicit: bool) -> Counted:
    """A of the data in float32: with its matrix kept, or without."""
    operator = eg.DiffusionOperator(data.Z, sigma=data.sigma, alpha=alpha)
    return Counted(operator.products(DTYPE, explicit, None))


def estimated(
    A: Any, times: Sequence[float], tol: float = 1e-3, seed: int = 0, effort: Effort = THOROUGH
) -> EstimatedSpectrum:
    return estimate_spectrum(A, times, tol, seed, dtype=DTYPE, effort=effort)


def timed(call: Callable[[], Any]) -> tuple[float, Any]:
    start = time.perf_counter()
    result = call()
    return time.perf_counter() - start, result
