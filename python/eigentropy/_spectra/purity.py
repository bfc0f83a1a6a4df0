"""What one pass over a density matrix says of its spectrum: the Renyi entropy of order 2."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from eigentropy._kernels.matrix import KernelMatrix
from eigentropy._spectra.functionals import Functional, Renyi, functional
from eigentropy._spectra.rounding import EPS, eigenvalue_error, eigenvalue_error_in_double
from eigentropy._spectra.spectrum import Spectrum, Which
from eigentropy._support.progress import reporter

# Minus the logarithm of the purity.
COLLISION = Renyi(2.0)


@dataclass(frozen=True, eq=False, kw_only=True)
class PuritySpectrum(Spectrum):
    r"""The purity :math:`\operatorname{tr} \rho^2 = |\rho|_F^2`, and nothing else.

    Attributes
    ----------
    n : int
    dtype : {"float64", "float32"}
    kernel_sum : float
    purity : float
    rounding : float
        Bound of its relative error in float32; 0 in float64.
    double : float
        The same in float64, for `interval`.
    """

    n: int
    dtype: str
    kernel_sum: float
    purity: float
    rounding: float
    double: float

    method: ClassVar[str] = "exact"

    def entropy(self, t: Which = COLLISION, base: float = 2.0) -> float:
        """The entropy of order 2 in the unit of `base`; ValueError for another one."""
        self._require(functional(t))
        return max(0.0, -math.log(self.purity)) / math.log(base)

    def bound(self, t: Which = COLLISION, base: float = 2.0) -> float:
        """Bound of the rounding error; 0 in float64."""
        return self.rounding / math.log(base)

    def uncertainty(self, t: Which = COLLISION, base: float = 2.0) -> float:
        """Bound of the rounding error, in float64, too."""
        return max(self.rounding, self.double) / math.log(base)

    def density(self, x: Any, width: float = 0.02) -> npt.NDArray[np.float64]:
        """Not known: ValueError."""
        raise ValueError("order=2 is computed without eigenvalues: there is no density")

    def warn_if_imprecise(self, t: Which, base: float) -> None:
        """Nothing to warn of: the dtype is what the caller has chosen."""

    def _require(self, which: Functional) -> None:
        if which != COLLISION:
            raise ValueError(
                "order=2 is computed without eigenvalues: pass "
                f"order={which.exponent:g} to kernel_entropy"
            )


def purity_spectrum(matrix: KernelMatrix) -> PuritySpectrum:
    """By one pass over the kernel, which is not kept."""
    with reporter(matrix.progress, "purity") as report:
        A = matrix.products(matrix.dtype, False, report)
        rounding = 0.0
        if matrix.dtype == "float32":
            rounding = 2.0 * eigenvalue_error(1, matrix.reach(), eps=EPS)
        double = 2.0 * eigenvalue_error_in_double(matrix.n, matrix.samples.d, matrix.reach())
        return PuritySpectrum(
            n=matrix.n,
            dtype=matrix.dtype,
            kernel_sum=A.kernel_sum,
            purity=A.frobenius2,
            rounding=rounding,
            double=double,
        )
