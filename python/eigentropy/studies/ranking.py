"""The statistics of networks that are ranked, network by network; `ranking` correlates them."""

from __future__ import annotations

import math
from collections.abc import Sequence

from eigentropy.ranking.correlations import BOOTSTRAPS, interval, lead, weighted_tau
from eigentropy.studies.rows import StudyRow
from eigentropy.studies.study import select

__all__ = ["BOOTSTRAPS", "interval", "lead", "paired", "weighted_tau"]


def paired(rows: Sequence[StudyRow], *names: str) -> tuple[list[float], ...]:
    """The values of every network for which all of these statistics are defined, by its number."""
    values = [{row["network"]: row.value for row in select(rows, estimator=name)} for name in names]
    known = [{n for n, value in each.items() if not math.isnan(value)} for each in values]
    shared = sorted(set.intersection(*known))  # the draws of an interval go by the order
    return tuple([each[n] for n in shared] for each in values)
