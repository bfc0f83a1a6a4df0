"""Entropies of an operator that do not take all of its eigenvalues."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Protocol

from eigentropy._kernels.diffusion import DiffusionOperator, warn_if_saturated
from eigentropy._measures.results import Entropy, PrecisionWarning, unit, warn_if_too_few
from eigentropy._spectra import half_precision
from eigentropy._spectra.estimated import SpectralEstimate
from eigentropy._spectra.lanczos import Doubles, Products
from eigentropy._spectra.low_rank import LowRankSpectrum, low_rank_spectrum
from eigentropy._spectra.plan import LOW_RANK_SHARE, SMOOTH_TRACE, Approach
from eigentropy._spectra.stochastic import estimate
from eigentropy._support.progress import Callback, reporter
from eigentropy._support.warnings import warn

# Rows that would take more of the free memory are read again whenever they are used.
ROWS_SHARE = 0.25


class KernelOperator(Products, Protocol):
    """A for products, as the core of a device makes it."""

    @property
    def kernel_sum(self) -> float:
        """Sum of all entries of G."""

    @property
    def scaling(self) -> Doubles:
        """S with A = diag(s) G diag(s)."""

    def keep_in_half(self, progress: Callback | None = None) -> None:
        """Keep G in half precision for products in float32; that of a GPU has it."""


def kernel_operator(
    operator: DiffusionOperator,
    dtype: str,
    explicit: bool,
    progress: Callback | None,
    rows: Any = None,
) -> KernelOperator:
    """A for products, of all rows or of some by themselves: with its matrix, or without."""
    device = operator._device
    A: KernelOperator = device.kernel_operator(
        operator.rows,
        rows,
        operator.sigma,
        operator.alpha,
        dtype,
        explicit,
        ROWS_SHARE * device.available(),
        progress,
    )
    return A


def stochastic_entropies(
    operator: DiffusionOperator, times: Sequence[float], base: float, approach: Approach
) -> list[Entropy] | None:
    """Estimates of the entropy at each t, or what a factor of low rank says where that is quicker.

    None if "auto" had better compute all eigenvalues, since the probes do not do.
    """
    dtype, explicit = approach.product_dtype, approach.explicit(operator.n)
    with reporter(operator._progress, "kernel") as progress:
        A = kernel_operator(operator, dtype, explicit, progress)
    _warn_about_sigma(operator, A)
    may_be_smooth = approach.method == "auto" and not operator._device.on_gpu
    if may_be_smooth and set(times) == {1.0} and A.trace < SMOOTH_TRACE:
        found = _low_rank(operator, A.scaling, approach.tol, quick=True)
        if found.converged:
            del A
            return low_rank_entropies(operator, base, approach.tol, quick=True)
    with reporter(operator._progress, "estimate") as progress:
        spectrum = _spectrum(operator, A, None, times, approach, operator.seed, progress)
    has_met = all(spectrum.meets(t) for t in times)
    if not has_met and approach.method == "auto" and approach.fits_exactly(operator.n):
        return None
    for t in times:
        warn_if_too_few(spectrum, t, base)
    return [estimated_entropy(operator, spectrum, t, base, dtype) for t in times]


def estimated_spectrum(
    operator: DiffusionOperator,
    rows: Any,
    times: Sequence[float],
    approach: Approach,
    seed: int,
) -> tuple[SpectralEstimate, float]:
    """The spectrum of some of the rows by themselves, or of all, and the sum of their kernel."""
    n = operator.n if rows is None else len(rows)
    A = kernel_operator(operator, approach.product_dtype, approach.explicit(n), None, rows)
    return _spectrum(operator, A, rows, times, approach, seed, None), A.kernel_sum


def _spectrum(
    operator: DiffusionOperator,
    A: KernelOperator,
    rows: Any,
    times: Sequence[float],
    approach: Approach,
    seed: int,
    progress: Callback | None,
) -> SpectralEstimate:
    """The estimate by products with A, which may keep G in half precision if that does."""
    dtype, tol, device = approach.product_dtype, approach.tol, operator._device
    if approach.in_half(A.n) and half_precision.may_be_tried(A):
        width = half_precision.noise(A)
        if _keeps_in_half(A):
            spectrum = estimate(A, times, tol, seed, progress, dtype=dtype, device=device)
            if half_precision.is_good_enough(spectrum, times, width, tol):
                return spectrum
            A = kernel_operator(operator, dtype, False, None, rows)
    return estimate(A, times, tol, seed, progress, dtype=dtype, device=device)


def _keeps_in_half(A: KernelOperator) -> bool:
    """Whether there was room after all: others use the device, too. If not, A is as it was."""
    try:
        A.keep_in_half()
    except MemoryError:
        return False
    return True


def estimated_entropy(
    operator: DiffusionOperator, spectrum: SpectralEstimate, t: float, base: float, dtype: str
) -> Entropy:
    """The result for one t."""
    value, error = spectrum.entropy(t, base)
    return operator._result(
        value,
        "stochastic",
        t,
        base,
        standard_error=error,
        dtype=dtype,
        error_bound=math.nan,
        _estimate=spectrum,
    )


def low_rank_entropies(
    operator: DiffusionOperator, base: float, tol: float, *, quick: bool = False
) -> list[Entropy]:
    """S(1) with a guaranteed bound."""
    with reporter(operator._progress, "kernel") as progress:
        A = kernel_operator(operator, "float64", False, progress)
    _warn_about_sigma(operator, A)
    found = _low_rank(operator, A.scaling, tol, quick=quick)
    value, bound = found.entropy(base)
    if not found.converged:
        warn(
            f"a factor of rank {found.rank} leaves S between bounds that are {2 * bound:.2g} "
            f"{unit(base)} apart, more than tol={tol:g} of it: the kernel is not smooth enough for "
            "method='lowrank'; use 'stochastic', or a larger sigma",
            PrecisionWarning,
        )
    return [operator._result(value, "lowrank", 1.0, base, error_bound=bound, rank=found.rank)]


def _low_rank(
    operator: DiffusionOperator, scaling: Any, tol: float, *, quick: bool
) -> LowRankSpectrum:
    """`quick`: only as long as it is faster than an estimate."""
    limit = max(1, int(LOW_RANK_SHARE * operator.n)) if quick else None
    with reporter(operator._progress, "factor of low rank") as progress:
        return low_rank_spectrum(
            operator.rows,
            operator.sigma,
            scaling,
            tol,
            max_rank=limit,
            give_up=quick,
            seed=operator.seed,
            progress=progress,
        )


def _warn_about_sigma(operator: DiffusionOperator, A: KernelOperator) -> None:
    n = operator.n
    others = (A.kernel_sum - n) / n
    warn_if_saturated(n, others, others / max(1, n - 1), operator.sigma)
