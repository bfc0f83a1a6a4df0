"""The correlations of a ranking, for the terminal and as a CSV file."""

from __future__ import annotations

import math
from typing import Any

from eigentropy._measures.comparison.layout import aligned
from eigentropy._support.interval import percent
from eigentropy.ranking import tables
from eigentropy.ranking.ranked import ACCURACY, COEFFICIENTS, Correlation
from eigentropy.ranking.result import Ranking

# Lines on the terminal.
MOST_PRINTED = 8


def to_csv(ranking: Ranking) -> str:
    """One line for each score and target: each coefficient with the ends of its interval."""
    return tables.csv([_record(one) for one in ranking.correlations()])


def _record(one: Correlation) -> dict[str, Any]:
    record: dict[str, Any] = {"score": one.score, "target": one.target, "models": one.models}
    for name in COEFFICIENTS:
        ends = zip(("", "_low", "_high"), getattr(one, name), strict=True)
        record |= {f"{name}{end}": value if math.isfinite(value) else None for end, value in ends}
    return record


def lines(ranking: Ranking) -> list[str]:
    """Spearman's correlation of each score with the known accuracies, the closest first."""
    known = [
        one for one in ranking.correlations()
        if one.target == ACCURACY and math.isfinite(one.spearman.value)
    ]  # fmt: skip
    if not known:
        return []
    known.sort(key=lambda one: -abs(one.spearman.value))
    heads = ["", "Spearman", f"{percent(ranking.level)} interval", "models"]
    rows = [[one.score, *_cells(one)] for one in known[:MOST_PRINTED]]
    more = len(known) - MOST_PRINTED
    return [
        "", "Correlation with the accuracies", *aligned([heads, *rows]),
        *([f"and {more} more scores"] if more > 0 else []),
    ]  # fmt: skip


def _cells(one: Correlation) -> list[str]:
    value, low, high = one.spearman
    span = f"{low:.2f} to {high:.2f}" if math.isfinite(low) else ""
    return [f"{value:.2f}", span, str(one.models)]
