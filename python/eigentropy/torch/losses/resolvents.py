r"""The logarithm of a symmetric matrix by a rational function, without its eigenvectors.

.. math:: \log x \approx c_0 + c_1 x + \sum_k \frac{w_k}{x + s_k}, \qquad s_k > 0

on the interval [1/kappa, 1] that the eigenvalues lie in. The logarithm is an integral of such terms
over all poles left of 0, so that few of them do where kappa is moderate: the error falls as
exp(-2 pi^2 N / log(16 kappa)). docs/explanations/gradient.md says where that pays.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from eigentropy import _core
from eigentropy._support import memory

Doubles = npt.NDArray[np.float64]

# Below so many rows the calls take longer than the arithmetic, whichever it is.
SMALLEST_N = 32

# Absolute error of the logarithm. What float64 is for is below what a training step can see.
TOLERANCE = {torch.float32: 2e-5, torch.float64: 1e-9}

# An inverse is n^3 operations: where it takes more of them, eigenvectors are taken.
MAX_POLES = 8

# Of so many rows on, matrices are compared with the memory that there is.
CHECKED_FROM = 1024

# Steps of Lanczos that find the interval of the eigenvalues; the second number where after the
# first the interval seems so wide that it takes more than so many poles.
LANCZOS_STEPS = (10, 20)
FEW_POLES = 4

# How far below what they find the interval begins.
SLACK = 0.95

# kappa is rounded up to a power of 2^(1/4), so that few functions are ever computed.
GRID = 4


@dataclass(frozen=True)
class Approximation:
    """A rational function near log x on [1/kappa, 1], and its largest error there.

    The shifts fall.
    """

    kappa: float
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
    return Approximation(kappa, coefficients[0], coefficients[1], shifts, weights, error)


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
    r"""Where the poles are, without the sign, the one next to 0 last.

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
    return shifts[::-1].copy()


def sufficient(lower: float, upper: float, tolerance: float) -> Approximation | None:
    """The one with the fewest poles for log(x / upper) on [lower, upper], if there is one."""
    if not lower > 0.0:
        return None
    kappa = 2.0 ** (max(1, math.ceil(GRID * math.log2(upper / lower))) / GRID)
    candidates = (approximation(kappa, poles) for poles in range(1, MAX_POLES + 1))
    return next((found for found in candidates if found.error <= tolerance), None)


def most_matrices(threads: int) -> int:
    """Of n x n, alive in the core at a time: A, the bulk, its logarithm, two for each thread."""
    return 3 + 2 * min(threads, MAX_POLES)


def solved(
    core: _core.EntropyGradient, rows: torch.Tensor, threads: int
) -> tuple[float, torch.Tensor] | None:
    """S(1) in nats and dS/dZ of the rows that the core has built A of, by log A.

    None where eigenvectors take no longer, or the matrices would not fit.
    """
    n = len(rows)
    if n < SMALLEST_N:
        return None
    beside_A = (most_matrices(threads) - 1) * n * n * rows.element_size()
    if n >= CHECKED_FROM and beside_A > memory.available():
        return None
    found = _sufficient_for(core, threads, TOLERANCE[rows.dtype])
    if found is None:
        return None
    r, upper = found
    constant, linear = r.constant + math.log(upper), r.linear / upper
    shifts, weights, lowest = r.shifts * upper, r.weights * upper, upper / r.kappa
    try:
        nats, slope = core.solve(constant, linear, shifts, weights, lowest, threads)
    except _core.SolverError:  # there is an eigenvalue outside of the interval, or even below 0
        return None
    return nats, torch.from_numpy(slope)


def _sufficient_for(
    core: _core.EntropyGradient, threads: int, tolerance: float
) -> tuple[Approximation, float] | None:
    """The function for log(x / upper), and upper."""
    for steps in LANCZOS_STEPS:
        lower, upper = core.bulk_interval(steps, threads)
        r = sufficient(SLACK * lower, upper, tolerance)
        if r is not None and len(r.shifts) <= FEW_POLES:
            break
    return None if r is None else (r, upper)
