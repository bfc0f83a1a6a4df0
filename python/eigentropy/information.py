"""Diffusion spectral mutual information."""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from eigentropy import _core, _memory
from eigentropy._arrays import Matrix, as_matrix
from eigentropy._options import (
    cpu_device,
    exact_method,
    integer,
    logarithm_base,
    nonnegative,
    one_of,
    positive,
    working_dtype,
)
from eigentropy._progress import Callback, reporter
from eigentropy.bandwidth import resolve_sigma
from eigentropy.groups import Codes, group_codes
from eigentropy.operator import DiffusionOperator, require_matrix_memory, warn_if_saturated
from eigentropy.results import MutualInformation
from eigentropy.spectrum import spectral_entropy

ESTIMATORS = ("matched", "plain")

# The kernel of all rows, from which the groups' are gathered, may take this share of free memory.
SHARED_KERNEL_SHARE = 0.5


def diffusion_spectral_mutual_information(
    Z: Any,
    Y: Any = None,
    *,
    kind: str = "auto",
    n_clusters: int = 10,
    clusters: Any = None,
    estimator: str = "matched",
    n_null: int = 20,
    t: float = 1.0,
    sigma: float | str = "auto",
    alpha: float = 0.5,
    base: float = 2.0,
    method: str = "auto",
    tol: float = 1e-3,
    dtype: Any = None,
    device: Any = None,
    seed: int = 0,
    progress: bool | Callback = False,
) -> MutualInformation:
    r"""Diffusion spectral mutual information (DSMI) between the rows of Z and Y.

    Y divides the rows into groups of n_y rows, p_y = n_y / n, and

    .. math:: I(Z; Y) = S_0 - \sum_y p_y S(Z \mid y)

    where S(Z | y) is the diffusion spectral entropy of group y. The baseline S_0 depends on the
    estimator:

    - "matched" (default): the mean of sum_y p_y S over random partitions into groups of the same
      sizes. S grows with the number of rows, so like is compared with like, and the same
      partitions give the standard error and a permutation test of independence.
    - "plain": S(Z) of all rows, equation 8 of the paper. Positive even for independent Y.

    One sigma, chosen on all of Z, serves all groups.

    Parameters
    ----------
    Z : array-like of shape (n, d)
        As in `diffusion_spectral_entropy`.
    Y : array-like of length n
        Labels (integers, booleans, strings, categoricals), real scalars, or vectors (n, m). May
        be left out where `clusters` gives the groups.
    kind : {"auto", "labels", "scalars", "vectors"}
        What Y is. "auto": several columns are vectors, one column of floats scalars, anything else
        labels.
    n_clusters : int
        Bins of equal width for scalars, clusters for vectors.
    clusters : array of int, {"spectral", "kmeans"}, optional
        The groups themselves, such as `clusters` of an earlier result (Y is then not looked at),
        or how to find them in vectors: spectral clustering on a nearest-neighbour graph with
        cluster_qr (default), or k-means, which is faster.
    estimator : {"matched", "plain"}
    n_null : int
        Number of random partitions; at least 2 for "matched", may be 0 for "plain".
    t, sigma, alpha, base, method, tol, dtype, device, progress
        As in `diffusion_spectral_entropy`.
    seed : int
        Of the random partitions.

    Returns
    -------
    MutualInformation
        Works as a float, in bits by default; carries `standard_error`, `p_value`, `adjusted`,
        `clusters` and more. Negative estimates are reported as they are.

    Raises
    ------
    ValueError, TypeError
        An argument of the wrong value or type; Y of another length than Z; missing labels.
    ImportError
        Vectors without scikit-learn.
    MemoryError
        A group's matrix does not fit; raised before it is allocated.

    Warns
    -----
    UserWarning
        Y has a single group (the information is 0), or groups of one row (entropy 0).
    SaturationWarning
        sigma is so small or so large that the result says nothing about Z.

    References
    ----------
    Liao, Liu et al.: Assessing Neural Network Representations During Training Using
    Noise-Resilient Diffusion Spectral Entropy. CISS 2024, arXiv:2312.04823.

    Examples
    --------
    >>> import numpy as np, eigentropy as eg
    >>> labels = np.repeat([0, 1], 100)
    >>> Z = np.random.default_rng(0).normal(size=(200, 5)) + 20 * labels[:, None]
    >>> round(eg.diffusion_spectral_mutual_information(Z, labels).adjusted, 1)
    1.0
    """
    exact_method(method)
    cpu_device(device)
    positive(tol, "tol")
    one_of(estimator, "estimator", ESTIMATORS)
    integer(n_null, "n_null", at_least=2 if estimator == "matched" else 0)
    t, base = positive(t, "t"), logarithm_base(base)
    rows = as_matrix(Z)
    settings = _Settings(
        sigma=resolve_sigma(sigma, rows, integer(seed, "seed", at_least=0)),
        alpha=nonnegative(alpha, "alpha"),
        t=t,
        base=base,
        dtype=working_dtype(dtype),
        seed=seed,
    )
    codes = group_codes(Y, len(rows), kind, n_clusters, clusters)
    sizes = np.bincount(codes)
    _warn_about_groups(sizes)

    partitions = _partitions(codes, sizes, n_null, seed)
    with reporter(progress, "mutual information") as callback:
        conditional = _conditional_entropies(rows, partitions, sizes, settings, callback)
    return _assemble(rows, codes, sizes, conditional, estimator, settings)


