"""The spectra of groups of rows: large groups are estimated, small ones solved as one batch."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from eigentropy import _core
from eigentropy._kernels.matrix import KernelMatrix, require_matrix_memory
from eigentropy._kernels.partitions import Partitions
from eigentropy._kernels.saturation import warn_if_alone, warn_if_saturated
from eigentropy._spectra.eigenvalues import shannon_nats_of_groups
from eigentropy._spectra.exact import ExactSpectra
from eigentropy._spectra.functionals import Functional, Shannon, functional, least_flattering
from eigentropy._spectra.plan import SpectrumPlan
from eigentropy._spectra.rounding import may_use_single
from eigentropy._spectra.solve import estimated_spectrum
from eigentropy._spectra.spectrum import Spectrum, Which
from eigentropy._support.interval import combined
from eigentropy._support.progress import Callback, part
from eigentropy._support.warnings import PrecisionWarning, warn

# The kernel of all rows, from which the groups' are gathered, may take this share of free memory.
SHARED_KERNEL_SHARE = 0.5


class MixedSpectra(list[Spectrum]):
    """Spectra of groups of which some are estimates, or were found before the others."""

    @property
    def method(self) -> str:
        """Stochastic as soon as one is."""
        estimated = any(spectrum.method == "stochastic" for spectrum in self)
        return "stochastic" if estimated else "exact"

    @property
    def kernel_sums(self) -> list[float]:
        """The sum of the kernel of each group."""
        return [spectrum.kernel_sum for spectrum in self]

    def nats(self, which: Functional) -> npt.NDArray[np.float64]:
        """An entropy of each group in nats, its standard error and its bound, shape (groups, 3)."""
        return np.array([spectrum.nats(which) for spectrum in self])


@dataclass(frozen=True)
class GroupSpectra:
    """The spectra of the groups of several partitions.

    Attributes
    ----------
    partitions : Partitions
    spectra : ExactSpectra or MixedSpectra
        Of group y of partition b at b * (number of groups) + y.
    dtype : {"float64", "float32"}
        Precision of the exact ones.
    estimated : list of bool
        Of each group of a partition, whether it was to be estimated.
    """

    partitions: Partitions
    spectra: ExactSpectra | MixedSpectra
    dtype: str
    estimated: list[bool]
    _known: dict[Functional, npt.NDArray[np.float64]] = field(default_factory=dict, repr=False)

    @property
    def method(self) -> str:
        """Stochastic as soon as one spectrum is."""
        return self.spectra.method

    def entropies(self, t: Which, base: float) -> npt.NDArray[np.float64]:
        """S(Z | y) of each group of each partition, shape (partitions, groups)."""
        found: npt.NDArray[np.float64] = self._nats(t)[0] / math.log(base)
        return found

    def conditional_entropies(self, t: Which, base: float) -> npt.NDArray[np.float64]:
        """sum_y p_y S(Z | y), its standard error and the bound of its rounding error.

        Shape (3, partitions). The standard error of an estimate includes its rounding.
        """
        table, shares = self._nats(t) / math.log(base), self.partitions.shares
        values, errors, bounds = table
        found = np.zeros((3, len(values)))
        found[0] = _core.weighted_sums(values, shares)
        if table[1:].any():  # none are where all eigenvalues are known in float64
            found[1] = np.sqrt(errors**2 @ shares**2)
            found[2] = np.nan_to_num(bounds) @ shares
        return found

    def _nats(self, t: Which) -> npt.NDArray[np.float64]:
        """S(Z | y), its standard error and bound, shape (3, partitions, groups); found once."""
        which = functional(t)
        if which not in self._known:
            known = self.spectra.nats(which).reshape(len(self.partitions), -1, 3)
            # In memory order: a product of a strided table may differ in its last bits.
            self._known[which] = np.ascontiguousarray(known.transpose(2, 0, 1))
        return self._known[which]

    def error_of_observed(self, t: Which, base: float) -> tuple[float, float]:
        """Standard error of the first partition's conditional entropy, and its degrees."""
        if self.method == "exact":
            return 0.0, math.inf
        observed = zip(self.partitions.shares, self.spectra, strict=False)
        return combined((p * s.standard_error(t, base), s.degrees) for p, s in observed)

    def uncertainties(self, t: Which, base: float) -> npt.NDArray[np.float64]:
        """What rounding may have changed of each conditional entropy, shape (partitions,)."""
        known = [spectrum.uncertainty(t, base) for spectrum in self.spectra]
        by_partition = np.reshape(np.nan_to_num(known), (len(self.partitions), -1))
        return np.asarray(by_partition @ self.partitions.shares)

    def warn_if_saturated(self, matrix: KernelMatrix, which: Functional) -> None:
        """Judge sigma by a random partition: the observed groups may well be far apart.

        Where only the entropies say that sigma is too small, those of all partitions have to. Not
        those of density matrices: their information is right where every row of a group is nearly
        alone, as long as it is above its noise.
        """
        partitions = self.partitions
        if len(partitions) == 1:
            return
        if partitions.pairs:
            total = float(sum(self.spectra.kernel_sums[-len(partitions.sizes) :]))
            warn_if_saturated(matrix.n, total, matrix.sigma, partitions.pairs)
            if not matrix.has_unit_eigenvalue:
                return
            warn_if_alone(
                total / matrix.n - 1.0,
                lambda: self._least_share(least_flattering(which)),
                matrix.sigma,
                matrix.auto_sigma,
            )

    def _least_share(self, which: Functional) -> float:
        """The least conditional entropy over what it is where each row is alone."""
        most = float(self.partitions.shares @ np.log(self.partitions.sizes))
        return float(self.conditional_entropies(which, math.e)[0].min()) / most


