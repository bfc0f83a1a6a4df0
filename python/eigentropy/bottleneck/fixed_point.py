"""Solving the equations: Newton's method where steps of the equations alone are slow.

Near a critical beta the steps shrink the distance to the solution by a factor that tends to 1. A
step is J' = G(J), and G is linear near the solution, with a self-adjoint derivative M whose
eigenvalues are not negative. So (1 - M) d = J' - J is solved by conjugate gradients, for which
only products with M are needed, and J + d is taken instead of J', if that lowers the free energy.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from eigentropy.bottleneck.equations import TINY, Equations, Step
from eigentropy.bottleneck.joint import Doubles

# Total variation between J and its next step below which the equations count as solved. Rounding
# leaves some 1e-16 times the square root of the number of entries.
TOLERANCE = 1e-10
MOST_STEPS = 500
MOST_PRODUCTS = 60

# A Newton step changes no entry by more than these factors.
SMALLEST_FACTOR, LARGEST_FACTOR = 0.02, 10.0
# How long a Newton step may be at first and at most, in the metric of `Equations.slopes`, in which
# 1 is about a change of each entry by itself; by how much more after a step of full length, and by
# how much less after one that is refused.
FIRST_RADIUS, LARGEST_RADIUS = 0.5, 5.0
LONGER, SHORTER = 3.0, 0.25
# Free energies, in nats, that differ by less are the same within rounding.
SAME = 1e-14


class FixedPoint(NamedTuple):
    """A batch of solutions, and how far from solving the equations they are."""

    J: Doubles
    encoder: Doubles
    free_energy: Doubles
    residual: Doubles
    steps: int


def converged(
    equations: Equations, J: Doubles, *, tol: float = TOLERANCE, steps: int = MOST_STEPS
) -> FixedPoint:
    """Solutions of the equations from a batch of starts (batch, K, m).

    Each ends where its residual is at most `tol`, or after `steps`: the residual says which.
    """
    J = J.copy()
    step = equations.step(J)
    residual, radius = step.residual(J), np.full(len(J), FIRST_RADIUS)
    count = 0
    while count < steps and (residual > tol).any():
        count += 1
        active = np.flatnonzero(residual > tol)
        J[active], new, radius[active] = _advanced(
            equations, J[active], _chosen(step, active), radius[active]
        )
        for whole, part in zip(step, new, strict=True):
            whole[active] = part
        residual[active] = new.residual(J[active])
    return FixedPoint(J, step.encoder, step.free_energy, residual, count)


def _chosen(step: Step, which: npt.NDArray[np.intp]) -> Step:
    return Step(*(array[which] for array in step))


def _advanced(
    equations: Equations, J: Doubles, step: Step, radius: Doubles
) -> tuple[Doubles, Step, Doubles]:
    """The Newton step of each solution where it is better, its plain step elsewhere."""
    if equations.alpha == 0.0:  # steps of hard assignments, which end after finitely many
        return step.following, equations.step(step.following), radius
    candidate, length = _newton(equations, J, step, radius)
    trial = equations.step(candidate)
    lower = trial.free_energy < step.free_energy - SAME
    level = trial.free_energy <= step.free_energy + SAME
    better = lower | (level & (trial.residual(candidate) < step.residual(J)))
    longer = np.where(length > 0.99 * radius, np.minimum(LONGER * radius, LARGEST_RADIUS), radius)
    radius = np.where(better, longer, SHORTER * np.minimum(radius, length))
    if better.all():
        return candidate, trial, radius
    J = np.where(better[:, None, None], candidate, step.following)
    return J, equations.step(J), radius


def _newton(
    equations: Equations, J: Doubles, step: Step, radius: Doubles
) -> tuple[Doubles, Doubles]:
    """J + d, with (1 - M) d = J' - J solved as well as the residual deserves, and |d|."""
    wanted = np.divide(step.following, J, out=np.ones_like(J), where=TINY < J) - 1.0
    wanted = np.clip(wanted, -1.0, LARGEST_FACTOR)
    accuracy = np.minimum(0.1, np.sqrt(step.residual(J)))
    u, length = _conjugate_gradients(equations, J, step.encoder, wanted, accuracy, radius)
    moved = J * np.clip(1.0 + u, SMALLEST_FACTOR, LARGEST_FACTOR)
    total: Doubles = moved / moved.sum(axis=(1, 2), keepdims=True)
    return total, length


def _conjugate_gradients(
    equations: Equations,
    J: Doubles,
    encoder: Doubles,
    wanted: Doubles,
    accuracy: Doubles,
    radius: Doubles,
) -> tuple[Doubles, Doubles]:
    """The relative change u with (1 - M) u = wanted, per solution, and its length.

    Steihaug's method: where a step would be longer than `radius`, or where 1 - M has a direction of
    negative curvature since the solution is a saddle, it ends on that direction at that length.
    """
    u, rest, direction = np.zeros_like(J), wanted, wanted
    slopes = direction_slopes = equations.slopes(J, rest)
    norm = first = _sums(J, slopes, rest)
    # |u|^2, <u, direction> and |direction|^2
    uu, ud, dd = np.zeros_like(norm), np.zeros_like(norm), norm
    running = first > 0.0
    for _ in range(MOST_PRODUCTS):
        image = direction - equations.linearized(encoder, J, direction_slopes)
        curvature = _sums(J, direction_slopes, image)
        positive = running & (curvature > 0.0)
        ahead = np.where(positive, norm / np.where(positive, curvature, 1.0), 0.0)
        far = running & (~positive | (uu + ahead * (2.0 * ud + ahead * dd) >= radius**2))
        ahead = np.where(far, _to_boundary(uu, ud, dd, radius), ahead)
        ahead = np.where(running, ahead, 0.0)
        u = u + ahead[:, None, None] * direction
        uu, ud = uu + ahead * (2.0 * ud + ahead * dd), ud + ahead * dd
        rest = rest - ahead[:, None, None] * image
        slopes = equations.slopes(J, rest)
        new = _sums(J, slopes, rest)
        running &= ~far & (new > accuracy**2 * first)
        if not running.any():
            break
        kept = np.where(running, new / np.where(norm > 0.0, norm, 1.0), 0.0)
        direction = rest + kept[:, None, None] * direction
        direction_slopes = slopes + kept[:, None, None] * direction_slopes
        norm, ud, dd = new, kept * ud, new + kept**2 * dd
    return u, np.sqrt(np.maximum(uu, 0.0))


def _to_boundary(uu: Doubles, ud: Doubles, dd: Doubles, radius: Doubles) -> Doubles:
    """How far along the direction u reaches the radius."""
    dd = np.maximum(dd, TINY)
    inside = np.maximum(radius**2 - uu, 0.0)
    far: Doubles = (np.sqrt(ud**2 + dd * inside) - ud) / dd
    return far


def _sums(J: Doubles, z: Doubles, v: Doubles) -> Doubles:
    """The inner products of a batch: sum J z v."""
    total: Doubles = np.einsum("bty,bty,bty->b", J, z, v)
    return total
