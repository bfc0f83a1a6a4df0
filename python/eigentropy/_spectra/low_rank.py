r"""The entropy of a smooth kernel at t = 1 from a factor of low rank, with guaranteed bounds.

A randomly pivoted Cholesky factorisation gives F with A - F^T F positive semidefinite and of known
trace. docs/explanations/lowrank.md proves what that says about S(1); for no other t is the trace of
the powers of A known. benchmarks/accuracy/lowrank_ranks.py measures which ranks it takes.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from eigentropy import _core
from eigentropy._backends.host_arrays import Matrix
from eigentropy._backends.rows import Rows
from eigentropy._spectra.eigenvalues import eigvalsh
from eigentropy._spectra.rounding import within
from eigentropy._spectra.spectrum import Spectrum
from eigentropy._support import memory
from eigentropy._support.progress import Callback
from eigentropy._support.units import unit
from eigentropy._support.warnings import PrecisionWarning, warn

# Pivots that are proposed together. Fixed, so that the result does not depend on how fast the
# machine is. From 64 rows on, products are fast; more would be rejected where the rank is small.
BLOCK = 64

# A pivot below this share of its diagonal entry of A is a difference of rounding errors.
PIVOT_FLOOR = 1e-13

# Bound of what rounding in kernel and factor does to an eigenvalue of A - F^T F, beside that of the
# coordinates: benchmarks/accuracy/lowrank_ranks.py measures it.
ROUNDING = 1e-12

# Where the caller names no rank: of the memory that is free, and of n. Beyond, all eigenvalues
# take no longer.
MEMORY_SHARE = 0.5
RANK_SHARE = 0.5

EPS = float(np.finfo(np.float64).eps)

Doubles = npt.NDArray[np.float64]


@dataclass(frozen=True)
class LowRankSpectrum(Spectrum):
    """What a factorisation of rank k says about the spectrum of A: bounds of S(1).

    Attributes
    ----------
    values : array of shape (k,)
        Eigenvalues of F^T F, descending. Each is at most the eigenvalue of A with the same number.
    n : int
    trace : float
        Of A.
    residuals : array of shape (k + 1,)
        Trace of A - F^T F after 0, 1, ..., k pivots.
    low, high : float
        S(1) in nats is between them.
    converged : bool
        Half of their distance is within the tolerance. False says that it did not pay: the rank
        that it takes is beyond the limit and may be near n. The bounds hold nevertheless.
    """

    values: Doubles
    n: int
    trace: float
    residuals: Doubles
    low: float
    high: float
    converged: bool
    tol: float = 1e-3

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

    def entropy(self, t: float = 1.0, base: float = 2.0) -> float:
        """The middle of the interval of S(1), in the unit of `base`.

        Raises
        ------
        ValueError
            Another t than 1: only at t = 1 does the trace say enough about what is missing.
        """
        if t != 1.0:
            raise ValueError(f"method='lowrank' gives S at t = 1 only, got t={t:g}")
        return 0.5 * (self.low + self.high) / math.log(base)

    def bound(self, t: float = 1.0, base: float = 2.0) -> float:
        """Half of the width of the interval."""
        return 0.5 * (self.high - self.low) / math.log(base)

    def density(self, x: Any, width: float = 0.02) -> Doubles:
        """Not known: ValueError."""
        raise ValueError("a factor of low rank says nothing about the density of the spectrum")

    def warn_if_imprecise(self, t: float, base: float) -> None:
        """A `PrecisionWarning` where the bounds are further apart than `tol` allows."""
        if self.converged:
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
    max_rank: int | None = None,
    give_up: bool = False,
    seed: int = 0,
    progress: Callback | None = None,
) -> LowRankSpectrum:
    r"""Factorise A = diag(s) G diag(s) until S(1) is known to the relative error tol.

    Accelerated randomly pivoted Cholesky. Time O(n k (d + k) + k^3) for rank k, memory 8 n k bytes.

    Parameters
    ----------
    rows : Rows
        On the host.
    sigma : float
        Kernel width.
    scaling : float64 array of shape (n,)
        s_i = q_i^-alpha / sqrt(d_i), computed in float64, as `_core.KernelOperator` has it.
    tol : float
        Relative to S; an S below tol nats counts as tol nats.
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
            found = _examined(factor, tol, rounding)
            if last or found.converged:
                break
            target = _next_target(found, tol)
        if progress is not None:
            reported = max(reported, _fraction_done(factor.trace, factor.residual, target))
            progress(reported)
    if progress is not None:
        progress(1.0)
    return found


