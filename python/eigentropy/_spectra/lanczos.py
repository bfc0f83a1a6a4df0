"""Block Lanczos: a small matrix that stands for a large one on the Krylov space of a block."""

from __future__ import annotations

import math
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from eigentropy import _core
from eigentropy._backends.cpu import Block
from eigentropy._backends.devices import HOST, Device
from eigentropy._support.progress import Callback

Array = npt.NDArray[Any]
Doubles = npt.NDArray[np.float64]

# Where the exact result of a product and its projections is 0, rounding leaves up to this many
# eps |A V|, and as many eps |A| / sqrt(n) from the sums within the product.
NOISE = 8.0

# Smaller eigenvalues of T count as this when the node at 0 is computed.
SMALLEST = 1e-14


class Products(Protocol):
    """A symmetric positive semidefinite matrix A, known by its products with blocks of vectors."""

    @property
    def n(self) -> int:
        """Number of rows."""

    @property
    def trace(self) -> float:
        """Tr A."""

    @property
    def frobenius2(self) -> float:
        r"""\|A\|_F^2 = tr A^2."""

    @property
    def degrees(self) -> Doubles:
        """Row sums of the kernel, shape (n,): A sqrt(degrees) = sqrt(degrees) where A has a 1."""

    def matmul(self, V: Block, progress: Callback | None = None) -> Block:
        """A @ V for V of shape (n, m), in the dtype of V: a new array."""


def norm_bound(A: Products, has_unit_eigenvalue: bool = False) -> float:
    """A bound of the largest eigenvalue of a matrix whose eigenvalues are in [0, 1].

    Where the largest is known to be 1, the Frobenius norm is not asked for: it may take a pass over
    the kernel, while the first product may find it on its way.
    """
    return 1.0 if has_unit_eigenvalue else min(1.0, math.sqrt(A.frobenius2))