def solve_groups(
    matrix: KernelMatrix,
    partitions: Partitions,
    wanted: Sequence[Functional],
    plan: SpectrumPlan,
    is_within: Callable[[GroupSpectra], bool],
    progress: Callback | None,
    known: GroupSpectra | None = None,
) -> GroupSpectra:
    """The spectra of all groups, by the methods that the plan asks for.

    `is_within` says whether spectra in float32 are good enough. Those of the first partitions may
    be known: the others are found in the same way.
    """
    plan = plan.on(matrix.samples.device).giving(wanted)
    try:
        return _solved_by(matrix, partitions, wanted, plan, is_within, progress, known)
    except (_core.SolverError, MemoryError):
        if not plan.may_replace_solver(int(partitions.sizes.max())):
            raise
        plan = plan.only_estimates()
        return _solved_by(matrix, partitions, wanted, plan, is_within, progress, None)


def _solved_by(
    matrix: KernelMatrix,
    partitions: Partitions,
    wanted: Sequence[Functional],
    plan: SpectrumPlan,
    is_within: Callable[[GroupSpectra], bool],
    progress: Callback | None,
    known: GroupSpectra | None,
) -> GroupSpectra:
    """In float32 first, where that is worth trying."""
    orders, d = partitions.orders, matrix.samples.d
    number, start = len(partitions.sizes), 0 if known is None else len(known.spectra)
    if known is None:
        large = plan.estimated_groups(orders.tolist(), d, matrix.alpha)
    else:
        large = known.estimated * len(partitions)
    asked, of_large = [i for i in range(start, len(large)) if large[i]], 0.0
    if asked:
        of_large = plan.cost(orders[asked], d, matrix.alpha)
        of_large /= plan.cost(orders[start:], d, matrix.alpha)
    told = part(progress, 0.0, of_large)
    estimated = _estimate_large(matrix, partitions, asked, wanted, plan, told)
    if known is not None:
        for before, spectrum in enumerate(known.spectra):
            estimated[before] = spectrum if spectrum.method == "stochastic" else None
    progress = part(progress, of_large, 1.0)

    def solved(dtype: str) -> GroupSpectra:
        """What is not estimated, in this precision; what is known of that is taken."""
        spectra: list[Spectrum | None] = list(estimated)
        if known is not None and known.dtype == dtype:
            spectra[:start] = known.spectra
        found = _solve_small(matrix, dtype, partitions, spectra, wanted, progress)
        return GroupSpectra(partitions, found, dtype, large[:number])

    sizes = [n for n, one in zip(orders.tolist(), estimated, strict=True) if one is None]
    tol, samples = plan.rounding_tol, matrix.samples
    if known is not None:
        try_single = known.dtype != matrix.dtype
    else:
        try_single = (
            tol is not None
            and len(sizes) > 0
            and may_use_single(sizes, samples.d, matrix.reach, wanted, tol, samples.device)
        )
    if try_single:
        try:
            single = solved("float32")
        except _core.SolverError:
            single = None
        if single is not None and is_within(single):
            return single
    return solved(matrix.dtype)


