"""The spectrum of a matrix by the method that a plan asks for."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, Protocol, TypeAlias

from eigentropy import _core
from eigentropy._kernels import saturation
from eigentropy._kernels.graph import SparseOperator
from eigentropy._kernels.matrix import KernelMatrix
from eigentropy._kernels.saturation import warn_if_saturated
from eigentropy._spectra import half_precision
from eigentropy._spectra.enclosure import low_rank_gives
from eigentropy._spectra.estimated import EstimatedSpectrum
from eigentropy._spectra.exact import exact_spectrum
from eigentropy._spectra.functionals import Functional, least_flattering
from eigentropy._spectra.lanczos import Doubles, Products
from eigentropy._spectra.low_rank import LowRankSpectrum, low_rank_spectrum
from eigentropy._spectra.plan import SpectrumPlan
from eigentropy._spectra.purity import COLLISION, purity_spectrum
from eigentropy._spectra.spectrum import Spectrum
from eigentropy._spectra.squares import Estimate, estimate_by_square
from eigentropy._spectra.stochastic import (
    FEW_COLUMNS,
    FEW_PASSES,
    SMALLEST_N,
    THOROUGH,
    Effort,
    estimate_spectrum,
    estimation,
)
from eigentropy._spectra.together import DensityProducts, JointProgress, side_by_side
from eigentropy._support.progress import Callback, part, reporter
from eigentropy._support.warnings import warn


class KernelProducts(Products, Protocol):
    """A for products, as the core of a device makes it."""

    @property
    def kernel_sum(self) -> float:
        """Sum of all entries of G."""

    @property
    def scaling(self) -> Doubles:
        """S with A = diag(s) G diag(s)."""

    def keep_in_half(self, progress: Callback | None = None) -> None:
        """Keep G in half precision for products in float32; only a GPU does so."""


def solve(matrix: KernelMatrix, wanted: Sequence[Functional], plan: SpectrumPlan) -> Spectrum:
    """The spectrum of all rows, good enough for each of the entropies.

    Warns
    -----
    SaturationWarning
        sigma is so small or so large that the result says nothing about the rows.
    UserWarning
        Too few rows for an estimate: all eigenvalues were computed.
    """
    n, plan = matrix.n, plan.on(matrix.samples.device).giving(wanted)
    if _takes_one_pass(matrix, wanted):
        purity = purity_spectrum(matrix)
        _judge(matrix, purity.kernel_sum)
        return purity
    if plan.method == "lowrank":
        for one in wanted:
            if not low_rank_gives(one, matrix.has_unit_eigenvalue):
                raise ValueError(f"method='lowrank' gives S at t = 1 only, got {one.label}")
        with reporter(matrix.progress, "factor of low rank") as report:
            return _low_rank_from_rows(matrix, wanted, plan.tol, None, report)
    if not matrix.is_solved and plan.estimates(n, matrix.samples.d, matrix.alpha):
        found = _estimated_or_low_rank(matrix, wanted, plan)
        if found is not None:
            return found
    elif plan.method == "stochastic":
        warn(
            f"{n} rows are too few for an estimate, which needs {SMALLEST_N}: all eigenvalues were "
            "computed instead"
        )
    try:
        spectrum = exact_spectrum(matrix, wanted, plan.rounding_tol)
    except (_core.SolverError, MemoryError):
        found = None
        if plan.may_replace_solver(n):
            found = _estimated_or_low_rank(matrix, wanted, plan.only_estimates())
        if found is None:
            raise
        return found
    _judge(matrix, spectrum.kernel_sum)
    return spectrum


def _takes_one_pass(matrix: KernelMatrix, wanted: Sequence[Functional]) -> bool:
    """Whether no eigenvalue is needed; they alone say whether a kernel of the caller's is valid."""
    is_density = not matrix.has_unit_eigenvalue and matrix.samples.holds == "rows"
    return is_density and not matrix.is_solved and set(wanted) == {COLLISION}


def _judge(matrix: KernelMatrix, kernel_sum: float) -> None:
    """A `SaturationWarning` where the kernel joins no rows or all of them alike."""
    if matrix.sigma_name is not None:
        names = matrix.rows_name, matrix.sigma_name
        warn_if_saturated(matrix.n, kernel_sum, matrix.sigma, names=names)


