r"""The logarithm of a symmetric matrix by a rational function, without its eigenvectors.

.. math:: \log x \approx c_0 + c_1 x + \sum_k \frac{w_k}{x + s_k}, \qquad s_k > 0

on the interval [1/kappa, 1] that the eigenvalues lie in. The logarithm is an integral of such terms
over all poles left of 0, so that a few of them suffice where kappa is moderate: the error falls
as exp(-2 pi^2 N / log(16 kappa)). docs/explanations/gradient.md says where that pays.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from eigentropy import _core
from eigentropy._support import memory
from eigentropy.torch.losses.options import Limits

Doubles = npt.NDArray[np.float64]

# With fewer rows the calls take longer than the arithmetic, with and without eigenvectors.
SMALLEST_N = 32

# Absolute error of the logarithm. A training step does not notice an error of 1e-9.
TOLERANCE = {torch.float32: 2e-5, torch.float64: 1e-9}

# An inverse takes n^3 operations: where more poles are needed, eigenvectors are faster.
MAX_POLES = 8

# The interval begins this much below the smallest eigenvalue that Lanczos finds; as in the core.
SLACK = 0.95

# kappa is rounded up to a power of 2^(1/4), so that few different functions are computed.
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
    """The function with this many poles, which lie where Gauss quadrature puts them."""
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


@functools.lru_cache(maxsize=8)
def log_functions(tolerance: float) -> _core.LogFunctions:
    """Those that `sufficient` chooses from, for the core."""
    functions, poles, step = _core.LogFunctions(), 1, 1
    while True:
        kappa = 2.0 ** (step / GRID)
        found = approximation(kappa, poles)
        while found.error > tolerance and poles < MAX_POLES:
            poles += 1
            found = approximation(kappa, poles)
        if found.error > tolerance:
            return functions
        functions.add(kappa, found.constant, found.linear, found.shifts, found.weights)
        step += 1


def most_matrices(threads: int) -> int:
    """How many n x n matrices the core holds: A, the bulk, its logarithm, two for each thread."""
    return 3 + 2 * min(threads, MAX_POLES)


def solved(
    core: _core.EntropyGradient,
    rows: torch.Tensor,
    threads: int,
    limits: Limits,
    free: Callable[[], float] = memory.available,
) -> tuple[float, torch.Tensor] | None:
    """S(1) in nats and dS/dZ by log A, for rows whose A the core has built.

    None where eigenvectors take no longer, or where the matrices take more than the `free` bytes.
    """
    n = len(rows)
    beside_A = (most_matrices(threads) - 1) * n * n * rows.element_size()
    if n >= limits.memory_checked_from and beside_A > free():
        return None
    found = core.solve_by_logarithm(log_functions(TOLERANCE[rows.dtype]), threads)
    return None if found is None else (found[0], torch.from_numpy(found[1]))
