r"""The logarithm of a symmetric matrix by a rational function, without its eigenvectors.

.. math:: \log x \approx c_0 + c_1 x + \sum_k \frac{w_k}{x + s_k}, \qquad s_k > 0

on the interval [1/kappa, 1] that the eigenvalues lie in. The logarithm is an integral of such terms
over all poles left of 0, so that few of them do where kappa is moderate: the error falls as
exp(-2 pi^2 N / log(16 kappa)). docs/torch.md says where that pays.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from eigentropy import _core, _memory

Doubles = npt.NDArray[np.float64]

# Below so many rows all eigenvectors take no longer.
SMALLEST_N = 256

# Absolute error of the logarithm. What float64 is for is below what a training step can see.
TOLERANCE = {torch.float32: 2e-5, torch.float64: 1e-9}

# An inverse is n^3 operations; so many of them take about half of the time of eigenvectors.
MAX_POLES = 8

# Of so many rows on, matrices are compared with the memory that there is.
CHECKED_FROM = 1024

# Products that the interval of the eigenvalues is found with, and how far below it one may be.
LANCZOS_STEPS = 10
SLACK = 0.95

# kappa is rounded up to a power of 2^(1/4), so that few functions are ever computed.
GRID = 4


@dataclass(frozen=True)
class Approximation:
    """A rational function near log x on [1/kappa, 1], and its largest error there."""

    constant: float
    linear: float
    shifts: Doubles
    weights: Doubles
    error: float

    def __call__(self, x: Doubles) -> Doubles:
        """Its values."""
        values: Doubles = _basis(x, self.shifts) @ np.concatenate(
            [[self.constant, self.linear], self.weights / self.shifts]
        )
        return values


@functools.lru_cache(maxsize=256)
def approximation(kappa: float, poles: int) -> Approximation:
    """The function with so many poles, which lie where Gauss quadrature puts them."""
    x, shifts = _nodes(kappa, 32 * (poles + 2)), _shifts(kappa, poles)
    coefficients = np.linalg.lstsq(_basis(x, shifts), np.log(x), rcond=None)[0]
    weights = coefficients[2:] * shifts
    error = float(np.abs(_basis(x, shifts) @ coefficients - np.log(x)).max())
    return Approximation(coefficients[0], coefficients[1], shifts, weights, error)


def _basis(x: Doubles, shifts: Doubles) -> Doubles:
    """1, x, s_k / (x + s_k), shape (len(x), 2 + poles)."""
    return np.column_stack([np.ones_like(x), x, shifts / (x[:, None] + shifts)])


def _nodes(kappa: float, count: int) -> Doubles:
    """Points of [1/kappa, 1] as charges lie on it that the line left of 0 attracts.

    Their density is 1 / sqrt(x (x - 1/kappa) (1 - x)). A rational function with poles on that line
    interpolates best there.
    """
    angles = (np.arange(4096) + 0.5) * (math.pi / 4096)
    x = 0.5 * (1.0 + 1.0 / kappa) - 0.5 * (1.0 - 1.0 / kappa) * np.cos(angles)
    share = np.cumsum(x**-0.5) - 0.5 * x**-0.5
    nodes: Doubles = np.interp((np.arange(count) + 0.5) / count, share / np.sum(x**-0.5), x)
    return nodes


def _shifts(kappa: float, poles: int) -> Doubles:
    r"""Where the poles are, without the sign.

    Interpolation of :math:`\log x = \int_0^\infty (1/(1+s) - 1/(x+s))\,ds` in 2 N + 2 points x_i by
    a function of the module's form has as poles the nodes of Gauss quadrature with the weight
    :math:`1 / \prod_i (s + x_i)`, in y = (s - c) / (s + c), where that is a polynomial's.
    """
    c = kappa**-0.5
    s = c * np.exp(np.linspace(-40.0, 40.0, 4001))
    y = (s - c) / (s + c)
    logs = np.log(s) + (2 * poles - 1) * np.log(s + c)
    logs -= np.log(s[:, None] + _nodes(kappa, 2 * poles + 2)).sum(axis=1)
    basis = [np.exp(0.5 * (logs - logs.max()))]
    basis[0] /= np.linalg.norm(basis[0])
    for _ in range(poles - 1):  # orthogonal polynomials in y
        product = y * basis[-1]
        for _ in range(2):
            product = product - np.stack(basis).T @ (np.stack(basis) @ product)
        basis.append(product / np.linalg.norm(product))
    Q = np.stack(basis)
    roots = np.linalg.eigvalsh((Q * y) @ Q.T)
    shifts: Doubles = c * (1.0 + roots) / (1.0 - roots)
    return shifts


def sufficient(lower: float, upper: float, tolerance: float) -> Approximation | None:
    """The one with the fewest poles for log(x / upper) on [lower, upper], if there is one."""
    if not lower > 0.0:
        return None
    kappa = 2.0 ** (max(1, math.ceil(GRID * math.log2(upper / lower))) / GRID)
    candidates = (approximation(kappa, poles) for poles in range(1, MAX_POLES + 1))
    return next((found for found in candidates if found.error <= tolerance), None)


def spectral_interval(A: torch.Tensor) -> tuple[float, float]:
    """Where the eigenvalues of A are, by Lanczos: the extreme Ritz values and their residuals.

    An eigenvalue far from all others is found in few steps; at the end of a dense bulk residuals
    are large beside what is missed. The start is always the same, and leaves random states alone.
    """
    generator = torch.Generator().manual_seed(0)
    start = torch.randn(len(A), generator=generator, dtype=A.dtype).to(A.device)
    q, before, scale = start / start.norm(), torch.zeros_like(start), start.new_zeros(())
    diagonal, below = [], []
    for _ in range(LANCZOS_STEPS):
        product = A @ q
        diagonal.append(product @ q)
        product = product - diagonal[-1] * q - scale * before
        scale = product.norm()
        below.append(scale)
        before, q = q, product / scale
    a, b = torch.stack([torch.stack(diagonal), torch.stack(below)]).double().cpu().numpy()
    if not np.isfinite(a).all():  # 0 / 0: the start is an eigenvector
        return 0.0, 1.0
    values, vectors = np.linalg.eigh(np.diag(a) + np.diag(b[:-1], 1) + np.diag(b[:-1], -1))
    residuals = b[-1] * np.abs(vectors[-1])
    return float(SLACK * (values[0] - residuals[0])), float(values[-1] + residuals[-1])


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
    if n < SMALLEST_N or A.device.type != "cpu" or not bool(torch.isfinite(A[0, 0])):
        return None
    if n >= CHECKED_FROM and _bytes(A) > _memory.available():
        return None
    inside = (float(A.trace()) - 1.0) / (n - 1)  # among the others it does not widen the interval
    bulk = torch.addr(A, top, top, alpha=inside - 1.0)
    lower, upper = spectral_interval(bulk.float())  # so many digits are not needed of it
    r = sufficient(lower, upper, TOLERANCE[A.dtype])
    if r is None:
        return None
    try:
        L = _function(bulk, r, upper)
    except _core.SolverError:  # rounding has made the smallest eigenvalue negative
        return None
    at_inside = r(np.array([inside / upper]))[0] + math.log(upper)
    return L.addr_(top, top, alpha=-at_inside)


def _bytes(A: torch.Tensor) -> float:
    """The bulk, the sum, and two matrices for each thread."""
    matrices = 2 + 2 * min(torch.get_num_threads(), MAX_POLES)
    return float(matrices) * A.numel() * A.element_size()


def _function(A: torch.Tensor, r: Approximation, upper: float) -> torch.Tensor:
    """Log A by r, which is for A / upper."""
    return torch.from_numpy(
        _core.function_of_matrix(
            A.numpy(),
            r.constant + math.log(upper),
            r.linear / upper,
            r.shifts * upper,
            r.weights * upper,
            torch.get_num_threads(),
        )
    )
