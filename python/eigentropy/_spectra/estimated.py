"""What products of a matrix with random vectors say of its spectrum."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from eigentropy._spectra.functionals import Functional, MinEntropy, Renyi, Shannon, functional
from eigentropy._spectra.lanczos import Doubles
from eigentropy._spectra.quadrature import Rule, power_and_moment, traces_by_probe
from eigentropy._spectra.spectrum import Spectrum, Which, smoothed_density
from eigentropy._support.interval import LEVEL, Interval, student_quantile
from eigentropy._support.options import logarithm_base
from eigentropy._support.units import unit
from eigentropy._support.warnings import PrecisionWarning, warn

# tr A^t for these is known beforehand.
T_IS_KNOWN = (1.0, 2.0)

# Gauss and Gauss-Radau quadrature give the two ends of a bracket around the entropy. Its place in
# the bracket, where the ends would meet, is uncertain by BRACKET_PART of the width, or by what the
# place has moved in the last step, or by what the next step may change, whichever is most. Lanczos
# goes on until this uncertainty is at most BRACKET_ERRORS standard errors of the probes, or
# BRACKET_SHARE of the tolerance, whichever is larger.
BRACKET_PART = 0.15
BRACKET_ERRORS = 0.6
BRACKET_SHARE = 0.02

# The standard error that rounding of the products leaves where probes and quadrature leave none, as
# a share of what the caller says.
ROUNDING_PART = 0.25

# Rounding of a node in eps of the largest eigenvalue.
NODE_ROUNDING = 4.0

# A Renyi entropy divides the rounding of log T by 1 - order. An order this near to 1 counts as 1.
NEAR_ONE = 1e-8

# Gauss and Gauss-Radau after each of the last three steps, the last one at the end.
History = Sequence[tuple[Rule, Rule]]
REMEMBERED = 3


class EstimatedSpectrum(Spectrum):
    """What products of A with random vectors say of its spectrum: each entropy, with its error.

    Attributes
    ----------
    n : int
    dtype : {"float32", "float64"}
        Of the vectors.
    tol : float
        Relative half-width of the 95 % interval that the estimate was made for.
    probes : int
        Random vectors whose quadratic forms were averaged.
    steps : int
        Products with the first block.
    columns : int
        Columns that A was multiplied with, all together.
    """

    method: ClassVar[str] = "stochastic"

    def __init__(
        self,
        exact: Doubles,
        sketch: History,
        batches: Sequence[History],
        tol: float,
        rounding: float,
        dtype: str,
        units: int = 1,
    ) -> None:
        self._exact = exact  # traces of 1, A, A^2, without the known eigenvalues
        self._units = units  # known eigenvalues 1
        self._sketch = sketch
        self._batches = list(batches)
        self.n, self.tol, self.dtype = round(exact[0]) + units, tol, dtype
        self._rounding = rounding
        self.probes = sum(len(batch[-1][0].weights) for batch in batches)
        self.steps = self.columns = 0
        self._points: dict[Functional, Point] = {}

    def with_probes(self, batch: History) -> EstimatedSpectrum:
        """The same with more probes."""
        batches = [*self._batches, batch]
        more = EstimatedSpectrum(
            self._exact,
            self._sketch,
            batches,
            self.tol,
            self._rounding,
            self.dtype,
            self._units,
        )
        more.steps = self.steps
        return more

    def entropy(self, t: Which = 1.0, base: float = 2.0) -> float:
        """S(t) in the unit of `base`."""
        return max(0.0, self.at(t).value) / math.log(logarithm_base(base))

    def standard_error(self, t: Which = 1.0, base: float = 2.0) -> float:
        """Standard error of S(t), of probes, quadrature and rounding together."""
        return self._stated(t) / math.log(logarithm_base(base))

    def _stated(self, t: Which) -> float:
        """The standard error in nats.

        Powers below 1 magnify the rounding of eigenvalues that are 0: more probes do not help.
        """
        rounding, which = ROUNDING_PART * self._rounding, functional(t)
        if which.exponent < 1.0 - NEAR_ONE:
            norm = 1.0 if self._units else float(self.nodes.max())
            width = NODE_ROUNDING * float(np.finfo(self.dtype).eps) * norm
            # What the nodes gain at first order the others lose: the sum of all is known to be 1.
            slope = 0.0
            if isinstance(which, Renyi):
                T, M, _ = self._traces(-1, 0, which)
                slope = which.slopes(T, M)[0] / self._unit(-1, which)
            rounding += self.blurred(which, width, slope)
        return math.hypot(self.at(t).error, rounding)

    def bound(self, t: Which = 1.0, base: float = 2.0) -> float:
        """NaN: an estimate guarantees nothing."""
        return math.nan

    @property
    def degrees(self) -> float:  # type: ignore[override]
        """Degrees of freedom of the standard error."""
        return self.probes - 1.0

    def interval(self, t: Which = 1.0, base: float = 2.0, level: float = LEVEL) -> Interval:
        """Confidence interval of S(t), by Student's t with `probes` - 1 degrees of freedom."""
        half = self.quantile(level) * self.standard_error(t, base)
        return self._possible(t, base, half, level, f"{self.probes} random vectors")

    def warn_if_imprecise(self, t: Which, base: float, label: str = "") -> None:
        """A `PrecisionWarning` where the probes do not give S(t) within `tol`.

        `label` names what the caller has asked for.
        """
        if self.meets(t):
            return
        value, error = self.entropy(t, base), self.standard_error(t, base)
        label = label or functional(t).label
        warn(
            f"{self.probes} probes leave a standard error of {error:.2g} {unit(base)} at {label}, "
            f"whose 95 % interval is wider than tol={self.tol:g} of {value:.4g}; pass a larger "
            f"tol, {label} to the function itself, or method='exact'",
            PrecisionWarning,
        )

    def quantile(self, level: float = LEVEL) -> float:
        """Half-width of an interval in standard errors."""
        return student_quantile(level, self.degrees)

    def meets(self, t: Which = 1.0) -> bool:
        """Whether the 95 % interval of S(t) is within the relative tolerance."""
        if functional(t).exponent < 1.0 - NEAR_ONE:
            return self.quantile() * self._stated(t) <= self.allowed(self.at(t))
        return self.excess(t) <= 1.0

    def excess(self, t: Which) -> float:
        """Half-width of the 95 % interval of S(t), in units of what `tol` allows."""
        point = self.at(t)
        return self.quantile() * point.error / self.allowed(point)

    def is_converged(self, t: Which) -> bool:
        """Whether what more steps could change is small beside the other errors."""
        point = self.at(t)
        small = max(BRACKET_ERRORS * point.statistical, BRACKET_SHARE * self.allowed(point))
        return point.unresolved <= small

    def at(self, t: Which) -> Point:
        """S(t), or another entropy, in nats; found once for each."""
        which = functional(t)
        if which not in self._points:
            self._points[which] = self._point(which)
        return self._points[which]

    def _point(self, which: Functional) -> Point:
        if isinstance(which, MinEntropy):
            return self._largest()
        if isinstance(which, Renyi) and abs(which.order - 1.0) < NEAR_ONE:
            return self.at(Shannon())
        gauss, radau = (
            [self._by_rule(step, rule, which) for step in range(REMEMBERED)] for rule in (0, 1)
        )
        ends = np.array([[value for value, _ in rule] for rule in (gauss, radau)])
        share, before = _where_they_meet(ends[:, 1:]), _where_they_meet(ends[:, :-1])
        is_known = bool((ends[:, 0] != ends[:, 1]).any())
        value = _between(ends[:, -1], share)
        terms = _between((gauss[-1][1], radau[-1][1]), share)
        return Point(
            value=float(value),
            statistical=float(terms.std(ddof=1)) / math.sqrt(len(terms)),
            ends=(float(ends[0, -1]), float(ends[1, -1])),
            drift=abs(float(value - _between(ends[:, -2], before))) * _narrowing(ends),
            shift=abs(share - before) if is_known else 1.0,
            rounding=self._of_products(which),
        )

    def _largest(self) -> Point:
        """Of the largest eigenvalue. The largest node only grows, and ever less, to reach it."""
        before, last = (-math.log(self._top(step)) for step in (-2, -1))
        rounding = self._of_products(MinEntropy())
        return Point(last, 0.0, (last, last), abs(before - last), 0.0, rounding)

    def _top(self, step: int) -> float:
        """The largest node."""
        return float(max(rules[step][0].nodes.max() for rules in (self._sketch, *self._batches)))

    def _of_products(self, which: Functional) -> float:
        """What rounding of the products may change: all that is left of an entropy of few rows."""
        return 0.0 if isinstance(which, Shannon) else ROUNDING_PART * self._rounding

    @property
    def nodes(self) -> Doubles:
        """Quadrature nodes, shape (D,), a known eigenvalue 1 first."""
        parts = [self._sketch[-1][0].nodes, *(batch[-1][0].nodes for batch in self._batches)]
        return np.concatenate([np.ones(self._units), *parts])

    @property
    def weights(self) -> Doubles:
        """Their weights, about n in all: the sum of weights * f(nodes) estimates tr f(A)."""
        parts = [batch[-1][0].weights.sum(axis=0) / self.probes for batch in self._batches]
        return np.concatenate([np.ones(self._units), self._sketch[-1][0].weights[0], *parts])

    def density(self, x: Any, width: float = 0.02) -> Doubles:
        """Eigenvalues a unit of length at x, over n: Gaussians around the quadrature nodes."""
        return smoothed_density(self.nodes, self.weights, x, width)

    def influence(self, t: Which, x: Doubles) -> Doubles:
        """By how much S(t) grows, to first order, with an eigenvalue more at x."""
        which = functional(t)
        if isinstance(which, MinEntropy):
            return np.zeros_like(x)
        power, unit = which.exponent, self._unit(-1, which)
        T, M, _ = self._traces(-1, 0, which)
        by_power, by_moment = which.slopes(T, M)
        powers, moments = power_and_moment(x / unit, power).T
        growth: Doubles = by_moment * moments
        return growth if power in T_IS_KNOWN else growth + by_power * powers

    def blurred(self, t: Which, width: float, slope: float = 0.0) -> float:
        """By how much S(t) may change, in nats, when noise of this width blurs the nodes.

        Each node is moved to both sides, but not below 0, and the sizes of all changes are added.
        Of the two rules the larger change counts: the rule with a node at 0 has as many
        eigenvalues there as there can be. What grows with a node as `slope` x does not count.
        """

        def influence(x: Doubles) -> Doubles:
            return self.influence(t, x) - slope * x

        changes = []
        for which in (0, 1):
            by_probe = [(batch[-1][which], 1.0 / self.probes) for batch in self._batches]
            total = 0.0
            for rule, share in [(self._sketch[-1][which], 1.0), *by_probe]:
                x, weights = rule.nodes, share * rule.weights.sum(axis=0)
                sides = influence(x + width) + influence(np.maximum(x - width, 0.0))
                total += float(np.abs(0.5 * sides - influence(x)) @ weights)
            changes.append(total)
        return max(changes)

    def _by_rule(self, step: int, rule: int, which: Shannon | Renyi) -> tuple[float, Doubles]:
        """An entropy by one rule, and what each probe adds to it, to first order."""
        T, M, by_probe = self._traces(step, rule, which)
        by_power, by_moment = which.slopes(T, M)
        terms: Doubles = by_power * by_probe[0] + by_moment * by_probe[1]
        return which.of_traces(T, M, self._unit(step, which)), terms

    def _unit(self, step: int, which: Shannon | Renyi) -> float:
        """Of the eigenvalues: large powers of them are all 0 without it."""
        return self._top(step) if isinstance(which, Renyi) else 1.0

    def _traces(
        self, step: int, rule: int, which: Shannon | Renyi
    ) -> tuple[float, float, tuple[Doubles, Doubles]]:
        """T and M by one rule, and those from each probe.

        No T is below 1, which is the power of a known eigenvalue or of the unit.
        """
        power, unit = which.exponent, self._unit(step, which)
        batches = [batch[step][rule] for batch in self._batches]
        powers, moments = traces_by_probe(
            self._sketch[step][rule], batches, power, self._exact, unit
        ).T
        if power in T_IS_KNOWN:
            powers = np.full_like(powers, self._exact[int(power)] / unit**power)
        powers = powers + self._units  # a known eigenvalue is 1, its logarithm 0
        return max(1.0, float(powers.mean())), float(moments.mean()), (powers, moments)

    def allowed(self, point: Point) -> float:
        """The error in nats that `tol` allows, or that no number of probes takes away."""
        return max(self.tol * max(point.value, self.tol), self._rounding)


