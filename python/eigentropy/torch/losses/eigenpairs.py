"""Eigenpairs of an operator that are set aside, so that those that are left lie close together."""

from __future__ import annotations

from dataclasses import dataclass

import torch

# Steps of Lanczos. Each is a few small operations on a GPU, so their number is fixed.
STEPS = 24

# The residual of a Ritz pair, relative to its value, up to which it counts as an eigenpair: a tenth
# of the error of the logarithm.
ACCURACY = {torch.float32: 2e-6, torch.float64: 1e-10}

# A direction that is shorter than this, in eps of the norm, is what rounding has left.
NOISE = 64.0


@dataclass(frozen=True)
class EigenPairs:
    """Eigenvalues (r,), descending and in float64, and orthonormal eigenvectors (n, r)."""

    values: torch.Tensor
    vectors: torch.Tensor

    def moved(self, A: torch.Tensor, values: float) -> torch.Tensor:
        """A with all of these eigenvalues at one place."""
        return torch.addmm(A, self.vectors * (values - self.values).to(A.dtype), self.vectors.T)


def largest_eigenpairs(A: torch.Tensor) -> EigenPairs:
    """The largest eigenvalues of a kernel A, with their vectors, as far as a few steps find them.

    Lanczos starts at the row sums, which are near the eigenvector of the largest one.
    """
    product = A.sum(dim=1)
    scale = product.norm()
    rounding = NOISE * torch.finfo(A.dtype).eps * scale / len(A) ** 0.5
    basis, diagonal, below = [], [], []
    for _ in range(min(STEPS, len(A))):
        q = torch.where(scale <= rounding, 0.0, product / scale)  # 0: the space is invariant
        basis.append(q)
        product = A @ q
        diagonal.append(product @ q)
        Q = torch.stack(basis, dim=1)
        for _ in range(2):  # without this, copies of converged eigenvalues appear
            product = product - Q @ (Q.T @ product)
        scale = product.norm()
        below.append(scale)
    off = torch.stack(below[:-1]).double() if len(below) > 1 else A.new_zeros(0).double()
    T = torch.diag(torch.stack(diagonal).double()) + torch.diag(off, 1) + torch.diag(off, -1)
    values, vectors = (x.flip(-1) for x in torch.linalg.eigh(T))
    residuals = below[-1].double() * vectors[-1].abs()
    converged = (residuals <= ACCURACY[A.dtype] * values) & (values > rounding)
    count = int(converged.cumprod(0).sum())
    return EigenPairs(values[:count], Q @ vectors[:, :count].to(A.dtype))
