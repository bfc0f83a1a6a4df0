"""The nearest neighbours of each row: from all distances, or by an index of faiss."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from eigentropy import _core
from eigentropy._backends.host_arrays import Matrix
from eigentropy._support import memory
from eigentropy._support.interruption import interruptible
from eigentropy._support.progress import Callback, part

Numbers = npt.NDArray[np.int64]
Doubles = npt.NDArray[np.float64]

# From all distances up to this many rows, which takes n^2 d / 2 multiplications; beyond by faiss.
EXACT_ROWS = 2**17

# The index has CELLS sqrt(n) cells, found by k-means on TRAINED rows for each of them.
CELLS, TRAINED, ROUNDS = 4.0, 40, 8

# COMPARED_ROWS rows are compared with all rows. As many cells are searched as it takes to find this
# share of the neighbours of these rows.
FOUND, COMPARED_ROWS = 0.98, 256

# Where this share of the cells would have to be searched, all distances take no longer: the index
# computes them one by one, and the core as products of matrices.
MOST_CELLS = 0.025

# The rows whose mean is subtracted before the others are rounded to float32.
CENTRED_ROWS = 1024

# float32 may order rows differently whose squared distances differ by less than this part.
SAME_DISTANCE = 1e-4

# Rows that are searched in one call of faiss, and differences of coordinates at a time: 128 MiB.
ROWS_AT_A_TIME = 4096
DIFFERENCES_AT_A_TIME = 2**24


@dataclass(frozen=True)
class NearestNeighbours:
    """The k nearest other rows of each row, the nearest first.

    Attributes
    ----------
    rows : array of int, shape (n, k)
    squared : array of shape (n, k)
        Squared distances, all in one unit of their own.
    """

    rows: Numbers
    squared: Doubles


def nearest_neighbours(
    Z: Matrix,
    k: int,
    chosen: Numbers | None,
    seed: int,
    progress: Callback | None,
    exact_rows: int = EXACT_ROWS,
) -> NearestNeighbours:
    """The k nearest other rows, 1 <= k < n, of each row; or of some, among themselves.

    Of rows at one distance the first ones are taken.

    Raises
    ------
    ImportError
        More than 131 072 rows, without faiss.
    MemoryError
        The neighbours do not fit.
    """
    n = len(Z) if chosen is None else len(chosen)
    width = min(Z.shape[1], _core.widest_block)
    memory.require(
        32.0 * n * k + 8.0 * n * width,
        f"the {k} neighbours of {n} rows",
        "use a smaller n_neighbors, or max_points",
    )
    if n <= exact_rows:
        rows, squared, _ = _core.nearest_rows(Z, k, chosen, progress)
        return NearestNeighbours(rows, squared)
    return _found_by_index(Z if chosen is None else Z[chosen], k, seed, progress)


def _found_by_index(Z: Matrix, k: int, seed: int, progress: Callback | None) -> NearestNeighbours:
    faiss = _faiss(len(Z))
    scaled = _in_single(Z)
    index = interruptible(lambda: _index(faiss, scaled, seed))
    if not _searches_enough_cells(faiss, index, scaled, k, seed):
        del scaled, index  # their memory is needed
        return NearestNeighbours(*_core.nearest_rows(Z, k, None, progress)[:2])
    rows, squared = np.empty((len(Z), k), dtype=np.int64), np.empty((len(Z), k))
    report = part(progress, 0.1, 1.0)
    for start in range(0, len(Z), ROWS_AT_A_TIME):
        own = np.arange(start, min(start + ROWS_AT_A_TIME, len(Z)))
        found = _others(_searched(index, scaled[own], k + 1), own)
        rows[own], squared[own] = _by_distance(Z, own, found)
        if report is not None:
            report((own[-1] + 1) / len(Z))
    return NearestNeighbours(rows, squared)


def _faiss(n: int) -> Any:
    try:
        import faiss
    except ImportError as error:
        raise ImportError(
            f"kernel='knn' finds the neighbours of {n} rows with faiss, since they are more than "
            f"{EXACT_ROWS}: pip install 'eigentropy[neighbours]', or pass max_points={EXACT_ROWS}"
        ) from error
    return faiss


def _in_single(Z: Matrix) -> npt.NDArray[np.float32]:
    """The rows about their mean, in units of the largest entry: what faiss takes."""
    memory.require(
        3.0 * 4.0 * Z.size, f"an index of {len(Z)} rows of {Z.shape[1]} columns", "use max_points"
    )
    scale = _scale(Z)
    sample = Z[:: max(1, len(Z) // CENTRED_ROWS)].astype(np.float64)
    centre = (sample / scale).mean(axis=0)
    single = np.empty(Z.shape, dtype=np.float32)
    for start in range(0, len(Z), ROWS_AT_A_TIME):
        some = slice(start, start + ROWS_AT_A_TIME)
        single[some] = Z[some].astype(np.float64) / scale - centre
    return single


def _scale(Z: Matrix) -> float:
    """A power of two near the largest entry; 1 where all are 0."""
    largest = max(float(Z.max()), -float(Z.min()))
    return float(2.0 ** np.floor(np.log2(largest))) if largest > 0.0 else 1.0


def _index(faiss: Any, scaled: npt.NDArray[np.float32], seed: int) -> Any:
    """Rows in the cells of a k-means."""
    n, d = scaled.shape
    cells = int(CELLS * n**0.5)
    index = faiss.IndexIVFFlat(faiss.IndexFlatL2(d), d, cells)
    index.cp.seed = seed % 2**31
    index.cp.niter = ROUNDS
    index.cp.max_points_per_centroid = TRAINED
    index.cp.min_points_per_centroid = 1
    index.train(scaled)
    index.add(scaled)
    return index


def _searches_enough_cells(
    faiss: Any, index: Any, scaled: npt.NDArray[np.float32], k: int, seed: int
) -> bool:
    """Whether it finds the neighbours of a sample in few cells, which it is then set to search."""
    own = np.sort(np.random.default_rng(seed).choice(len(scaled), COMPARED_ROWS, replace=False))
    sample = scaled[own]
    reach = interruptible(lambda: faiss.knn(sample, scaled, k + 1)[0])[:, -1:]
    reach = reach * (1.0 + SAME_DISTANCE)
    index.nprobe = 4
    while index.nprobe <= MOST_CELLS * index.nlist:
        squared, found = interruptible(lambda: index.search(sample, k + 1))
        if ((squared <= reach) & (found >= 0)).mean() >= FOUND:
            return True
        index.nprobe *= 2
    return False


def _searched(index: Any, queries: npt.NDArray[np.float32], count: int) -> Numbers:
    """The numbers of the nearest rows, the row itself among them; in all cells if need be."""
    _, found = interruptible(lambda: index.search(queries, count))
    short = np.flatnonzero((found < 0).any(axis=1))
    if len(short):  # their cells have fewer rows
        searched, index.nprobe = index.nprobe, index.nlist
        found[short] = interruptible(lambda: index.search(queries[short], count))[1]
        index.nprobe = searched
    numbers: Numbers = found
    return numbers


def _others(found: Numbers, own: Numbers) -> Numbers:
    """Without the row itself; without the last one where it is not there, among equal rows."""
    is_own = found == own[:, None]
    is_own[~is_own.any(axis=1), -1] = True
    others: Numbers = found[~is_own].reshape(len(own), -1)
    return others


def _by_distance(Z: Matrix, own: Numbers, found: Numbers) -> tuple[Numbers, Doubles]:
    """The neighbours by their distances in float64, and these squared."""
    scale, squared = _scale(Z), np.empty(found.shape)
    at_a_time = max(1, DIFFERENCES_AT_A_TIME // (found.shape[1] * Z.shape[1]))
    for start in range(0, len(own), at_a_time):
        some = slice(start, start + at_a_time)
        differences = Z[found[some]].astype(np.float64) / scale
        differences -= (Z[own[some]].astype(np.float64) / scale)[:, None]
        squared[some] = np.einsum("ijk,ijk->ij", differences, differences)
    order = np.lexsort((found, squared), axis=1)
    return np.take_along_axis(found, order, axis=1), np.take_along_axis(squared, order, axis=1)