def judge(matrix: KernelMatrix) -> None:
    """The same by a pass over the kernel of rows that no spectrum is of."""
    if not math.isnan(matrix.sigma):
        _judge(matrix, matrix.products("float32", False, None).kernel_sum)


def warn_if_alone(matrix: KernelMatrix, spectrum: Spectrum, which: Functional) -> None:
    """A `SaturationWarning` where sigma is so small that the entropy counts all rows."""
    at, log_n = least_flattering(which), math.log(matrix.n)
    saturation.warn_if_alone(
        spectrum.kernel_sum / matrix.n - 1.0,
        lambda: spectrum.entropy(at, math.e) / log_n,
        matrix.sigma,
        matrix.auto_sigma,
    )


def estimated_spectrum(
    matrix: KernelMatrix,
    wanted: Sequence[Functional],
    plan: SpectrumPlan,
    seed: int,
    chosen: Any = None,
    progress: Callback | None = None,
) -> Estimate:
    """The estimate for all rows, or for the matrix of some of the rows by themselves."""
    n = matrix.n if chosen is None else len(chosen)
    known = plan.share_of_kernel(n, matrix.samples.d, matrix.alpha)
    A = _products(matrix, plan, part(progress, 0.0, known), chosen)
    return _estimated(matrix, A, wanted, plan, seed, chosen, part(progress, known, 1.0))


def _products(
    matrix: KernelMatrix,
    plan: SpectrumPlan,
    progress: Callback | None,
    chosen: Any = None,
    **beside: Any,
) -> Any:
    """The matrix for products, with what the plan keeps of it."""
    n = matrix.n if chosen is None else len(chosen)
    explicit = plan.explicit(n, matrix.keeps_rows(n, plan.product_dtype))
    limit = plan.limit_of_16_bits(n)
    if limit > 0.0 and not explicit:
        beside["limit_of_16_bits"] = limit
    return matrix.products(plan.product_dtype, explicit, progress, chosen, **beside)


# What an entry of the kernel may cost in each product, on average, in multiplications. Beyond that,
# fewer products count for more than fewer columns.
CHEAP_ENTRY = 200.0

# A matrix, and what is asked of it.
Problem: TypeAlias = tuple[KernelMatrix, Sequence[Functional]]


def estimates_of_both(
    of_diffusion: Problem, of_density: Problem, plan: SpectrumPlan
) -> list[EstimatedSpectrum | None]:
    """The estimates for two matrices of one kernel, by passes over it that serve both.

    Both are what `solve` would find, but for rounding. None for one that `solve` is to find by
    itself: with all eigenvalues or a factor of low rank, or in a higher precision.
    """
    problems, (diffusion, _) = (of_diffusion, of_density), of_diffusion
    plan, n = plan.on(diffusion.samples.device), diffusion.n
    if not _are_estimated_together(problems, plan):
        return [None, None]
    plan = plan.giving([*of_diffusion[1], *of_density[1]])
    known = plan.share_of_kernel(n, diffusion.samples.d, diffusion.alpha)
    with reporter(diffusion.progress, "estimate") as report:
        A = _products(diffusion, plan, part(report, 0.0, known), with_density=True)
        both = [A, DensityProducts(A)]
        for (matrix, wanted), one in zip(problems, both, strict=True):
            untried = A.share_in_16_bits > 0.0 and not half_precision.may_be_tried(
                one, matrix.has_unit_eigenvalue
            )
            if untried or _has_low_rank(matrix, one, wanted, plan):
                return [None, None]
        del one
        _judge(diffusion, A.kernel_sum)
        spectra = _side_by_side(A, both, problems, plan, part(report, known, 1.0))
    found: list[EstimatedSpectrum | None] = []
    for (matrix, wanted), one, spectrum in zip(problems, both, spectra, strict=True):
        is_kept = A.share_in_16_bits > 0.0
        if is_kept and not _is_good_enough(matrix, one, spectrum, wanted, plan):
            spectrum = _without_halves(matrix, wanted, plan, matrix.seed, None, None)
        stands = all(spectrum.meets(which) for which in wanted) or plan.stands_alone(n)
        found.append(spectrum if stands else None)
    return found


