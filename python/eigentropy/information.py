"""Diffusion spectral mutual information."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from eigentropy import _core, _memory
from eigentropy._options import (
    auto_tolerance,
    exact_method,
    integer,
    logarithm_base,
    one_of,
    positive,
)
from eigentropy._progress import Callback, reporter
from eigentropy._warnings import warn
from eigentropy.groups import Codes, group_codes
from eigentropy.operator import (
    DiffusionOperator,
    outside_of_range,
    require_matrix_memory,
    warn_if_saturated,
)
from eigentropy.precision import Rounding, eigenvalue_error, may_use_single, within
from eigentropy.results import MutualInformation, warn_if_imprecise
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
    Z : array-like of shape (n, d), or DiffusionOperator
        As in `diffusion_spectral_entropy`. An operator brings its sigma, alpha, dtype and, where
        they have been computed, the eigenvalues that "plain" and `adjusted` need.
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
    t, sigma, alpha, base, device, progress
        As in `diffusion_spectral_entropy`.
    method, tol, dtype
        As in `diffusion_spectral_entropy`; what counts for "auto" is whether the groups of all
        partitions together take as long as a matrix of 1000 rows, such as 8 groups of 500. The
        error that it may make of the information, a difference of entropies, is `tol` times the
        larger of them, the baseline.
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
    tolerance = auto_tolerance(method, dtype, tol)
    one_of(estimator, "estimator", ESTIMATORS)
    integer(n_null, "n_null", at_least=2 if estimator == "matched" else 0)
    t, base, seed = positive(t, "t"), logarithm_base(base), integer(seed, "seed", at_least=0)
    operator = _operator(Z, sigma=sigma, alpha=alpha, dtype=dtype, device=device, seed=seed)
    if operator is Z:
        tolerance = None  # the caller has chosen its dtype
    codes = group_codes(Y, operator.n, kind, n_clusters, clusters)
    return informations(
        operator,
        codes,
        [t],
        tolerance,
        estimator=estimator,
        n_null=n_null,
        base=base,
        seed=seed,
        progress=progress,
    )[0]


def informations(
    operator: DiffusionOperator,
    codes: Codes,
    times: Sequence[float],
    tol: float | None,
    *,
    estimator: str,
    n_null: int,
    base: float,
    seed: int,
    progress: bool | Callback,
) -> list[MutualInformation]:
    """The information at each t, from the same spectra.

    In float32 where that is within `tol` for all; with tol = None in the operator's own dtype.
    """
    sizes = np.bincount(codes)
    _warn_about_groups(sizes)
    partitions = _partitions(codes, n_null, seed)

    def solve(dtype: str) -> _Solved:
        with reporter(progress, "mutual information") as callback:
            groups = _solve_groups(operator, dtype, sizes, partitions, callback)
        return _Solved(operator, codes, sizes, groups, estimator, base, seed, tol)

    solved = _solve_in_single(solve, operator, np.tile(sizes, len(partitions)), times, tol)
    if solved is None:
        solved = solve(operator.dtype)
    _warn_about_sigma(solved.groups.kernel_sums, sizes, operator.sigma)
    return [solved.measured(t)[0] for t in times]


def _solve_in_single(
    solve: Callable[[str], _Solved],
    operator: DiffusionOperator,
    sizes: npt.NDArray[np.int64],
    times: Sequence[float],
    tol: float | None,
) -> _Solved | None:
    """The groups solved in float32, if that is worth trying and gives every t within tol."""
    columns = operator.rows.shape[1]
    if tol is None or not may_use_single(sizes, columns, operator._known_reach, times, tol):
        return None
    try:
        solved = solve("float32")
    except _core.SolverError:
        return None
    return solved if all(solved.is_within(t) for t in times) else None


def _operator(Z: Any, *, sigma: Any, alpha: Any, **options: Any) -> DiffusionOperator:
    """The operator of all rows; nothing is computed yet, but the options are checked."""
    if not isinstance(Z, DiffusionOperator):
        return DiffusionOperator(Z, sigma=sigma, alpha=alpha, **options)
    if sigma != "auto" or alpha != 0.5 or options["dtype"] is not None:
        raise ValueError(
            "sigma, alpha and dtype are those of the DiffusionOperator: leave them out"
        )
    return Z


def _warn_about_groups(sizes: npt.NDArray[np.int64]) -> None:
    if len(sizes) == 1:
        warn("Y has a single group, so its mutual information with anything is 0")
        return
    single = int((sizes == 1).sum())
    if single:
        warn(
            f"{single} of the {len(sizes)} groups of Y have a single row; their entropy is 0, "
            "and so is what they contribute"
        )


def _partitions(codes: Codes, n_null: int, seed: int) -> npt.NDArray[np.int64]:
    """Row numbers sorted by group, (1 + n_null, n): as observed, then relabelled at random."""
    n = len(codes)
    partitions = np.empty((1 + n_null, n), dtype=np.int64)
    partitions[0] = np.argsort(codes, kind="stable")
    rng = np.random.default_rng(seed)
    for null in range(n_null):
        partitions[1 + null] = rng.permutation(n)
    return partitions


@dataclass(frozen=True)
class _Groups:
    """The spectra of every group, observed and random ones.

    Group y of partition b is at b * (number of groups) + y; partition 0 is the observed one.
    """

    dtype: str
    spectra: list[npt.NDArray[Any]]
    roundings: list[Rounding]  # one for each spectrum in float32, none in float64
    kernel_sums: npt.NDArray[np.float64]  # (partitions, groups)


def _solve_groups(
    operator: DiffusionOperator,
    dtype: str,
    sizes: npt.NDArray[np.int64],
    partitions: npt.NDArray[np.int64],
    progress: Callback | None,
) -> _Groups:
    """Solve all groups of all partitions as one batch."""
    Z = operator.rows
    require_matrix_memory(int(sizes.max()), Z.shape[1], dtype, rows=operator.n)
    ends = np.cumsum(np.tile(sizes, len(partitions)))
    eigenvalues, kernel_sums = _core.subset_spectra(
        Z,
        np.concatenate([[0], ends]),
        partitions.ravel(),
        operator.sigma,
        operator.alpha,
        dtype,
        memory_limit=SHARED_KERNEL_SHARE * _memory.available(),
        progress=progress,
    )
    spectra = np.split(eigenvalues, ends[:-1])
    roundings = _roundings(spectra, operator._known_reach()) if dtype == "float32" else []
    np.clip(eigenvalues, 0.0, 1.0, out=eigenvalues)
    return _Groups(dtype, spectra, roundings, kernel_sums.reshape(len(partitions), -1))


def _roundings(spectra: list[npt.NDArray[Any]], reach: float) -> list[Rounding]:
    """What is known of the rounding in spectra as they come out of the solver, not yet clipped.

    The traces of the groups are not known. The solver keeps their sum to better than eps n.
    """
    eps = float(np.finfo(np.float32).eps)
    return [
        Rounding(
            eigenvalue_error(len(values), reach, outside_of_range(values)),
            float(values.sum(dtype=np.float64)) + eps * len(values),
        )
        for values in spectra
    ]


def _warn_about_sigma(
    kernel_sums: npt.NDArray[np.float64], sizes: npt.NDArray[np.int64], sigma: float
) -> None:
    """Judge sigma by a random partition: the groups of the observed one may well be far apart."""
    if len(kernel_sums) == 1:
        return
    n = int(sizes.sum())
    weight = float(kernel_sums[-1].sum()) - n
    pairs = int((sizes * (sizes - 1)).sum())
    if pairs:
        warn_if_saturated(n, weight / n, weight / pairs, sigma)


@dataclass(frozen=True)
class _Solved:
    """The spectra of all groups, from which the information at every t follows."""

    operator: DiffusionOperator
    codes: Codes
    sizes: npt.NDArray[np.int64]
    groups: _Groups
    estimator: str
    base: float
    seed: int
    tol: float | None
    _known: dict[float, tuple[MutualInformation, float]] = field(default_factory=dict)

    def at(self, t: float) -> MutualInformation:
        """The information at diffusion time t, with a warning where the spectra do not give it."""
        result, baseline = self.measured(t)
        warn_if_imprecise(result.error_bound, baseline, self.tol, self.base, t)
        return result

    def is_within(self, t: float) -> bool:
        """Whether rounding leaves the information at t within tol of the baseline."""
        assert self.tol is not None
        result, baseline = self.measured(t)
        return within(result.error_bound, baseline, self.tol, self.base)

    def measured(self, t: float) -> tuple[MutualInformation, float]:
        """The information at diffusion time t, and the baseline that it is a difference from."""
        if t not in self._known:
            self._known[t] = self._measure(t)
        return self._known[t]

    def _measure(self, t: float) -> tuple[MutualInformation, float]:
        observed, null = self._conditional_entropies(t)
        observed_bound, null_bound = self._conditional_bounds(t)
        if self.estimator == "matched":
            baseline, bound = float(null.mean()), float(null_bound.mean())
            error = float(null.std(ddof=1)) / math.sqrt(len(null))
        else:
            baseline, bound = self._whole(t)
            error = 0.0
        # Less conditional entropy is more information. Equal partitions may differ in the last bit.
        tie = 1e-12 if self.groups.dtype == "float64" else 1e-6
        at_least = int((null <= observed + tie * max(1.0, abs(observed))).sum())
        bound += observed_bound
        result = MutualInformation(
            value=baseline - observed,
            standard_error=error,
            p_value=(1 + at_least) / (1 + len(null)) if len(null) else math.nan,
            conditional_entropy=observed,
            null=baseline - null,
            group_sizes=self.sizes,
            clusters=self.codes,
            label_entropy=self._label_entropy(),
            method="exact",
            estimator=self.estimator,
            n=self.operator.n,
            sigma=self.operator.sigma,
            alpha=self.operator.alpha,
            t=t,
            base=self.base,
            seed=self.seed,
            dtype="float32" if bound > 0.0 else self.groups.dtype,
            error_bound=bound,
            _source=self,
        )
        return result, baseline

    def adjusted(self, t: float) -> tuple[float, str]:
        """The ratio matched / (H(Y) - (S(Z) - mean null)), and why it is NaN where it is."""
        observed, null = self._conditional_entropies(t)
        label_entropy = self._label_entropy()
        if len(null) < 2:
            return math.nan, "n_null is below 2: there is no matched baseline"
        if label_entropy == 0.0:
            return math.nan, "Y has a single group: H(Y) is 0"
        baseline, noise = float(null.mean()), float(null.std(ddof=1))
        room = label_entropy - (self._whole(t)[0] - baseline)
        if room <= max(3.0 * noise, 1e-9 * label_entropy):
            return math.nan, (
                f"H(Y) leaves {room:.3g} above what groups of these sizes lose at random, which "
                f"is within the noise ({noise:.3g}): sigma is too small, or the groups are"
            )
        return (baseline - observed) / room, ""

    def _conditional_entropies(self, t: float) -> tuple[float, npt.NDArray[np.float64]]:
        """sum_y p_y S(Z | y) of the observed partition and of each random one."""
        entropies = [spectral_entropy(group, t=t, base=self.base) for group in self.groups.spectra]
        return self._weighted(entropies)

    def _conditional_bounds(self, t: float) -> tuple[float, npt.NDArray[np.float64]]:
        """Bounds of the rounding errors of `_conditional_entropies`; 0 in float64."""
        pairs = zip(self.groups.spectra, self.groups.roundings, strict=False)
        bounds = [rounding.entropy_error(group, t, self.base) for group, rounding in pairs]
        return self._weighted(bounds or np.zeros(len(self.groups.spectra)))

    def _weighted(self, values: Any) -> tuple[float, npt.NDArray[np.float64]]:
        """sum_y p_y value_y of the observed partition and of each random one."""
        weighted = np.reshape(values, (-1, len(self.sizes))) @ (self.sizes / self.operator.n)
        return float(weighted[0]), weighted[1:]

    def _label_entropy(self) -> float:
        p = self.sizes / self.operator.n
        return max(0.0, -float(p @ np.log(p))) / math.log(self.base)

    def _whole(self, t: float) -> tuple[float, float]:
        """S(Z) and its rounding error, without the warnings that the groups have caused already."""
        operator = self.operator._within(self.tol, [t])
        value = spectral_entropy(operator.eigenvalues(), t=t, base=self.base)
        return value, operator._entropy_error(t, self.base)
