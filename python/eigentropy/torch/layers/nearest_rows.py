"""From how many rows the nearest other row is of the same prompt."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

# Distances are computed for blocks of this many entries: 64 MiB.
BLOCK_ENTRIES = 2**23

# Of a squared distance by rounding, in units of the squares of the two rows.
ROUNDING = 8.0 * float(np.finfo(np.float64).eps)


def share_of_same(rows: Any, prompts: npt.NDArray[np.int64]) -> float:
    """The share of rows (m, d) whose nearest other row has the same prompt; NaN of one row.

    By Euclidean distance, which a Gaussian kernel falls with, whatever its width. Where several are
    as near, as equal tokens of an embedding are, each of them counts as its share.
    """
    m = len(rows)
    if m < 2 or not np.isfinite(rows).all():
        return math.nan
    rows = np.asarray(rows, dtype=np.float64)
    centred = rows - np.median(rows, axis=0)  # which a few large rows do not move
    squares = np.einsum("ij,ij->i", centred, centred)
    found, height = 0.0, max(1, BLOCK_ENTRIES // m)
    for start in range(0, m, height):
        block = slice(start, start + height)
        sums = squares[block, None] + squares
        squared = sums - 2.0 * (centred[block] @ centred.T)
        own = np.arange(len(squared))
        squared[own, start + own] = math.inf
        sums *= ROUNDING
        nearest = squared - sums <= (squared + sums).min(axis=1, keepdims=True)
        same = prompts[block, None] == prompts
        found += float(((nearest & same).sum(axis=1) / nearest.sum(axis=1)).sum())
    return found / m


def share_by_chance(prompts: npt.NDArray[np.int64]) -> float:
    """The same for a random other row; NaN of one row."""
    counts = np.unique(prompts, return_counts=True)[1]
    m = len(prompts)
    return float((counts * (counts - 1)).sum()) / (m * (m - 1)) if m > 1 else math.nan
