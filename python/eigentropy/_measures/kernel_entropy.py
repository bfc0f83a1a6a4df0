"""Entropies of the density matrix of a kernel."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from eigentropy._backends.rows import sample_rows
from eigentropy._kernels.density import DensityMatrix
from eigentropy._kernels.given import is_given
from eigentropy._measures.kernel_results import KernelEntropy
from eigentropy._spectra.functionals import Functional, renyi
from eigentropy._spectra.plan import SpectrumPlan
from eigentropy._spectra.solve import solve, warn_if_alone
from eigentropy._spectra.spectrum import Spectrum
from eigentropy._support.options import logarithm_base, renyi_order
from eigentropy._support.progress import Callback
from eigentropy._support.signatures import named_options


@named_options()
def kernel_entropy(
    Z: Any,
    *,
    order: float = 1.0,
    sigma: float | str = "auto",
    base: float = 2.0,
    method: str = "auto",
    tol: float = 1e-3,
    kernel: str = "gaussian",
    max_points: int | None = None,
    dtype: Any = None,
    device: Any = None,
    seed: int = 0,
    progress: bool | Callback = False,
) -> KernelEntropy:
    r"""Entropy of the density matrix of the rows of Z.

    .. math::

        S_a = \frac{1}{1 - a} \log \operatorname{tr} \rho^a, \qquad \rho = G / n, \qquad
        G_{ij} = e^{-|z_i - z_j|^2 / (2 \sigma^2)}

    with the limits :math:`S_1 = -\operatorname{tr} \rho \log \rho`, the von Neumann entropy, and
    :math:`S_\infty = -\log \lambda_1`. base**S is the Vendi score. It is between 0, where all rows
    are equal, and log n, where all are far apart. Where clusters are far apart, it is the Shannon
    entropy of their shares of the rows plus the mean of their own entropies: a cluster counts by
    its mass. In `diffusion_spectral_entropy` each counts as one, whatever its mass.

    Parameters
    ----------
    Z : array-like of shape (n, d)
        As in `diffusion_spectral_entropy`.
    order : float
        a > 0; `math.inf` is one. Order 2 takes one pass over the kernel and no eigenvalues. The
        larger the order, the more the large clusters count.
    sigma, base, max_points, device, progress
        As in `diffusion_spectral_entropy`.
    method : {"auto", "exact", "stochastic", "lowrank"}
        As in `diffusion_spectral_entropy`; "lowrank" bounds every order.
    tol : float
        Relative error of S that all methods but "exact" may make. An S below tol nats counts as
        tol.
    kernel : {"gaussian", "precomputed", "distances"}
        What Z is: rows, of which the Gaussian kernel is taken; a symmetric positive semidefinite
        kernel (n, n) of constant diagonal, which is taken as it is and has no sigma; or distances
        (n, n), of which the Gaussian kernel is taken. Of the last two all eigenvalues are computed.
    dtype : {"float64", "float32"}, optional
        Working precision; given, it is what is used, whatever `method` and `tol` say.
    seed : int
        Of all random numbers: rows that a bandwidth rule samples when n is large, probes, pivots,
        `max_points`.

    Returns
    -------
    KernelEntropy
        Works as a float; carries the error, the sigma, the method and the precision that were used,
        the eigenvalues if they were computed, `sampling_error` (over other samples), `vendi`,
        `.surprisals()`, `.at(order)`, `.interval()` and `.density(x)`.

    Raises
    ------
    ValueError, TypeError
        An argument of the wrong value or type, such as order <= 0; NaN, infinity, masked or missing
        entries in Z; the message names it.
    MemoryError
        The n x n matrix does not fit; raised before it is allocated.
    SolverError
        LAPACK or cuSOLVER failed.
    DeviceError, ImportError
        CUDA cannot be used; the message says what to install.

    Warns
    -----
    SaturationWarning
        sigma is so small or so large that the result says nothing about Z.
    PrecisionWarning
        The method that was asked for did not reach `tol`.
    ShapeWarning
        As in `diffusion_spectral_entropy`.

    References
    ----------
    Bach: Information theory with kernel methods. IEEE Trans. Inf. Theory 69 (2023),
    arXiv:2202.08545. Sanchez Giraldo, Rao, Principe: Measures of entropy from data using infinitely
    divisible kernels. IEEE Trans. Inf. Theory 61 (2015), arXiv:1211.2459. Friedman, Dieng: The
    Vendi score. TMLR 2023, arXiv:2210.02410.

    Examples
    --------
    >>> import numpy as np, eigentropy as eg
    >>> clusters = 100.0 * np.repeat(np.eye(4), 50, axis=0)  # four points, 50 rows each
    >>> round(float(eg.kernel_entropy(clusters, sigma=1.0)), 6)
    2.0
    """
    plan = SpectrumPlan.checked(method, tol, dtype)
    order, base = renyi_order(order), logarithm_base(base)
    rows, _, n = sample_rows(Z, max_points, seed, square=is_given(kernel))
    matrix = DensityMatrix(
        rows,
        sigma=sigma,
        dtype=dtype,
        device=device,
        seed=seed,
        progress=progress,
        kernel=kernel,
    )
    result = kernel_entropies(matrix, [order], base, plan)[0]
    return replace(result, sampled_from=n) if n is not None else result


def kernel_entropies(
    matrix: DensityMatrix, orders: Sequence[float], base: float, plan: SpectrumPlan
) -> list[KernelEntropy]:
    """The entropy of each order, from one spectrum; each as accurate as `plan` asks for."""
    return kernel_entropies_of(solve(matrix, wanted_of(orders), plan), matrix, orders, base, plan)


def wanted_of(orders: Sequence[float]) -> list[Functional]:
    """What the entropies of these orders ask of the spectrum."""
    return [renyi(order) for order in orders]


def kernel_entropies_of(
    spectrum: Spectrum,
    matrix: DensityMatrix,
    orders: Sequence[float],
    base: float,
    plan: SpectrumPlan,
) -> list[KernelEntropy]:
    """The entropy of each order of a spectrum that is known."""
    warn_if_alone(matrix, spectrum, renyi(min(orders)))
    return [KernelEntropy.of(spectrum, matrix, order, base, plan) for order in orders]
