"""How often to measure, so that it takes no more than a share of the time."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from eigentropy._support.options import positive


class Budget:
    """Allows a measurement once the last one has become a small enough share of the time.

    Parameters
    ----------
    share : float or None
        At most 1. None allows every measurement.
    clock : callable
        The time in seconds.
    """

    def __init__(self, share: float | None, clock: Callable[[], float] = time.perf_counter) -> None:
        if share is not None and positive(share, "budget") > 1.0:
            raise ValueError(f"budget must be at most 1, got {share!r}")
        self.share, self.clock = share, clock
        self.ended, self.cost = -math.inf, 0.0

    def allows(self) -> bool:
        """Whether a measurement may be made now; the first always may be."""
        if self.share is None:
            return True
        # cost / (cost + time since then) <= share
        return self.cost * (1.0 / self.share - 1.0) <= self.clock() - self.ended

    @contextmanager
    def measuring(self) -> Iterator[None]:
        """Around a measurement."""
        start = self.clock()
        try:
            yield
        finally:
            self.ended = self.clock()
            self.cost = self.ended - start