@dataclass(frozen=True)
class Point:
    """An entropy in nats.

    Attributes
    ----------
    value : float
    statistical : float
        Standard error that comes from the probes.
    ends : (float, float)
        The value by Gauss and by Gauss-Radau quadrature.
    drift : float
        What the next step may change: the change of the last step, times how much the bracket
        narrowed in it.
    shift : float
        By what part of the bracket the estimated place in it changed in the last step; 1 where
        there was no place before.
    rounding : float
        What rounding may change, where that is known.
    """

    value: float
    statistical: float
    ends: tuple[float, float]
    drift: float
    shift: float
    rounding: float = 0.0

    @property
    def unresolved(self) -> float:
        """Possible error of the quadrature."""
        width = abs(self.ends[1] - self.ends[0])
        return max(self.drift, width * max(BRACKET_PART, self.shift))

    @property
    def error(self) -> float:
        """Standard error of probes, quadrature and rounding together."""
        return math.hypot(self.statistical, self.unresolved, self.rounding)


def _where_they_meet(ends: Doubles) -> float:
    """The place in the bracket where the ends will meet if they go on as in this step.

    `ends` has shape (2, 2), the bracket before the step and after it. 0 is the end of Gauss, 1 that
    of Gauss-Radau.
    """
    by_gauss, by_radau = np.ptp(ends, axis=1)
    if by_gauss + by_radau == 0.0:
        return 0.5
    return float(by_gauss / (by_gauss + by_radau))


def _narrowing(ends: Doubles) -> float:
    """The width of the bracket beside that before the last step, at most 1."""
    before, now = np.abs(ends[1] - ends[0])[-2:]
    return float(now / before) if now < before else 1.0


def _between(ends: Any, share: float) -> Any:
    return ends[0] + share * (ends[1] - ends[0])
