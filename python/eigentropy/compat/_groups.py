"""Groups of rows, the random sets that `dse-dsmi` compares them with, and their information."""

from __future__ import annotations

import random
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from eigentropy._backends.host_arrays import Matrix, as_matrix, as_numpy
from eigentropy._kernels.groups import group_codes
from eigentropy._support.options import integer
from eigentropy.compat._graphs import RowNumbers, bin_numbers

# Larger groups, and the random sets of their size, are thinned out with seed 0.
MAX_GROUP = 10000


def random_numbers(seed: int | None) -> random.Random:
    """Make a generator with the numbers that `random` has after random.seed(seed)."""
    if seed is None:
        return random.Random()
    return random.Random(integer(seed, "random_seed", at_least=-sys.maxsize, at_most=None))


def find_clusters(
    reference_vectors: Any,
    n: int,
    discrete: bool | None,
    n_clusters: int,
    precomputed_clusters: Any,
) -> npt.NDArray[Any]:
    """Return the group of each row, as any numbers or names, of shape (n,) or (n, 1)."""
    integer(n_clusters, "n_clusters", at_least=1)
    reference = _of_length(reference_vectors, n, "reference_vectors")
    columns = reference.size // n
    if discrete is None:
        discrete = columns == 1 and np.issubdtype(reference.dtype, np.integer)
    if discrete:
        return _one_column(reference, n, "reference_vectors as labels").reshape(n, 1)
    if precomputed_clusters is not None:
        given = _of_length(precomputed_clusters, n, "precomputed_clusters")
        return _one_column(given, n, "precomputed_clusters")
    vectors = as_matrix(reference.reshape(n, -1), "reference_vectors")
    if columns == 1:
        return bin_numbers(vectors, n_clusters)
    return group_codes(vectors, n, "vectors", n_clusters, "spectral")


def _of_length(values: Any, n: int, name: str) -> npt.NDArray[Any]:
    array = as_numpy(values, name)
    if array.ndim == 0 or len(array) != n:
        entries = f"{len(array)} rows" if array.ndim else "no rows"
        raise ValueError(f"{name} has {entries}, embedding_vectors has {n}")
    return array


def _one_column(array: npt.NDArray[Any], n: int, name: str) -> npt.NDArray[Any]:
    if array.size != n:
        raise ValueError(f"{name} must have shape ({n},) or ({n}, 1), got {array.shape}")
    return array


def information(
    rows: Matrix,
    clusters: npt.NDArray[Any],
    entropies: Callable[[Matrix, list[RowNumbers]], list[float]],
    repetitions: int,
    seed: int | None,
    say: Callable[[str], object],
    max_group: int = MAX_GROUP,
) -> float:
    """Compute sum_y p_y (mean entropy of random sets of n_y rows - entropy of group y).

    Groups of more than `max_group` rows, and the random sets of their size, are thinned out.
    """
    repetitions = integer(repetitions, "num_repetitions", at_least=1)
    codes = group_codes(None, len(rows), "auto", 1, clusters)
    sizes = np.bincount(codes)
    say(f"Entropies of {len(sizes)} groups, and of {repetitions} random sets each")
    subsets = _groups_and_random_sets(codes, sizes, repetitions, seed, max_group)
    table = np.reshape(entropies(rows, subsets), (len(sizes), 1 + repetitions))
    value: np.float64 = sizes / len(rows) @ (table[:, 1:].mean(axis=1) - table[:, 0])
    return value


def _groups_and_random_sets(
    codes: npt.NDArray[np.int64],
    sizes: npt.NDArray[np.int64],
    repetitions: int,
    seed: int | None,
    max_group: int,
) -> list[RowNumbers]:
    """Group by group: its rows, then as many rows at random, `repetitions` times."""
    generator = random_numbers(seed)
    start = generator.getstate()
    subsets = []
    for code, size in enumerate(sizes.tolist()):
        subsets.append(_thinned(np.flatnonzero(codes == code), generator, max_group))
        if seed is not None:
            generator.setstate(start)
        for _ in range(repetitions):
            drawn = generator.sample(range(len(codes)), size)
            subsets.append(_thinned(np.array(drawn), generator, max_group))
    return subsets


def _thinned(subset: RowNumbers, generator: random.Random, max_group: int) -> RowNumbers:
    """At most `max_group` of the rows. Reseeds the generator, as dse-dsmi does in this place."""
    if len(subset) <= max_group:
        return subset
    generator.seed(0)
    return subset[generator.sample(range(len(subset)), max_group)]