class PartialCholesky:
    """F with A - F^T F positive semidefinite, which grows by blocks of randomly chosen rows of A.

    Parameters
    ----------
    rows, sigma, scaling
        See `low_rank_spectrum`.
    max_rank : int
        How far it may grow.

    Attributes
    ----------
    rank : int
    diagonal : array of shape (n,)
        Of A - F^T F, where it is more than rounding; else 0.
    exhausted : bool
        Nothing but rounding is left.
    """

    def __init__(self, rows: Matrix, sigma: float, scaling: Doubles, max_rank: int) -> None:
        self._kernel = _core.ScaledKernel(rows, sigma, scaling)
        # Virtual memory, until rows are written.
        self._factor = np.empty((max_rank, len(rows)))
        self._gram = np.empty((0, 0))
        self.rank = 0
        self.diagonal = scaling**2  # G_ii = 1
        self.trace = float(self.diagonal.sum())
        self._floor = PIVOT_FLOOR * self.diagonal
        self._residuals = [self.trace]

    @property
    def factor(self) -> Doubles:
        """F, of shape (rank, n)."""
        return self._factor[: self.rank]

    @property
    def exhausted(self) -> bool:
        return not self.diagonal.any()

    @property
    def residual(self) -> float:
        """Trace of A - F^T F."""
        return self._residuals[-1]

    @property
    def residuals(self) -> Doubles:
        """Trace of A - F^T F after 0, 1, ..., rank pivots."""
        return np.array(self._residuals)

    def extend(self, generator: np.random.Generator) -> None:
        """Propose a block of pivots, and add the rows of those that are accepted."""
        probabilities = self.diagonal / self.diagonal.sum()
        proposals = generator.choice(len(probabilities), BLOCK, p=probabilities)
        H = self._kernel.residual_block(self.factor, proposals)
        floor = self._floor[proposals]
        accepted, L = reject(H, floor, generator)
        if len(accepted) == 0:  # rounding differs between a block and the sums over F
            self.diagonal[proposals[H.diagonal() <= floor]] = 0.0
            return
        count = min(len(accepted), len(self._factor) - self.rank)
        pivots = proposals[accepted[:count]]
        L = np.ascontiguousarray(L[:count, :count])
        self._add(pivots, self._kernel.factor_rows(self.factor, pivots, L))

    def _add(self, pivots: npt.NDArray[np.int64], rows: Doubles) -> None:
        self._factor[self.rank : self.rank + len(rows)] = rows
        self.rank += len(rows)
        squares = rows**2
        self.diagonal -= squares.sum(axis=0)
        self.diagonal[self.diagonal <= self._floor] = 0.0
        self.diagonal[pivots] = 0.0
        # Before the last rows of the block, their sums of squares were in the trace as well.
        residual = float(self.diagonal.sum())
        later = np.append(squares.sum(axis=1)[:0:-1].cumsum()[::-1], 0.0)
        self._residuals += (residual + later).tolist()

    def eigenvalues(self) -> Doubles:
        """Those of F^T F that are not 0, by way of F F^T; shape (rank,), descending."""
        known = len(self._gram)
        gram = np.zeros((self.rank, self.rank))  # of which the upper triangle is used
        gram[:known, :known] = self._gram
        gram[:, known:] = _core.gram_columns(self.factor, known)
        self._gram = gram
        values: Doubles = np.clip(eigvalsh(gram), 0.0, 1.0)
        return values


def reject(
    H: Doubles, floor: Doubles, generator: np.random.Generator
) -> tuple[npt.NDArray[np.intp], Doubles]:
    """Which of the proposed pivots random pivoting one by one would have chosen.

    Proposal i was drawn with a probability proportional to H_ii. It is accepted with the
    probability H'_ii / H_ii, where H' is what is left of H once those accepted before it are
    eliminated.

    Parameters
    ----------
    H : array of shape (b, b)
        The residual's rows and columns of the proposals.
    floor : array of shape (b,)
        Diagonal entries up to this are rounding.

    Returns
    -------
    accepted : array of positions
    L : array, lower triangular
        Cholesky factor of H in the accepted rows and columns.
    """
    left = H.copy()
    thresholds = np.maximum(floor, generator.random(len(H)) * H.diagonal())
    L = np.zeros_like(H)
    accepted = []
    for i in range(len(H)):
        if left[i, i] > thresholds[i]:
            L[i:, i] = left[i:, i] / math.sqrt(left[i, i])
            left[i:, i:] -= np.outer(L[i:, i], L[i:, i])
            accepted.append(i)
    chosen = np.array(accepted, dtype=np.intp)
    return chosen, L[np.ix_(chosen, chosen)]


