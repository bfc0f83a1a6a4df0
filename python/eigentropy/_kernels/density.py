"""The density matrix of a set of rows: their Gaussian kernel over its trace."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from eigentropy._kernels.matrix import KernelMatrix
from eigentropy._support.progress import Callback


class DensityMatrix(KernelMatrix):
    r"""The density matrix of the rows of Z.

    .. math:: \rho = G / n, \qquad G_{ij} = e^{-|z_i - z_j|^2 / (2 \sigma^2)}

    It is positive semidefinite and its trace is 1.
    """

    has_unit_eigenvalue = False
    spectrum_name = "spectrum of the kernel"
    alpha = None

    def subset_spectra(
        self,
        offsets: npt.NDArray[np.int64],
        indices: npt.NDArray[np.int64],
        dtype: str,
        memory_limit: float,
        progress: Callback | None,
    ) -> tuple[npt.NDArray[Any], npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        """The eigenvalues, sums of the kernel and traces of the matrices of subsets of the rows."""
        values, kernel_sums, traces = super().subset_spectra(
            offsets, indices, dtype, memory_limit, progress
        )
        sizes = np.diff(offsets)
        values /= np.repeat(sizes, sizes).astype(values.dtype)  # the core solves G
        return values, kernel_sums, traces / sizes

    def _computed_spectrum(
        self, progress: Callback | None
    ) -> tuple[npt.NDArray[Any], float, float, float, float]:
        values, trace, frobenius2, kernel_sum, reach = super()._computed_spectrum(progress)
        n = float(self.n)
        return values / values.dtype.type(n), trace / n, frobenius2 / n**2, kernel_sum, reach
