"""The diffusion operator of a set of rows, as users have it."""

from __future__ import annotations

from typing import Any

import numpy as np

from eigentropy._kernels.diffusion import DiffusionMatrix
from eigentropy._kernels.knn import Knn
from eigentropy._kernels.saturation import warn_if_saturated
from eigentropy._measures.results import DiffusionEntropy
from eigentropy._spectra.exact import exact_spectrum
from eigentropy._spectra.functionals import Shannon
from eigentropy._spectra.plan import SpectrumPlan
from eigentropy._spectra.solve import warn_if_alone
from eigentropy._spectra.spectrum import level_of
from eigentropy._support.options import logarithm_base, positive
from eigentropy._support.progress import reporter
from eigentropy.plot import html, maps

# Of a sparse matrix of more rows, a count does not compute all eigenvalues.
COUNTED_EXACTLY = 5000

# Attributes that the package needs of an operator, and a user does not.
_INTERNAL = frozenset(
    {
        "auto_sigma",
        "in_single",
        "is_solved",
        "products",
        "reach",
        "right_eigenpairs",
        "samples",
        "solved",
        "spectra",
    }
)


class DiffusionOperator(DiffusionMatrix):
    r"""The symmetric diffusion operator A of the rows of Z.

    .. math::

        G_{ij} = e^{-|z_i - z_j|^2 / (2 \sigma^2)}, \quad q_i = \sum_j G_{ij}, \quad
        K_{ij} = \frac{G_{ij}}{(q_i q_j)^\alpha}, \quad d_i = \sum_j K_{ij}, \quad
        A_{ij} = \frac{K_{ij}}{\sqrt{d_i d_j}}

    A is positive semidefinite and has the eigenvalues of the diffusion matrix P = D^-1 K:
    1 = lambda_1 >= lambda_2 >= ... >= 0.

    What is asked for is computed on first use and kept. At most one n x n matrix exists at a time:
    `eigenvalues` overwrites it, and `matmul` builds it again. The rows are read anew each time, a
    block of columns at a time: Z must not change meanwhile, and may be a mapped file. Zarr,
    HDF5 and sparse arrays are copied once.

    Parameters
    ----------
    Z : array-like of shape (n, d)
        One row a sample, in any form that `diffusion_spectral_entropy` takes.
    sigma : float or str
        Kernel width or the name of a rule of `bandwidth`.
    alpha : float
        Exponent of the density normalisation, >= 0: 0 none, 1/2 the paper's, 1 removes the
        sampling density.
    dtype : {"float64", "float32"}, optional
        Working precision; float64 by default, whatever the dtype of Z.
    device : {"cpu", "cuda", "cuda:1", ...}, optional
        Where to compute: by default where Z lies. An array on the host is uploaded once.
    seed : int
        Of the sample that a bandwidth rule uses when n is large.
    kernel : {"gaussian", "knn", "precomputed", "distances"}
        As in `diffusion_spectral_entropy`. With "knn" the matrix is sparse, products and
        `diffusion_map` need no other, and `eigenvalues` are magnitudes.
    n_neighbors : int, optional
        For kernel="knn", 15 by default.
    progress : bool or callable
        Show a bar on stderr, or call it with the fraction that is done.

    Attributes
    ----------
    n : int
    rows : array of shape (n, d)
        Z as it is read: float32 or float64, shared with Z where possible. On a GPU an array of
        the plug-in, with ``__cuda_array_interface__``, and of Z's own type.
    sigma, alpha : float
    dtype : str
    device : str

    References
    ----------
    Coifman, Lafon: Diffusion maps. Appl. Comput. Harmon. Anal. 21 (2006).
    """

    def entropy(self, t: float = 1.0, base: float = 2.0) -> DiffusionEntropy:
        """The diffusion spectral entropy S(t), from all eigenvalues; see `spectral_entropy`."""
        t, base = positive(t, "t"), logarithm_base(base)
        spectrum = exact_spectrum(self)
        warn_if_saturated(self.n, spectrum.kernel_sum, self.sigma)
        warn_if_alone(self, spectrum, Shannon(t))
        return DiffusionEntropy.of(spectrum, self, t, base, SpectrumPlan(dtype=self.dtype))

    def count(self, threshold: float = 0.5, t: float = 1.0) -> int:
        r"""How many eigenvalues have :math:`|\lambda|^t` above the threshold.

        From all eigenvalues; with kernel="knn" and more than 5000 rows by Lanczos from the largest
        one down, until none above the threshold is left.

        Raises
        ------
        ValueError
            threshold not between 0 and 1; t <= 0; or Lanczos has found more than 256 beside those
            that are 1.
        """
        level, device = level_of(threshold, t), self.samples.device
        if isinstance(device, Knn) and not self.is_solved and self.n > COUNTED_EXACTLY:
            with reporter(self.progress, "neighbours") as report:
                return device.count_above(self.rows, self.alpha, level, report)
        return int(np.count_nonzero(self.solved().values > level))

    def plot(self, labels: Any = None, **options: Any) -> Any:
        """Draw the rows in diffusion coordinates, by label, and return the axes.

        `options` are those of `eigentropy.plot.diffusion_map`, such as `k`, `t` and `ax`.
        """
        return maps.diffusion_map(self, labels, **options)

    def _repr_html_(self) -> str:
        return html.of_operator(self)

    def __dir__(self) -> list[str]:
        """What is documented; the rest is for the package itself."""
        return [name for name in super().__dir__() if name not in _INTERNAL]
