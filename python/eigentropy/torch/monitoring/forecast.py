"""What the first measurement of a monitor will take, before there is one to go by."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from eigentropy._measures.measurement import MeasurementSettings, measure
from eigentropy._support.warnings import CollectedWarnings
from eigentropy.torch.monitoring.collection import Collection
from eigentropy.torch.monitoring.measuring import Measuring

# Random rows that are measured to know how fast this machine is. Of fewer rows, most of the time is
# Python's; more of them take longer than a monitor should take to be made.
ROWS, COLUMNS = 512, 64


class Forecast:
    """Seconds of a measurement, by the costs that method="auto" decides by.

    A unit of these costs is timed when the monitor is made. That also loads what is loaded at its
    first use, which would make the first measurement a long one.

    Parameters
    ----------
    measuring : Measuring
    collection : Collection
    timed : callable
        The seconds that some work takes.
    """

    def __init__(
        self,
        measuring: Measuring,
        collection: Collection,
        timed: Callable[[Callable[[], object]], float],
    ) -> None:
        self._measuring, self._collection = measuring, collection
        self._seconds = seconds_of_unit(measuring.settings, min(collection.most, ROWS), timed)
        self._costs: tuple[tuple[int, list[int]], float] | None = None

    def __call__(self) -> float:
        """Seconds of a measurement of what there is now, without the pass of a probe."""
        n, columns = expected = self._collection.expected()
        if self._costs is None or self._costs[0] != expected:
            self._costs = expected, sum(self._measuring.costs(columns, n))
        return self._seconds * self._costs[1]


def seconds_of_unit(
    settings: MeasurementSettings, n: int, timed: Callable[[Callable[[], object]], float]
) -> float:
    """Seconds of a unit of the costs of a spectrum, by that of n random rows."""
    rows = np.random.default_rng(0).normal(size=(n, COLUMNS)).astype(np.float32)
    own = replace(settings, kernel=False, order=(1.0,), sampling=False)
    with CollectedWarnings():  # which are about these rows
        measure(rows, {}, own)
        seconds = timed(lambda: measure(rows, {}, own))
    return seconds / own.plan.cost([n], COLUMNS, own.alpha)
