"""Diffusion spectral mutual information."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from eigentropy._backends.devices import parse
from eigentropy._backends.rows import sample_rows
from eigentropy._kernels.groups import Codes, group_codes, groups_of_rows
from eigentropy._kernels.knn import is_square
from eigentropy._measures.forms import ESTIMATORS
from eigentropy._measures.operator import DiffusionOperator
from eigentropy._measures.results import DiffusionInformation
from eigentropy._measures.statistics import group_informations
from eigentropy._spectra.functionals import Functional, Shannon
from eigentropy._spectra.plan import SpectrumPlan
from eigentropy._support.options import (
    N_NULL,
    logarithm_base,
    null_count,
    one_of,
    positive,
    random_seed,
)
from eigentropy._support.progress import Callback, reporter
from eigentropy._support.signatures import named_options


@named_options()
def diffusion_spectral_mutual_information(
    Z: Any,
    Y: Any = None,
    *,
    kind: str = "auto",
    n_clusters: int = 10,
    clusters: Any = None,
    estimator: str = "matched",
    n_null: int | str = N_NULL,
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
) -> DiffusionInformation:
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
    Z : array-like of shape (n, d), or DiffusionOperator
        As in `diffusion_spectral_entropy`. An operator brings its sigma, alpha, dtype and, where
        they have been computed, the eigenvalues that "plain" and `adjusted` need.
    Y : array-like of length n
        Labels (integers, booleans, strings, categoricals), real scalars, or vectors (n, m), in any
        form that Z may have, and as lists. May be left out where `clusters` gives the groups.
    kind : {"auto", "labels", "scalars", "vectors"}
        What Y is. "auto": several columns are vectors, one column of floats scalars, anything else
        labels. Of several columns that are called labels, each distinct row is a class.
    n_clusters : int
        Bins of equal width for scalars, clusters for vectors. One-hot vectors are labels, and equal
        vectors groups where at most `n_clusters` are distinct.
    clusters : array of int, {"spectral", "kmeans"}, optional
        The groups themselves, such as `clusters` of an earlier result (Y is then not looked at),
        or how to find them in vectors: spectral clustering on a nearest-neighbour graph with
        cluster_qr (default), or k-means, which is faster.
    estimator : {"matched", "plain"}
    n_null : int or "auto"
        Number of random partitions; at least 2 for "matched", may be 0 for "plain". "auto": 4, or
        as many more, up to 20, as bring the baseline's 95 % interval to within `tol` of it.
        They are the first of the partitions of any larger `n_null`.
    t, sigma, alpha, base, kernel, n_neighbors, device, progress
        As in `diffusion_spectral_entropy`. With kernel="knn", the neighbours of a row are those in
        its own group: all other rows of a group that has `n_neighbors` or fewer.
    method, tol, dtype
        As in `diffusion_spectral_entropy`, but for "lowrank", for the entropies of the groups: with
        "auto" and "stochastic" those of large groups are estimated, and those of small ones exact.
        What counts for "auto" is how long the groups of all partitions take together. The error
        that it may make of the information, a difference of entropies, is `tol` times the larger
        of them, the baseline. n_null="auto" takes `tol`, too, whatever the method.
    max_points : int, optional
        Use at most this many rows, drawn at random where Z has more.
    seed : int
        Of all random numbers: partitions, clusters of vectors, `max_points`, and, unless Z is an
        operator with a seed of its own, probes.

    Returns
    -------
    DiffusionInformation
        Works as a float, in bits by default; carries `interval()` and `standard_error` (over random
        partitions), `sampling_error` (over other samples), `p_value` (for rows that are
        exchangeable if Y means nothing), `adjusted`, `clusters` and more. Negative estimates are
        reported as they are. With `max_points`, the groups are those of the rows in `rows`.

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
    ShapeWarning
        As in `diffusion_spectral_entropy`.
    GroupWarning
        Y looks like classes: equal vectors are the groups, or bins and clusters merge what may be
        classes. `kind` says what is meant.

    References
    ----------
    Liao, Liu et al.: Assessing Neural Network Representations During Training Using
    Noise-Resilient Diffusion Spectral Entropy. CISS 2024, arXiv:2312.04823.

    Examples
    --------
    >>> import numpy as np, eigentropy as eg
    >>> labels = np.repeat([0, 1], 100)
    >>> Z = np.random.default_rng(0).normal(size=(200, 5)) + 20 * labels[:, None]
    >>> round(eg.diffusion_spectral_mutual_information(Z, labels).adjusted(), 1)
    1.0
    """
    plan = SpectrumPlan.checked(method, tol, dtype)
    if isinstance(Z, DiffusionOperator) and max_points is not None:
        raise ValueError("max_points: the rows are those of the DiffusionOperator; leave it out")
    if plan.method == "lowrank":
        raise ValueError("method='lowrank' is for the entropy of one set of rows, not for groups")
    one_of(estimator, "estimator", ESTIMATORS)
    n_null = null_count(n_null, at_least=2 if estimator == "matched" else 0)
    t, base, seed = positive(t, "t"), logarithm_base(base), random_seed(seed)
    rows, chosen, drawn_from = sample_rows(Z, max_points, seed, square=is_square(kernel))
    operator = _operator(
        rows,
        sigma=sigma,
        alpha=alpha,
        kernel=kernel,
        n_neighbors=n_neighbors,
        dtype=dtype,
        device=device,
        seed=seed,
    )
    if operator is Z:
        plan = replace(plan, dtype=operator.dtype)  # which the caller has chosen
    with reporter(progress, "mutual information") as report:
        codes = group_codes(Y, drawn_from or operator.n, kind, n_clusters, clusters, seed)
        if chosen is not None:
            codes = groups_of_rows(codes, chosen)
        result = informations(
            operator,
            codes,
            [t],
            plan,
            estimator=estimator,
            n_null=n_null,
            base=base,
            seed=seed,
            progress=report,
        )[0]
    return result if chosen is None else replace(result, rows=chosen)


def informations(
    operator: DiffusionOperator,
    codes: Codes,
    times: Sequence[float],
    plan: SpectrumPlan,
    **options: Any,
) -> list[DiffusionInformation]:
    """The information at each t, from the same spectra; `options` of `group_informations`."""

    def result(known: dict[str, Any], which: Functional) -> DiffusionInformation:
        return DiffusionInformation(
            alpha=operator.alpha, t=which.exponent, n_neighbors=operator.n_neighbors, **known
        )

    wanted = [Shannon(t) for t in times]
    return group_informations(operator, codes, wanted, plan, result, **options)


def _operator(
    Z: Any, *, sigma: Any, alpha: Any, kernel: str, n_neighbors: Any, **options: Any
) -> DiffusionOperator:
    """The operator of all rows; nothing is computed yet, but the options are checked."""
    if not isinstance(Z, DiffusionOperator):
        return DiffusionOperator(
            Z, sigma=sigma, alpha=alpha, kernel=kernel, n_neighbors=n_neighbors, **options
        )
    given = sigma, alpha, kernel, n_neighbors, options["dtype"]
    if given != ("auto", 0.5, "gaussian", None, None):
        raise ValueError(
            "sigma, alpha, kernel, n_neighbors and dtype are those of the DiffusionOperator: leave "
            "them out"
        )
    parse(options["device"])
    if options["device"] is not None and str(options["device"]) != Z.device:
        raise ValueError(f"device is that of the DiffusionOperator, {Z.device}: leave it out")
    return Z
