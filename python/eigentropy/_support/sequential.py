"""A sequential test of whether a value stays above a floor, whose error holds at every look.

The test bets against "the mean of the value, given its past, is at least the floor", on the value
capped a little above the floor so that it is bounded (Waudby-Smith and Ramdas 2024, Estimating
means of bounded random variables by betting). Whoever bets has a capital whose mean never grows
while the statement is true, however the values depend on each other. By Ville's inequality it ever
reaches 1 / alpha with probability alpha at most. Shares of the capital wait for later looks, so
that a fall is seen fast whenever it begins (Shin, Ramdas and Rinaldo 2024, E-detectors); the
shares add up to 1, which makes the bound one for the whole run and not for its mean length.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from functools import lru_cache
from itertools import pairwise
from typing import Any

from eigentropy._support.interval import student_quantile

# The cap in floors: values beyond count as the cap, so that a high one does not make up for a low
# one. Nearer to 1 a fall is seen sooner, and noise of a value just above the floor is evidence.
CAP = 1.1

# How many values back a bet looks. Each has a third of the capital: the shortest is the fastest
# where a value falls at once, the longest where it is a little below the floor with much noise.
MEMORIES = (1, 4, 16)

# Losses that are counted as seen beside those of a memory: no bet is all of the capital.
CAUTION = 0.5

# The share of the capital that is bet from the first look on, and the power of the look by which
# the other shares fall.
AT_ONCE = 0.5
DECAY = 1.1

# Halvings of an interval of length 1 that find a stake to 1e-12.
HALVINGS = 40

# Values whose relative difference is below this differ by rounding.
EQUAL = 1e-15

# The most that capital grows to, so that it stays a number: far beyond any threshold.
MOST = 1e200


class Capital:
    """What a bettor has who began with 1 and bets that a value stays below a floor; an e-value.

    Parameters
    ----------
    floor : float
        Above 0.
    cap : float
        Larger values count as this one, and negative ones as 0.
    memory : int
        How many values back a bet looks.

    Attributes
    ----------
    value : float
        The capital now.
    looks : int
    """

    def __init__(self, floor: float, cap: float, memory: int) -> None:
        self.floor, self.cap, self.memory = floor, cap, memory
        self.looks = 0
        self._shortfalls: list[float] = []
        self._at_work, self._waiting = 0.0, 1.0

    @property
    def value(self) -> float:
        """What is at work, and what waits for a fall that begins later."""
        return self._at_work + self._waiting

    def look(self, x: float) -> float:
        """The capital after a further value; the stake was chosen from the values before."""
        self.looks += 1
        begins = self._waiting * _share(self.looks)
        shortfall = (self.floor - min(max(x, 0.0), self.cap)) / (self.cap - self.floor)
        gain = 1.0 + best_stake(self._shortfalls) * shortfall
        self._at_work = min((self._at_work + begins) * gain, MOST)
        self._waiting -= begins
        self._shortfalls = [*self._shortfalls, shortfall][-self.memory :]
        return self.value

    def state_dict(self) -> dict[str, Any]:
        """What the next bets depend on, as numbers and lists."""
        return {
            "looks": self.looks,
            "shortfalls": list(self._shortfalls),
            "at_work": self._at_work,
            "waiting": self._waiting,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on where `state_dict` was taken."""
        self.looks, self._shortfalls = state["looks"], list(state["shortfalls"])
        self._at_work, self._waiting = state["at_work"], state["waiting"]


class FloorTest:
    """Evidence that a value no longer stays above a floor, from one look after the other.

    The evidence is an e-value: while the mean of ``min(value, 1.1 floor)``, given all values
    before, is at least the floor, its mean is at most 1 at every look, and it ever reaches
    1 / alpha with probability alpha at most.

    Parameters
    ----------
    floor : float
        Above 0.

    Attributes
    ----------
    floor : float
    evidence : float
        1 at first.
    """

    def __init__(self, floor: float) -> None:
        self.floor = floor
        self._capitals = [Capital(floor, CAP * floor, memory) for memory in MEMORIES]

    @property
    def evidence(self) -> float:
        """The mean of the capitals."""
        return sum(one.value for one in self._capitals) / len(self._capitals)

    def look(self, x: float) -> float:
        """The evidence after a further value, which must be a number."""
        for one in self._capitals:
            one.look(x)
        return self.evidence

    def state_dict(self) -> dict[str, Any]:
        """The floor and the capitals, as numbers and lists."""
        return {"floor": self.floor, "capitals": [one.state_dict() for one in self._capitals]}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on where `state_dict` was taken, of a test with the same floor."""
        for one, known in zip(self._capitals, state["capitals"], strict=True):
            one.load_state_dict(known)


def best_stake(shortfalls: Sequence[float]) -> float:
    """The share of a capital whose bet would have grown it most, between 0 and 1.

    It maximises ``sum(log(1 + stake * s)) + CAUTION * log(1 - stake)`` over the shortfalls s, which
    are at least -1, and is 0 where nothing speaks for a bet.
    """
    if sum(shortfalls) <= CAUTION:
        return 0.0
    low, high = 0.0, 1.0
    for _ in range(HALVINGS):
        stake = 0.5 * (low + high)
        slope = sum(s / (1.0 + stake * s) for s in shortfalls) - CAUTION / (1.0 - stake)
        low, high = (stake, high) if slope > 0.0 else (low, stake)
    return low


@lru_cache(maxsize=4096)
def _share(look: int) -> float:
    """The share of what still waits that is put to work at a look, from 1.

    Half is put to work at once, and later looks j get shares of the whole that fall as j**-1.1.
    """
    if look == 1:
        return AT_ONCE
    return float(look**-DECAY) / _tail(look)


def _tail(look: int) -> float:
    """Sum of j**-DECAY over j >= look, by the formula of Euler and Maclaurin."""
    s, a = DECAY, float(look + 40)
    near = math.fsum(j**-s for j in range(look, look + 40))
    return near + float(a ** (1.0 - s) / (s - 1.0) + 0.5 * a**-s + s / 12.0 * a ** (-s - 1.0))


def lower_limit(values: Iterable[float], error: float) -> float:
    """A lower confidence limit of the level of a series; it is too high with probability `error`.

    The level is the mean of the values, or, if they fall, the end of a straight line through them.
    The limit comes from Student's quantile and the residuals from the line, taken to be normal.
    Values that are like their neighbours count as fewer: n is multiplied by ``(1 - r) / (1 + r)``,
    where r is their correlation, taken to be at least 0.

    Parameters
    ----------
    values : iterable of float
        At least 3.
    error : float
        Between 0 and 0.5.
    """
    known = list(values)
    n = len(known)
    mean = math.fsum(known) / n
    places = [k - 0.5 * (n - 1) for k in range(n)]
    spread = math.fsum(place * place for place in places)
    slope = math.fsum(place * x for place, x in zip(places, known, strict=True)) / spread
    off = [x - mean - slope * place for place, x in zip(places, known, strict=True)]
    square = math.fsum(x * x for x in off)
    at = places[-1] if slope < 0.0 else 0.0
    level = mean + slope * at
    if square <= (n * EQUAL * max(map(abs, known))) ** 2:
        return level
    alike = math.fsum(x * y for x, y in pairwise(off)) / square
    r = min(max(alike, 0.0), 1.0 - 2.0 / n)
    variance = square / (n - 2) * (1.0 + r) / (1.0 - r) * (1.0 / n + at * at / spread)
    return level - student_quantile(1.0 - 2.0 * error, n - 2.0) * math.sqrt(variance)
