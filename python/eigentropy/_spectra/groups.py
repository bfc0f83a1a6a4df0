"""The spectra of groups of rows: large groups are estimated, small ones solved as one batch."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from eigentropy import _core
from eigentropy._kernels.matrix import (
    KernelMatrix,
    outside_of_range,
    require_matrix_memory,
)
from eigentropy._kernels.partitions import Partitions
from eigentropy._kernels.saturation import warn_if_alone, warn_if_saturated
from eigentropy._spectra.exact import ExactSpectrum, spectrum_of
from eigentropy._spectra.functionals import Functional, least_flattering
from eigentropy._spectra.plan import SpectrumPlan
from eigentropy._spectra.rounding import may_use_single
from eigentropy._spectra.solve import estimated_spectrum
from eigentropy._spectra.spectrum import Spectrum, Which
from eigentropy._spectra.squares import Estimate
from eigentropy._support.interval import combined
from eigentropy._support.progress import Callback, part
from eigentropy._support.warnings import PrecisionWarning, warn

# The kernel of all rows, from which the groups' are gathered, may take this share of free memory.
SHARED_KERNEL_SHARE = 0.5


@dataclass(frozen=True)
class GroupSpectra:
    """The spectra of the groups of several partitions.

    Attributes
    ----------
    partitions : Partitions
    spectra : list of Spectrum
        Of group y of partition b at b * (number of groups) + y.
    dtype : {"float64", "float32"}
        Precision of the exact ones.
    """

    partitions: Partitions
    spectra: list[Spectrum]
    dtype: str

    @property
    def method(self) -> str:
        """Stochastic as soon as one spectrum is."""
        estimated = any(spectrum.method == "stochastic" for spectrum in self.spectra)
        return "stochastic" if estimated else "exact"

    def conditional_entropies(self, t: Which, base: float) -> npt.NDArray[np.float64]:
        """sum_y p_y S(Z | y), its standard error and the bound of its rounding error.

        Shape (3, partitions). The standard error of an estimate includes its rounding.
        """
        known = [
            (s.entropy(t, base), s.standard_error(t, base), s.bound(t, base)) for s in self.spectra
        ]
        shape = (len(self.partitions), -1, 3)
        values, errors, bounds = np.reshape(known, shape).transpose(2, 0, 1)
        shares = self.partitions.shares
        return np.stack(
            [
                values @ shares,
                np.sqrt(errors**2 @ shares**2),
                np.nan_to_num(bounds) @ shares,
            ]
        )

    def error_of_observed(self, t: Which, base: float) -> tuple[float, float]:
        """Standard error of the first partition's conditional entropy, and its degrees."""
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
        sizes = partitions.sizes
        pairs = int((sizes * (sizes - 1)).sum())
        if pairs:
            total = sum(spectrum.kernel_sum for spectrum in self.spectra[-len(sizes) :])
            warn_if_saturated(matrix.n, float(total), matrix.sigma, pairs)
            if not matrix.has_unit_eigenvalue:
                return
            most = float(partitions.shares @ np.log(sizes))
            at = least_flattering(which)
            warn_if_alone(
                float(total) / matrix.n - 1.0,
                lambda: float(self.conditional_entropies(at, math.e)[0].min()) / most,
                matrix.sigma,
                matrix.auto_sigma,
            )


def solve_groups(
    matrix: KernelMatrix,
    partitions: Partitions,
    wanted: Sequence[Functional],
    plan: SpectrumPlan,
    is_within: Callable[[GroupSpectra], bool],
    progress: Callback | None,
) -> GroupSpectra:
    """The spectra of all groups, by the methods that the plan asks for.

    `is_within` says whether spectra in float32 are good enough.
    """
    plan = plan.on(matrix.samples.device).giving(wanted)
    try:
        return _solved_by(matrix, partitions, wanted, plan, is_within, progress)
    except (_core.SolverError, MemoryError):
        if not plan.may_replace_solver(int(partitions.sizes.max())):
            raise
        return _solved_by(matrix, partitions, wanted, plan.only_estimates(), is_within, progress)


