r"""The entropies of a spectrum: which function of two of its traces each one is.

With :math:`T = \sum_i \lambda_i^p` and :math:`M = \sum_i \lambda_i^p \log \lambda_i`, p the
`exponent`, every entropy of this package is a function of T and M.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from eigentropy._spectra.eigenvalues import (
    renyi_nats,
    renyi_of,
    shannon_nats,
    shannon_nats_of_groups,
)
from eigentropy._support.options import positive


@dataclass(frozen=True)
class Shannon:
    r"""The Shannon entropy of :math:`\lambda_i^t / T`: that of diffusion at time t.

    For eigenvalues that add up to 1, t = 1 is the von Neumann entropy.
    """

    t: float = 1.0
    power_name: str = field(default="t", compare=False, repr=False)

    @property
    def exponent(self) -> float:
        """The power of the eigenvalues."""
        return self.t

    @property
    def label(self) -> str:
        """How a message names the entropy."""
        return f"{self.power_name}={self.t:g}"

    def of_traces(self, T: float, M: float, unit: float = 1.0) -> float:
        """The entropy in nats; it is that of multiples of the eigenvalues, too."""
        return math.log(T) - self.t * M / T

    def slopes(self, T: float, M: float) -> tuple[float, float]:
        """Its derivatives by T and by M."""
        return 1.0 / T + self.t * M / T**2, -self.t / T

    def of_eigenvalues(self, eigenvalues: Any) -> float:
        """The entropy in nats of all eigenvalues."""
        return shannon_nats(eigenvalues, self.t)


@dataclass(frozen=True)
class Renyi:
    r"""The Renyi entropy :math:`\log T / (1 - a)` of order a of eigenvalues that add up to 1.

    The order is neither 1, where it is `Shannon`, nor infinite.
    """

    order: float

    @property
    def exponent(self) -> float:
        """The power of the eigenvalues."""
        return self.order

    @property
    def label(self) -> str:
        """How a message names the entropy."""
        return f"order={self.order:g}"

    def of_traces(self, T: float, M: float, unit: float = 1.0) -> float:
        """The entropy in nats, where T is of the eigenvalues over `unit`."""
        return (math.log(T) + self.order * math.log(unit)) / (1.0 - self.order)

    def slopes(self, T: float, M: float) -> tuple[float, float]:
        """Its derivatives by T and by M."""
        return 1.0 / ((1.0 - self.order) * T), 0.0

    def of_eigenvalues(self, eigenvalues: Any) -> float:
        """The entropy in nats of all eigenvalues."""
        return renyi_nats(eigenvalues, self.order)

    def of_all(self, eigenvalues: Any) -> float:
        """The same, of eigenvalues of which none is rounding."""
        return renyi_of(eigenvalues, self.order)


@dataclass(frozen=True)
class MinEntropy:
    r"""Minus the logarithm of the largest eigenvalue: the Renyi entropy of infinite order."""

    exponent = math.inf
    label = "order=inf"

    def of_eigenvalues(self, eigenvalues: Any) -> float:
        """The entropy in nats of all eigenvalues."""
        return renyi_nats(eigenvalues, math.inf)

    def of_all(self, eigenvalues: Any) -> float:
        """The same, of eigenvalues of which none is rounding."""
        return renyi_of(eigenvalues, math.inf)


Functional: TypeAlias = Shannon | Renyi | MinEntropy
_FUNCTIONALS = (Shannon, Renyi, MinEntropy)


def renyi(order: float) -> Functional:
    """The Renyi entropy of an order > 0, 1 and infinity included."""
    if order == 1.0:
        return Shannon(power_name="order")
    return MinEntropy() if math.isinf(order) else Renyi(order)


def functional(which: float | Functional) -> Functional:
    """A number is a diffusion time."""
    if isinstance(which, _FUNCTIONALS):
        return which
    return Shannon(positive(which, "t"))


def functionals(which: Sequence[float | Functional]) -> list[Functional]:
    """The same for several."""
    return [functional(one) for one in which]


def nats_of_groups(
    which: Functional, eigenvalues: npt.NDArray[Any], starts: npt.NDArray[np.int64]
) -> npt.NDArray[np.float64]:
    """The entropy in nats of each of many spectra, which lie one after the other."""
    if isinstance(which, Shannon):
        return shannon_nats_of_groups(eigenvalues, starts, which.t)
    return np.array([which.of_eigenvalues(one) for one in np.split(eigenvalues, starts[1:])])


def least_flattering(which: Functional) -> Functional:
    """The entropy by which a kernel is judged: small powers make every spectrum look flat."""
    if isinstance(which, Shannon):
        return Shannon(max(1.0, which.t))
    return which if which.exponent > 1.0 else Shannon()
