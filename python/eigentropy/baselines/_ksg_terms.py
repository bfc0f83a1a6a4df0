"""The terms that the nearest-neighbour estimators average over the rows."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
import numpy.typing as npt

from eigentropy._support.interruption import interruptible
from eigentropy._support.options import one_of
from eigentropy._support.progress import Callback, reporter
from eigentropy.baselines._neighbours import (
    PIECES,
    SEARCHES,
    Distances,
    Neighbourhoods,
    Pieces,
    Points,
    neighbourhoods,
)

# Neighbours count in a part of a space if they are nearer than the k-th by more than this.
STRICTLY = 1e-15


def mean_over_rows(
    terms: Callable[[Neighbourhoods], Distances],
    points: Sequence[Points],
    search: str,
    progress: bool | Callback,
    pieces: Pieces = PIECES,
) -> float:
    """Mean over all rows of what `terms` gives for some of them."""
    one_of(search, "search", SEARCHES)
    n, total = points[0].n, 0.0
    with reporter(progress, "neighbours") as report:
        for near in neighbourhoods(points, search, pieces):
            total += float(interruptible(partial(terms, near)).sum())
            if report is not None:
                report(near.rows.stop / n)
    return total / n


def distances_to_kth(near: Neighbourhoods, k: int) -> Distances:
    """Distance of each row to its k-th nearest other row, which must not be 0."""
    return positive_distances(near.kth_distance(k), k)


def positive_distances(distances: Distances, k: int) -> Distances:
    """The distances, if none is 0.

    Raises
    ------
    ValueError
        Some are 0: their rows have k equal ones.
    """
    equal = int((distances == 0.0).sum())
    if equal:
        raise ValueError(
            f"{equal} rows equal k={k} others or more, so that no density can be told: leave "
            "jitter at its default, or raise it if the numbers are so large that it is lost in "
            "their rounding"
        )
    return distances


def strictly_within(distances: Distances) -> Distances:
    """Radii that leave out what is at these distances; 1e-15 alone is rounded away beyond 16."""
    return np.minimum(np.maximum(distances - STRICTLY, 0.0), np.nextafter(distances, 0.0))


def digammas(n: int) -> Distances:
    """psi(m) = 1 + 1/2 + ... + 1/(m - 1) - gamma at m; NaN at m = 0."""
    increments = np.concatenate([[-np.euler_gamma], 1.0 / np.arange(1, n)])
    return np.concatenate([[np.nan], np.cumsum(increments)])


def box_corrections(
    points: Sequence[Points], near: Neighbourhoods, k: int, threshold: float
) -> Distances:
    """log(V / V') of the rows where V' < threshold V, 0 of the others."""
    values = np.concatenate([part.values for part in points], axis=1)
    offsets = values[near.nearest(k)] - values[near.rows, None, :]
    directions = np.linalg.eigh(offsets.transpose(0, 2, 1) @ offsets)[1]
    box = np.log(np.abs(offsets).max(axis=1)).sum(axis=1)
    rotated = np.log(np.abs(offsets @ directions).max(axis=1)).sum(axis=1)
    badly: npt.NDArray[np.bool_] = rotated < box + math.log(threshold)
    return np.where(badly, box - rotated, 0.0)
