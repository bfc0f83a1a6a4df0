"""The entropy of a smooth kernel from a factor of low rank, with guaranteed bounds.

A randomly pivoted Cholesky factorisation gives F with A - F^T F positive semidefinite and of known
trace. docs/explanations/lowrank.md proves what that says about S(1); for no other t is enough known
of the powers of A. benchmarks/accuracy/lowrank_ranks.py measures which ranks it takes.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from eigentropy import _core
from eigentropy._backends.rows import Rows
from eigentropy._spectra.cholesky import BLOCK, Doubles, PartialCholesky
from eigentropy._spectra.enclosure import (
    EPS,
    FIRST,
    ROUNDING,
    entropy_interval,
    low_rank_gives,
    next_residual,
    predicted_rank,
)
from eigentropy._spectra.functionals import Functional, functional
from eigentropy._spectra.rounding import within
from eigentropy._spectra.spectrum import Spectrum, Which
from eigentropy._support import memory
from eigentropy._support.interval import Interval
from eigentropy._support.progress import Callback
from eigentropy._support.units import unit
from eigentropy._support.warnings import PrecisionWarning, warn

# Where the caller names no rank: the share of the memory that is free, and of n. Beyond, all
# eigenvalues take no longer.
MEMORY_SHARE = 0.5
RANK_SHARE = 0.5


@dataclass(frozen=True, eq=False)
class LowRankSpectrum(Spectrum):
    """What a factorisation of rank k says about the spectrum of A: bounds of an entropy.

    Attributes
    ----------
    values : array of shape (k,)
        Eigenvalues of F^T F, descending. Each is at most the eigenvalue of A with the same number.
    n : int
    trace : float
        Of A.
    residuals : array of shape (k + 1,)
        Trace of A - F^T F after 0, 1, ..., k pivots.
    which : Functional
        The entropy that `tol` is for: S(1), or one of order a of a density matrix.
    has_unit : bool
        Whether the largest eigenvalue of A is 1.
    diagonal : array of shape (n,)
        Of A - F^T F.
    rounding : float
        By how much an eigenvalue of A - F^T F may be below 0.
    tol : float
        The relative error of S that was asked for.
    """

    values: Doubles
    n: int
    trace: float
    residuals: Doubles
    which: Functional
    has_unit: bool
    diagonal: Doubles = field(repr=False)
    rounding: float = ROUNDING
    tol: float = 1e-3
    _known: dict[Functional, tuple[float, float]] = field(default_factory=dict, repr=False)

    method: ClassVar[str] = "lowrank"
    dtype = "float64"

    @property
    def rank(self) -> int:  # type: ignore[override]
        """Number of pivots."""
        return len(self.values)

    @property
    def residual(self) -> float:
        """Trace of A - F^T F: what the eigenvalues of F^T F lack."""
        return float(self.residuals[-1])

    def entropy(self, t: Which = 1.0, base: float = 2.0) -> float:
        """The middle of the interval, in the unit of `base`.

        Raises
        ------
        ValueError
            Another t than 1: only at t = 1 does the trace say enough about what is missing.
        """
        low, high = self.ends(t)
        return 0.5 * (low + high) / math.log(base)

    def bound(self, t: Which = 1.0, base: float = 2.0) -> float:
        """Half of the width of the interval."""
        low, high = self.ends(t)
        return 0.5 * (high - low) / math.log(base)

    def ends(self, t: Which = 1.0) -> tuple[float, float]:
        """The two numbers in nats that the entropy is between."""
        which = functional(t)
        if not low_rank_gives(which, self.has_unit):
            raise ValueError(f"method='lowrank' gives S at t = 1 only, got {which.label}")
        if which not in self._known:
            self._known[which] = entropy_interval(
                self.values,
                self.n,
                self.trace,
                self.diagonal,
                self.rounding,
                which=which,
                has_unit=self.has_unit,
            )
        return self._known[which]

    def is_within(self, t: Which) -> bool:
        """Whether half of their distance is within the tolerance."""
        low, high = self.ends(t)
        return within(0.5 * (high - low), 0.5 * (high + low), self.tol)

    @property
    def converged(self) -> bool:
        """Whether the entropy that was asked for is known within the tolerance.

        If not, that did not pay: the rank that it takes is beyond the limit and may be near n. The
        bounds hold nevertheless.
        """
        return self.is_within(self.which)

    def interval(self, t: Which, base: float, level: float) -> Interval:
        """Between the two bounds, certainly."""
        return self._possible(t, base, self.bound(t, base), 1.0, "what the factor leaves out")

    def density(self, x: Any, width: float = 0.02) -> Doubles:
        """Not known: ValueError."""
        raise ValueError("a factor of low rank says nothing about the density of the spectrum")

    def warn_if_imprecise(self, t: Which, base: float) -> None:
        """A `PrecisionWarning` where the bounds are further apart than `tol` allows."""
        if self.is_within(t):
            return
        warn(
            f"a factor of rank {self.rank} leaves S between bounds that are "
            f"{2 * self.bound(t, base):.2g} {unit(base)} apart, more than tol={self.tol:g} of it: "
            "the kernel is not smooth enough for method='lowrank'; use 'stochastic', or a larger "
            "sigma",
            PrecisionWarning,
        )


def low_rank_spectrum(
    rows: Rows,
    sigma: float,
    scaling: Doubles,
    tol: float,
    *,
    which: Functional = FIRST,
    has_unit: bool = True,
    max_rank: int | None = None,
    give_up: bool = False,
    seed: int = 0,
    progress: Callback | None = None,
) -> LowRankSpectrum:
    r"""Factorise A = diag(s) G diag(s) until an entropy is known to the relative error tol.

    Accelerated randomly pivoted Cholesky. Time O(n k (d + k) + k^3) for rank k, memory 8 n k bytes.

    Parameters
    ----------
    rows : Rows
        On the host.
    sigma : float
        Kernel width.
    scaling : float64 array of shape (n,)
        s_i = q_i^-alpha / sqrt(d_i), or n^-1/2, in float64, as `_core.KernelOperator` has it.
    tol : float
        Relative to S; an S below tol nats counts as tol nats.
    which : Functional
        The entropy.
    has_unit : bool
        Whether the largest eigenvalue of A is 1.
    max_rank : int, optional
        By default n / 2, or what fits into half of the free memory.
    give_up : bool
        Stop as soon as `predicted_rank` is beyond max_rank.
    seed : int
        Of the pivots.
    progress : callable, optional
        Is called with the fraction that is done, as far as can be told.

    Raises
    ------
    MemoryError
        A factor of rank max_rank does not fit.

    References
    ----------
    Chen, Epperly, Tropp, Webber: Randomly pivoted Cholesky, arXiv:2207.06503.
    Epperly, Tropp, Webber: Embrace rejection: kernel matrix approximation by accelerated randomly
    pivoted Cholesky, arXiv:2410.03969.
    """
    limit = _rank_limit(rows.n, rows.d, max_rank)
    factor = PartialCholesky(rows.array, sigma, scaling, limit)
    rounding = min(1.0, ROUNDING + EPS * rows.reach(sigma))
    generator = np.random.default_rng(seed)
    target = math.inf  # of the residual trace, to look at the bounds again
    reported = 0.0
    while True:
        factor.extend(generator)
        last = factor.exhausted or factor.rank == limit
        if give_up and predicted_rank(factor.residuals, target) > limit:
            last = True
        if last or factor.residual <= target:
            found = _examined(factor, which, has_unit, tol, rounding)
            if last or found.converged:
                break
            target = _next_target(found, tol)
        if progress is not None:
            reported = max(reported, _fraction_done(factor.trace, factor.residual, target))
            progress(reported)
    if progress is not None:
        progress(1.0)
    return found


def _examined(
    factor: PartialCholesky, which: Functional, has_unit: bool, tol: float, rounding: float
) -> LowRankSpectrum:
    """What the factor says by now."""
    return LowRankSpectrum(
        factor.eigenvalues(),
        len(factor.diagonal),
        factor.trace,
        factor.residuals,
        which,
        has_unit,
        factor.diagonal.copy(),
        rounding,
        tol,
    )


def _next_target(found: LowRankSpectrum, tol: float) -> float:
    """The residual trace at which the tolerance is likely to be met."""
    value, bound = found.entropy(found.which, math.e), found.bound(found.which, math.e)
    return next_residual(found.residual, bound, tol * max(value, tol), found.n)


def _rank_limit(n: int, d: int, max_rank: int | None) -> int:
    """How far the factor may grow; MemoryError if that does not fit."""
    bytes_per_rank = 8.0 * n
    if max_rank is None:
        fitting = int(MEMORY_SHARE * memory.available() / bytes_per_rank)
        return max(1, min(n, max(BLOCK, int(RANK_SHARE * n)), fitting))
    memory.require(
        bytes_per_rank * (min(n, max_rank) + 3 * BLOCK + min(d, _core.widest_block)),
        f"a factor of rank {min(n, max_rank)} of {n} rows",
        "pass a smaller max_rank, or method='stochastic', which keeps no factor",
    )
    return min(n, max_rank)


def _fraction_done(trace: float, residual: float, target: float) -> float:
    """How far the residual trace has fallen to where the bounds are looked at next."""
    if not 0.0 < target < residual:
        return 0.0
    return math.log(trace / residual) / math.log(trace / target)
