"""Intervals around a result: their two ends, what they are over, and Student's quantiles."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Any

from eigentropy._support.options import positive

LEVEL = 0.95

# Halvings that leave nothing of the logarithm of a quantile to find, and where it is sought. The
# square of either end is a number.
HALVINGS = 70
SMALLEST, LARGEST = -340.0, 40.0

# The square of a larger t is no number.
LARGEST_T = 1e150

# The continued fraction goes on until a step changes it by less.
CONVERGED = 4e-16
TINY = 1e-300


class Interval(tuple[float, float]):
    """Two numbers, `low` and `high`, that say what they are an interval of.

    Attributes
    ----------
    low, high : float
    level : float
        The probability that the interval covers the value; 1 where it is certain to.
    over : str
        What the value would vary over, such as "20 random partitions", or "other samples of the
        data": how far the value moves with those is another question.
    """

    level: float
    over: str

    def __new__(cls, low: float, high: float, level: float, over: str) -> Interval:
        """The ends as a tuple, with what belongs to them."""
        made = super().__new__(cls, (float(low), float(high)))
        made.level, made.over = level, over
        return made

    def __getnewargs__(self) -> tuple[float, float, float, str]:
        return (*self, self.level, self.over)

    @property
    def low(self) -> float:
        """The lower end."""
        return self[0]

    @property
    def high(self) -> float:
        """The upper end."""
        return self[1]

    @property
    def sure(self) -> str:
        """How sure the interval is, in words: "95 %" or "certain"."""
        return "certain" if self.level == 1.0 else percent(self.level)

    def __repr__(self) -> str:
        also = "" if "other samples" in self.over else ", not over other samples"
        return f"Interval({self.low!r}, {self.high!r}, {self.sure}, over {self.over}{also})"


def percent(level: float) -> str:
    """A level in percent."""
    return f"{100.0 * level:.12g} %"


def checked_level(level: Any) -> float:
    """The probability of an interval, between 0 and 1."""
    number = positive(level, "level")
    if number >= 1.0:
        raise ValueError(f"level must be below 1, got {level!r}")
    return number


def combined(errors: Iterable[tuple[float, float]]) -> tuple[float, float]:
    """Standard error of a sum of independent estimates, and its degrees of freedom.

    `errors` has both of each estimate. The degrees are Welch's and Satterthwaite's, which need some
    degrees of each estimate (one is too few); infinitely many where nothing is uncertain.
    """
    known = [(error, degrees) for error, degrees in errors if error > 0.0]
    total = math.hypot(*(error for error, _ in known))
    spread = math.fsum((error / total) ** 4 / degrees for error, degrees in known)
    return total, 1.0 / spread if spread > 0.0 else math.inf


@lru_cache(maxsize=1024)
def student_quantile(level: float, degrees: float) -> float:
    """The q that Student's distribution with these degrees of freedom is within of 0.

    ``P(|T| <= q) = level``; degrees, at least 1, need not be whole, and infinitely many are those
    of the normal distribution. The logarithm of q is found by halving, from the smaller one of
    P(|T| <= q) and P(|T| > q), so that every level below 1 has its q.
    """
    low, high = SMALLEST, LARGEST
    for _ in range(HALVINGS):
        middle = 0.5 * (low + high)
        inside, outside = _probabilities(math.exp(middle), degrees)
        is_below = inside < level if level < 0.5 else outside > 1.0 - level
        low, high = (middle, high) if is_below else (low, middle)
    return math.exp(0.5 * (low + high))


def student_interval(
    value: float,
    error: float,
    degrees: float,
    level: float,
    over: str,
    *,
    rounding: float = 0.0,
) -> Interval:
    """Student's interval of a standard error with its degrees of freedom.

    `rounding` widens it. Without an error (0, or NaN where it is not known) the degrees say nothing
    and are not used.
    """
    half = (student_quantile(level, degrees) * error if error > 0.0 else error) + rounding
    return Interval(value - half, value + half, level, over)


def student_p_value(t: float, degrees: float) -> float:
    """The probability that Student's variable is as far from 0 as t, to either side.

    ``P(|T| >= |t|)``; degrees as in `student_quantile`, whose inverse this is. It is 0 only where t
    is infinite, or where the probability is no number of float64.
    """
    if math.isinf(t):
        return 0.0
    return _probabilities(min(abs(t), LARGEST_T), degrees)[1]


def _probabilities(q: float, degrees: float) -> tuple[float, float]:
    """P(|T| <= q) and P(|T| > q)."""
    if math.isinf(degrees):
        return math.erf(q / math.sqrt(2.0)), math.erfc(q / math.sqrt(2.0))
    square = q * q
    y, x = square / (degrees + square), degrees / (degrees + square)
    a, b = 0.5, 0.5 * degrees  # P(|T| <= q) is the incomplete beta function I_y(a, b)
    if y < (a + 1.0) / (a + b + 2.0):
        inside = _incomplete_beta(y, x, a, b)
        return inside, 1.0 - inside
    outside = _incomplete_beta(x, y, b, a)
    return 1.0 - outside, outside


def _incomplete_beta(x: float, rest: float, a: float, b: float) -> float:
    """I_x(a, b) for x = 1 - rest, by the continued fraction of Numerical Recipes 6.4.5."""
    log_beta = math.lgamma(a) + math.lgamma(b) - math.lgamma(a + b)
    if x == 0.0:
        return 0.0
    factor = math.exp(a * math.log(x) + b * math.log(rest) - log_beta) / a if rest > 0.0 else 0.0
    c, fraction = 1.0, _inverse(1.0 - (a + b) * x / (a + 1.0))
    d = fraction
    for numerator in _numerators(x, a, b):
        d, c = _inverse(1.0 + numerator * d), 1.0 + numerator / c
        fraction *= d * c
        if abs(d * c - 1.0) < CONVERGED:
            break
    return factor * fraction


def _inverse(x: float) -> float:
    return 1.0 / (x if abs(x) > TINY else TINY)


def _numerators(x: float, a: float, b: float) -> Iterator[float]:
    """Those of the continued fraction after the first one."""
    for m in range(1, 10_000):
        yield m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        yield -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