class BlockLanczos:
    r"""The Krylov space of a block of vectors, on the complement of a known eigenvector of A.

    .. math:: K_k = \mathrm{span}\{\Omega, A\Omega, \ldots, A^{k-1}\Omega\}, \qquad
        T = V^T A V

    with V an orthonormal basis of K_k. T is block tridiagonal. For x in K_s, s <= k, and a
    polynomial p of degree at most 2(k - s) + 1, :math:`x^T p(A) x = y^T p(T) y` with y = V^T x.
    Every new block is made orthogonal to all earlier ones, twice: otherwise copies of converged
    eigenvalues appear. A direction of the new block that is no longer than rounding noise is
    dropped. Where no direction is left the space is invariant, and T has all of A that the first
    block sees.

    Parameters
    ----------
    products : Products
    start : array of shape (n, m)
        Omega; its part along `excluded` is removed.
    excluded : array of shape (n,) or None
        An eigenvector of A of unit length.
    norm : float
        About the largest eigenvalue of A: what rounding is relative to.
    dtype : {"float32", "float64"}
        Of the basis and the products. T is float64.
    device : Device
        Where the basis is kept, and A is.

    Attributes
    ----------
    exhausted : bool
        The space is invariant.
    start : array of shape (m', m)
        Omega in the first block of the basis.
    basis : list of blocks of shape (n, m_j), on the device
    """

    def __init__(
        self,
        products: Products,
        start: Block,
        excluded: Doubles | None,
        dtype: str,
        device: Device = HOST,
        norm: float = 1.0,
    ) -> None:
        self._products, self._device = products, device
        self._eps = float(np.finfo(dtype).eps)
        self._norm = norm
        known = [] if excluded is None else [excluded[:, None]]
        self._excluded = [device.block(vector, dtype) for vector in known]
        self.basis: list[Block] = []
        self._diagonal: list[Doubles] = []
        self._below: list[Doubles] = []
        self.exhausted = False
        omega = device.block(start, dtype)
        block, self.start = self._orthonormal(omega, device.largest_column(omega))
        self.basis.append(block)

    @property
    def steps(self) -> int:
        """Number of products so far."""
        return len(self._diagonal)

    def step(self, progress: Callback | None = None) -> None:
        """One more product: K_k becomes K_(k+1)."""
        self.take(self._device.product(self._products, self.basis[-1], progress))

    def take(self, product: Block) -> None:
        """The same by the product of A with the last block of the basis, which is overwritten."""
        last = self.basis[-1]
        diagonal = self._device.inner(last, product)
        self._diagonal.append((diagonal + diagonal.T) / 2.0)
        scale = self._device.largest_column(product) + self._norm / math.sqrt(self._products.n)
        block, below = self._orthonormal(product, scale)
        self._below.append(below)
        if block.shape[1] == 0:
            self.exhausted = True
        else:
            self.basis.append(block)

    def matrix(self) -> Doubles:
        """T, of shape (D, D): f(T) gives Gauss quadrature."""
        return _block_tridiagonal(self._diagonal, self._below[:-1])

    def matrix_with_zero(self) -> Doubles:
        """T with one block more, so that it is singular: f(T) gives Gauss-Radau with a node at 0.

        The block below and to the right of T is the smallest that leaves the whole positive
        semidefinite. An invariant space has none, and T itself is returned.
        """
        if self.exhausted:
            return self.matrix()
        T, below = self.matrix(), self._below[-1]
        values, vectors = _core.symmetric_eigenpairs(T)
        couplings = below @ vectors[-below.shape[1] :]
        # Not 1 / 0: an eigenvalue of A that is 0 has converged, and its coupling is rounding.
        corner = (couplings / np.maximum(values, SMALLEST * self._norm)) @ couplings.T
        return _block_tridiagonal([*self._diagonal, corner], self._below)

    def residuals(self, vectors: Doubles) -> Doubles:
        """Lengths of A v - lambda v for eigenvectors of T, which are the columns of `vectors`."""
        if self.exhausted:
            return np.zeros(vectors.shape[1])
        below = self._below[-1]
        lengths: Doubles = np.linalg.norm(below @ vectors[-below.shape[1] :], axis=0)
        return lengths

    def blocks(self, size: int) -> list[Block]:
        """The first blocks that together have at least `size` vectors."""
        ends = np.cumsum([block.shape[1] for block in self.basis])
        return self.basis[: int(np.searchsorted(ends, size)) + 1]

    def size(self, blocks: int) -> int:
        """Dimension of the space of the first blocks."""
        return sum(block.shape[1] for block in self.basis[:blocks])

    def _orthonormal(self, W: Block, scale: float) -> tuple[Block, Doubles]:
        """Q, R with W = (its part in the earlier blocks) + Q R, up to noise. Overwrites W."""
        tol = NOISE * self._eps * scale
        earlier = [*self._excluded, *self.basis]
        self._device.project_out(earlier, W)
        Q, R = self._orthonormal_columns(W, tol)
        if Q.shape[1] == 0:
            return Q, R
        # The first projection leaves rounding errors, and short columns magnify them.
        self._device.project_out(earlier, Q)
        Q, again = self._orthonormal_columns(Q, 0.5)
        return Q, again @ R

    def _orthonormal_columns(self, W: Block, tol: float) -> tuple[Block, Doubles]:
        """Q, R with W = Q R and Q^T Q = 1, without directions of W that are shorter than tol."""
        squares, vectors = _core.symmetric_eigenpairs(self._device.gram(W))
        kept = squares > tol**2
        lengths = np.sqrt(squares[kept])
        vectors = vectors[:, kept]
        return self._device.combine([W], vectors / lengths), lengths[:, None] * vectors.T


def _block_tridiagonal(diagonal: list[Doubles], below: list[Doubles]) -> Doubles:
    ends = np.cumsum([len(block) for block in diagonal])
    T = np.zeros((ends[-1], ends[-1]))
    for end, block in zip(ends, diagonal, strict=True):
        T[end - len(block) : end, end - len(block) : end] = block
    for end, block in zip(ends[:-1], below, strict=True):
        rows, columns = block.shape
        T[end : end + rows, end - columns : end] = block
        T[end - columns : end, end : end + rows] = block.T
    return T
