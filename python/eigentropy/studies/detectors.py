"""What may tell that a run collapses: alarms, and ranks that people watch with a threshold.

No threshold is established: the papers of RankMe and LiDAR compare finished runs, and the callbacks
of stable-pretraining log both without one. Projects choose a share of the number of columns, or
look for a fall below a share of what was usual.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

# Of `eigentropy.torch.CollapseAlarm`, with its defaults.
ALARM, AGGREGATE = "alarm", "alarm without classes"

RANKME, EFFECTIVE, LIDAR = "RankMe", "effective rank", "LiDAR"
RANKS = (RANKME, EFFECTIVE, LIDAR)

# Falls to this share of the mean of the reference.
SHARES = (0.5, 0.75, 0.9)
USUAL = 0.5

# Shares of the columns.
OF_COLUMNS = (0.25, 0.15)


@dataclass(frozen=True)
class Threshold:
    """A rank is below a share of its mean in the reference, or of the number of columns."""

    rank: str
    share: float
    of_columns: bool = False

    @property
    def name(self) -> str:
        """What the study calls it."""
        return f"{self.rank} < {self.share:g} {'d' if self.of_columns else 'of reference'}"

    def first(self, values: Sequence[float], reference: int, columns: int) -> float:
        """The first look after those of the reference, from 0, that is below; or NaN."""
        level = columns if self.of_columns else math.fsum(values[:reference]) / reference
        below = (
            look
            for look, value in enumerate(values[reference:])
            if not value >= self.share * level  # NaN is no rank
        )
        return float(next(below, math.nan))


THRESHOLDS = (
    *(Threshold(rank, share) for rank in RANKS for share in SHARES),
    *(Threshold(RANKME, share, of_columns=True) for share in OF_COLUMNS),
)
BESIDE = Threshold(RANKME, USUAL).name

DETECTORS = (ALARM, AGGREGATE, *(threshold.name for threshold in THRESHOLDS))


def first_looks(
    curves: Mapping[str, Sequence[float]], reference: int, columns: int
) -> dict[str, float]:
    """For each threshold, the first look that is below it, or NaN."""
    return {t.name: t.first(curves[t.rank], reference, columns) for t in THRESHOLDS}
