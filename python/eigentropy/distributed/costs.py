"""A model of what a product over ranks costs: computing, bytes on the wire, messages.

benchmarks/compare/distributed.py measures its constants on a machine and compares its predictions
with measured products on 1 to 4 ranks; docs/how_to/distributed.md plans larger ones with it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from eigentropy._backends.costs import CPU_COSTS
from eigentropy.distributed.ring import Range, pieces

# Messages of a piece: strips, norms, vectors, and the result back.
MESSAGES = 4
RESULT_BYTES = 8


@dataclass(frozen=True)
class Machine:
    """What a rank can do.

    Attributes
    ----------
    rate : float
        Multiplications with additions a second of products in tiles, in the precision of the tiles.
    bandwidth : float
        Bytes a second that a rank receives while it sends as many.
    latency : float
        Seconds of a message, beside its bytes.
    overlaps : bool
        Whether messages travel while tiles are computed; otherwise a core of the rank copies them.
    """

    rate: float
    bandwidth: float
    latency: float
    overlaps: bool = True


@dataclass(frozen=True)
class Product:
    """A V for n rows of d columns over ranks of equal shares, without a kept matrix.

    Attributes
    ----------
    n, d, columns, ranks : int
        `columns` is that of V: 0 for a pass that only sums.
    dtype : {"float32", "float64"}
        Of the tiles.
    """

    n: float
    d: int
    columns: int
    ranks: int
    dtype: str = "float32"

    @property
    def work(self) -> float:
        """Multiplications with additions of a rank: its half of the tiles, each for both sides."""
        return self.n**2 / (2.0 * self.ranks) * (self.d + CPU_COSTS.entry + 2.0 * self.columns)

    @property
    def received(self) -> float:
        """Bytes that a rank receives, at most: rows and vectors of half of the others, results."""
        others = self.n / self.ranks * (self.ranks // 2)
        size = np.dtype(self.dtype).itemsize
        return others * (size * (self.d + 1 + self.columns) + RESULT_BYTES * self.columns)

    @property
    def messages(self) -> int:
        """How many messages a rank receives, at most."""
        own = Range(0, max(1, round(self.n / self.ranks)))
        return MESSAGES * (self.ranks // 2) * len(pieces(own, self.d, self.dtype))

    @property
    def memory(self) -> float:
        """Bytes of a rank: its packed rows, two pieces of others, vectors and their sums."""
        size, own = np.dtype(self.dtype).itemsize, self.n / self.ranks
        piece = pieces(Range(0, max(1, round(own))), self.d, self.dtype)[0].rows
        return size * self.d * (own + 2.0 * piece) + own * self.columns * (2 * size + 3 * 8)

    def seconds(self, machine: Machine) -> float:
        """The time of one product."""
        computing = self.work / machine.rate
        wire = self.received / machine.bandwidth
        together = max(computing, wire) if machine.overlaps else computing + wire
        return together + self.messages * machine.latency


def estimate_seconds(
    n: float, d: int, ranks: int, machine: Machine, products: int = 10, dtype: str = "float32"
) -> float:
    """Of an entropy by one block of 32 vectors: three sums over the kernel, then the products."""
    passes = 3.0 * Product(n, d, 1, ranks, dtype).seconds(machine)
    return passes + products * Product(n, d, 32, ranks, dtype).seconds(machine)