@dataclass(frozen=True)
class _Settings:
    sigma: float
    alpha: float
    t: float
    base: float
    dtype: str
    seed: int


def _warn_about_groups(sizes: npt.NDArray[np.int64]) -> None:
    if len(sizes) == 1:
        warnings.warn(
            "Y has a single group, so its mutual information with anything is 0", stacklevel=3
        )
        return
    single = int((sizes == 1).sum())
    if single:
        warnings.warn(
            f"{single} of the {len(sizes)} groups of Y have a single row; their entropy is 0, "
            "and so is what they contribute",
            stacklevel=3,
        )


def _partitions(
    codes: Codes, sizes: npt.NDArray[np.int64], n_null: int, seed: int
) -> npt.NDArray[np.int64]:
    """Row numbers sorted by group, (1 + n_null, n): as observed, then relabelled at random."""
    n = len(codes)
    partitions = np.empty((1 + n_null, n), dtype=np.int64)
    partitions[0] = np.argsort(codes, kind="stable")
    rng = np.random.default_rng(seed)
    for null in range(n_null):
        partitions[1 + null] = rng.permutation(n)
    return partitions


def _conditional_entropies(
    Z: Matrix,
    partitions: npt.NDArray[np.int64],
    sizes: npt.NDArray[np.int64],
    settings: _Settings,
    progress: Callback | None,
) -> npt.NDArray[np.float64]:
    """sum_y p_y S(Z | y) of each partition, all their groups solved as one batch."""
    n, d = Z.shape
    require_matrix_memory(int(sizes.max()), d, settings.dtype)
    ends = np.cumsum(np.tile(sizes, len(partitions)))
    offsets = np.concatenate([[0], ends])
    eigenvalues, kernel_sums = _core.subset_spectra(
        Z,
        offsets,
        partitions.ravel(),
        settings.sigma,
        settings.alpha,
        settings.dtype,
        memory_limit=SHARED_KERNEL_SHARE * _memory.available(),
        progress=progress,
    )
    np.clip(eigenvalues, 0.0, 1.0, out=eigenvalues)
    _warn_about_sigma(n, kernel_sums.reshape(len(partitions), -1), sizes, settings.sigma)
    entropies = [
        spectral_entropy(group, t=settings.t, base=settings.base)
        for group in np.split(eigenvalues, ends[:-1])
    ]
    result: npt.NDArray[np.float64] = np.reshape(entropies, (len(partitions), -1)) @ (sizes / n)
    return result


def _warn_about_sigma(
    n: int, kernel_sums: npt.NDArray[np.float64], sizes: npt.NDArray[np.int64], sigma: float
) -> None:
    """Judge sigma by the last partition: a random one if there is any, since that sees all of Z."""
    weight = float(kernel_sums[-1].sum()) - n
    pairs = int((sizes * (sizes - 1)).sum())
    if pairs:
        warn_if_saturated(n, weight / n, weight / pairs, sigma)


def _assemble(
    Z: Matrix,
    codes: Codes,
    sizes: npt.NDArray[np.int64],
    conditional: npt.NDArray[np.float64],
    estimator: str,
    settings: _Settings,
) -> MutualInformation:
    n, base = len(Z), settings.base
    observed, null = float(conditional[0]), conditional[1:]
    p = sizes / n
    label_entropy = max(0.0, -float(p @ np.log(p))) / math.log(base)

    def whole() -> float:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # said already
            operator = DiffusionOperator(
                Z, sigma=settings.sigma, alpha=settings.alpha, dtype=settings.dtype
            )
            return operator.entropy(t=settings.t, base=base).value

    if estimator == "matched":
        baseline = float(null.mean())
        error = float(null.std(ddof=1)) / math.sqrt(len(null))
    else:
        baseline, error = whole(), 0.0
    return MutualInformation(
        value=baseline - observed,
        standard_error=error,
        p_value=(1 + int((null <= observed).sum())) / (1 + len(null)) if len(null) else math.nan,
        conditional_entropy=observed,
        null=baseline - null,
        group_sizes=sizes,
        clusters=codes,
        label_entropy=label_entropy,
        method="exact",
        estimator=estimator,
        n=n,
        sigma=settings.sigma,
        alpha=settings.alpha,
        t=settings.t,
        base=base,
        seed=settings.seed,
        _adjust=lambda: _adjusted(observed, null, label_entropy, whole),
    )


def _adjusted(
    observed: float, null: npt.NDArray[np.float64], label_entropy: float, whole: Any
) -> tuple[float, str]:
    """Matched / (H(Y) - (S(Z) - mean null)), and why it is NaN where it is."""
    if len(null) < 2:
        return math.nan, "n_null is below 2: there is no matched baseline"
    if label_entropy == 0.0:
        return math.nan, "Y has a single group: H(Y) is 0"
    baseline = float(null.mean())
    noise = float(null.std(ddof=1))
    room = label_entropy - (whole() - baseline)
    if room <= max(3.0 * noise, 1e-9 * label_entropy):
        return math.nan, (
            f"H(Y) leaves {room:.3g} above what groups of these sizes lose at random, which is "
            f"within the noise ({noise:.3g}): sigma is too small, or the groups are"
        )
    return (baseline - observed) / room, ""
