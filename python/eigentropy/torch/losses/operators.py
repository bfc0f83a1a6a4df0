"""The symmetric operator of a batch, and how its entries follow from the distances of the rows."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch

from eigentropy.torch.losses.eigenpairs import EigenPairs, largest_eigenpairs


@dataclass(frozen=True)
class Operator(ABC):
    """A symmetric positive semidefinite matrix A (n, n) of a batch."""

    A: torch.Tensor

    @property
    @abstractmethod
    def trace(self) -> float:
        """Its trace."""

    @abstractmethod
    def known(self) -> EigenPairs:
        """Its largest eigenpairs, as far as these are known without solving for all."""

    @abstractmethod
    def slopes_by_distance(self, B: torch.Tensor) -> torch.Tensor:
        """W (n, n) = -2 sigma^2 dS/dr2 from B = dS/dA, in place of B; its diagonal is not used."""


@dataclass(frozen=True)
class NormalizedOperator(Operator):
    """A = D^-1/2 K D^-1/2, with the densities q and degrees d of K = G / (q q^T)^alpha."""

    q: torch.Tensor
    d: torch.Tensor
    alpha: float

    @property
    def trace(self) -> float:
        """Its trace."""
        return float(self.A.diagonal().sum(dtype=torch.float64))

    def known(self) -> EigenPairs:
        """The eigenvalue 1 and its vector."""
        top = torch.sqrt(self.d / self.d.sum())
        return EigenPairs(top.new_ones(1, dtype=torch.float64), top[:, None])

    def slopes_by_distance(self, B: torch.Tensor) -> torch.Tensor:
        """Through A, the degrees and the densities."""
        A, q, d = self.A, self.q, self.d
        b = (B * A).sum(dim=1)
        roots = torch.sqrt(d)
        u = -b / d * roots  # through the degrees d: K_ij = A_ij roots_i roots_j
        scale = roots * q**self.alpha  # G_ij = A_ij scale_i scale_j
        w = -self.alpha / q * (b + roots * (A @ u)) * scale  # through the densities q
        left, right = torch.stack([u, roots, w, scale], 1), torch.stack([roots, u, scale, w])
        return torch.addmm(B, left, right, beta=2.0).mul_(A)


@dataclass(frozen=True)
class DensityOperator(Operator):
    """The kernel itself: A = G = n rho with the density matrix rho."""

    @property
    def trace(self) -> float:
        """The number of rows."""
        return float(len(self.A))

    def known(self) -> EigenPairs:
        """The largest ones that a few steps of Lanczos find."""
        return largest_eigenpairs(self.A)

    def slopes_by_distance(self, B: torch.Tensor) -> torch.Tensor:
        """Through A alone."""
        return B.mul_(self.A).mul_(2.0)


def operator_of_kernel(G: torch.Tensor, alpha: float | None) -> Operator:
    """The operator by PyTorch's operations; alpha None: the kernel itself."""
    if alpha is None:
        return DensityOperator(G)
    q = G.sum(dim=1)
    scale = q**-alpha
    d = scale * (G @ scale)
    scale = scale / torch.sqrt(d)
    return NormalizedOperator(G * scale[:, None] * scale, q, d, alpha)
