"""The terms that the nearest-neighbour estimators average over the rows."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from eigentropy._support.interruption import interruptible
from eigentropy._support.options import one_of
from eigentropy._support.progress import Callback, reporter
from eigentropy.baselines._neighbours import (
    PIECES,
    SEARCHES,
    Counts,
    Distances,
    Neighbourhoods,
    Pieces,
    Points,
    neighbourhoods,
)

Number = TypeVar("Number", bound=np.generic)
Result = TypeVar("Result")

# Ties are broken by random numbers of their own, apart from the noise of the parts 0, 1, 2.
TIES = 3


def over_rows(
    measure: Callable[[Neighbourhoods], npt.NDArray[Number]],
    points: Sequence[Points],
    search: str,
    progress: bool | Callback,
    pieces: Pieces = PIECES,
) -> npt.NDArray[Number]:
    """What `measure` gives for some rows at a time, for all rows."""
    one_of(search, "search", SEARCHES)
    n, found = points[0].n, []
    with reporter(progress, "neighbours") as report:
        for near in neighbourhoods(points, search, pieces):
            found.append(waited_for(partial(measure, near), points))
            if report is not None:
                report(near.rows.stop / n)
    return np.concatenate(found)


def waited_for(compute: Callable[[], Result], points: Sequence[Points]) -> Result:
    """What it returns; it may look at all distances, and Ctrl-C works meanwhile."""
    return interruptible(compute, points[0].n ** 2 * sum(part.d for part in points))


class EqualRowsError(ValueError):
    """So many rows equal k others or more; or all but equal them."""

    def __init__(self, rows: int, k: int) -> None:
        super().__init__(
            f"{rows} rows equal k={k} others or more, so that they have no density: leave jitter "
            "at its default if they were rounded, raise k, or use binning.entropy if values occur "
            "again and again"
        )
        self.rows = rows


def beyond(distances: Distances, margin: float, k: int) -> Distances:
    """The distances to the k-th neighbours, if all are above 0 and none is below the margin.

    Raises
    ------
    EqualRowsError
        Some are.
    """
    equal = int(((distances == 0.0) | (distances < margin)).sum())
    if equal:
        raise EqualRowsError(equal, k)
    return distances


def digammas(n: int) -> Distances:
    """psi(m) = 1 + 1/2 + ... + 1/(m - 1) - gamma at m; NaN at m = 0."""
    increments = np.concatenate([[-np.euler_gamma], 1.0 / np.arange(1, n)])
    return np.concatenate([[np.nan], np.cumsum(increments)])


def psi_within(shells: Counts, k: int | Counts, seed: int) -> Distances:
    r"""psi(k), and psi of the rows within the distance of the k-th neighbour, in each space.

    `shells` counts the rows that are nearer than the k-th neighbour, and those that are at most so
    far, in the space of that neighbour and in others: (rows, spaces, 2). A row counts itself.
    Without ties the result is psi(k), psi(nearer), ...

    Rows at the same distance as the k-th are put in a random order, in which it has its place: as
    if they were moved by next to nothing. At distance 0 the mean over these orders is known: it
    has the numbers of equal rows for all of these counts (Gao et al. 2017).
    """
    rng = np.random.default_rng([seed, TIES])
    psi = digammas(len(shells))
    zero = shells[:, 0, 0] == 0
    first = np.maximum(shells[:, 0, 0], 1)
    rank = np.where(zero, 1, k + 1 - first)
    members = np.maximum(shells[:, 0, 1] - first, rank)
    counts = [np.broadcast_to(k, len(shells))]
    for inside, closed in zip(shells[:, 1:, 0].T, shells[:, 1:, 1].T, strict=True):
        reached = up_to_boundary(rng, inside, closed, rank, members)
        counts.append(np.where(closed > inside, reached, inside))
    within = np.where(zero[:, None], shells[:, :, 1], np.stack(counts, axis=1))
    return psi[within]


def up_to_boundary(
    rng: np.random.Generator, inside: Counts, closed: Counts, rank: Counts, members: Counts
) -> Counts:
    """How many other rows come before the boundary or are it, in a random order of the ties.

    Of `closed - inside` rows at the same distance `members` are candidates, and the boundary is the
    one of this rank among them. Without ties this is `inside`, which has the row itself.
    """
    inside = np.maximum(inside, 1)  # the row itself, nearer than any other
    others = np.maximum(closed - inside - members, 0)
    level = rng.beta(rank, members - rank + 1)
    reached: Counts = inside - 1 + rank + rng.binomial(others, level)
    return reached


def box_corrections(
    points: Sequence[Points], near: Neighbourhoods, k: int, threshold: float
) -> Distances:
    """log(V / V') of the rows where V' < threshold V, 0 of the others and of boxes with V = 0."""
    values = np.concatenate([part.values for part in points], axis=1)
    offsets = values[near.nearest(k)] - values[near.rows, None, :]
    largest = np.abs(offsets).max(axis=(1, 2), keepdims=True)
    offsets /= np.where(largest > 0.0, largest, 1.0)  # so that no product overflows, or underflows
    directions = np.linalg.eigh(offsets.transpose(0, 2, 1) @ offsets)[1]
    with np.errstate(divide="ignore"):
        box = np.log(np.abs(offsets).max(axis=1)).sum(axis=1)
        rotated = np.log(np.abs(offsets @ directions).max(axis=1)).sum(axis=1)
    badly: npt.NDArray[np.bool_] = rotated < box + math.log(threshold)
    corrections: Distances = np.subtract(box, rotated, out=np.zeros(len(box)), where=badly)
    return corrections