def _side_by_side(
    A: Any,
    both: Sequence[Any],
    problems: Sequence[Problem],
    plan: SpectrumPlan,
    progress: Callback | None,
) -> list[EstimatedSpectrum]:
    """The estimates for matrices of the kernel of A."""
    shared = JointProgress(progress, len(both))
    steps = [
        estimation(
            one,
            wanted,
            plan.tol,
            matrix.seed,
            shared.of(number),
            dtype=plan.product_dtype,
            has_unit_eigenvalue=matrix.has_unit_eigenvalue,
            effort=_effort(matrix, A, plan),
        )
        for number, ((matrix, wanted), one) in enumerate(zip(problems, both, strict=True))
    ]
    spectra = side_by_side(A, both, steps)
    for spectrum in spectra:
        spectrum.kernel_sum = A.kernel_sum
    return spectra


def _are_estimated_together(problems: Sequence[Problem], plan: SpectrumPlan) -> bool:
    """Whether `solve` would estimate both, of the same rows, in the same precision."""
    (first, of_first), (second, of_second) = problems
    return (
        plan.device.shares_kernel
        and plan.method in ("auto", "stochastic")
        and first.samples is second.samples
        and first.sigma == second.sigma
        and not _takes_one_pass(second, of_second)
        and plan.giving(of_first).product_dtype == plan.giving(of_second).product_dtype
        and all(
            not matrix.is_solved
            and plan.giving(wanted).estimates(matrix.n, matrix.samples.d, matrix.alpha)
            for matrix, wanted in problems
        )
    )


def _estimated_or_low_rank(
    matrix: KernelMatrix, wanted: Sequence[Functional], plan: SpectrumPlan
) -> Spectrum | None:
    """An estimate, or a factor of low rank where that is quicker.

    None if "auto" had better compute all eigenvalues, since the estimate is not good enough.
    """
    known = plan.share_of_kernel(matrix.n, matrix.samples.d, matrix.alpha)
    with reporter(matrix.progress, "estimate") as report:
        A = _products(matrix, plan, part(report, 0.0, known))
        _judge(matrix, A.kernel_sum)
        rest = part(report, known, 1.0)
        if _has_low_rank(matrix, A, wanted, plan):
            del A
            return _low_rank_from_rows(matrix, wanted, plan.tol, plan.most_rank(matrix.n), rest)
        spectrum = _estimated(matrix, A, wanted, plan, matrix.seed, None, rest)
    has_met = all(spectrum.meets(one) for one in wanted)
    return spectrum if has_met or plan.stands_alone(matrix.n) else None


def _estimated(
    matrix: KernelMatrix,
    A: KernelProducts | SparseOperator,
    wanted: Sequence[Functional],
    plan: SpectrumPlan,
    seed: int,
    chosen: Any,
    progress: Callback | None = None,
) -> Estimate:
    """The estimate by products with A, which keeps G in half precision if that is good enough."""
    dtype, tol = plan.product_dtype, plan.tol
    if isinstance(A, SparseOperator):
        return estimate_by_square(A, wanted, tol, seed, progress, dtype=dtype)

    if not _is_in_half(A, plan):
        return _estimate(matrix, A, wanted, plan, seed, progress)
    if half_precision.may_be_tried(A, matrix.has_unit_eigenvalue):
        spectrum = _estimate(matrix, A, wanted, plan, seed, progress)
        if _is_good_enough(matrix, A, spectrum, wanted, plan):
            return spectrum
    return _without_halves(matrix, wanted, plan, seed, chosen, progress)


def _without_halves(
    matrix: KernelMatrix,
    wanted: Sequence[Functional],
    plan: SpectrumPlan,
    seed: int,
    chosen: Any,
    progress: Callback | None,
) -> EstimatedSpectrum:
    """The estimate where rounding to 16 bits may change too much."""
    n = matrix.n if chosen is None else len(chosen)
    A = matrix.products(plan.product_dtype, plan.has_room(n), None, chosen)
    return _estimate(matrix, A, wanted, plan, seed, progress)


