"""Mutual information by the entropies of density matrices."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from eigentropy._backends.host_arrays import as_matrix, as_numpy
from eigentropy._backends.rows import sample_rows
from eigentropy._kernels.bandwidth import RULES
from eigentropy._kernels.density import DensityMatrix
from eigentropy._kernels.given import is_given
from eigentropy._kernels.groups import (
    KINDS,
    check_length,
    group_codes,
    groups_of_rows,
    infer_kind,
    known_kind,
    label_codes,
    warn_of_numbers,
)
from eigentropy._measures.forms import ESTIMATORS
from eigentropy._measures.joint import JointInformation, MatrixOfGiven, MatrixOfY, Part
from eigentropy._measures.kernel_results import KernelInformation
from eigentropy._measures.statistics import group_informations
from eigentropy._spectra.functionals import Functional, renyi
from eigentropy._spectra.plan import SpectrumPlan
from eigentropy._support.options import (
    N_NULL,
    logarithm_base,
    null_count,
    one_of,
    random_seed,
    renyi_order,
    sigma_or_rule,
)
from eigentropy._support.progress import Callback, part, reporter
from eigentropy._support.signatures import named_options

# Of vectors that are labels, which have as many groups as they have.
N_CLUSTERS = 10


@named_options()
def kernel_information(
    Z: Any,
    Y: Any = None,
    *,
    given: Any = None,
    kind: str = "auto",
    clusters: Any = None,
    estimator: str = "matched",
    n_null: int | str = N_NULL,
    order: float = 1.0,
    sigma: float | str = "auto",
    sigma_y: float | str = "auto",
    base: float = 2.0,
    method: str = "auto",
    tol: float = 1e-3,
    kernel: str = "gaussian",
    max_points: int | None = None,
    dtype: Any = None,
    device: Any = None,
    seed: int = 0,
    progress: bool | Callback = False,
) -> KernelInformation:
    r"""Mutual information between the rows of Z and Y by entropies of density matrices.

    With the density matrix :math:`\rho = G / n` of `kernel_entropy` and :math:`\rho_y` that of the
    rows of group y alone, the information about **labels** is Holevo's,

    .. math:: I(Z; Y) = S(\rho) - \sum_y p_y S(\rho_y), \qquad 0 \le I \le H(Y)

    About **scalars and vectors** it is that of the joint kernel, without clusters or bins,

    .. math:: I(Z; Y) = S(G_Z / n) + S(G_Y / n) - S(G_Z \circ G_Y / n)

    and with `given`, :math:`I(Z; Y \mid W) = S(Z, W) + S(Y, W) - S(Z, Y, W) - S(W)`. The chain rule
    holds exactly: labels are a kernel that is 1 within a group and 0 otherwise.

    The estimator says from what the remaining entropy :math:`S(Z \mid Y)` is subtracted:

    - "matched" (default): its mean over random partitions into groups of the same sizes, or over
      random orders of Y. So the value is 0 on average where Y means nothing, and the same draws
      give the standard error and a permutation test.
    - "plain": the entropy of all rows: the formulas above.

    `.bits()` of labels is the matched information, scaled so that 0 stays 0 and the most that it
    can be is H(Y). Read it at sigma="narrow", where it is the Shannon information of corrupted
    labels to within a tenth of H(Y) on 14 of 15 data sets (docs/explanations/studies.md). To rank
    representations, the wider "auto" is better. For scalars and vectors the value says more or
    less, and not how many bits; to find a weak dependence, take both sigmas about as large as the
    median distance.

    Parameters
    ----------
    Z : array-like of shape (n, d)
        As in `diffusion_spectral_entropy`.
    Y : array-like of length n
        Labels (integers, booleans, strings, categoricals), real scalars, or vectors (n, m). May be
        left out where `clusters` gives the groups.
    given : array-like of length n, optional
        W: labels, scalars or vectors. The null partitions permute Y among the rows of one label of
        W. Scalars and vectors have no such rows: they take estimator="plain", whose value is far
        above 0 also where nothing is shared, and no partitions. Better pass bins or clusters of
        them, as integers.
    kind : {"auto", "labels", "scalars", "vectors"}
        What Y is. "auto": several columns are vectors, one column of floats scalars, anything else
        labels.
    clusters : array of int, optional
        The groups themselves, such as `clusters` of an earlier result: Y is then not looked at.
    estimator : {"matched", "plain"}
    n_null : int or "auto"
        Number of random partitions; at least 2 for "matched", may be 0 for "plain". "auto": 4, or
        as many more, up to 20, as bring the baseline's 95 % interval to within `tol` of it.
        They are the first of the partitions of any larger `n_null`.
        Random orders of scalars and vectors: 8, or 20. None where `given` allows none.
    order : float
        Of the Renyi entropies, as in `kernel_entropy`. `adjusted` and `bits` are for order 1.
    sigma, sigma_y : float or str
        Kernel widths of Z and of a Y of scalars or vectors, or rules of `bandwidth`. That of a
        `given` of scalars or vectors is "auto".
    base, method, tol, kernel, max_points, dtype, device, progress
        As in `kernel_entropy`; "lowrank" is not for groups.
    seed : int
        Of all random numbers: partitions, probes, `max_points`.

    Returns
    -------
    KernelInformation
        Works as a float, in bits by default; carries `bits()`, `adjusted()`, `interval()`,
        `standard_error` (over random partitions), `sampling_error` (over other samples), `p_value`
        (for rows that are exchangeable if Y means nothing) and more.

    Raises
    ------
    ValueError, TypeError
        An argument of the wrong value or type; Y or W of another length than Z; missing labels.
    MemoryError
        A group's matrix does not fit; raised before it is allocated.

    Warns
    -----
    GroupWarning
        Y looks like classes and is taken for numbers. `kind` says what is meant.
    UserWarning
        Y has a single group (the information is 0), or groups of one row (entropy 0).
    SaturationWarning
        A sigma is so small or so large that the result says nothing about Z, Y or `given`.
    ShapeWarning
        As in `diffusion_spectral_entropy`.

    References
    ----------
    Holevo: Bounds for the quantity of information transmitted by a quantum communication channel.
    Probl. Inf. Transm. 9 (1973). Bach: Information theory with kernel methods, arXiv:2202.08545.
    Sanchez Giraldo, Rao, Principe: arXiv:1211.2459.

    Examples
    --------
    >>> import numpy as np, eigentropy as eg
    >>> labels = np.repeat([0, 1], 100)
    >>> Z = np.random.default_rng(0).normal(size=(200, 5)) + 20 * labels[:, None]
    >>> round(eg.kernel_information(Z, labels, sigma="narrow").bits(), 1)
    1.0
    """
    plan = SpectrumPlan.checked(method, tol, dtype)
    if plan.method == "lowrank":
        raise ValueError("method='lowrank' is for the entropy of one set of rows, not for groups")
    one_of(estimator, "estimator", ESTIMATORS)
    one_of(kind, "kind", KINDS)
    n_null = null_count(n_null, at_least=2 if estimator == "matched" else 0)
    order, base, seed = renyi_order(order), logarithm_base(base), random_seed(seed)
    if isinstance(clusters, str):
        raise ValueError(
            f"clusters={clusters!r}: the information about vectors takes no clusters here; pass "
            "the groups themselves, or leave it out"
        )
    sigma_y = sigma_or_rule(sigma_y, RULES, "sigma_y")
    rows, chosen, drawn_from = sample_rows(Z, max_points, seed, square=is_given(kernel))
    matrix = DensityMatrix(rows, sigma=sigma, dtype=dtype, device=device, seed=seed, kernel=kernel)
    n = drawn_from or matrix.n
    asked, kind = kind, _kind(Y, kind, clusters)
    known = {"estimator": estimator, "n_null": n_null, "base": base, "seed": seed}
    of_rows: dict[str, Any] = {"dtype": dtype, "device": matrix.device, "seed": seed}
    with reporter(progress, "mutual information") as report:
        if kind == "labels":
            codes = group_codes(Y, n, asked, N_CLUSTERS, clusters, seed)
            of_y = Part(None, _chosen(codes, chosen))
        else:
            columns = columns_of(Y, "Y", n, kind, chosen)
            of_y = Part(MatrixOfY(columns, sigma=sigma_y, **of_rows), None)
        found = kernel_informations(
            matrix,
            of_y,
            [order],
            plan,
            kind=kind,
            given=None if given is None else _given(given, n, chosen, of_rows),
            rows=chosen,
            progress=report,
            **known,
        )
    return found[0]


def kernel_informations(
    matrix: DensityMatrix,
    of_y: Part,
    orders: Sequence[float],
    plan: SpectrumPlan,
    *,
    kind: str,
    given: Part | None = None,
    rows: Any = None,
    progress: Callback | None = None,
    **known: Any,
) -> list[KernelInformation]:
    """The information of each order; `known` are options of `group_informations`."""
    sigma_y = math.nan if of_y.matrix is None else of_y.matrix.sigma

    def result_of(found: dict[str, Any], which: Functional) -> KernelInformation:
        return KernelInformation(
            order=which.exponent, kind=kind, sigma_y=sigma_y, rows=rows, **found
        )

    wanted = [renyi(order) for order in orders]
    if of_y.codes is not None and given is None:
        return group_informations(
            matrix, of_y.codes, wanted, plan, result_of, progress=progress, **known
        )
    results = []
    for number, which in enumerate(wanted):
        own = part(progress, number / len(wanted), (number + 1) / len(wanted))
        source = JointInformation(matrix, of_y, given, which, plan, result_of, **known)
        results.append(source.measured(own))
    return results


def _kind(Y: Any, kind: str, clusters: Any) -> str:
    """What Y is, once "auto" is resolved."""
    if clusters is not None:
        return "labels"
    if Y is None:
        raise ValueError(
            "Y is missing: pass labels, scalars or vectors, or the groups as clusters="
        )
    if kind != "auto":
        return kind
    values = as_numpy(Y, "Y")
    found = known_kind(values, "Y")
    if found != "labels" and values.ndim:
        warn_of_numbers(values, "Y")
    return found


def _chosen(codes: Any, rows: Any) -> Any:
    return codes if rows is None else groups_of_rows(codes, rows)


def _given(W: Any, n: int, chosen: Any, of_rows: dict[str, Any]) -> Part:
    """What is known beforehand: labels, or the rows of a kernel."""
    values = as_numpy(W, "given")
    if infer_kind(values) == "labels":
        return Part(None, _chosen(label_codes(values, n, "given"), chosen))
    columns = columns_of(values, "given", n, "vectors", chosen)
    return Part(MatrixOfGiven(columns, **of_rows), None)


def columns_of(values: Any, name: str, n: int, kind: str, chosen: Any = None) -> Any:
    """The rows of a variable that is no label, checked."""
    array = as_numpy(values, name)
    check_length(array, n, name)
    columns = as_matrix(array.reshape(n, -1), name)
    if kind == "scalars" and columns.shape[1] != 1:
        raise ValueError(
            f"{name} as scalars must be 1-d, got {columns.shape[1]} values a row; pass "
            "kind='vectors'"
        )
    return columns if chosen is None else columns[chosen]
