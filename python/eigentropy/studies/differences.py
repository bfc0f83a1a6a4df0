"""Differences between two things that are measured of the same seeds, with their interval."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from eigentropy.studies.figures import band
from eigentropy.studies.rows import StudyRow
from eigentropy.studies.study import Claim, Finding


def by_seed(rows: Iterable[StudyRow]) -> dict[int, float]:
    """The mean of each seed."""
    found: dict[int, list[float]] = {}
    for row in rows:
        found.setdefault(row.cell.seed, []).append(row.value)
    return {seed: math.fsum(values) / len(values) for seed, values in found.items()}


def paired(rows: Iterable[StudyRow], others: Iterable[StudyRow]) -> list[float]:
    """For each seed that both have, the mean of its rows minus that of its other rows."""
    ours, theirs = by_seed(rows), by_seed(others)
    return [ours[seed] - theirs[seed] for seed in ours if seed in theirs]


def judged(claim: Claim, differences: Sequence[float], sign: int, form: str = "+.3f") -> Finding:
    """The claim holds if the whole 95 % interval of the mean has the sign; 0: either sign."""
    known = [difference for difference in differences if math.isfinite(difference)]
    if len(known) < 2:
        return claim.not_measured()
    mean, half = band(known)
    measured = f"by {mean:{form}} (95 %: {mean - half:{form}} to {mean + half:{form}})"
    return claim.judged(measured, (sign * mean if sign else abs(mean)) - half > 0)