def _solved_by(
    matrix: KernelMatrix,
    partitions: Partitions,
    wanted: Sequence[Functional],
    plan: SpectrumPlan,
    is_within: Callable[[GroupSpectra], bool],
    progress: Callback | None,
) -> GroupSpectra:
    """In float32 first, where that is worth trying."""
    orders, d = partitions.orders, matrix.samples.d
    large = np.array(plan.estimated_groups(orders, d, matrix.alpha))
    of_large = plan.cost(orders[large], d, matrix.alpha) / plan.cost(orders, d, matrix.alpha)
    estimated = _estimate_large(matrix, partitions, wanted, plan, part(progress, 0.0, of_large))
    progress = part(progress, of_large, 1.0)
    orders = orders[[spectrum is None for spectrum in estimated]]
    tol, samples = plan.rounding_tol, matrix.samples
    if (
        tol is not None
        and len(orders) > 0
        and may_use_single(orders, samples.d, matrix.reach, wanted, tol, samples.device)
    ):
        try:
            single = _solve_small(matrix, "float32", partitions, estimated, progress)
        except _core.SolverError:
            single = None
        if single is not None and is_within(single):
            return single
    return _solve_small(matrix, matrix.dtype, partitions, estimated, progress)


def _estimate_large(
    matrix: KernelMatrix,
    partitions: Partitions,
    wanted: Sequence[Functional],
    plan: SpectrumPlan,
    progress: Callback | None,
) -> list[Estimate | None]:
    """Estimates of the spectra of large groups; None for each group that is to be solved."""
    orders = partitions.orders
    large = plan.estimated_groups(orders, matrix.samples.d, matrix.alpha)
    groups: list[Estimate | None] = [None] * len(orders)
    if not any(large):
        return groups
    subsets, numbers = partitions.subsets(), np.flatnonzero(large)
    shares = np.cumsum(orders[numbers].astype(float) ** 2)
    shares, short = np.concatenate([[0.0], shares]) / shares[-1], 0
    for number, start, stop in zip(numbers, shares, shares[1:], strict=False):
        # Independent probes for each: the errors of differences would not be those of their parts.
        seed = np.random.SeedSequence([matrix.seed, int(number)])
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
    estimated: Sequence[Estimate | None],
    progress: Callback | None,
) -> GroupSpectra:
    """All groups of all partitions that are not estimated, solved as one batch."""
    spectra: list[Spectrum | None] = list(estimated)
    numbers = np.flatnonzero([spectrum is None for spectrum in estimated])
    if len(numbers):
        solved = _solved_subsets(matrix, dtype, partitions, numbers, progress)
        for number, spectrum in zip(numbers, solved, strict=True):
            spectra[number] = spectrum
    return GroupSpectra(partitions, [one for one in spectra if one is not None], dtype)


def _solved_subsets(
    matrix: KernelMatrix,
    dtype: str,
    partitions: Partitions,
    numbers: npt.NDArray[np.intp],
    progress: Callback | None,
) -> list[ExactSpectrum]:
    """All eigenvalues of the groups with these numbers."""
    device, orders, subsets = (
        matrix.samples.device,
        partitions.orders[numbers],
        partitions.subsets(),
    )
    largest = int(orders.max())
    require_matrix_memory(largest, matrix.samples.d, dtype, rows=matrix.n, device=device)
    ends = np.cumsum(orders)
    eigenvalues, kernel_sums, traces = matrix.subset_spectra(
        np.concatenate([[0], ends]),
        np.concatenate([subsets[number] for number in numbers]),
        dtype,
        SHARED_KERNEL_SHARE * device.available(),
        progress,
    )
    split = np.split(eigenvalues, ends[:-1])
    outside = [outside_of_range(values) for values in split]
    np.clip(eigenvalues, 0.0, 1.0, out=eigenvalues)
    known = zip(split, outside, traces, kernel_sums.ravel(), strict=True)
    return [
        spectrum_of(matrix, values, matrix.reach(), beyond, float(trace), float(total), dtype)
        for values, beyond, trace, total in known
    ]
