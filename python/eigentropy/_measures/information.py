"""Diffusion spectral mutual information."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from eigentropy import _core
from eigentropy._backends.arrays import row_count
from eigentropy._backends.devices import parse
from eigentropy._kernels.diffusion import (
    DiffusionOperator,
    outside_of_range,
    require_matrix_memory,
    sample_rows,
    warn_if_saturated,
)
from eigentropy._kernels.groups import Codes, group_codes, groups_of_rows
from eigentropy._measures.estimation import estimated_spectrum
from eigentropy._measures.results import MutualInformation, PrecisionWarning, warn_if_imprecise
from eigentropy._spectra.eigenvalues import spectral_entropy
from eigentropy._spectra.estimated import SpectralEstimate
from eigentropy._spectra.plan import Approach
from eigentropy._spectra.rounding import Rounding, eigenvalue_error, may_use_single, within
from eigentropy._support.options import integer, logarithm_base, one_of, positive
from eigentropy._support.progress import Callback, reporter
from eigentropy._support.warnings import warn

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
    max_points: int | None = None,
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
        As in `diffusion_spectral_entropy`, but for "lowrank", for the entropies of the groups: with
        "auto" and "stochastic" those of large groups are estimated, and those of small ones exact.
        What counts for "auto" is how long the groups of all partitions take together. The error
        that it may make of the information, a difference of entropies, is `tol` times the larger
        of them, the baseline.
    max_points : int, optional
        Use so many rows, chosen at random, where Z has more.
    seed : int
        Of all random numbers: partitions, probes, `max_points`.

    Returns
    -------
    MutualInformation
        Works as a float, in bits by default; carries `standard_error`, `p_value`, `adjusted`,
        `clusters` and more. Negative estimates are reported as they are. With `max_points`, the
        groups are those of the rows in `rows`.

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
    approach = Approach.checked(method, tol, dtype)
    if approach.method == "lowrank":
        raise ValueError("method='lowrank' is for the entropy of one set of rows, not for groups")
    one_of(estimator, "estimator", ESTIMATORS)
    integer(n_null, "n_null", at_least=2 if estimator == "matched" else 0)
    t, base, seed = positive(t, "t"), logarithm_base(base), integer(seed, "seed", at_least=0)
    rows, chosen = sample_rows(Z, max_points, seed)
    operator = _operator(rows, sigma=sigma, alpha=alpha, dtype=dtype, device=device, seed=seed)
    if operator is Z:
        approach = replace(approach, dtype=operator.dtype)  # which the caller has chosen
    n = operator.n if chosen is None else row_count(Z)
    codes = group_codes(Y, n, kind, n_clusters, clusters)
    if chosen is not None:
        codes = groups_of_rows(codes, chosen)
    result = informations(
        operator,
        codes,
        [t],
        approach,
        estimator=estimator,
        n_null=n_null,
        base=base,
        seed=seed,
        progress=progress,
    )[0]
    return result if chosen is None else replace(result, rows=chosen)


def informations(
    operator: DiffusionOperator,
    codes: Codes,
    times: Sequence[float],
    approach: Approach,
    *,
    estimator: str,
    n_null: int,
    base: float,
    seed: int,
    progress: bool | Callback,
) -> list[MutualInformation]:
    """The information at each t, from the same spectra."""
    approach = approach.on(operator._device)
    sizes = np.bincount(codes)
    _warn_about_groups(sizes)
    partitions = _partitions(codes, n_null, seed)

    def solved_by(approach: Approach) -> _Solved:
        with reporter(progress, "estimates") as callback:
            estimated = _estimate_groups(operator, sizes, partitions, times, approach, callback)
        orders = np.tile(sizes, len(partitions))[[group is None for group in estimated]]

        def solve(dtype: str) -> _Solved:
            with reporter(progress, "mutual information") as callback:
                groups = _solve_groups(operator, dtype, sizes, partitions, estimated, callback)
            return _Solved(operator, codes, sizes, groups, estimator, base, seed, approach)

        single = _solve_in_single(solve, operator, orders, times, approach.rounding_tol)
        return solve(operator.dtype) if single is None else single

    try:
        solved = solved_by(approach)
    except (_core.SolverError, MemoryError):
        if not approach.may_replace_solver(int(sizes.max())):
            raise
        solved = solved_by(approach.only_estimates())
    _warn_about_sigma(solved.groups.kernel_sums, sizes, operator.sigma)
    return [solved.measured(t)[0] for t in times]


def _solve_in_single(
    solve: Callable[[str], _Solved],
    operator: DiffusionOperator,
    orders: npt.NDArray[np.int64],
    times: Sequence[float],
    tol: float | None,
) -> _Solved | None:
    """The groups solved in float32, if that is worth trying and gives every t within tol."""
    if tol is None or len(orders) == 0:
        return None
    columns, on_gpu = operator.rows.shape[1], operator._device.on_gpu
    if not may_use_single(orders, columns, operator._known_reach, times, tol, on_gpu):
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
    parse(options["device"])
    if options["device"] is not None and str(options["device"]) != Z.device:
        raise ValueError(f"device is that of the DiffusionOperator, {Z.device}: leave it out")
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
class _AllEigenvalues:
    """Those of one group, and what is known of their rounding; None in float64."""

    values: npt.NDArray[Any]
    rounding: Rounding | None

    def entropy(self, t: float, base: float) -> tuple[float, float]:
        """S(t), and its standard error."""
        return spectral_entropy(self.values, t=t, base=base), 0.0

    def bound(self, t: float, base: float) -> float:
        """Of the rounding error of S(t)."""
        if self.rounding is None:
            return 0.0
        return self.rounding.entropy_error(self.values, t, base)


@dataclass(frozen=True)
class _Estimated:
    """A group whose spectrum is estimated."""

    spectrum: SpectralEstimate
    kernel_sum: float

    def entropy(self, t: float, base: float) -> tuple[float, float]:
        """S(t), and its standard error."""
        return self.spectrum.entropy(t, base)

    def bound(self, t: float, base: float) -> float:
        """None is known; the standard error has what rounding does."""
        return 0.0


@dataclass(frozen=True)
class _Groups:
    """The spectra of every group, observed and random ones.

    Group y of partition b is at b * (number of groups) + y; partition 0 is the observed one.
    """

    dtype: str  # of the exact ones
    spectra: list[_AllEigenvalues | _Estimated]
    kernel_sums: npt.NDArray[np.float64]  # (partitions, groups)

    @property
    def method(self) -> str:
        """Stochastic as soon as one spectrum is."""
        estimated = any(isinstance(group, _Estimated) for group in self.spectra)
        return "stochastic" if estimated else "exact"


def _estimate_groups(
    operator: DiffusionOperator,
    sizes: npt.NDArray[np.int64],
    partitions: npt.NDArray[np.int64],
    times: Sequence[float],
    approach: Approach,
    progress: Callback | None,
) -> list[_Estimated | None]:
    """Estimates of the spectra of large groups; None for each group that is to be solved."""
    orders = np.tile(sizes, len(partitions))
    large = approach.estimated_groups(orders, operator.rows.shape[1], operator.alpha)
    groups: list[_Estimated | None] = [None] * len(orders)
    if not any(large):
        return groups
    subsets = np.split(partitions.ravel(), np.cumsum(orders)[:-1])
    numbers = np.flatnonzero(large)
    total, done, short = float(orders[numbers].sum()), 0.0, 0
    for number in numbers:
        # Independent probes for each: the errors of differences would not be those of their parts.
        seed = np.random.SeedSequence([operator.seed, int(number)])
        found = estimated_spectrum(
            operator, np.sort(subsets[number]), times, approach, int(seed.generate_state(1)[0])
        )
        done += float(orders[number])
        if progress is not None:
            progress(done / total)
        if all(found[0].meets(t) for t in times):
            groups[number] = _Estimated(*found)
        elif approach.method == "stochastic" or not approach.fits_exactly(int(orders[number])):
            groups[number] = _Estimated(*found)
            short += 1
    if short:
        warn(
            f"the entropies of {short} of the {len(numbers)} large groups are not known to "
            f"tol={approach.tol:g}; their errors are part of the standard error",
            PrecisionWarning,
        )
    return groups


def _solve_groups(
    operator: DiffusionOperator,
    dtype: str,
    sizes: npt.NDArray[np.int64],
    partitions: npt.NDArray[np.int64],
    estimated: Sequence[_Estimated | None],
    progress: Callback | None,
) -> _Groups:
    """Solve all groups of all partitions that are not estimated as one batch."""
    orders = np.tile(sizes, len(partitions))
    solved = np.array([group is None for group in estimated])
    spectra: list[_AllEigenvalues | _Estimated | None] = list(estimated)
    kernel_sums = np.array([0.0 if group is None else group.kernel_sum for group in estimated])
    if solved.any():
        Z, device = operator.rows, operator._device
        largest = int(orders[solved].max())
        require_matrix_memory(largest, Z.shape[1], dtype, rows=operator.n, device=device)
        subsets = np.split(partitions.ravel(), np.cumsum(orders)[:-1])
        ends = np.cumsum(orders[solved])
        eigenvalues, kernel_sums[solved], traces = device.subset_spectra(
            Z,
            np.concatenate([[0], ends]),
            np.concatenate([subsets[number] for number in np.flatnonzero(solved)]),
            operator.sigma,
            operator.alpha,
            dtype,
            SHARED_KERNEL_SHARE * device.available(),
            progress,
        )
        numbers = np.flatnonzero(solved)
        reach = operator._known_reach() if dtype == "float32" else None
        split = np.split(eigenvalues, ends[:-1])
        for number, values, trace in zip(numbers, split, traces, strict=True):
            rounding = None if reach is None else _rounding(values, float(trace), reach)
            spectra[number] = _AllEigenvalues(values, rounding)
        np.clip(eigenvalues, 0.0, 1.0, out=eigenvalues)
    known = [group for group in spectra if group is not None]
    return _Groups(dtype, known, kernel_sums.reshape(len(partitions), -1))


def _rounding(values: npt.NDArray[Any], trace: float, reach: float) -> Rounding:
    """What is known of the rounding in a spectrum, not yet clipped, of the solver."""
    return Rounding(eigenvalue_error(len(values), reach, outside_of_range(values)), trace)


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
    approach: Approach
    _known: dict[float, tuple[MutualInformation, float]] = field(default_factory=dict)
    _conditionals: dict[float, npt.NDArray[np.float64]] = field(default_factory=dict)
    _spectrum_of_all: dict[str, SpectralEstimate] = field(default_factory=dict)

    def at(self, t: float) -> MutualInformation:
        """The information at diffusion time t, with a warning where the spectra do not give it."""
        result, baseline = self.measured(t)
        warn_if_imprecise(result.error_bound, baseline, self.approach.rounding_tol, self.base, t)
        return result

    def is_within(self, t: float) -> bool:
        """Whether rounding leaves the information at t within tol of the baseline."""
        result, baseline = self.measured(t)
        return within(result.error_bound, baseline, self.approach.tol, self.base)

    def measured(self, t: float) -> tuple[MutualInformation, float]:
        """The information at diffusion time t, and the baseline that it is a difference from."""
        if t not in self._known:
            self._known[t] = self._measure(t)
        return self._known[t]

    def _measure(self, t: float) -> tuple[MutualInformation, float]:
        entropies, errors, bounds = self._conditional(t)
        observed, null = float(entropies[0]), entropies[1:]
        if self.estimator == "matched":
            # The spread of the null has the errors of its estimates in it.
            baseline, bound = float(null.mean()), float(bounds[1:].mean())
            error = float(null.std(ddof=1)) / math.sqrt(len(null))
        else:
            baseline, error, bound = self._whole(t)
        # Less conditional entropy is more information. Equal partitions may differ in the last bit.
        tie = 1e-12 if self.groups.dtype == "float64" else 1e-6
        at_least = int((null <= observed + tie * max(1.0, abs(observed))).sum())
        bound += float(bounds[0])
        result = MutualInformation(
            value=baseline - observed,
            standard_error=math.hypot(error, float(errors[0])),
            p_value=(1 + at_least) / (1 + len(null)) if len(null) else math.nan,
            conditional_entropy=observed,
            null=baseline - null,
            group_sizes=self.sizes,
            clusters=self.codes,
            label_entropy=self._label_entropy(),
            method=self.groups.method,
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
        entropies, _, _ = self._conditional(t)
        observed, null = float(entropies[0]), entropies[1:]
        label_entropy = self._label_entropy()
        if len(null) < 2:
            return math.nan, "n_null is below 2: there is no matched baseline"
        if label_entropy == 0.0:
            return math.nan, "Y has a single group: H(Y) is 0"
        baseline, noise = float(null.mean()), float(null.std(ddof=1))
        whole, error, _ = self._whole(t)
        room = label_entropy - (whole - baseline)
        noise = math.hypot(noise, error)
        if room <= max(3.0 * noise, 1e-9 * label_entropy):
            return math.nan, (
                f"H(Y) leaves {room:.3g} above what groups of these sizes lose at random, which "
                f"is within the noise ({noise:.3g}): sigma is too small, or the groups are"
            )
        return (baseline - observed) / room, ""

    def _conditional(self, t: float) -> npt.NDArray[np.float64]:
        """sum_y p_y S(Z | y), its standard error and the bound of its rounding error.

        Shape (3, partitions): the observed partition first, then the random ones. Kept, for
        `adjusted` needs them, too.
        """
        if t not in self._conditionals:
            self._conditionals[t] = self._of_groups(t)
        return self._conditionals[t]

    def _of_groups(self, t: float) -> npt.NDArray[np.float64]:
        groups = [
            (*group.entropy(t, self.base), group.bound(t, self.base))
            for group in self.groups.spectra
        ]
        values, errors, bounds = np.reshape(groups, (-1, len(self.sizes), 3)).transpose(2, 0, 1)
        shares = self.sizes / self.operator.n
        return np.stack([values @ shares, np.sqrt(errors**2 @ shares**2), bounds @ shares])

    def _label_entropy(self) -> float:
        p = self.sizes / self.operator.n
        return max(0.0, -float(p @ np.log(p))) / math.log(self.base)

    def _whole(self, t: float) -> tuple[float, float, float]:
        """S(Z), its standard error and rounding error, without the warnings of the groups again."""
        n, d = self.operator.rows.shape
        if self.operator._eigenvalues is None and self.approach.estimates(
            n, d, self.operator.alpha
        ):
            return self._estimated_whole(t)
        try:
            operator = self.operator._within(self.approach.rounding_tol, [t])
            value, error = operator._nats(t)
        except (_core.SolverError, MemoryError):
            if not self.approach.may_replace_solver(n):
                raise
            return self._estimated_whole(t)
        unit = math.log(self.base)
        return value / unit, 0.0, error / unit

    def _estimated_whole(self, t: float) -> tuple[float, float, float]:
        return *self._estimate_of_all(t).entropy(t, self.base), 0.0

    def _estimate_of_all(self, t: float) -> SpectralEstimate:
        """The spectrum of all rows, estimated once, for the first t."""
        spectrum = self._spectrum_of_all.get("spectrum")
        if spectrum is None:
            operator = self.operator
            spectrum, _ = estimated_spectrum(operator, None, [t], self.approach, operator.seed)
            self._spectrum_of_all["spectrum"] = spectrum
        return spectrum
