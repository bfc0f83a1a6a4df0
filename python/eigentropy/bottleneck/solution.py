"""One solution of the equations at one beta."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from eigentropy._support.units import unit
from eigentropy.bottleneck.clusters import Settled
from eigentropy.bottleneck.equations import Equations
from eigentropy.bottleneck.joint import Doubles, JointDistribution


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class BottleneckSolution:
    """An encoder p(t|x) that solves the equations of the bottleneck at `beta`.

    Attributes
    ----------
    beta, alpha, base : float
        What it was solved for, and the base of the logarithms of its informations.
    information_x, information_y : float
        I(T; X), what T costs, and I(T; Y), what it keeps.
    entropy : float
        H(T).
    distortion : float
        I(X; Y|T) = I(X; Y) - I(T; Y), what is lost. With it as the distortion, I(T; X) is a
        rate-distortion function.
    lagrangian : float
        H(T) - alpha H(T|X) - beta I(T; Y); for alpha = 1 that is I(T; X) - beta I(T; Y).
    n_clusters : int
        Values of T that occur and have different p(y|t): equal ones are merged.
    p_t : array (n_clusters,)
    p_y_given_t : array (n_clusters, n_y)
    encoder : array (n_x, n_clusters)
        p(t|x); of an x that never occurs, p(t). Computed from p(t) and p(y|t) at each access.
    residual : float
        Total variation between p(t, y) and what one step of the equations makes of it.
    converged : bool
        Whether the residual is as small as was asked for.
    """

    joint: JointDistribution
    beta: float
    alpha: float
    base: float
    J: Doubles
    information_x: float
    information_y: float
    entropy: float
    residual: float
    converged: bool

    @property
    def n_clusters(self) -> int:
        """Values of T that occur and differ."""
        return len(self.J)

    @property
    def p_t(self) -> Doubles:
        """Probability of each cluster."""
        mass: Doubles = self.J.sum(axis=1)
        return mass

    @property
    def p_y_given_t(self) -> Doubles:
        """The distribution of Y in each cluster, one a row."""
        given = np.zeros((self.n_clusters, len(self.joint.p_y)))
        given[:, self.joint.p_y > 0.0] = self.J / self.p_t[:, None]
        return given

    @property
    def encoder(self) -> Doubles:
        """p(t|x), one row for each x."""
        equations = Equations.of(self.joint, self.beta, self.alpha)
        rows = np.tile(self.p_t, (len(self.joint.p_xy), 1))
        rows[self.joint.occurring] = equations.step(self.J[None]).encoder[0].T
        return rows

    @property
    def distortion(self) -> float:
        """I(X; Y|T), what T does not tell of Y and X does."""
        return max(0.0, self.joint.nats / math.log(self.base) - self.information_y)

    @property
    def lagrangian(self) -> float:
        """What is minimised at this beta."""
        given_x = self.entropy - self.information_x
        return self.entropy - self.alpha * given_x - self.beta * self.information_y

    def __repr__(self) -> str:
        of = {1.0: "", 0.0: ", deterministic"}.get(self.alpha, f", alpha={self.alpha:g}")
        state = "" if self.converged else f", not converged: residual {self.residual:.1g}"
        return (
            f"BottleneckSolution(beta={self.beta:g}{of}, {self.n_clusters} clusters, "
            f"I(T; X) = {self.information_x:.6g}, I(T; Y) = {self.information_y:.6g} "
            f"{unit(self.base)}{state})"
        )


def as_solution(
    joint: JointDistribution, equations: Equations, state: Settled, base: float, tol: float
) -> BottleneckSolution:
    """What is returned of a state; the largest cluster comes first."""
    order = np.argsort(-state.J.sum(axis=1), kind="stable")
    nats = equations.informations(state.encoder[None])
    x, y, entropy = (float(value[0]) / math.log(base) for value in nats)
    return BottleneckSolution(
        joint=joint, beta=state.beta, alpha=equations.alpha, base=base, J=state.J[order],
        information_x=x, information_y=y, entropy=entropy,
        residual=state.residual, converged=bool(state.residual <= tol),
    )  # fmt: skip
