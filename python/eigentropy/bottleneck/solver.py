"""Solutions at one beta, from many starts at once."""

from __future__ import annotations

from typing import Any

import numpy as np

from eigentropy._support.options import integer, logarithm_base, nonnegative, positive, random_seed
from eigentropy._support.warnings import PrecisionWarning, warn
from eigentropy.bottleneck import fixed_point
from eigentropy.bottleneck.clusters import Settled, settled
from eigentropy.bottleneck.equations import Equations
from eigentropy.bottleneck.joint import Doubles, JointDistribution, as_joint
from eigentropy.bottleneck.solution import BottleneckSolution, as_solution

# Clusters to start with by default, where there are more x: a step costs in proportion.
MOST_CLUSTERS = 64

# Each start has this share of p(y) in its p(y|t), so that no y is excluded from a cluster.
COMMON = 0.1


def solve(
    p_xy: Any,
    beta: float,
    *,
    n_clusters: int | None = None,
    alpha: float = 1.0,
    restarts: int = 10,
    base: float = 2.0,
    tol: float = fixed_point.TOLERANCE,
    max_steps: int = fixed_point.MOST_STEPS,
    seed: int = 0,
) -> BottleneckSolution:
    """The best encoder p(t|x) that is found at one beta.

    It minimises I(T; X) - beta I(T; Y). Several starts are followed as one batch, and the one with
    the lowest Lagrangian is returned. The problem is not convex: more restarts may find a better
    one, and `curve`, which follows solutions in beta, mostly finds the best one with none.

    Parameters
    ----------
    p_xy : array (n_x, n_y), or JointDistribution
        `joint_distribution` makes it of observations or counts.
    beta : float
        > 0. Up to 1, and in fact up to 1 / (squared maximal correlation), T tells nothing.
    n_clusters : int, optional
        Values of T to start with, of which equal ones are merged at the end. By default as many
        as there are x, 64 at most.
    alpha : float
        1 is the information bottleneck, and 0 the deterministic one, whose encoder assigns each x
        to one t and minimises H(T) - beta I(T; Y). Between them H(T) - alpha H(T|X) - beta I(T; Y).
    restarts : int
        Random starts.
    base : float
        Of the logarithms: 2 for bits.
    tol : float
        The residual, as total variation between p(t, y) and its next step, that is small enough.
    max_steps : int
    seed : int

    Returns
    -------
    BottleneckSolution

    Warns
    -----
    PrecisionWarning
        The residual is above `tol` after `max_steps`.

    Raises
    ------
    ValueError
        beta <= 0; p_xy that is no distribution.

    Notes
    -----
    Steps of the equations become slow near a critical beta. Newton steps are taken instead, as far
    as they lower the free energy (`fixed_point.py`).

    References
    ----------
    Tishby, Pereira, Bialek, "The information bottleneck method", 1999, arXiv physics/0004057.
    Strouse, Schwab, "The deterministic information bottleneck", 2017, arXiv 1604.00268.
    """
    joint = as_joint(p_xy)
    beta, base = positive(beta, "beta"), logarithm_base(base)
    alpha = nonnegative(alpha, "alpha", at_most=1.0)
    tol, steps = positive(tol, "tol"), integer(max_steps, "max_steps", at_least=1)
    K = cluster_limit(joint, n_clusters)
    batch = integer(restarts, "restarts", at_least=1)
    equations = Equations.of(joint, beta, alpha)
    starts = random_starts(equations, K, batch, random_seed(seed))
    found = fixed_point.converged(equations, starts, tol=tol, steps=steps)
    best = settled(equations, found.J[int(found.free_energy.argmin())], tol, steps)
    if not best.residual <= tol:
        warn_of_residual(best, tol)
    return as_solution(joint, equations, best, base, tol)


def cluster_limit(joint: JointDistribution, n_clusters: int | None) -> int:
    """How many clusters there may be: no more than x that occur."""
    if n_clusters is None:
        return min(len(joint.p_x), MOST_CLUSTERS)
    return min(len(joint.p_x), integer(n_clusters, "n_clusters", at_least=1))


def random_starts(equations: Equations, K: int, batch: int, seed: int) -> Doubles:
    """J of `batch` starts (batch, K, m): clusters around K different x each, drawn by p(x).

    For alpha below 1 more clusters are not always better: the starts have 1, 2, .. K in turn.
    """
    rng = np.random.default_rng(seed)
    p_y = equations.p_x @ equations.P
    # The K smallest of independent exponential times with rates p(x): a draw without replacement.
    times = rng.exponential(size=(batch, len(equations.p_x))) / equations.p_x
    chosen = np.argpartition(times, K - 1, axis=1)[:, :K]
    given = (1.0 - COMMON) * equations.P[chosen] + COMMON * p_y
    mass = rng.dirichlet(np.full(K, 5.0), size=batch)
    if equations.alpha < 1.0:
        mass *= np.arange(K) <= np.arange(batch)[:, None] % K
        mass /= mass.sum(axis=1, keepdims=True)
    J: Doubles = given * mass[:, :, None]
    return J


def warn_of_residual(state: Settled, tol: float) -> None:
    """Say that the equations are not solved as accurately as was asked for."""
    warn(
        f"beta={state.beta:g}: the equations are solved up to a residual of {state.residual:.1g}, "
        f"and tol={tol:g} was wanted; raise max_steps, or tol",
        PrecisionWarning,
    )
