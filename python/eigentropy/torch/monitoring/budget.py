"""How often to measure, so that it takes no more than a share of the time."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from eigentropy._support.options import positive


class Budget:
    """Allows a measurement once it is a small enough share of the time since the last one.

    A measurement is expected to take as long as the last one, the first one as is predicted.

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
        self.ended, self.cost = clock(), 0.0
        self.has_measured = False

    def begin(self) -> None:
        """Count the time from now on."""
        self.ended = self.clock()

    def allows(self, predicted: Callable[[], float] | None = None) -> bool:
        """Whether a measurement may be made now.

        Parameters
        ----------
        predicted : callable, optional
            Seconds that the first measurement is predicted to take, called until there is one;
            without it the first measurement may be made at any time.
        """
        if self.share is None:
            return True
        if not self.has_measured:
            self.cost = 0.0 if predicted is None else predicted()
        # cost / (cost + time since then) <= share
        return self.cost * (1.0 / self.share - 1.0) <= self.clock() - self.ended

    def timed(self, work: Callable[[], object]) -> float:
        """Seconds that some work takes."""
        start = self.clock()
        work()
        return self.clock() - start

    @contextmanager
    def measuring(self) -> Iterator[None]:
        """Around a measurement."""
        start = self.clock()
        try:
            yield
        finally:
            self.ended = self.clock()
            self.cost, self.has_measured = self.ended - start, True
