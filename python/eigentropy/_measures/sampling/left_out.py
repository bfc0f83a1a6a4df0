r"""What an entropy loses when rows are left out, for every row at once, from one eigensystem.

With the eigenvalues :math:`\mu` of a matrix A, its trace T and :math:`N = \sum \mu \log \mu`, both
the diffusion entropy at t = 1 and the kernel entropy are :math:`S = \log T - N / T`.

Without row i, A loses a row and a column. With the resolvent
:math:`r_{ij}(s) = [(s + A)^{-1}]_{ij}`, determinants give exactly

.. math:: N - N_{-i} = a_{ii} \log a_{ii} + \int_0^\infty \log[(s + a_{ii})\, r_{ii}(s)]\, ds

and for two rows more than the sum of both:

.. math:: \int_0^\infty \log[1 - r_{ij}(s)^2 / (r_{ii}(s)\, r_{jj}(s))]\, ds
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from eigentropy import _core
from eigentropy._support.interruption import interruptible

Doubles = npt.NDArray[np.float64]

# The integrals are sums over s = exp(u), with u in steps of STEP from log(SMALLEST) on: entries of
# G and A are at most 1. Above LARGEST largest eigenvalues, a series has the rest.
STEP = 0.9
SMALLEST = 1e-5
LARGEST = 30.0

# Below this, an eigenvalue counts as 0, and a square of a correlation as 1.
TINY = 1e-300
NEARLY_1 = 1.0 - 1e-12


@dataclass(frozen=True)
class Eigensystem:
    """A symmetric positive semidefinite matrix with its eigenvalues, and what S takes of them.

    Attributes
    ----------
    A : array of shape (m, m)
    values : array of shape (m,)
    vectors : array of shape (m, m)
        In columns.
    squares : array of shape (m, m)
        Their squares.
    trace, sum : float
        T and N.
    """

    A: Doubles
    values: Doubles
    vectors: Doubles
    squares: Doubles
    trace: float
    sum: float

    @classmethod
    def of(cls, A: Doubles) -> Eigensystem:
        """Solve it: O(m^3)."""
        values, vectors = interruptible(lambda: _core.symmetric_eigenpairs(A), 10.0 * len(A) ** 3)
        values = np.maximum(values, 0.0)
        total = float(entropy_terms(values).sum())
        return cls(A, values, vectors, vectors**2, float(np.trace(A)), total)

    @property
    def entropy(self) -> float:
        """S in nats."""
        return math.log(self.trace) - self.sum / self.trace

    def diagonal(self) -> Doubles:
        """(A log A)_ii."""
        found: Doubles = self.squares @ entropy_terms(self.values)
        return found

    def slope(self, change: Doubles) -> float:
        """The change of S with that of A."""
        # dS/dA has the eigenvectors of A; entries of the change where A has none are 0, too.
        values = np.maximum(self.values, np.finfo(np.float64).eps * float(self.values.max()))
        weights = (self.sum / self.trace - np.log(values)) / self.trace
        moved = np.einsum("ij,ij->j", self.vectors, change @ self.vectors)
        return float(weights @ moved)


def entropy_terms(x: Any) -> Doubles:
    """X log x, 0 at 0."""
    found: Doubles = x * np.log(np.maximum(x, TINY))
    return found


def _nodes(largest: float) -> tuple[Doubles, Doubles]:
    """Points s and weights of the integrals over s for eigenvalues up to `largest`."""
    low, high = math.log(SMALLEST), math.log(LARGEST * largest)
    s = np.exp(np.arange(low, high + STEP, STEP))
    return s, STEP * s


def removals(system: Eigensystem, columns: npt.NDArray[np.intp]) -> tuple[Doubles, Doubles]:
    """N - N_{-i} of every row, and what leaving out rows i and j takes beyond both of them.

    Parameters
    ----------
    system : Eigensystem
    columns : array of int, shape (k,)
        The rows j.

    Returns
    -------
    array of shape (m,)
    array of shape (m, k)
        0 where i is j.
    """
    own = np.diag(system.A)
    s, weights = _nodes(float(system.values.max()))
    resolvents = 1.0 / (s[None, :] + system.values[:, None])
    r = system.squares @ resolvents
    single = entropy_terms(own) + np.log((s[None, :] + own[:, None]) * r) @ weights
    # For large s, the integrand is (sum_j a_ij^2 - a_ii^2) / s^2.
    second = np.einsum("ij,ij->i", system.A, system.A) - own**2
    end = s[-1] * math.exp(0.5 * STEP)
    single += second / end
    of_columns = system.vectors[columns].T
    pairs = np.zeros((len(own), len(columns)))
    diagonal = columns, np.arange(len(columns))  # where i is j
    for k, weight in enumerate(weights):
        joint = system.vectors @ (resolvents[:, k, None] * of_columns)
        joint **= 2
        joint /= r[:, k, None]
        joint /= r[columns, k]
        joint[diagonal] = 0.0
        pairs += weight * np.log1p(-np.minimum(joint, NEARLY_1))
    rest = system.A[:, columns] ** 2 / end
    rest[diagonal] = 0.0
    pairs -= rest
    return single, pairs


def without_each(system: Eigensystem, lost: Doubles, scale: Doubles | None) -> Doubles:
    """S without each row, less S.

    Parameters
    ----------
    system : Eigensystem
    lost : array of shape (m,)
        N - N_{-i}, for the matrix that is left as it stands.
    scale : array of shape (m, m), or None
        log c, where each matrix that is left is then normalised anew, by A_jk c_ji c_ki without
        row i. None where it stays.
    """
    own = np.diag(system.A)
    trace, total = system.trace - own, system.sum - lost
    if scale is not None:
        new = own[:, None] * np.exp(2.0 * scale)
        np.fill_diagonal(new, 0.0)
        terms = entropy_terms(own)
        # To the first order of log c, but for the diagonal, which is far from 0 where it matters.
        first = 2.0 * (system.diagonal() - terms)
        total += first @ scale + (entropy_terms(new) - terms[:, None]).sum(axis=0) + terms
        trace = new.sum(axis=0)
    found: Doubles = np.log(trace) - total / trace - system.entropy
    return found
