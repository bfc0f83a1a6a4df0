"""The logarithm of an operator by PyTorch's operations: what the core does on the CPU, on a GPU."""

from __future__ import annotations

import math

import numpy as np
import torch

from eigentropy.torch.losses.resolvents import (
    SLACK,
    SMALLEST_N,
    TOLERANCE,
    Approximation,
    sufficient,
)

# Steps of Lanczos: each asks the GPU for some small operations, so one number of them serves all.
LANCZOS_STEPS = 16

# Steps that look for an eigenvalue which Lanczos has not seen.
INVERSE_ITERATIONS = 3

# Entries of the inverses that are computed at a time.
ENTRIES_AT_A_TIME = 2**24


def logarithm(A: torch.Tensor, top: torch.Tensor) -> torch.Tensor | None:
    """Log A outside of its eigenvector `top` of the eigenvalue 1, or None where that takes longer.

    Parameters
    ----------
    A : tensor of shape (n, n)
        Symmetric and positive semidefinite.
    top : tensor of shape (n,)
        Of unit length.
    """
    n = len(A)
    if n < SMALLEST_N:
        return None
    inside = (float(A.trace()) - 1.0) / (n - 1)  # among the others it does not widen the interval
    bulk = torch.addr(A, top, top, alpha=inside - 1.0)
    lower, upper = spectral_interval(bulk)
    r = sufficient(SLACK * lower, upper, TOLERANCE[A.dtype])
    if r is None:
        return None
    L = _function(bulk, r, upper)
    if L is None:
        return None
    at_inside = r(np.array([inside / upper]))[0] + math.log(upper)
    return L.addr_(top, top, alpha=-at_inside)


def spectral_interval(A: torch.Tensor) -> tuple[float, float]:
    """Where the eigenvalues of A are, by Lanczos: the extreme Ritz values and their residuals.

    (0, 1) where the start is an eigenvector.
    """
    q = _start(A)
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


def _start(A: torch.Tensor) -> torch.Tensor:
    """A unit vector, the same for the same A, half of it e_i - e_j of the two nearest rows.

    Rows that are close have a small eigenvalue of their own, which a random start hardly has in it.
    """
    n = len(A)
    generator = torch.Generator().manual_seed(0)
    start = torch.randn(n, generator=generator, dtype=A.dtype).to(A.device)
    halves = 0.5 * A.diagonal()
    quotients = halves[:, None] + halves - A  # of Rayleigh, for e_i - e_j
    nearest = quotients.fill_diagonal_(math.inf).argmin()
    pair = torch.stack([nearest // n, nearest % n])
    start = (start / start.norm()).index_add(0, pair, A.new_tensor([0.5**0.5, -(0.5**0.5)]))
    unit: torch.Tensor = start / start.norm()
    return unit


def _function(A: torch.Tensor, r: Approximation, upper: float) -> torch.Tensor | None:
    """Log A by r, which is for A / upper; None where an eigenvalue is outside of its interval."""
    L = A * (r.linear / upper)
    L.diagonal().add_(r.constant + math.log(upper))
    at_a_time = max(1, ENTRIES_AT_A_TIME // A.numel())
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
    """Of a matrix of which (A + shift)^-1 is known, by inverse iteration: not below the true one.

    It starts where the inverse is largest: an eigenvalue that is far below the others is of few
    rows, since rows that are near each other make it.
    """
    q = torch.zeros_like(inverse[0])
    q[inverse.diagonal().argmax()] = 1.0
    for _ in range(INVERSE_ITERATIONS):
        q = inverse @ (q / q.norm())
    return 1.0 / float(q.norm()) - shift
