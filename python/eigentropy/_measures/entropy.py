"""Diffusion spectral entropy."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from typing import Any

from eigentropy._backends.rows import Rows, sample_rows
from eigentropy._kernels.knn import is_square
from eigentropy._measures.operator import DiffusionOperator
from eigentropy._measures.results import DiffusionEntropy
from eigentropy._spectra.functionals import Functional, Shannon
from eigentropy._spectra.plan import SpectrumPlan
from eigentropy._spectra.solve import solve, warn_if_alone
from eigentropy._spectra.spectrum import Spectrum
from eigentropy._support.options import logarithm_base, positive
from eigentropy._support.progress import Callback
from eigentropy._support.signatures import named_options


@named_options()
def diffusion_spectral_entropy(
    Z: Any,
    *,
    t: float = 1.0,
    sigma: float | str = "auto",
    alpha: float = 0.5,
    base: float = 2.0,
    method: str = "auto",
    tol: float = 1e-3,
    kernel: str = "gaussian",
    n_neighbors: int | None = None,
    max_points: int | None = None,
    dtype: Any = None,
    device: Any = None,
    seed: int = 0,
    progress: bool | Callback = False,
) -> DiffusionEntropy:
    r"""Diffusion spectral entropy (DSE) of the rows of Z.

    .. math::

        S(t) = -\sum_i a_i \log a_i, \qquad a_i = \lambda_i^t / \sum_j \lambda_j^t

    with the eigenvalues lambda of the diffusion operator of Z (see `DiffusionOperator`). It is
    small where diffusion over the rows is governed by few directions or clusters and large, up to
    log n, where the rows spread in all directions. As t grows it falls to log k, k the number of
    clusters that diffusion does not join within the time t.

    Parameters
    ----------
    Z : array-like of shape (n, d)
        One row a sample; NumPy, torch, CuPy, or any array with ``__dlpack__`` or
        ``__cuda_array_interface__``; a table of numbers of pandas, polars or Arrow; the matrix X of
        an AnnData; a Zarr array, an HDF5 data set or a SciPy sparse matrix, which are read by
        blocks. (n, ...) is flattened. float32 and float64 are used in place, also from a mapped
        file, which is never loaded as a whole; float16 and bfloat16 are copied to float32, integers
        to float64. Copies are mapped temporary files where memory is too small. On a GPU, float16
        and bfloat16 are used in place, too.
    t : float
        Diffusion time, > 0: larger t damps small eigenvalues, which is where noise sits.
    sigma : float or str
        Kernel width in exp(-r^2 / (2 sigma^2)), or a rule of `bandwidth`. "auto" follows the scale
        of Z, so that S(cZ) = S(Z). The paper writes exp(-r^2 / sigma_paper):
        sigma_paper = 2 sigma^2.
    alpha : float
        Density normalisation; 1/2 is the paper's.
    base : float
        Of the logarithm: 2 for bits, math.e for nats.
    method : {"auto", "exact", "stochastic", "lowrank"}
        - "exact": all eigenvalues, in float64.
        - "stochastic": an estimate with a `standard_error`, from products with random vectors. As
          many as it takes for a 95 % interval within `tol`. Needs no n x n matrix.
        - "lowrank": a factor of low rank that leaves S within a guaranteed `bound`. For t = 1 and
          smooth kernels.
        - "auto": all eigenvalues while they take a second or two, from 1000 rows on in float32 if a
          bound of the rounding error is within `tol`. Beyond, whichever of the three is predicted
          to be fastest, and fits into memory.
    tol : float
        Relative error of S that all methods but "exact" may make. An S below tol nats counts as
        tol.
    kernel : {"gaussian", "knn", "precomputed", "distances"}
        "gaussian" and "knn" take rows: the second one joins each row with its nearest neighbours,
        with weights exp(-r_ij^2 / (sigma_i sigma_j)), sigma_i being the distance to the last of
        them, and takes no sigma (docs/how_to/knn.md). "precomputed" takes a symmetric kernel (n, n)
        with entries >= 0 as it is, and no sigma; "distances" takes distances (n, n), of which the
        Gaussian kernel is taken. Of the last two all eigenvalues are computed. An eigenvalue
        below 0 counts by its magnitude.
    n_neighbors : int, optional
        For kernel="knn", 15 by default: from 1 to n - 1.
    max_points : int, optional
        Measure at most this many rows, drawn at random where Z has more. S depends on the number of
        rows: nothing else ever leaves rows out.
    dtype : {"float64", "float32"}, optional
        Working precision; given, it is what is used, whatever `method` and `tol` say.
    device : {"cpu", "cuda", "cuda:1", ...}, optional
        Where to compute: by default where Z lies. An array on the host is uploaded once.
        docs/how_to/cuda.md says what that takes.
    seed : int
        Of all random numbers: rows that a bandwidth rule samples when n is large, probes, pivots,
        `max_points`.
    progress : bool or callable
        Show a bar on stderr (a line every ten seconds where that is no terminal, a line of output
        in a notebook), or call it with the fraction that is done. It starts again where a step
        has to be repeated, such as the eigenvalues in float64 where float32 was not enough.

    Returns
    -------
    DiffusionEntropy
        Works as a float; carries the error, the sigma, the method and the precision that were
        used, the eigenvalues if they were computed, `sampling_error` (over other samples),
        `.at(t)`, `.interval()` and `.density(x)`. One row has entropy 0.

    Raises
    ------
    ValueError, TypeError
        An argument of the wrong value or type; NaN, infinity, masked or missing entries in Z; the
        message names it.
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
        Z is floats (n, tokens, d), which become n long rows.
    UserWarning
        Too few rows for an estimate: all eigenvalues were computed.

    References
    ----------
    Liao, Liu et al.: Assessing Neural Network Representations During Training Using
    Noise-Resilient Diffusion Spectral Entropy. CISS 2024, arXiv:2312.04823.

    Examples
    --------
    >>> import numpy as np, eigentropy as eg
    >>> Z = np.random.default_rng(0).normal(size=(500, 20))
    >>> float(eg.diffusion_spectral_entropy(Z)) > float(eg.diffusion_spectral_entropy(Z, t=10))
    True
    """
    plan = SpectrumPlan.checked(method, tol, dtype)
    t, base = positive(t, "t"), logarithm_base(base)
    rows, _, n = sample_rows(Z, max_points, seed, square=is_square(kernel))
    keeping: AbstractContextManager[None] = nullcontext()
    if kernel == "gaussian":
        rows = Rows.of(rows, device, progress)
        keeping = rows.keeping_distances(plan.may_solve_in_single(wanted_at([t])))
    with keeping:
        operator = DiffusionOperator(
            rows,
            sigma=sigma,
            alpha=alpha,
            dtype=dtype,
            device=device,
            seed=seed,
            progress=progress,
            kernel=kernel,
            n_neighbors=n_neighbors,
        )
        result = entropies(operator, [t], base, plan)[0]
    return replace(result, sampled_from=n) if n is not None else result


def entropies(
    operator: DiffusionOperator, times: Sequence[float], base: float, plan: SpectrumPlan
) -> list[DiffusionEntropy]:
    """The entropy at each t, from one spectrum; each as accurate as `plan` asks for."""
    return entropies_of(solve(operator, wanted_at(times), plan), operator, times, base, plan)


def wanted_at(times: Sequence[float]) -> list[Functional]:
    """What the entropies at these times ask of the spectrum."""
    return [Shannon(t) for t in times]


def entropies_of(
    spectrum: Spectrum,
    operator: DiffusionOperator,
    times: Sequence[float],
    base: float,
    plan: SpectrumPlan,
) -> list[DiffusionEntropy]:
    """The entropy at each t of a spectrum that is known."""
    warn_if_alone(operator, spectrum, Shannon(min(times)))
    return [DiffusionEntropy.of(spectrum, operator, t, base, plan) for t in times]