def _estimate(
    matrix: KernelMatrix,
    A: KernelProducts,
    wanted: Sequence[Functional],
    plan: SpectrumPlan,
    seed: int,
    progress: Callback | None,
) -> EstimatedSpectrum:
    """The estimate by products with A as it is."""
    spectrum = estimate_spectrum(
        A,
        wanted,
        plan.tol,
        seed,
        progress,
        dtype=plan.product_dtype,
        device=matrix.samples.device,
        has_unit_eigenvalue=matrix.has_unit_eigenvalue,
        effort=_effort(matrix, A, plan),
    )
    spectrum.kernel_sum = A.kernel_sum
    return spectrum


def _is_good_enough(
    matrix: KernelMatrix,
    A: KernelProducts,
    spectrum: EstimatedSpectrum,
    wanted: Sequence[Functional],
    plan: SpectrumPlan,
) -> bool:
    """Whether keeping G in 16 bits changes the entropies by little. A bound may say so sooner."""
    noises: list[Callable[[Any], float]] = [half_precision.noise]
    if plan.device.halves_come_first:
        noises = [half_precision.noise_of_roots]
        if matrix.has_unit_eigenvalue:
            noises.insert(0, half_precision.most_noise_of_roots)
    return any(
        half_precision.is_good_enough(spectrum, wanted, noise(A), plan.tol) for noise in noises
    )


def _effort(matrix: KernelMatrix, A: Any, plan: SpectrumPlan) -> Effort:
    """How to spend products with A, whose kernel is kept or not."""
    if not plan.device.shares_kernel or A.has_matrix:
        return THOROUGH
    entry = (1.0 - A.share_in_16_bits) * (matrix.samples.d + plan.known_costs.entry)
    return FEW_COLUMNS if entry <= CHEAP_ENTRY else FEW_PASSES


def _is_in_half(A: Any, plan: SpectrumPlan) -> bool:
    """Whether A has some of G in 16 bits, or now keeps it so.

    There must be room for it: others use the device, too. If there is none, A stays as it is.
    """
    if not plan.in_half(A.n):
        return False
    if plan.device.halves_come_first:
        return bool(A.share_in_16_bits > 0.0)
    if not half_precision.may_be_tried(A):  # now |A|_F^2 is that of the exact kernel
        return False
    try:
        A.keep_in_half()
    except MemoryError:
        return False
    return True


def _low_rank_from_rows(
    matrix: KernelMatrix,
    wanted: Sequence[Functional],
    tol: float,
    max_rank: int | None,
    progress: Callback | None,
) -> LowRankSpectrum:
    """Entropies with a guaranteed bound, by degrees that are computed in float64."""
    A = matrix.products("float64", False, part(progress, 0.0, 0.5))  # the rank is not known yet
    if max_rank is None:  # otherwise the caller has looked at sigma
        _judge(matrix, A.kernel_sum)
    return _low_rank(matrix, A.scaling, wanted, tol, max_rank, part(progress, 0.5, 1.0))


def _has_low_rank(
    matrix: KernelMatrix, A: KernelProducts, wanted: Sequence[Functional], plan: SpectrumPlan
) -> bool:
    """Whether "auto" finds a factor of low rank that is good enough, and is quicker."""
    has_unit = matrix.has_unit_eigenvalue
    if not (plan.may_try_low_rank(wanted, has_unit) and plan.is_smooth(A, has_unit)):
        return False
    return _low_rank(matrix, A.scaling, wanted, plan.tol, plan.most_rank(matrix.n)).converged


def _low_rank(
    matrix: KernelMatrix,
    scaling: Any,
    wanted: Sequence[Functional],
    tol: float,
    max_rank: int | None,
    progress: Callback | None = None,
) -> LowRankSpectrum:
    """A factor; one whose rank is limited is given up as soon as the limit seems too small."""
    return low_rank_spectrum(
        matrix.samples,
        matrix.sigma,
        scaling,
        tol,
        which=min(wanted, key=lambda one: one.exponent),  # small powers take the highest rank
        has_unit=matrix.has_unit_eigenvalue,
        max_rank=max_rank,
        give_up=max_rank is not None,
        seed=matrix.seed,
        progress=progress,
    )
