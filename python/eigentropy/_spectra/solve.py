"""The spectrum of a matrix by the method that a plan asks for."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Protocol

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
from eigentropy._spectra.stochastic import SMALLEST_N, estimate_spectrum
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
    A = matrix.products(plan.product_dtype, plan.explicit(n), part(progress, 0.0, known), chosen)
    return _estimated(matrix, A, wanted, plan, seed, chosen, part(progress, known, 1.0))


def _estimated_or_low_rank(
    matrix: KernelMatrix, wanted: Sequence[Functional], plan: SpectrumPlan
) -> Spectrum | None:
    """An estimate, or a factor of low rank where that is quicker.

    None if "auto" had better compute all eigenvalues, since the estimate is not good enough.
    """
    known = plan.share_of_kernel(matrix.n, matrix.samples.d, matrix.alpha)
    with reporter(matrix.progress, "estimate") as report:
        A = matrix.products(plan.product_dtype, plan.explicit(matrix.n), part(report, 0.0, known))
        _judge(matrix, A.kernel_sum)
        if plan.may_try_low_rank(wanted, matrix.has_unit_eigenvalue) and plan.is_smooth(A):
            most = plan.most_rank(matrix.n)
            if _low_rank(matrix, A.scaling, wanted, plan.tol, most).converged:
                del A
                return _low_rank_from_rows(matrix, wanted, plan.tol, most, part(report, known, 1.0))
        rest = part(report, known, 1.0)
        spectrum = _estimated(matrix, A, wanted, plan, matrix.seed, None, rest)
    has_met = all(spectrum.meets(one) for one in wanted)
    if not has_met and plan.method == "auto" and plan.fits_exactly(matrix.n):
        return None
    return spectrum


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

    def estimate() -> EstimatedSpectrum:
        return estimate_spectrum(
            A,
            wanted,
            tol,
            seed,
            progress,
            dtype=dtype,
            device=matrix.samples.device,
            has_unit_eigenvalue=matrix.has_unit_eigenvalue,
        )

    if plan.in_half(A.n) and half_precision.may_be_tried(A):
        width = half_precision.noise(A)
        if _keeps_in_half(A):
            spectrum = estimate()
            if half_precision.is_good_enough(spectrum, wanted, width, tol):
                spectrum.kernel_sum = A.kernel_sum
                return spectrum
            A = matrix.products(dtype, False, None, chosen)
    spectrum = estimate()
    spectrum.kernel_sum = A.kernel_sum
    return spectrum


def _keeps_in_half(A: KernelProducts) -> bool:
    """Whether there is room for half precision: others use the device, too. If not, A stays."""
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
