"""Following solutions in beta: upwards with splits where a cluster becomes unstable, and downwards.

A solution is a node: the state at one beta, and the branch that it lies on.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import NamedTuple

import numpy as np

from eigentropy.bottleneck.bifurcations import Bifurcation
from eigentropy.bottleneck.clusters import Settled, growth, settled, split
from eigentropy.bottleneck.equations import Equations
from eigentropy.bottleneck.joint import Doubles

# A growth above 1 by less is that of a stable solution within rounding.
MARGIN = 1e-7
# How well a critical beta is located: |growth - 1| there, to which its relative error is similar,
# and how well the equations are solved meanwhile.
LOCATED, ROUGHLY = 1e-4, 1e-8
# How far beyond a critical beta the split is looked for first, and by how much farther each time.
BEYOND, FARTHER = 1e-3, 4.0
# By how much the halves of a cluster are apart at first, as a share of what p(y|t) >= 0 allows.
APART = 0.5
# A jump between branches is located as well as this, relative to beta.
JUMP = 1e-4
# Free energies, in nats, that differ by less belong to one solution found twice; and one is lower
# than another only by more than rounding.
SAME_ENERGY, LOWER = 1e-10, 1e-12


class Node(NamedTuple):
    """A solution on a branch."""

    state: Settled
    growth: float
    branch: int

    @property
    def beta(self) -> float:
        """Where it was solved."""
        return self.state.beta

    def same_solution(self, other: Node) -> bool:
        """Whether another node at this beta is this solution."""
        a, b = self.state, other.state
        scale = max(1.0, abs(a.free_energy))
        return a.n_clusters == b.n_clusters and (
            abs(a.free_energy - b.free_energy) <= SAME_ENERGY * scale
        )


@dataclass
class Paths:
    """Follows branches of one distribution, and keeps the bifurcations that it meets."""

    equations: Equations
    most: int
    tol: float
    steps: int
    locate: bool = True
    splits: list[Bifurcation] = field(default_factory=list)
    numbers: Iterator[int] = field(default_factory=itertools.count)

    def trivial(self) -> Node:
        """The solution of one cluster, at half of the beta from which on it is unstable."""
        J = (self.equations.p_x @ self.equations.P)[None]
        at_one = growth(self.equations.at(1.0), self.settled(J, 1.0))[0].max()
        beta = 0.5 / at_one if at_one > 1e-12 else 0.5
        return Node(self.settled(J, beta), 0.5, next(self.numbers))

    @cached_property
    def most_nats(self) -> float:
        """I(X; Y) in nats, which X itself has."""
        return float(self.equations.informations(np.eye(len(self.equations.p_x))[None]).y[0])

    def settled(self, J: Doubles, beta: float, tol: float | None = None) -> Settled:
        """The solution at beta that a start leads to."""
        return settled(self.equations.at(beta), J, self.tol if tol is None else tol, self.steps)

    def unstable(self, state: Settled) -> tuple[Doubles, Doubles]:
        """The growth of each of its clusters, and the directions."""
        if self.equations.alpha != 1.0:  # splits of a cluster shrink: the smaller half loses mass
            return np.zeros(state.n_clusters), np.zeros_like(state.J)
        return growth(self.equations.at(state.beta), state)

    def new_node(self, state: Settled) -> Node:
        """The state as the first of a branch."""
        return Node(state, float(self.unstable(state)[0].max()), next(self.numbers))

    def node(self, state: Settled, before: Node) -> Node:
        """The state as the continuation of a node: of its branch, if the clusters are as many."""
        same = state.n_clusters == before.state.n_clusters
        branch = before.branch if same else next(self.numbers)
        return Node(state, float(self.unstable(state)[0].max()), branch)

    def upward(self, node: Node, beta: float) -> Node:
        """The stable solution at a larger beta that a branch leads to, with splits on the way."""
        while True:
            there = self.node(self.settled(node.state.J, beta), node)
            if there.growth <= 1.0 + MARGIN or there.state.n_clusters >= self.most:
                return there
            if not self.locate:
                return self._split_up(there)
            critical = self.critical(node, there)
            child = self.child(node.state, critical, beta)
            if child is None:
                return there
            below = node.state.n_clusters
            following = self.node(child, node)
            self.splits.append(
                Bifurcation(
                    beta=critical, n_before=below, n_after=child.n_clusters,
                    branch_before=node.branch, branch_after=following.branch,
                )
            )  # fmt: skip
            node = following

    def downward(self, node: Node, beta: float) -> Node:
        """The solution at a smaller beta that a branch leads to; split there if it is unstable."""
        return self._split_up(self.node(self.settled(node.state.J, beta), node))

    def _split_up(self, there: Node) -> Node:
        """The stable solution that splits of clusters lead to at the same beta."""
        while there.growth > 1.0 + MARGIN and there.state.n_clusters < self.most:
            child = self.split(there.state)
            if child is None:
                break
            there = self.node(child, there)
        return there

    def critical(self, stable: Node, unstable: Node) -> float:
        """The beta between two nodes of a branch at which a cluster becomes unstable.

        The Illinois method in log(beta), each time from the solution at the lower end.
        """
        low, high = math.log(stable.beta), math.log(unstable.beta)
        f_low, f_high = math.log(max(stable.growth, 1e-3)), math.log(unstable.growth)
        if f_low >= 0.0:
            return stable.beta
        J, side = stable.state.J, 0
        while high - low > LOCATED:
            middle = (low * f_high - high * f_low) / (f_high - f_low)
            state = self.settled(J, math.exp(middle), ROUGHLY)
            f = math.log(max(float(self.unstable(state)[0].max()), 1e-3))
            if abs(f) <= LOCATED:
                return math.exp(middle)
            if f < 0.0:
                low, f_low, J = middle, f, state.J
                f_high *= 0.5 if side == -1 else 1.0
                side = -1
            else:
                high, f_high = middle, f
                f_low *= 0.5 if side == 1 else 1.0
                side = 1
        return math.exp(0.5 * (low + high))

    def child(self, state: Settled, critical: float, limit: float) -> Settled | None:
        """The solution with more clusters a little beyond a critical beta, up to a limit.

        Where the split clusters are unstable at once, they are split, too: a cascade at one beta.
        """
        beyond = BEYOND
        while True:
            beta = min(critical * (1.0 + beyond), limit)
            found = next_found = self.split(self.settled(state.J, beta))
            while next_found is not None:
                found = next_found
                next_found = self.split(found)
            if found is not None or beta == limit:
                return found
            beyond *= FARTHER

    def split(self, state: Settled) -> Settled | None:
        """The better solution that splitting all unstable clusters leads to; None without one."""
        grown, directions = self.unstable(state)
        room = self.most - state.n_clusters
        which = (grown > 1.0 + MARGIN) & (np.argsort(np.argsort(-grown)) < room)
        if not which.any():
            return None
        start = split(state.J, directions, which, APART)
        found = self.settled(start, state.beta)
        better = found.free_energy < state.free_energy
        return found if better and found.n_clusters > state.n_clusters else None

    def energies(self, node: Node, betas: list[float]) -> Doubles:
        """The free energy that the encoder of a node has at other betas."""
        x, y, entropy = (float(v[0]) for v in self.equations.informations(node.state.encoder[None]))
        cost = entropy - self.equations.alpha * (entropy - x)
        return cost + np.array(betas) * (self.most_nats - y)

    def crossed(self, node: Node, beta: float) -> Node:
        """What a node leads to at another beta, as the first of a branch, split if unstable."""
        return self._split_up(self.new_node(self.settled(node.state.J, beta)))

    def explained(self, low: Node, high: Node) -> list[Bifurcation]:
        """The splits that lead from one node to another; none, if it is not splits that do."""
        known = len(self.splits)
        reached = self.upward(low, high.beta)
        found = self.splits[known:]
        del self.splits[known:]
        if not (found and reached.same_solution(high)):
            return []
        return [*found[:-1], replace(found[-1], branch_after=high.branch)]

    def chain(self, low: Node, high: Node) -> list[Bifurcation] | None:
        """The known splits by which one node leads to another; None if they do not."""
        branch, found = low.branch, []
        for known in sorted(self.splits, key=lambda known: known.beta):
            if known.branch_before == branch and low.beta < known.beta <= high.beta:
                branch = known.branch_after or 0
                found.append(known)
        return found if branch == high.branch else None

    def between(self, low: Node, high: Node) -> list[Bifurcation]:
        """How the best solution changes from one node to another one of a different branch."""
        found: list[Bifurcation] = []
        while len(found) < self.most:
            change, above = self._change(low, high)
            if change.kind == "appearance" and change.n_before == change.n_after:
                break  # one solution, found twice
            found.append(change)
            low = Node(above, 0.0, change.branch_after or 0)
            if self.node(self.settled(above.J, high.beta), low).same_solution(high):
                break
        return [replace(b, branch_after=high.branch) if b is found[-1] else b for b in found]

    def _change(self, low: Node, high: Node) -> tuple[Bifurcation, Settled]:
        """The first change between two nodes, and the state just above it."""
        below, above, kind = self._crossing(low.state, high.state)
        beta = math.sqrt(below.beta * above.beta)
        if kind == "appearance":
            stays = self.node(self.settled(below.J, above.beta), low)
            if stays.growth > 1.0 + MARGIN:
                kind = "split"
        change = Bifurcation(
            beta=beta, kind=kind, n_before=below.n_clusters, n_after=above.n_clusters,
            branch_before=low.branch, branch_after=next(self.numbers),
        )  # fmt: skip
        return change, above

    def _crossing(self, below: Settled, above: Settled) -> tuple[Settled, Settled, str]:
        """Two states on both sides of where the upper branch becomes the better one, by halving.

        Below, that branch is worse, which makes the change a jump, or it has become the lower one:
        then clusters of it appear there, with no mass at first.
        """
        kind = "appearance"
        while above.beta > below.beta * (1.0 + JUMP):
            beta = math.sqrt(below.beta * above.beta)
            left, right = self.settled(below.J, beta), self.settled(above.J, beta)
            if right.free_energy < left.free_energy - LOWER:
                above = right
            else:
                below = left
                kind = "jump" if right.free_energy > left.free_energy + LOWER else "appearance"
        return below, above, kind
