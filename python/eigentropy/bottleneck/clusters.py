"""The clusters of one solution: those that are lost or equal, and those that are about to split.

One solution is J(t, y), shape (K, m), here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from eigentropy.bottleneck.equations import TINY, Equations, xlogx
from eigentropy.bottleneck.fixed_point import FixedPoint, converged
from eigentropy.bottleneck.joint import Doubles

# A cluster of less mass is lost: the equations make it smaller with every step.
LOST = 1e-9
# Clusters whose p(y|t) differ by less in total variation are one cluster.
EQUAL = 1e-6
# And by less than this, if making them one does not raise the free energy.
NEAR = 0.02
# A cluster of less mass is lost, too, if leaving it out does not raise the free energy: close to
# the beta at which it is lost its mass shrinks slowly.
FAINT = 1e-4
# Free energies, in nats, that differ by less do not tell two solutions apart.
SAME = 1e-13

# Steps of the Lanczos method for the second eigenvalue of a cluster.
MOST_LANCZOS = 24


class Settled(NamedTuple):
    """A solution without lost and equal clusters."""

    beta: float
    J: Doubles  # (K, m)
    encoder: Doubles  # (K, n)
    free_energy: float
    residual: float

    @property
    def n_clusters(self) -> int:
        """How many clusters it has."""
        return len(self.J)


def settled(equations: Equations, J: Doubles, tol: float, steps: int) -> Settled:
    """The solution that a start leads to, with the clusters that are left of it."""
    found = _one(equations, converged(equations, J[None], tol=tol, steps=steps))
    while True:
        kept = _without_copies(found.J)
        if len(kept) < found.n_clusters:
            found = _one(equations, converged(equations, kept[None], tol=tol, steps=steps))
            continue
        fewer = [
            _one(equations, converged(equations, J[None], tol=tol, steps=steps))
            for J in _candidates(equations, found.J)
        ]
        best = min(fewer, key=lambda state: state.free_energy, default=None)
        if best is None or best.free_energy > found.free_energy + SAME:
            return found
        found = best


def _candidates(equations: Equations, J: Doubles) -> Iterator[Doubles]:
    """With a cluster less: two in one, or without the one that may be about to be lost."""
    pair = _nearest(J) if equations.alpha == 1.0 else _cheapest(equations.beta, J)
    if pair is not None:
        yield _merged(J, *pair)
    mass = J.sum(axis=1)
    if mass.min() < FAINT and len(J) > 1:
        yield np.delete(J, mass.argmin(), axis=0) / (1.0 - mass.min())


def _one(equations: Equations, batch: FixedPoint) -> Settled:
    energy, residual = float(batch.free_energy[0]), float(batch.residual[0])
    return Settled(equations.beta, batch.J[0], batch.encoder[0], energy, residual)


def _without_copies(J: Doubles) -> Doubles:
    """J without lost clusters, and with equal ones merged."""
    J = J[J.sum(axis=1) > LOST]
    J = J / J.sum()
    first = np.arange(len(J))
    for t, distances in enumerate(_distances(J)):
        first[(distances < EQUAL) & (first > first[t])] = first[t]
    merged = np.zeros_like(J)
    np.add.at(merged, first, J)
    return merged[np.unique(first)]


def _nearest(J: Doubles) -> tuple[int, int] | None:
    """The two nearest clusters, if they are near."""
    distances = _distances(J) + 2.0 * np.eye(len(J))
    pair = _least(distances)
    return pair if distances[pair] <= NEAR else None


def _cheapest(beta: float, J: Doubles) -> tuple[int, int] | None:
    """The two hard clusters whose union lowers H(T) - beta I(T; Y) most, if any does.

    Steps of hard assignments seldom empty a cluster, so that unions have to be tried.
    """
    cost = np.full((len(J), len(J)), np.inf)
    mass, own = J.sum(axis=1), xlogx(J).sum(axis=1)
    for t in range(len(J) - 1):
        both, union = mass[t] + mass[t + 1 :], J[t] + J[t + 1 :]
        of_t = xlogx(mass[t]) + xlogx(mass[t + 1 :]) - xlogx(both)
        given = own[t] + own[t + 1 :] - xlogx(union).sum(axis=1)
        cost[t, t + 1 :] = of_t - beta * (of_t - given)
    pair = _least(cost)
    return pair if cost[pair] < -SAME else None


def _least(values: Doubles) -> tuple[int, int]:
    one, other = divmod(int(values.argmin()), len(values))
    return one, other


def _merged(J: Doubles, one: int, other: int) -> Doubles:
    merged = J.copy()
    merged[one] += J[other]
    return np.delete(merged, other, axis=0)


def _distances(J: Doubles) -> Doubles:
    """Total variation between the p(y|t) of every two clusters, row by row to save memory."""
    given = J / J.sum(axis=1, keepdims=True)
    return np.array([0.5 * np.abs(given - row).sum(axis=1) for row in given])


def growth(equations: Equations, state: Settled) -> tuple[Doubles, Doubles]:
    """By how much a small split of each cluster grows in a step, and its direction.

    Let a cluster be two halves with p(y|t) + eps v(y) and p(y|t) - eps v(y). A step of the
    equations makes of v, with sums over p(x|t),

        v'(y) = beta sum_x p(x|t) p(y|x) sum_z p(z|x) v(z) / p(z|t)

    The matrix, symmetric after scaling by p(y|t)^(1/2), has the eigenvalue beta for v = p(y|t),
    which is no split, and beta * lambda for the next, where lambda is the squared maximal
    correlation of X and Y inside of the cluster. Where beta * lambda reaches 1, the cluster splits.

    Returns
    -------
    growth : array (K,)
    directions : array (K, m)
        v(y) / p(y|t), scaled to a largest entry of 1.
    """
    given = state.J / state.J.sum(axis=1, keepdims=True)
    root = np.sqrt(given)
    weights = state.encoder * equations.p_x
    weights /= weights.sum(axis=1, keepdims=True)
    inverse = np.divide(1.0, root, out=np.zeros_like(root), where=given > TINY)

    def product(w: Doubles) -> Doubles:
        w = w - root * (root * w).sum(axis=1, keepdims=True)
        image = ((w * inverse) @ equations.P.T * weights) @ equations.P * inverse
        projected: Doubles = image - root * (root * image).sum(axis=1, keepdims=True)
        return projected

    values, vectors = _largest(product, root)
    directions = vectors * inverse
    largest = np.abs(directions).max(axis=1, keepdims=True)
    return equations.beta * values, directions / np.maximum(largest, TINY)


def _largest(product: Callable[[Doubles], Doubles], root: Doubles) -> tuple[Doubles, Doubles]:
    """Largest eigenvalues and their vectors of a batch of symmetric matrices, by Lanczos.

    All vectors are kept orthogonal. A sequence that ends early goes on with zeros.
    """
    K, m = root.shape
    steps = min(m, MOST_LANCZOS)
    start = np.random.default_rng(0).standard_normal((K, m)) * root
    vector = _unit(start - root * (root * start).sum(axis=1, keepdims=True))
    basis = np.zeros((K, steps, m))
    tridiagonal = np.zeros((K, steps, steps))
    for k in range(steps):
        basis[:, k] = vector
        image = product(vector)
        tridiagonal[:, k, k] = (vector * image).sum(axis=1)
        known = basis[:, : k + 1]
        for _ in range(2):  # once is not enough where little is left
            image = image - ((known @ image[:, :, None]).transpose(0, 2, 1) @ known)[:, 0]
        norm = np.linalg.norm(image, axis=1)
        if k + 1 < steps:
            norm = np.where(norm > 1e-13, norm, 0.0)
            tridiagonal[:, k, k + 1] = tridiagonal[:, k + 1, k] = norm
            vector = _unit(image) * (norm > 0.0)[:, None]
    values, coordinates = np.linalg.eigh(tridiagonal)
    vectors = (coordinates[:, None, :, -1] @ basis)[:, 0]
    return values[:, -1], vectors


def _unit(vectors: Doubles) -> Doubles:
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    unit: Doubles = vectors / np.maximum(norms, TINY)
    return unit


def split(J: Doubles, directions: Doubles, which: npt.NDArray[np.bool_], size: float) -> Doubles:
    """J with some of its clusters in two halves, apart along their directions of growth."""
    halves = J[which] / 2.0
    apart = size * directions[which]
    return np.concatenate([J[~which], halves * (1.0 + apart), halves * (1.0 - apart)])
