"""Rows of several ranks around one centre, packed for tiles of the kernel."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from eigentropy import _core
from eigentropy.distributed.ranks import Ranks

Array = npt.NDArray[Any]
Doubles = npt.NDArray[np.float64]

# Rows of a tile, in multiples of which rows are cut: sweep_tile of the core.
TILE = 192
# Packed rows are filled up to a multiple of this: strip_rows of the core.
STRIP = 48


@dataclass(frozen=True)
class PackedRows:
    """Rows as the core reads them, in the precision of the tiles.

    Attributes
    ----------
    strips, norms : array
        The entries, strip after strip, and the squares of the lengths.
    rows, d : int
    exponent : float
        What squared distances are multiplied with.
    scale : float
        The unit of the rows.
    """

    strips: Array
    norms: Array
    rows: int
    d: int
    exponent: float
    scale: float

    def arrays(self, begin: int, end: int) -> tuple[Array, Array]:
        """Strips and norms of some rows, from a multiple of a tile on; nothing is copied."""
        last = padded(end)
        return self.strips[begin * self.d : last * self.d], self.norms[begin:last]


def padded(rows: int) -> int:
    """So many rows filled up to whole strips."""
    return -(-rows // STRIP) * STRIP


@dataclass(frozen=True)
class Centering:
    """What all ranks subtract from their columns: the centre that one process finds, too.

    Attributes
    ----------
    n : int
        Rows of all ranks.
    low, high, total : array of shape (d,)
        Of the columns over all ranks.
    closed : list of (int, list of float, list of float)
        Columns with wide gaps, which are closed: see ClosedColumn in csrc.
    sigma : float
    dtype : {"float32", "float64"}
    """

    n: int
    low: Doubles
    high: Doubles
    total: Doubles
    closed: list[tuple[int, list[float], list[float]]]
    sigma: float
    dtype: str

    @classmethod
    def of(
        cls, local: Array, counts: list[int], ranks: Ranks, sigma: float, dtype: str
    ) -> Centering:
        """The centre of the rows of all ranks."""
        low, high, total = _core.column_ranges(local)
        parts = ranks.gathered(np.stack([low, high, total])[None])
        low = np.min([part[0, 0] for part in parts], axis=0)
        high = np.max([part[0, 1] for part in parts], axis=0)
        with np.errstate(over="ignore", invalid="ignore"):
            total = ranks.summed(total)
            wide = np.flatnonzero(high - low > _core.narrowest_wide_column(sigma, dtype))
        closed = []
        for column in wide.tolist():  # few: a column that is much wider than sigma
            values = ranks.joined(local[:, column].astype(np.float64), counts)
            segments = _core.closed_column(values, local.shape[1], sigma, dtype)
            if segments[0]:
                closed.append((column, *segments))
        return cls(sum(counts), low, high, total, closed, sigma, dtype)

    def packed(self, local: Array) -> PackedRows:
        """Some rows around the centre."""
        strips, norms, exponent, scale = _core.packed_rows(
            local, self.low, self.high, self.total, self.n, self.closed, self.sigma, self.dtype
        )
        return PackedRows(strips, norms, len(local), local.shape[1], exponent, scale)
