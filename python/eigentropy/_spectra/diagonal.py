r"""The diagonal of -A log A: exact from eigenvectors, or estimated from random vectors.

For the density matrix :math:`\rho`, n times this diagonal are the surprisals of the rows.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from eigentropy import _core
from eigentropy._backends.devices import HOST, Device
from eigentropy._spectra.lanczos import NOISE, BlockLanczos, Doubles, Products, norm_bound
from eigentropy._spectra.stochastic import max_steps
from eigentropy._support.interruption import interruptible
from eigentropy._support.options import random_seed
from eigentropy._support.progress import Callback, part

# Random signs in the block, and products with the block.
PROBES = 64
STEPS = 16

# An eigenvector counts as found where its residual is at most this share of its eigenvalue. The
# error of what it adds to the diagonal is of the second order.
FOUND = 1e-2

# The signs see no more eigenvectors of one eigenvalue than they are, and which ones depends on the
# signs. So none counts as found where as many Ritz values are equal, to FOUND.
MOST_NEAR = PROBES

# The line follows the Ritz vectors that are not found, if they stand for this part of the rest of
# the space at least; where equal eigenvalues hide it, the mean of its eigenvalues.
HALF = 0.5


class Diagonal(NamedTuple):
    """The diagonal of a function of a matrix, and the standard error of each entry."""

    values: Doubles
    standard_errors: Doubles


def exact_diagonal(A: npt.NDArray[Any]) -> Diagonal:
    """From all eigenvectors of a symmetric matrix (n, n): O(n^3), memory 3 n^2."""
    values, vectors = interruptible(lambda: _core.symmetric_eigenpairs(A), 10.0 * len(A) ** 3)
    diagonal: Doubles = vectors**2 @ _entropy_function(values)
    return Diagonal(diagonal, np.zeros(len(A)))


def estimated_diagonal(
    A: Products,
    seed: int = 0,
    progress: Callback | None = None,
    *,
    dtype: str = "float32",
    device: Device = HOST,
) -> Diagonal:
    r"""From products of A, whose diagonal is constant, with a block of random signs.

    Block Lanczos finds eigenvectors q_k, whose part of the diagonal is
    :math:`\sum_k f(\lambda_k) q_{ik}^2`. On the rest of the space, each vector of signs z gives
    :math:`z_i (g(A) z)_i`, whose expectation is :math:`g(A)_{ii}`. Here g is f less a straight
    line, whose diagonal is known. The mean over the vectors is the estimate, and their spread its
    error.

    References
    ----------
    Bekas, Kokiopoulou, Saad: An estimator for the diagonal of a matrix. Appl. Numer. Math. 57
    (2007).
    """
    random = np.random.default_rng(random_seed(seed))
    signs = 2 * random.integers(0, 2, size=(A.n, PROBES), dtype=np.int8) - 1
    start = device.block(signs, dtype)
    space = BlockLanczos(A, start, None, dtype, device, norm_bound(A))
    steps = min(STEPS, max_steps(A.n, dtype, device))
    while space.steps < steps and not space.exhausted:
        space.step(part(progress, space.steps / steps, (space.steps + 1) / steps))
    nodes, vectors = _core.symmetric_eigenpairs(space.matrix())
    nodes = np.clip(nodes, 0.0, 1.0)
    residuals = np.maximum(
        space.residuals(vectors), 4.0 * float(np.finfo(dtype).eps) * norm_bound(A)
    )
    coordinates = vectors[: len(space.start)].T @ space.start  # of the signs
    shares = (coordinates**2).sum(axis=1)  # about PROBES for each eigenvector
    found = (residuals <= FOUND * nodes) & (_near(nodes) < MOST_NEAR)
    blocks = space.blocks(len(vectors))
    Q = device.as_host(device.combine(blocks, vectors[:, found])).astype(np.float64) ** 2
    count, trace = A.n - float(Q.sum()), A.trace - float(nodes[found].sum())
    if shares[~found].sum() < HALF * PROBES * count:
        a, b = _tangent(trace / count)
    else:
        a, b = _straight_line(nodes[~found], shares[~found])
    g = _entropy_function(nodes[~found]) - a - b * nodes[~found]
    products = device.combine(blocks, vectors[:, ~found] @ (g[:, None] * coordinates[~found]))
    terms = signs * device.as_host(products).astype(np.float64)
    if progress is not None:
        progress(1.0)
    of_line = a * (1.0 - Q.sum(axis=1)) + b * (A.trace / A.n - Q @ nodes[found])
    values: Doubles = Q @ _entropy_function(nodes[found]) + of_line + terms.mean(axis=1)
    # A found eigenvalue is known to its residual, and everything to the rounding of the products.
    slopes = 1.0 - np.log(nodes[found])
    of_found = np.hypot(Q @ (slopes * residuals[found]), NOISE * np.finfo(dtype).eps * values)
    errors: Doubles = np.hypot(terms.std(axis=1, ddof=1) / math.sqrt(PROBES), of_found)
    return Diagonal(values, errors)


def _near(nodes: Doubles) -> npt.NDArray[np.intp]:
    """How many nodes, in ascending order, are equal to each one."""
    above = np.searchsorted(nodes, (1.0 + FOUND) * nodes, side="right")
    return above - np.searchsorted(nodes, (1.0 - FOUND) * nodes)


def _tangent(x: float) -> tuple[float, float]:
    """A and b of the line a + b x that touches -x log x here."""
    return (x, -1.0 - math.log(x)) if x > 0.0 else (0.0, 0.0)


def _straight_line(nodes: Doubles, weights: Doubles) -> tuple[float, float]:
    """A and b of the line a + b x nearest to -x log x, by these weights."""
    if len(nodes) == 0 or weights.sum() == 0.0:
        return 0.0, 0.0
    roots = np.sqrt(weights)
    scale = max(float(nodes.max()), np.finfo(np.float64).tiny)
    columns = np.stack([np.ones_like(nodes), nodes / scale], axis=1)
    right = roots * _entropy_function(nodes)
    a, b = np.linalg.lstsq(roots[:, None] * columns, right, rcond=1e-10)[0]
    return float(a), float(b) / scale


def _entropy_function(x: Doubles) -> Doubles:
    """-x log x, 0 up to 0."""
    logarithms = np.log(x, out=np.zeros_like(x), where=x > 0.0)
    return -x * logarithms
