"""The spectrum of a sparse matrix whose eigenvalues have both signs, by estimates of its square.

The eigenvalues of A^2 are squares, so that the entropy of A at t is that of A^2 at t / 2.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, ClassVar, TypeAlias

import numpy as np
import numpy.typing as npt

from eigentropy._kernels.graph import SparseOperator
from eigentropy._spectra.estimated import EstimatedSpectrum
from eigentropy._spectra.functionals import Functional, Shannon, functional
from eigentropy._spectra.spectrum import Spectrum, Which, smoothed_density
from eigentropy._spectra.stochastic import estimate_spectrum
from eigentropy._spectra.vector_lanczos import estimate_by_vectors
from eigentropy._support.interval import LEVEL, Interval
from eigentropy._support.progress import Callback, part

# Below this t the powers of the squares have a singularity at 0 that blocks of vectors do not
# resolve; at 2 the first of them, tr A^2, is known.
SMOOTH_FROM = 2.0


class SpectrumBySquare(Spectrum):
    """What estimates of the spectrum of A^2 say of A: each t is asked of the best of them."""

    method: ClassVar[str] = "stochastic"

    def __init__(self, of_square: Sequence[EstimatedSpectrum], kernel_sum: float) -> None:
        self._of_square, self.kernel_sum = of_square, kernel_sum
        self.n, self.dtype = of_square[0].n, of_square[0].dtype

    @property
    def degrees(self) -> float:  # type: ignore[override]
        """Degrees of freedom of the standard error, at least."""
        return min(estimate.degrees for estimate in self._of_square)

    def entropy(self, t: Which = 1.0, base: float = 2.0) -> float:
        """S(t) in the unit of `base`."""
        estimate, half = self._best(t)
        return estimate.entropy(half, base)

    def standard_error(self, t: Which = 1.0, base: float = 2.0) -> float:
        """Standard error of S(t), of probes and quadrature together."""
        estimate, half = self._best(t)
        return estimate.standard_error(half, base)

    def bound(self, t: Which = 1.0, base: float = 2.0) -> float:
        """NaN: an estimate guarantees nothing."""
        return math.nan

    def interval(self, t: Which = 1.0, base: float = 2.0, level: float = LEVEL) -> Interval:
        """Confidence interval of S(t), by Student's t."""
        estimate, half = self._best(t)
        return estimate.interval(half, base, level)

    def meets(self, t: Which = 1.0) -> bool:
        """Whether the 95 % interval of S(t) is within the relative tolerance."""
        estimate, half = self._best(t)
        return estimate.meets(half)

    def density(self, x: Any, width: float = 0.02) -> npt.NDArray[np.float64]:
        """Eigenvalues a unit of length at x, over n, by their magnitudes."""
        estimate = self._of_square[0]
        return smoothed_density(np.sqrt(estimate.nodes), estimate.weights, x, width)

    def warn_if_imprecise(self, t: Which, base: float) -> None:
        """A `PrecisionWarning` where the probes do not give S(t) within `tol`."""
        estimate, half = self._best(t)
        estimate.warn_if_imprecise(half, base, functional(t).label)

    def _best(self, t: Which) -> tuple[EstimatedSpectrum, Shannon]:
        half = _halved(functional(t))
        return min(self._of_square, key=lambda estimate: estimate.at(half).error), half


Estimate: TypeAlias = EstimatedSpectrum | SpectrumBySquare


def estimate_by_square(
    A: SparseOperator,
    wanted: Sequence[Functional],
    tol: float,
    seed: int,
    progress: Callback | None,
    *,
    dtype: str,
) -> SpectrumBySquare:
    """The entropies of A, each within the relative tolerance as far as that can be reached."""
    rough = [_halved(one).t for one in wanted if one.exponent < SMOOTH_FROM]
    smooth = [_halved(one) for one in wanted if one.exponent >= SMOOTH_FROM]
    estimates, until = [], 1.0 if not smooth else 0.7
    if rough:
        told = part(progress, 0.0, until)
        estimates.append(estimate_by_vectors(A, rough, tol, seed, told))
    if smooth:
        told = part(progress, until if rough else 0.0, 1.0)
        products = A.in_precision(dtype)
        estimates.append(estimate_spectrum(products, smooth, tol, seed, told, dtype=dtype))
    return SpectrumBySquare(estimates, A.kernel_sum)


def _halved(which: Functional) -> Shannon:
    assert isinstance(which, Shannon), "kernel='knn' makes no density matrix"
    return Shannon(which.t / 2.0)
