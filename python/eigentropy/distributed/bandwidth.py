"""The rule "knn" for sigma where the rows lie on several ranks; the other rules take a sample."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from eigentropy import _core
from eigentropy._backends.host_arrays import Matrix
from eigentropy._backends.rows import Rows
from eigentropy._kernels.bandwidth import (
    DISTANCES_AT_A_TIME,
    NEIGHBOUR,
    resolve_sigma,
    sampled_rows,
    sigma_of_rule,
)
from eigentropy.distributed.rows import SplitRows

Doubles = npt.NDArray[np.float64]


def sigma_over_ranks(sigma: float | str, rows: Rows, seed: int) -> float:
    """The number behind the argument `sigma`: what one process finds with the rows of all ranks."""
    split = rows.array
    if sigma != "knn" or not isinstance(split, SplitRows):
        return resolve_sigma(sigma, rows, seed)
    numbers = sampled_rows(split.n, split.d, seed)
    reach = _distances_to_neighbours(split, split.taken(numbers))
    if not reach.any():  # every row has many duplicates: distances between groups
        return sigma_of_rule(rows, "median", seed)
    median = float(np.median(reach))
    return median if median > 0.0 else float(np.median(reach[reach > 0.0]))


def _distances_to_neighbours(rows: SplitRows, sample: Matrix) -> Doubles:
    """From each row of the sample to its neighbour among the rows of all ranks."""
    count, most = len(sample), min(NEIGHBOUR, rows.n - 1) + 1  # the row itself is the nearest
    nearest = np.full((count, most), np.inf)
    at_a_time = max(256, DISTANCES_AT_A_TIME // count - count)
    for begin in range(0, len(rows.local), at_a_time):
        some = np.vstack([sample, rows.local[begin : begin + at_a_time]])
        squared, scale = _core.squared_distances_from(some, np.arange(count))
        found = np.hstack([nearest, scale * np.sqrt(squared[:, count:])])
        nearest = np.partition(found, most - 1, axis=1)[:, :most]
    everywhere = np.hstack(rows.ranks.gathered(nearest))
    return np.partition(everywhere, most - 1, axis=1)[:, most - 1]
