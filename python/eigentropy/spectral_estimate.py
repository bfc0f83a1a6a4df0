"""What products of a matrix with random vectors say of its spectrum."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from eigentropy._options import logarithm_base, positive
from eigentropy.lanczos import Array, Doubles
from eigentropy.quadrature import Rule, student_quantile, traces_by_probe
from eigentropy.spectrum import spectral_density

LEVEL = 0.95

# Steps go on while the bracket is wider than this many standard errors, or than this share of the
# tolerance if that is more. Where in it the answer lies is known to a part of its width.
BRACKET_ERRORS = 4.0
BRACKET_SHARE = 0.2
BRACKET_PART = 12.0

# Gauss and Gauss-Radau after the step before the last one, and after the last one.
FourRules = tuple[Rule, Rule, Rule, Rule]


class SpectralEstimate:
    """What is known of the spectrum of A: S(t) for every t, with its error, and the density.

    Attributes
    ----------
    n : int
    tol : float
    probes : int
        Random vectors whose quadratic forms were averaged.
    steps : int
        Products with the first block.
    columns : int
        Columns that A was multiplied with, all together.
    """

    def __init__(
        self, exact: Doubles, sketch: FourRules, batches: Sequence[FourRules], tol: float
    ) -> None:
        self._exact = exact  # traces of 1, A, A^2, without the known eigenvalue
        self._sketch = sketch
        self._batches = list(batches)
        self.n, self.tol = round(exact[0]) + 1, tol
        self.probes = sum(len(batch[0].weights) for batch in batches)
        self.steps = self.columns = 0

    def with_probes(self, batch: FourRules) -> SpectralEstimate:
        """The same with more probes."""
        more = SpectralEstimate(self._exact, self._sketch, [*self._batches, batch], self.tol)
        more.steps = self.steps
        return more

    def entropy(self, t: float = 1.0, base: float = 2.0) -> tuple[float, float]:
        """S(t) and its standard error, of probes and quadrature together."""
        point = self.at(t)
        unit = math.log(logarithm_base(base))
        return max(0.0, point.value) / unit, point.error / unit

    def interval(
        self, t: float = 1.0, base: float = 2.0, level: float = LEVEL
    ) -> tuple[float, float]:
        """Confidence interval of S(t), by Student's t with `probes` - 1 degrees of freedom."""
        value, error = self.entropy(t, base)
        half = self.quantile(level) * error
        return max(0.0, value - half), value + half

    def quantile(self, level: float = LEVEL) -> float:
        """Half-width of an interval in standard errors."""
        return student_quantile(level, self.probes - 1)

    def meets(self, t: float = 1.0) -> bool:
        """Whether the 95 % interval of S(t) is within the relative tolerance."""
        return self.excess(t) <= 1.0

    def excess(self, t: float) -> float:
        """Half-width of the 95 % interval of S(t), in units of what `tol` allows."""
        point = self.at(t)
        return self.quantile() * point.error / self._allowed(point)

    def is_converged(self, t: float) -> bool:
        """Whether what more steps could change is small beside the other errors."""
        point = self.at(t)
        small = max(BRACKET_ERRORS * point.statistical, BRACKET_SHARE * self._allowed(point))
        return point.width <= small

    def at(self, t: float) -> Point:
        """S(t) in nats."""
        t = positive(t, "t")
        by_rule = [self._by_rule(which, t) for which in range(4)]
        share = _share_of_radau(*(value for value, _ in by_rule))
        (gauss, gauss_terms), (radau, radau_terms) = by_rule[2:]
        terms = (1.0 - share) * gauss_terms + share * radau_terms
        statistical = float(terms.std(ddof=1)) / math.sqrt(len(terms))
        return Point(gauss + share * (radau - gauss), statistical, gauss, radau)

    @property
    def nodes(self) -> Doubles:
        """Quadrature nodes, shape (D,), the known eigenvalue 1 first."""
        parts = [self._sketch[2].nodes, *(batch[2].nodes for batch in self._batches)]
        return np.concatenate([[1.0], *parts])

    @property
    def weights(self) -> Doubles:
        """Their weights, about n in all: the sum of weights * f(nodes) estimates tr f(A)."""
        parts = [batch[2].weights.sum(axis=0) / self.probes for batch in self._batches]
        return np.concatenate([[1.0], self._sketch[2].weights[0], *parts])

    def density(self, x: Array, width: float = 0.02) -> Doubles:
        """Smoothed spectral density at x: eigenvalues a unit of length, over n.

        Gaussians of standard deviation `width` around the nodes, reflected at 0 and 1, so that it
        integrates to 1 over [0, 1].
        """
        return spectral_density(self.nodes, self.weights, x, width)

    def _by_rule(self, which: int, t: float) -> tuple[float, Doubles]:
        """S(t) by one of the four rules, and what each probe adds to it, to first order."""
        batches = [batch[which] for batch in self._batches]
        powers, moments = traces_by_probe(self._sketch[which], batches, t, self._exact).T
        powers = powers + 1.0  # the known eigenvalue, whose logarithm is 0
        if t in (1.0, 2.0):
            powers = np.full_like(powers, 1.0 + self._exact[int(t)])
        T, M = float(powers.mean()), float(moments.mean())
        terms: Doubles = powers / T - t * moments / T + t * M * powers / T**2
        return math.log(T) - t * M / T, terms

    def _allowed(self, point: Point) -> float:
        return self.tol * max(point.value, self.tol)


@dataclass(frozen=True)
class Point:
    """An entropy in nats: the value, the standard error of the probes, the ends of the bracket."""

    value: float
    statistical: float
    gauss: float
    radau: float

    @property
    def width(self) -> float:
        """Of the bracket."""
        return abs(self.gauss - self.radau)

    @property
    def error(self) -> float:
        """Standard error, with what is not known of the place in the bracket."""
        return math.hypot(self.statistical, self.width / BRACKET_PART)


def _share_of_radau(gauss_before: float, radau_before: float, gauss: float, radau: float) -> float:
    """Where in the bracket both ends meet if they keep approaching at the rates of the last step."""
    by_gauss, by_radau = abs(gauss - gauss_before), abs(radau - radau_before)
    moved = by_gauss + by_radau
    return by_gauss / moved if moved > 0.0 else 0.5