def entropy_interval(
    eigenvalues: Doubles, n: int, trace: float, diagonal: Doubles, rounding: float = ROUNDING
) -> tuple[float, float]:
    r"""Smallest and largest S(1) in nats of an A whose largest eigenvalue is 1, A >= F^T F.

    The eigenvalues of A add up to its trace, and each is between that of F^T F and 1. Among such
    spectra, S is smallest where all that is missing goes to the largest eigenvalues, and largest
    where it raises the smallest to one level. Besides,

    .. math:: -\operatorname{tr} A \log A \le
        -\operatorname{tr} \hat A \log \hat A - \sum_i R_{ii} \log R_{ii},
        \qquad \hat A = F^T F, \quad R = A - \hat A.

    Parameters
    ----------
    eigenvalues : array of shape (k,)
        Of F^T F, descending.
    n : int
        Order of A.
    trace : float
        Of A.
    diagonal : array of shape (n,)
        Of R.
    rounding : float
        By how much an eigenvalue of R may be below 0.
    """
    lower = np.zeros(n)
    lower[: len(eigenvalues)] = np.maximum(eigenvalues - rounding, 0.0)
    lower[0] = 1.0
    missing = max(0.0, trace - float(lower.sum()))
    low = _entropy(_concentrated(lower, missing))
    level = _entropy(_levelled(lower, missing))
    high = min(level, _sum_entropy(eigenvalues, diagonal, trace, rounding))
    # The sums themselves, and the relative error of the trace.
    own = (n * EPS + rounding) * (1.0 + math.log(n))
    return max(0.0, low - own), min(math.log(n), high + own)


def predicted_rank(residuals: Doubles, target: float) -> float:
    """The rank at which the residual trace falls to `target`, if it goes on to fall as it does.

    An exponential through the residual at the last rank and at half of it. Most often that is too
    small, since the spectra of kernels that are not smooth fall ever more slowly; it is too large
    where they end at once, as that of some equal clusters does.

    Parameters
    ----------
    residuals : array of shape (k + 1,)
        Residual trace after 0, ..., k pivots: see `LowRankSpectrum`.

    Returns
    -------
    float
        Infinite where the residual does not fall.
    """
    rank = len(residuals) - 1
    last = float(residuals[-1])
    if last <= target:
        return float(rank)
    earlier = float(residuals[rank // 2])
    if earlier <= last:
        return math.inf
    rate = math.log(earlier / last) / (rank - rank // 2)
    return rank + math.log(last / target) / rate if target > 0.0 else math.inf


def next_residual(residual: float, bound: float, allowed: float, n: int) -> float:
    """The residual trace tau at which the bound will be a little below `allowed`.

    It is about proportional to tau (log(n / tau) + 2).
    """
    share = min(1.0, allowed / bound)
    per_unit = math.log(n / residual) + 2.0
    return 0.9 * residual * share * per_unit / (per_unit - math.log(share))


def _examined(factor: PartialCholesky, tol: float, rounding: float) -> LowRankSpectrum:
    """What the factor says by now."""
    eigenvalues = factor.eigenvalues()
    n = len(factor.diagonal)
    low, high = entropy_interval(eigenvalues, n, factor.trace, factor.diagonal, rounding)
    converged = within(0.5 * (high - low), 0.5 * (high + low), tol)
    return LowRankSpectrum(
        eigenvalues, n, factor.trace, factor.residuals, low, high, converged, tol
    )


def _next_target(found: LowRankSpectrum, tol: float) -> float:
    """The residual trace at which the tolerance is likely to be met."""
    value, bound = found.entropy(base=math.e), found.bound(base=math.e)
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


def _concentrated(lower: Doubles, missing: float) -> Doubles:
    """`missing` is added to the first numbers, up to 1 each."""
    filled = np.minimum(np.cumsum(1.0 - lower), missing)
    return lower + np.diff(filled, prepend=0.0)


def _levelled(lower: Doubles, missing: float) -> Doubles:
    """`missing` raises the last numbers to one level. They descend."""
    ascending = lower[::-1]
    levels = (missing + np.cumsum(ascending)) / np.arange(1, len(lower) + 1)
    raised = int(np.count_nonzero(levels >= ascending))
    levelled: Doubles = np.maximum(lower, levels[raised - 1])
    return levelled


def _sum_entropy(eigenvalues: Doubles, diagonal: Doubles, trace: float, rounding: float) -> float:
    """Above S by subadditivity; see `entropy_interval`.

    R + rounding is positive semidefinite. The other terms are what that, and the errors of the
    eigenvalues, may change.
    """
    n, k = len(diagonal), len(eigenvalues)
    total = float(_eta(eigenvalues).sum()) + float(_eta(diagonal + rounding).sum())
    total += n * rounding + k * float(_eta(np.array(rounding)))
    return math.log(trace) + total / trace


def _entropy(values: Doubles) -> float:
    """Of numbers that are divided by their sum."""
    total = float(values.sum())
    return math.log(total) + float(_eta(values).sum()) / total


def _eta(x: Any) -> Doubles:
    """-x log x, 0 at 0."""
    logarithms = np.log(x, out=np.zeros_like(x), where=x > 0.0)
    product: Doubles = -x * logarithms
    return product
