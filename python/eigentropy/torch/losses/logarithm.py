"""The logarithm of an operator on a GPU, by PyTorch's operations; on the CPU the core has it."""

from __future__ import annotations

import math

import numpy as np
import torch

from eigentropy.torch.losses.eigenpairs import EigenPairs
from eigentropy.torch.losses.options import Limits
from eigentropy.torch.losses.resolvents import (
    SLACK,
    SMALLEST_N,
    TOLERANCE,
    Approximation,
    sufficient,
)

# Steps of Lanczos. Each is a few small operations on the GPU, so their number is fixed.
LANCZOS_STEPS = 16

# Steps of inverse iteration that look for an eigenvalue which Lanczos has missed.
INVERSE_ITERATIONS = 3


def logarithm(A: torch.Tensor, known: EigenPairs, limits: Limits) -> torch.Tensor | None:
    """Log A; None where eigenvectors are faster.

    Parameters
    ----------
    A : tensor of shape (n, n)
        Symmetric and positive semidefinite.
    known : EigenPairs
        Set aside.
    """
    n = len(A)
    if n < SMALLEST_N:
        return None
    # Known eigenvalues are moved among the others, so that they do not widen their interval.
    inside = float(A.trace() - known.values.sum()) / max(1, n - len(known.values))
    bulk = known.moved(A, inside)
    lower, upper = spectral_interval(bulk)
    r = sufficient(SLACK * lower, upper, TOLERANCE[A.dtype])
    L = None if r is None else logarithm_by(bulk, r, upper, limits)
    if r is None or L is None:
        return None
    at_inside = r(np.array([inside / upper]))[0] + math.log(upper)
    factors = (known.values.log() - at_inside).to(A.dtype)
    return L.addmm_(known.vectors * factors, known.vectors.T)


def spectral_interval(A: torch.Tensor) -> tuple[float, float]:
    """An interval of the eigenvalues of A by Lanczos: extreme Ritz values and their residuals.

    (0, 1) where the start vector is an eigenvector.
    """
    q = _start_vector(A)
    before, scale = torch.zeros_like(q), q.new_zeros(())
    diagonal, below = [], []
    for _ in range(LANCZOS_STEPS):
        product = A @ q
        diagonal.append(product @ q)
        product = product - diagonal[-1] * q - scale * before
        scale = product.norm()
        below.append(scale)
        before, q = q, product / scale
    a, b = torch.stack([torch.stack(diagonal), torch.stack(below)]).double().cpu().numpy()
    if not np.isfinite(a).all():  # 0 / 0
        return 0.0, 1.0
    values, vectors = np.linalg.eigh(np.diag(a) + np.diag(b[:-1], 1) + np.diag(b[:-1], -1))
    residuals = b[-1] * np.abs(vectors[-1])
    return float(values[0] - residuals[0]), float(values[-1] + residuals[-1])


def _start_vector(A: torch.Tensor) -> torch.Tensor:
    """A unit vector: one half is random, the other is e_i - e_j for the two nearest rows.

    Rows that are close have a small eigenvalue of their own. Its eigenvector is nearly e_i - e_j,
    of which a random vector has little. The same A gives the same vector.
    """
    n = len(A)
    generator = torch.Generator("cpu").manual_seed(0)
    start = torch.randn(n, generator=generator, dtype=A.dtype, device="cpu").to(A.device)
    halves = 0.5 * A.diagonal()
    quotients = halves[:, None] + halves - A  # of Rayleigh, for e_i - e_j
    nearest = quotients.fill_diagonal_(math.inf).argmin()
    pair = torch.stack([nearest // n, nearest % n])
    start = (start / start.norm()).index_add(0, pair, A.new_tensor([0.5**0.5, -(0.5**0.5)]))
    unit: torch.Tensor = start / start.norm()
    return unit


def logarithm_by(
    A: torch.Tensor, r: Approximation, upper: float, limits: Limits
) -> torch.Tensor | None:
    """Log A by r, which is for A / upper; None where an eigenvalue lies outside of its interval."""
    L = A * (r.linear / upper)
    L.diagonal().add_(r.constant + math.log(upper))
    at_a_time = max(1, limits.entries_at_a_time // A.numel())
    for first in range(0, len(r.shifts), at_a_time):
        shifts = torch.from_numpy(r.shifts[first : first + at_a_time] * upper).to(A)
        weights = torch.from_numpy(r.weights[first : first + at_a_time] * upper).to(A)
        shifted = A.repeat(len(shifts), 1, 1)
        shifted.diagonal(dim1=1, dim2=2).add_(shifts[:, None])
        factors, failures = torch.linalg.cholesky_ex(shifted)
        if bool(failures.any()):
            return None
        inverses = torch.cholesky_inverse(factors)
        L.add_((weights[:, None, None] * inverses).sum(dim=0))
    if _smallest_eigenvalue(inverses[-1], float(shifts[-1])) < upper / r.kappa:
        return None
    return L


def _smallest_eigenvalue(inverse: torch.Tensor, shift: float) -> float:
    """An upper bound of the smallest eigenvalue of A from (A + shift)^-1, by inverse iteration.

    It starts at the row where the inverse is largest: an eigenvalue far below the others comes from
    a few rows that lie near each other.
    """
    q = torch.zeros_like(inverse[0])
    q[inverse.diagonal().argmax()] = 1.0
    for _ in range(INVERSE_ITERATIONS):
        q = inverse @ (q / q.norm())
    return 1.0 / float(q.norm()) - shift
