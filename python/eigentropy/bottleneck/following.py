"""The information curve of a joint distribution: branches followed in both directions of beta."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace
from typing import Any

import numpy as np

from eigentropy._support.options import (
    integer,
    logarithm_base,
    nonnegative,
    one_of,
    positive,
    random_seed,
)
from eigentropy.bottleneck import fixed_point
from eigentropy.bottleneck.bifurcations import Bifurcation
from eigentropy.bottleneck.continuation import Node, Paths
from eigentropy.bottleneck.equations import Equations
from eigentropy.bottleneck.grids import checked_betas
from eigentropy.bottleneck.information_curve import CurvePoint, InformationCurve
from eigentropy.bottleneck.joint import Doubles, as_joint
from eigentropy.bottleneck.solution import as_solution
from eigentropy.bottleneck.solver import cluster_limit, random_starts, warn_of_residual

# Other solutions are tried at a beta where they are better by more than this, in nats, and in so
# many rounds.
WORSE = 1e-9
MOST_ROUNDS = 20

DIRECTIONS = ("both", "up", "down")


def curve(
    p_xy: Any,
    betas: Any = None,
    *,
    n_clusters: int | None = None,
    alpha: float = 1.0,
    direction: str = "both",
    locate: bool = True,
    restarts: int = 10,
    base: float = 2.0,
    tol: float = fixed_point.TOLERANCE,
    max_steps: int = fixed_point.MOST_STEPS,
    seed: int = 0,
) -> InformationCurve:
    """The information curve: the most bits about Y for each number of bits of X.

    Solutions are followed in beta. Upwards, from one cluster: where a cluster becomes unstable, the
    critical beta is located, and the cluster is split along its unstable direction. Downwards, from
    as many clusters as there may be: clusters that have become equal are merged. Where a solution
    is better at another beta than those found there, it is followed there, too. All solutions are
    kept, each with its branch, and the best one at each beta makes the curve.

    Parameters
    ----------
    p_xy : array (n_x, n_y), or JointDistribution
        `joint_distribution` makes it of observations or counts.
    betas : array, optional
        > 0, in any order. By default 60, up to 100 times the first critical beta.
    n_clusters : int, optional
        The most values of T. By default as many as there are x, 64 at most.
    alpha : float
        As in `solve`. Below 1 no split of a cluster grows by itself: there is nothing to follow
        upwards, and at each beta random starts take its place.
    direction : str
        "both", "up" or "down". "up" alone needs alpha = 1.
    locate : bool
        Whether bifurcations are located between the betas. False is faster, and finds none.
    restarts : int
        Random starts at the largest beta, for the way down where there are more x than clusters
        allowed; at each beta for alpha below 1.
    base, tol, max_steps, seed
        As in `solve`.

    Returns
    -------
    InformationCurve

    Warns
    -----
    PrecisionWarning
        The residual of a point of the curve is above `tol` after `max_steps`.

    Raises
    ------
    ValueError
        Betas that are not > 0; p_xy that is no distribution; direction="up" with alpha below 1.
    """
    joint = as_joint(p_xy)
    base, alpha = logarithm_base(base), nonnegative(alpha, "alpha", at_most=1.0)
    one_of(direction, "direction", DIRECTIONS)
    if direction == "up" and alpha < 1.0:
        raise ValueError(
            f"direction='up' follows splits, which alpha={alpha:g} has not: use 'down'"
        )
    tol, steps = positive(tol, "tol"), integer(max_steps, "max_steps", at_least=1)
    batch, seed = integer(restarts, "restarts", at_least=1), random_seed(seed)
    equations = Equations.of(joint, 1.0, alpha)
    paths = Paths(equations, cluster_limit(joint, n_clusters), tol, steps, bool(locate))
    trivial = paths.trivial()
    grid = checked_betas(betas, 2.0 * trivial.beta)
    ways: dict[str, list[Node]] = {}
    if direction != "down" and alpha == 1.0:
        ways["up"] = _up(paths, trivial, grid)
    if direction != "up":
        ways["down"] = _down(paths, grid, ways.get("up"), batch, seed)
    if alpha < 1.0:
        ways["restarts"] = [_restarted(paths, beta, batch, seed) for beta in grid]
    best = [
        min(nodes, key=lambda node: node.state.free_energy)
        for nodes in zip(*ways.values(), strict=True)
    ]
    if direction == "both":
        ways["crossed"] = crossed(paths, best)
    for node in best:
        if not node.state.residual <= tol:
            warn_of_residual(node.state, tol)
    points = {
        id(node): CurvePoint(
            solution=as_solution(joint, equations.at(node.beta), node.state, base, tol),
            branch=node.branch, direction=way, growth=node.growth,
        )
        for way, nodes in ways.items()
        for node in nodes
    }  # fmt: skip
    solutions = [points[id(node)].solution for node in best]
    found = bifurcations(paths, best) if locate else ()
    return InformationCurve(
        betas=grid,
        information_x=np.array([s.information_x for s in solutions]),
        information_y=np.array([s.information_y for s in solutions]),
        n_clusters=np.array([s.n_clusters for s in solutions]),
        information_xy=joint.nats / math.log(base),
        base=base,
        bifurcations=tuple(b for b in found if grid[0] <= b.beta <= grid[-1]),
        points=tuple(points.values()),
    )


def crossed(paths: Paths, best: list[Node]) -> list[Node]:
    """Better solutions that start at the best ones of other betas, which they replace in `best`.

    The solution at one beta may be better at another beta than the one that was found there. What
    it leads to there is better still, so that the curve becomes concave, step by step.
    """
    found: list[Node] = []
    for _ in range(MOST_ROUNDS):
        energies = np.array([paths.energies(node, [n.beta for n in best]) for node in best])
        own = np.array([node.state.free_energy for node in best])
        sources = energies.argmin(axis=0)
        where = np.flatnonzero(energies.min(axis=0) < own - WORSE)
        before = list(best)
        for number in where:
            node = paths.crossed(before[sources[number]], best[number].beta)
            if node.state.free_energy < own[number]:
                best[number] = node
                found.append(node)
        if not len(where):
            break
    return found


def _up(paths: Paths, node: Node, grid: Doubles) -> list[Node]:
    nodes = []
    for beta in grid:
        node = paths.upward(node, float(beta))
        nodes.append(node)
    return nodes


def _down(paths: Paths, grid: Doubles, up: list[Node] | None, batch: int, seed: int) -> list[Node]:
    """From as many clusters as there may be. A solution that is known has the known branch."""
    node = _top(paths, float(grid[-1]), up, batch, seed)
    nodes: list[Node] = []
    for number in reversed(range(len(grid))):
        node = paths.downward(node, float(grid[number]))
        if up is not None and node.same_solution(up[number]):
            node = Node(node.state, node.growth, up[number].branch)
        nodes.append(node)
    nodes.reverse()
    for low, high in itertools.pairwise(nodes):
        if paths.locate and paths.chain(low, high) is None:
            paths.splits += paths.explained(low, high)
    return nodes


def _top(paths: Paths, beta: float, up: list[Node] | None, batch: int, seed: int) -> Node:
    """The best solution at the largest beta."""
    equations = paths.equations.at(beta)
    if len(equations.p_x) <= paths.most:
        starts = [equations.p_x[:, None] * equations.P]
    else:
        J = random_starts(equations, paths.most, batch, seed)
        found = fixed_point.converged(equations, J, tol=paths.tol, steps=paths.steps)
        starts = [found.J[int(found.free_energy.argmin())]]
    starts += [up[-1].state.J] if up else []
    states = [paths.settled(J, beta) for J in starts]
    return paths.new_node(min(states, key=lambda state: state.free_energy))


def _restarted(paths: Paths, beta: float, batch: int, seed: int) -> Node:
    """The best of random starts at one beta."""
    equations = paths.equations.at(beta)
    J = random_starts(equations, paths.most, batch, seed)
    found = fixed_point.converged(equations, J, tol=paths.tol, steps=paths.steps)
    return paths.new_node(paths.settled(found.J[int(found.free_energy.argmin())], beta))


def bifurcations(paths: Paths, best: list[Node]) -> tuple[Bifurcation, ...]:
    """All that were found, by beta, with those of the optimal curve marked."""
    found = {id(split): replace(split, optimal=False) for split in paths.splits}
    jumps: list[Bifurcation] = []
    for low, high in itertools.pairwise(best):
        if low.branch == high.branch:
            continue
        chain = paths.chain(low, high)
        if chain is None:
            jumps += paths.between(low, high)
        else:
            found |= {id(split): split for split in chain}
    return tuple(sorted([*found.values(), *jumps], key=lambda b: b.beta))
