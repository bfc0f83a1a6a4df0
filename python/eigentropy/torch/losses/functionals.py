"""Entropies as functions of the eigenvalues of an operator, with their slopes.

Eigenvalues x are in units of the largest one, and `share` is the largest one over the trace.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

import torch


class Functional(Protocol):
    """An entropy that is a function of some traces tr f(A)."""

    @property
    def needs_logarithm(self) -> bool:
        """Whether log A is all that the entropy and its gradient need."""

    def terms(self, x: torch.Tensor) -> torch.Tensor:
        """The functions f whose traces matter, shape (terms, ...); x is in [0, 1]."""

    def value(self, traces: torch.Tensor, share: float) -> float:
        """The entropy in nats."""

    def weights(self, traces: torch.Tensor, share: float) -> torch.Tensor:
        """The derivatives of the entropy by the traces."""

    def slopes(self, x: torch.Tensor, traces: torch.Tensor, share: float) -> torch.Tensor:
        """The derivative of the entropy by each eigenvalue x > 0."""


@dataclass(frozen=True)
class ShannonFunctional:
    """S = log T - (t / T) M of the powers x^t: T = sum x^t, M = sum x^t log x."""

    t: float

    @property
    def needs_logarithm(self) -> bool:
        """At t = 1."""
        return self.t == 1.0

    def terms(self, x: torch.Tensor) -> torch.Tensor:
        """The terms of T and M."""
        powers = x**self.t
        return torch.stack([powers, torch.xlogy(powers, x)])

    def value(self, traces: torch.Tensor, share: float) -> float:
        """The entropy, which the unit of x leaves as it is."""
        T, M = float(traces[0]), float(traces[1])
        return math.log(T) - self.t / T * M

    def weights(self, traces: torch.Tensor, share: float) -> torch.Tensor:
        """Its derivatives by T and M."""
        T, M = traces
        return torch.stack([1.0 / T + self.t * M / T**2, -self.t / T])

    def slopes(self, x: torch.Tensor, traces: torch.Tensor, share: float) -> torch.Tensor:
        """g(x) of docs/explanations/gradient.md."""
        T, M = traces
        logs = torch.log(x) - M / T
        powers = x ** (self.t - 1.0)
        slopes: torch.Tensor = -self.t / T * (self.t * powers * logs)  # t^2 may overflow
        return slopes


@dataclass(frozen=True)
class RenyiFunctional:
    r"""Renyi entropy of p = share x, whose sum is 1; at order 1 the von Neumann entropy.

    .. math:: S = -\log p_1 - \frac{\log(1 + E)}{a - 1}, \qquad E = (a - 1)\, p_1 F, \quad
        F = \sum x\, \varphi(\log x), \quad \varphi(y) = \frac{e^{(a - 1) y} - 1}{a - 1}

    with the largest p_1, because then no power overflows and nothing cancels where the order a is
    close to 1, at which phi(y) = y and S = -log p_1 - p_1 F. The slope leaves out a constant, which
    acts on the diagonal of A alone, and that is constant.
    """

    order: float

    @property
    def needs_logarithm(self) -> bool:
        """At order 1."""
        return self.order == 1.0

    def terms(self, x: torch.Tensor) -> torch.Tensor:
        """The terms of F, 0 at 0."""
        return torch.where(x > 0.0, x * self._phi(x), 0.0)[None]

    def value(self, traces: torch.Tensor, share: float) -> float:
        """The entropy."""
        if self.order == 1.0:
            return -math.log(share) - share * float(traces[0])
        excess = self.order - 1.0
        return -math.log(share) - math.log1p(self._excess_sum(traces, share)) / excess

    def weights(self, traces: torch.Tensor, share: float) -> torch.Tensor:
        """Its derivative by F."""
        return torch.full_like(traces, -share / (1.0 + self._excess_sum(traces, share)))

    def slopes(self, x: torch.Tensor, traces: torch.Tensor, share: float) -> torch.Tensor:
        """Its derivative by x, up to a constant."""
        return -share * self.order / (1.0 + self._excess_sum(traces, share)) * self._phi(x)

    def _phi(self, x: torch.Tensor) -> torch.Tensor:
        logs = torch.log(x)
        if self.order == 1.0:
            return logs
        excess = self.order - 1.0
        return torch.expm1(excess * logs) / excess

    def _excess_sum(self, traces: torch.Tensor, share: float) -> float:
        """E. 1 + E = sum p x^(a - 1) is at least the term of the largest p, but for probes."""
        return max(share - 1.0, (self.order - 1.0) * share * float(traces[0]))
