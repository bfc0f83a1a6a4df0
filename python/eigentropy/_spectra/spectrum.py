"""What is known of a spectrum: the one interface behind every entropy."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import Any, ClassVar, TypeAlias

import numpy as np
import numpy.typing as npt

from eigentropy._spectra.functionals import Functional
from eigentropy._support.interval import Interval
from eigentropy._support.options import positive

# A diffusion time, or another entropy.
Which: TypeAlias = float | Functional


class Spectrum(ABC):
    """The eigenvalues of a diffusion matrix of order n, as far as a method knows them.

    `ExactSpectrum` has all of them, `EstimatedSpectrum` averages over random vectors, and
    `LowRankSpectrum` encloses the entropy between bounds. All answer the same questions.

    Attributes
    ----------
    method : str
        "exact", "stochastic" or "lowrank".
    n : int
        Order of the matrix.
    dtype : {"float64", "float32"}
        Precision of the computation.
    eigenvalues : array of shape (n,) or None
        All of them, descending, where they are known, as the caller's library has arrays.
    degrees : float
        Degrees of freedom of `standard_error`; infinitely many where no random number is involved.
    rank : int or None
        Of the factor behind a spectrum of low rank.
    kernel_sum : float
        Sum of all entries of G; NaN where it was not asked for.
    """

    method: ClassVar[str]
    n: int
    dtype: str
    eigenvalues: Any = None
    degrees: float = math.inf
    rank: int | None = None
    kernel_sum: float = math.nan

    @abstractmethod
    def entropy(self, t: Which = 1.0, base: float = 2.0) -> float:
        """S(t) in the unit of `base`; or another entropy, where t is a `Functional`."""

    def standard_error(self, t: Which = 1.0, base: float = 2.0) -> float:
        """Standard error of `entropy`; 0 where no random number is involved."""
        return 0.0

    def bound(self, t: Which = 1.0, base: float = 2.0) -> float:
        """Guaranteed bound of the error of `entropy`; NaN where there is no guarantee."""
        return 0.0

    def nats(self, which: Functional) -> tuple[float, float, float]:
        """An entropy in nats, its standard error and its bound."""
        return (
            self.entropy(which, math.e),
            self.standard_error(which, math.e),
            self.bound(which, math.e),
        )

    def uncertainty(self, t: Which = 1.0, base: float = 2.0) -> float:
        """What rounding may have changed of `entropy`, where `bound` leaves float64 out, too."""
        return self.bound(t, base)

    def interval(self, t: Which, base: float, level: float) -> Interval:
        """Where S(t) is: with this probability, or certainly where `bound` is a number."""
        return self._possible(t, base, self.uncertainty(t, base), 1.0, "rounding")

    def _possible(self, t: Which, base: float, half: float, level: float, over: str) -> Interval:
        """The interval of this half width around S(t), between 0 and log n."""
        value, most = self.entropy(t, base), math.log(self.n) / math.log(base)
        return Interval(max(0.0, value - half), max(value, min(most, value + half)), level, over)

    def count(self, level: float) -> int:
        """How many eigenvalues have a magnitude above this level; ValueError if none is known."""
        raise ValueError(
            f"count needs the eigenvalues, and method={self.method!r} finds none of them one by "
            "one: pass method='exact', or call DiffusionOperator(Z, ...).count"
        )

    @abstractmethod
    def density(self, x: Any, width: float = 0.02) -> npt.NDArray[np.float64]:
        """Eigenvalues a unit of length at x, over n: Gaussians of this width around them.

        Reflected at 0 and 1, so that the integral over [0, 1] is 1.
        """

    @abstractmethod
    def warn_if_imprecise(self, t: Which, base: float) -> None:
        """A `PrecisionWarning` where S(t) is known less accurately than was asked for."""


def level_of(threshold: float, t: float) -> float:
    """The magnitude of an eigenvalue whose power t is the threshold, between 0 and 1."""
    number = positive(threshold, "threshold")
    if number >= 1.0:
        raise ValueError(f"threshold must be below 1, the largest eigenvalue, got {threshold!r}")
    return float(number ** (1.0 / positive(t, "t")))


def smoothed_density(
    nodes: npt.NDArray[Any], weights: npt.NDArray[Any], x: Any, width: float
) -> npt.NDArray[np.float64]:
    """Weighted Gaussians of standard deviation `width` around nodes in [0, 1], at x.

    Reflected at 0 and 1, so that the integral over [0, 1] is 1.
    """
    width = positive(width, "width")
    at = np.asarray(x, dtype=np.float64)[..., None]
    shares = weights / weights.sum()
    total = np.zeros(at.shape[:-1])
    for centers in (nodes, -nodes, 2.0 - nodes):
        total += np.exp(-0.5 * ((at - centers) / width) ** 2) @ shares
    density: npt.NDArray[np.float64] = total / (math.sqrt(2.0 * math.pi) * width)
    return density
