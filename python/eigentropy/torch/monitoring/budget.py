"""How often a measurement may be made, for a share of the time of the training."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager

from eigentropy._support.options import positive


class Budget:
    """Lets a measurement pass once the last one has become a small enough share of the time.

    Parameters
    ----------
    share : float or None
        At most 1; None: all pass.
    """

    def __init__(self, share: float | None) -> None:
        if share is not None and positive(share, "budget") > 1.0:
            raise ValueError(f"budget must be at most 1, got {share!r}")
        self.share = share
        self.ended, self.cost = -math.inf, 0.0

    def allows(self) -> bool:
        """Whether a measurement may be made now; the first always may."""
        if self.share is None:
            return True
        # cost / (cost + time since then) <= share
        return self.cost * (1.0 / self.share - 1.0) <= time.perf_counter() - self.ended

    @contextmanager
    def measuring(self) -> Iterator[None]:
        """Around a measurement."""
        start = time.perf_counter()
        try:
            yield
        finally:
            self.ended = time.perf_counter()
            self.cost = self.ended - start
