"""The eigenvectors of a diffusion at rows that were not there when they were computed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from eigentropy import _core
from eigentropy._backends.host_arrays import Matrix
from eigentropy._kernels.diffusion import DiffusionMatrix
from eigentropy._kernels.given import GIVEN

Doubles = npt.NDArray[np.float64]

# At most so many entries of the kernel are computed at a time, 32 MiB, of so many rows at least.
ENTRIES_AT_A_TIME = 2**22
ROWS_AT_A_TIME = 256


@dataclass(frozen=True)
class Extension:
    r"""The diffusion map of some rows, extended to others by Nystroem's formula.

    The eigenvector psi_j of P is a function of the row: with q of the rows that are known,

    .. math::

        \lambda_j \psi_j(x) = \sum_i p(x, z_i)\, \psi_j(z_i), \qquad
        p(x, z_i) = \frac{G(x, z_i)\, q_i^{-\alpha}}{\sum_l G(x, z_l)\, q_l^{-\alpha}}

    At a row z_i it is the eigenvector's own entry.

    Attributes
    ----------
    holds : {"rows", "distances", "precomputed"}
        What is known of another row: itself, or its distances from the rows or its kernel with
        them.
    rows : array of shape (n, d), or None
        A copy; None unless `holds` is "rows".
    sigma : float
    log_weights : array of shape (n,)
        -alpha log q, up to a constant.
    values : array of shape (k,)
        Eigenvalues, in [0, 1].
    vectors : array of shape (n, k)
        psi.
    """

    holds: str
    rows: Matrix | None
    sigma: float
    log_weights: Doubles
    values: Doubles
    vectors: Doubles

    @classmethod
    def of(cls, matrix: DiffusionMatrix, k: int) -> Extension:
        """By k eigenvectors of a dense matrix on the host."""
        values, vectors = matrix.right_eigenpairs(k)
        holds, rows = matrix.samples.holds, matrix.rows
        n = matrix.n
        q = np.empty(n)
        for some in _blocks(n, n):
            if holds == "rows":
                G = np.exp(-0.5 * _squared(rows, np.arange(n)[some], matrix.sigma))
            else:
                G = GIVEN[holds].entries(rows[some], matrix.sigma)
            q[some] = G.sum(axis=1)
        return cls(
            holds,
            np.array(rows) if holds == "rows" else None,
            matrix.sigma,
            -matrix.alpha * np.log(q),
            values.astype(np.float64),
            vectors.astype(np.float64),
        )

    def own(self, t: float) -> Doubles:
        """The coordinates of the rows themselves at time t, shape (n, k)."""
        coordinates: Doubles = self.vectors * self.values**t
        return coordinates

    def extended(self, X: Matrix, t: float) -> Doubles:
        """The coordinates of other rows at time t, shape (m, k).

        A row that is far from all others has those of the nearest, each over its eigenvalue.

        Raises
        ------
        ValueError
            A row without weight, of a kernel that is given.
        """
        m, n = len(X), len(self.vectors)
        found = np.empty((m, len(self.values)))
        # Distances of rows are also those within their block, which is to be no larger than n.
        blocks = _blocks(m, n) if self.rows is None else _blocks(m, 2 * n, max(n, ROWS_AT_A_TIME))
        for some in blocks:
            found[some] = self._transitions(X[some], some.start) @ self.vectors
        # Where an eigenvalue is 0, so are the coordinates.
        scale = np.zeros(len(self.values))
        np.power(self.values, t - 1.0, where=self.values > 0.0, out=scale)
        return found * scale

    def _transitions(self, X: Matrix, first: int) -> Doubles:
        """p(x, z_i) for each x, shape (m, n)."""
        if self.rows is not None:
            n = len(self.rows)
            both = np.concatenate([self.rows, X])
            r2 = _squared(both, np.arange(n, len(both)), self.sigma)[:, :n]
            # Factors of a row x cancel. Without the largest one, all entries might be 0.
            r2 -= r2.min(axis=1, keepdims=True)
            logarithms = self.log_weights - 0.5 * r2
            p: Doubles = np.exp(logarithms - logarithms.max(axis=1, keepdims=True))
        else:
            p = GIVEN[self.holds].entries(X, self.sigma)
            p *= np.exp(self.log_weights - self.log_weights.max())
        sums = p.sum(axis=1, keepdims=True)
        if not (sums > 0.0).all():
            row = first + int(np.argmin(sums[:, 0]))
            raise ValueError(
                f"row {row} of X has no weight for any of the {len(self.vectors)} rows that are "
                "known: it cannot be placed among them"
            )
        p /= sums
        return p


def _squared(Z: Any, numbers: npt.NDArray[Any], sigma: float) -> Doubles:
    """r^2 / sigma^2 from the rows of these numbers to all rows, shape (m, n)."""
    squared, scale = _core.squared_distances_from(Z, numbers.astype(np.int64))
    width = sigma / scale
    with np.errstate(over="ignore"):  # to an entry of 0
        found: Doubles = squared / width / width
    return found


def _blocks(rows: int, columns: int, most: int | None = None) -> list[slice]:
    count = max(1, ENTRIES_AT_A_TIME // columns)
    count = count if most is None else min(count, most)
    return [slice(start, min(start + count, rows)) for start in range(0, rows, count)]
