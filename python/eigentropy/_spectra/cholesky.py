"""Randomly pivoted Cholesky factors of a diffusion matrix, which grow by blocks of its rows.

References
----------
Chen, Epperly, Tropp, Webber: Randomly pivoted Cholesky, arXiv:2207.06503.
Epperly, Tropp, Webber: Embrace rejection: kernel matrix approximation by accelerated randomly
pivoted Cholesky, arXiv:2410.03969.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from eigentropy import _core
from eigentropy._backends.host_arrays import Matrix
from eigentropy._spectra.eigenvalues import eigvalsh

# Pivots that are proposed together. The number is fixed, so that the result does not depend on how
# fast the machine is. From 64 rows on, products are fast; more would be rejected where the rank is
# small.
BLOCK = 64

# A pivot below this share of its diagonal entry of A is a difference of rounding errors.
PIVOT_FLOOR = 1e-13

Doubles = npt.NDArray[np.float64]


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
