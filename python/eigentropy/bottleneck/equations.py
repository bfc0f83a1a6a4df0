"""The self-consistent equations of the bottleneck, for a batch of solutions at a time.

A solution is the joint distribution J(t, y) = p(t) p(y|t): K (m + 1) numbers, whatever the number n
of x. All that follows from it:

    q(t|x) ~ [p(t) exp(-beta D(p(y|x) || p(y|t)))]^(1/alpha)      encoder
    J'(t, y) = sum_x p(x) q(t|x) p(y|x)                           one step of the equations

Shapes: J (batch, K, m), q (batch, K, n). Each step is two matrix products of n x m by K * batch
columns. Logarithms are taken before sums over t, so that no cluster is lost to underflow.

`alpha` is 1 for the bottleneck of Tishby, Pereira and Bialek (1999), and 0 for the deterministic
one of Strouse and Schwab (2017), which minimises H(T) - beta I(T; Y). Between them
H(T) - alpha H(T|X) - beta I(T; Y) is minimised.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from eigentropy.bottleneck.joint import Doubles, JointDistribution

# The smallest probability whose logarithm is taken: below, a cluster never has this y.
TINY = 1e-300


class Step(NamedTuple):
    """One step of the equations from J, and what it costs."""

    encoder: Doubles  # q(t|x) at J
    following: Doubles  # J' (t, y)
    # Per solution, in nats: H(T) - alpha H(T|X) + beta I(X; Y|T) at a solution. Falls in each step.
    free_energy: Doubles

    def residual(self, J: Doubles) -> Doubles:
        """Total variation between J and J', per solution: 0 where the equations hold."""
        total: Doubles = 0.5 * np.abs(self.following - J).sum(axis=(1, 2))
        return total


class Informations(NamedTuple):
    """Of each solution of a batch, in nats."""

    x: Doubles  # I(T; X)
    y: Doubles  # I(T; Y)
    entropy: Doubles  # H(T)


@dataclass(frozen=True)
class Equations:
    """The equations at one beta.

    Attributes
    ----------
    p_x : array (n,)
    P : array (n, m)
        p(y|x).
    negentropy : array (n,)
        sum_y p(y|x) log p(y|x).
    beta, alpha : float
    """

    p_x: Doubles
    P: Doubles
    negentropy: Doubles
    beta: float
    alpha: float = 1.0

    @staticmethod
    def of(joint: JointDistribution, beta: float, alpha: float = 1.0) -> Equations:
        """The equations of a joint distribution; a y that never occurs is left out."""
        P = joint.p_y_given_x
        P = np.ascontiguousarray(P[:, joint.p_y > 0.0])
        return Equations(joint.p_x, P, _negentropy(P), beta, alpha)

    def at(self, beta: float) -> Equations:
        """The same equations at another beta."""
        return Equations(self.p_x, self.P, self.negentropy, beta, self.alpha)

    def step(self, J: Doubles) -> Step:
        """One step of the equations from J (batch, K, m)."""
        scores = self._scores(J)
        if self.alpha == 0.0:
            encoder = np.zeros_like(scores)
            np.put_along_axis(encoder, scores.argmax(axis=1)[:, None], 1.0, axis=1)
            best = scores.max(axis=1)
        else:
            scores /= self.alpha
            highest = scores.max(axis=1, keepdims=True)
            encoder = np.exp(scores - highest)
            mass = encoder.sum(axis=1, keepdims=True)
            encoder /= mass
            best = self.alpha * (highest + np.log(mass))[:, 0]
        return Step(encoder, self.decoded(encoder), -(best @ self.p_x))

    def decoded(self, encoder: Doubles) -> Doubles:
        """J(t, y) of an encoder (batch, K, n)."""
        return _times(encoder * self.p_x, self.P)

    def _scores(self, J: Doubles) -> Doubles:
        """Scores log p(t) - beta D(p(y|x) || p(y|t)), shape (batch, K, n)."""
        mass = J.sum(axis=2, keepdims=True)
        given = np.log(np.maximum(J, TINY)) - np.log(np.maximum(mass, TINY))
        scores = _times(given, self.P.T)
        scores -= self.negentropy
        scores *= self.beta
        scores += np.log(np.maximum(mass, TINY))
        return scores

    def slopes(self, J: Doubles, u: Doubles) -> Doubles:
        """How J enters the scores: for dJ = J u they change by sum_y p(y|x) z(t, y).

        z = beta u + (1 - beta) (mean of u under p(y|t)), shape (batch, K, m). The inner product of
        relative changes, in which `linearized` is self-adjoint, is sum J z(u) v.
        """
        mass = np.maximum(J.sum(axis=2, keepdims=True), TINY)
        mean = (J * u).sum(axis=2, keepdims=True) / mass
        slopes: Doubles = (1.0 - self.beta) * mean + self.beta * u
        return slopes

    def linearized(self, encoder: Doubles, J: Doubles, z: Doubles) -> Doubles:
        """The relative change of the next step, for slopes z: a map with no negative eigenvalue.

        The encoder changes by q times the change of its score less the mean of that over t.
        """
        scores = _times(z, self.P.T)
        scores -= (encoder * scores).sum(axis=1, keepdims=True)
        scores *= encoder
        scores *= self.p_x / self.alpha
        change = _times(scores, self.P)
        return np.divide(change, J, out=np.zeros_like(J), where=TINY < J)

    def informations(self, encoder: Doubles) -> Informations:
        """I(T; X), I(T; Y) and H(T) of each encoder (batch, K, n), in nats."""
        J = self.decoded(encoder)
        entropy = -xlogx(J.sum(axis=2)).sum(axis=1)
        of_x = entropy + (xlogx(encoder).sum(axis=1) @ self.p_x)
        p_y = J.sum(axis=1)
        of_y = entropy - xlogx(p_y).sum(axis=1) + xlogx(J).sum(axis=(1, 2))
        return Informations(np.maximum(of_x, 0.0), np.maximum(of_y, 0.0), entropy)


def _times(A: Doubles, B: Doubles) -> Doubles:
    """A (batch, K, a) times B (a, b), as one matrix product."""
    product: Doubles = (A.reshape(-1, A.shape[2]) @ B).reshape(*A.shape[:2], B.shape[1])
    return product


def xlogx(p: Doubles) -> Doubles:
    """Entry by entry; 0 of 0."""
    product: Doubles = p * np.log(np.maximum(p, TINY))
    return product


def _negentropy(P: Doubles) -> Doubles:
    total: Doubles = xlogx(P).sum(axis=1)
    return total
