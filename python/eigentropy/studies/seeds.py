"""What differs by seed: paired differences with Student's intervals, and predictions.

A prediction is chosen on the first half of the seeds and decided on the others.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from eigentropy._measures.comparison.holm import holm
from eigentropy._support.interval import student_p_value
from eigentropy.studies.estimators import spearman
from eigentropy.studies.figures import band
from eigentropy.studies.rows import StudyRow
from eigentropy.studies.study import Claim, Finding

# A number for each seed, and one for each state of a network of each seed.
BySeed = Mapping[int, float]
States = Mapping[int, Mapping[Hashable, float]]

SIGNIFICANT = 0.05


def states(rows: Iterable[StudyRow], *parameters: str) -> dict[int, dict[Hashable, float]]:
    """The value of each row by its seed and these parameters."""
    found: dict[int, dict[Hashable, float]] = {}
    for row in rows:
        state = tuple(row[name] for name in parameters)
        found.setdefault(row.cell.seed, {})[state] = row.value
    return found


def counted(rows: Iterable[StudyRow], data: str) -> str:
    """The name of the data with the number of seeds that the rows have."""
    return f"{data}, {len({row.cell.seed for row in rows})} seeds"


@dataclass(frozen=True)
class SeedDifference:
    """The mean over seeds of a paired difference, half its 95 % interval, and its p-value.

    The p-value is that of Student's t-test against 0, to both sides.
    """

    mean: float
    half: float
    p: float

    @property
    def low(self) -> float:
        """The lower end of the interval."""
        return self.mean - self.half

    @property
    def high(self) -> float:
        """The upper end of the interval."""
        return self.mean + self.half

    def __str__(self) -> str:
        return f"{self.mean:+.4f} (95 %: {self.low:+.4f} to {self.high:+.4f})"


def difference(of: BySeed, other: BySeed) -> SeedDifference | None:
    """Of the seeds that both have; None where there are fewer than two."""
    return mean_of([of[seed] - other[seed] for seed in of if seed in other])


def mean_of(values: Sequence[float]) -> SeedDifference | None:
    """The mean of numbers, one of each seed, against 0; None where there are fewer than two."""
    values = [value for value in values if math.isfinite(value)]
    if len(values) < 2:
        return None
    mean, half = band(values)
    error = float(np.std(values, ddof=1)) / math.sqrt(len(values))
    if error == 0.0:
        return SeedDifference(mean, half, float(mean == 0.0))
    return SeedDifference(mean, half, student_p_value(mean / error, len(values) - 1.0))


def larger(claims: Sequence[tuple[Claim, SeedDifference | None]]) -> list[Finding]:
    """Claims that differences are above 0, tested together: p-values are Holm's.

    A claim holds if its corrected p-value is below 0.05 and the mean is above 0.
    """
    known = [each for _, each in claims if each is not None]
    corrected = iter(holm([each.p for each in known]))
    found = []
    for claim, each in claims:
        if each is None:
            found.append(claim.not_measured())
        else:
            p = next(corrected)
            found.append(claim.judged(f"{each}, p = {p:.2g}", each.mean > 0.0 and p < SIGNIFICANT))
    return found


def alike(claim: Claim, each: SeedDifference | None, margin: float) -> Finding:
    """The claim that a difference is 0 holds if its interval lies within the margin."""
    if each is None:
        return claim.not_measured()
    return claim.judged(str(each), max(-each.low, each.high) <= margin)


def correlations(x: States, y: States) -> dict[int, float]:
    """The rank correlation over the states of each seed; 0 where one of the two is constant.

    A seed with fewer than three states that are known in both has none.
    """
    found = {}
    for seed in x:
        shared = [s for s, value in x[seed].items() if math.isfinite(value + _of(y, seed, s))]
        if len(shared) > 2:
            rho = spearman([x[seed][s] for s in shared], [y[seed][s] for s in shared])
            found[seed] = rho if math.isfinite(rho) else 0.0
    return found


def _of(values: States, seed: int, state: Hashable) -> float:
    return values.get(seed, {}).get(state, math.nan)


def halves(seeds: Iterable[int]) -> tuple[list[int], list[int]]:
    """The seeds that choose, and the others, of which there are not fewer, that decide."""
    known = sorted(seeds)
    return known[: len(known) // 2], known[len(known) // 2 :]


@dataclass(frozen=True)
class Prediction:
    """The measure that was chosen, the sign of its correlation, and what it reaches by seed.

    `scores` has the correlation, times the sign, of every seed that was not chosen on.
    """

    name: Any
    sign: float
    scores: BySeed


def chosen(scores: Mapping[Any, BySeed]) -> Prediction | None:
    """Of the measures, given by their correlations, the one with the largest in size.

    None where there are fewer than two seeds.
    """
    seeds = {seed for of in scores.values() for seed in of}
    first, others = halves(seeds)
    sizes = {
        name: float(np.mean([of[seed] for seed in first]))
        for name, of in scores.items()
        if first and set(first) <= set(of)
    }
    if not sizes:
        return None
    best = max(sizes, key=lambda name: abs(sizes[name]))
    sign = math.copysign(1.0, sizes[best])
    of = scores[best]
    return Prediction(best, sign, {seed: sign * of[seed] for seed in others if seed in of})


def predicts(claim: Claim, found: Prediction | None, say: Callable[[Any], str]) -> Finding:
    """Whether the interval of the chosen measure's correlation is above 0 on the other seeds."""
    reached = None if found is None else mean_of(list(found.scores.values()))
    if found is None or reached is None:
        return claim.not_measured()
    measured = f"{say(found.name)}: Spearman {_signed(found, reached)} on the other seeds"
    return claim.judged(measured, reached.low > 0.0)


def better(claim: Claim, found: Prediction | None, other: BySeed) -> Finding:
    """Whether it ranks better than another prediction does on the seeds that decide.

    The whole interval of the paired difference has to be above 0; the other's sign is not held
    against it.
    """
    if found is None:
        return claim.not_measured()
    sizes = {seed: abs(value) for seed, value in other.items()}
    ahead = difference(found.scores, sizes)
    if ahead is None:
        return claim.not_measured()
    of_other = float(np.mean([sizes[seed] for seed in found.scores if seed in sizes]))
    return claim.judged(f"{of_other:.3f}: ahead by {ahead}", ahead.low > 0.0)


def _signed(found: Prediction, reached: SeedDifference) -> str:
    ends = sorted(found.sign * min(1.0, max(-1.0, end)) for end in (reached.low, reached.high))
    return f"{found.sign * reached.mean:.3f} (95 %: {ends[0]:.3f} to {ends[1]:.3f})"