def _estimate_large(
    matrix: KernelMatrix,
    partitions: Partitions,
    numbers: Sequence[int],
    wanted: Sequence[Functional],
    plan: SpectrumPlan,
    progress: Callback | None,
) -> list[Spectrum | None]:
    """Estimates of the spectra of these groups; None for each group that is to be solved."""
    orders = partitions.orders
    groups: list[Spectrum | None] = [None] * len(orders)
    if not numbers:
        return groups
    subsets = partitions.subsets()
    shares = np.cumsum(orders[numbers].astype(float) ** 2)
    shares, short = np.concatenate([[0.0], shares]) / shares[-1], 0
    for number, start, stop in zip(numbers, shares, shares[1:], strict=False):
        # Independent probes for each: the errors of differences would not be those of their parts.
        seed = np.random.SeedSequence([matrix.seed, number])
        found = estimated_spectrum(
            matrix,
            wanted,
            plan,
            int(seed.generate_state(1)[0]),
            np.sort(subsets[number]),
            part(progress, start, stop),
        )
        if all(found.meets(one) for one in wanted):
            groups[number] = found
        elif plan.method == "stochastic" or not plan.fits_exactly(int(orders[number])):
            groups[number] = found
            short += 1
    if short:
        warn(
            f"the entropies of {short} of the {len(numbers)} large groups are not known to "
            f"tol={plan.tol:g}; their errors are part of the standard error",
            PrecisionWarning,
        )
    return groups


def _solve_small(
    matrix: KernelMatrix,
    dtype: str,
    partitions: Partitions,
    known: Sequence[Spectrum | None],
    wanted: Sequence[Functional],
    progress: Callback | None,
) -> ExactSpectra | MixedSpectra:
    """The spectra of all groups of all partitions; those that are not known, as one batch."""
    numbers = [number for number, spectrum in enumerate(known) if spectrum is None]
    spectra = list(known)
    if numbers:
        solved = _solved_subsets(matrix, dtype, partitions, numbers, wanted, progress)
        if len(numbers) == len(known):
            return solved
        for number, spectrum in zip(numbers, solved, strict=True):
            spectra[number] = spectrum
    return MixedSpectra(one for one in spectra if one is not None)


def _solved_subsets(
    matrix: KernelMatrix,
    dtype: str,
    partitions: Partitions,
    numbers: Sequence[int],
    wanted: Sequence[Functional],
    progress: Callback | None,
) -> ExactSpectra:
    """All eigenvalues of the groups with these numbers."""
    rows, offsets = partitions.rows_of(numbers)
    starts, largest = offsets[:-1], int((offsets[1:] - offsets[:-1]).max())
    device = matrix.samples.device
    free = device.available()
    require_matrix_memory(largest, matrix.samples.d, dtype, matrix.n, device, free)
    limit = SHARED_KERNEL_SHARE * free
    eigenvalues, kernel_sums, traces = matrix.subset_spectra(offsets, rows, dtype, limit, progress)
    ends = zip(eigenvalues[starts].tolist(), eigenvalues[offsets[1:] - 1].tolist(), strict=True)
    outside = [max(0.0, -lowest, highest - 1.0) for highest, lowest in ends]
    if any(outside):
        eigenvalues.clip(0.0, 1.0, out=eigenvalues)
    entropies: dict[Functional, npt.NDArray[np.float64]] = {
        which: shannon_nats_of_groups(eigenvalues, starts, which.t)
        for which in wanted
        if isinstance(which, Shannon) and dtype == "float64"  # where the bounds are 0
    }
    return ExactSpectra(
        matrix, eigenvalues, offsets.tolist(), matrix.reach(), outside, traces.tolist(),
        kernel_sums.ravel().tolist(), dtype, entropies,
    )  # fmt: skip
