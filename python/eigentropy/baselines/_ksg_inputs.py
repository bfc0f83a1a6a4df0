"""The arguments of the nearest-neighbour estimators, checked, as points with their noise."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from eigentropy._backends.host_arrays import Matrix, as_matrix, as_numpy, opened_array
from eigentropy._kernels.groups import infer_kind
from eigentropy._support.options import integer, nonnegative, positive, random_seed
from eigentropy._support.warnings import warn
from eigentropy.baselines._neighbours import Counts, Points

# Where one variable varies this many times as much as the other, little of an information is left.
UNEQUAL_SCALES = 1000.0

# Noise in all spaces but one is enough for the distances of two of them to differ. In more columns
# than this, sorting them for the noise would take longer than finding the neighbours.
FEW_COLUMNS = 64


def as_points(
    values: Sequence[Any],
    names: Sequence[str],
    k: int,
    jitter: float,
    seed: int,
    *,
    spread: bool = False,
    with_labels: bool = False,
) -> list[Points]:
    """The spaces, checked, with their noise; `with_labels` if they are compared with labels."""
    integer(k, "k", at_least=1)
    jitter = nonnegative(jitter, "jitter")
    if jitter > 1.0:
        raise ValueError(
            f"jitter must be at most 1, got {jitter!r}: it is a share of the distance between "
            "neighbouring values of a column, whatever their scale"
        )
    seed = random_seed(seed)
    matrices = [
        _matrix(value, name, k, with_labels) for value, name in zip(values, names, strict=True)
    ]
    n = len(matrices[0])
    for matrix, name in zip(matrices, names, strict=True):
        if len(matrix) != n:
            raise ValueError(f"{name} has {len(matrix)} rows, {names[0]} has {n}")
    if k >= n:
        raise ValueError(f"k must be less than the number of rows, got k={k} for {n} rows")
    _warn_of_scales(dict(zip(names, matrices, strict=True)))
    widest = max(range(len(matrices)), key=lambda part: matrices[part].shape[1])
    still = {widest} if matrices[widest].shape[1] > FEW_COLUMNS and not spread else set()
    return [
        Points(matrix, 0.0 if part in still else jitter, (seed, part), spread)
        for part, matrix in enumerate(matrices)
    ]


def _warn_of_scales(matrices: dict[str, Matrix]) -> None:
    """Neighbours in the largest of both distances are those of the variable that varies more."""
    widths = {name: _width(matrix) for name, matrix in matrices.items() if name in ("X", "Y")}
    if len(widths) < 2:
        return
    low, high = min(widths, key=widths.__getitem__), max(widths, key=widths.__getitem__)
    if 0.0 < widths[low] < widths[high] / UNEQUAL_SCALES:
        warn(
            f"{high} varies {widths[high] / widths[low]:.2g} times as much as {low}, so that "
            f"neighbours are those of {high} alone and the information is too low: divide both by "
            "their standard deviations"
        )


def _width(matrix: Matrix) -> float:
    """The largest standard deviation of a column."""
    scale = float(np.abs(matrix).max()) or 1.0
    return scale * float(np.std(matrix / scale, axis=0, dtype=np.float64).max())


def _matrix(values: Any, name: str, k: int, with_labels: bool) -> Matrix:
    array: Any = opened_array(values, name)
    in_memory = isinstance(array, np.ndarray) or len(array.shape) == 1
    array = as_numpy(array, name) if in_memory else array
    may_be_labels = name == "W" or not in_memory or array.size == 0
    if not may_be_labels and array.ndim > 0 and infer_kind(array) == "labels":
        instead = _TWO_SETS_OF_LABELS if with_labels else _FOR_LABELS
        raise ValueError(f"{name} holds labels (dtype {array.dtype}), and {instead}")
    matrix = as_matrix(array[:, None] if len(array.shape) == 1 else array, name)
    if not may_be_labels and not with_labels and matrix.shape[1] == 1:
        counts = np.unique(matrix, return_counts=True)[1]
        if len(counts) > 1 and counts.min() > k:
            raise ValueError(
                f"{name} has each of its {len(counts)} values more than k={k} times, as labels do, "
                f"and {_FOR_LABELS}"
            )
    return matrix


def as_columns(values: Any, name: str) -> Matrix:
    """The rows of a matrix; of scalars, a column."""
    array: Any = opened_array(values, name)
    if len(array.shape) == 1:
        array = as_numpy(array, name)[:, None]
    return as_matrix(array, name)


_AS_FLOATS = "pass integers that are no labels as floats"

_FOR_LABELS = (
    "this estimator is for densities: for numbers and labels use "
    "ksg.discrete_mutual_information(numbers, labels), for labels alone binning.entropy or "
    f"binning.mutual_information; {_AS_FLOATS}"
)

_TWO_SETS_OF_LABELS = (
    f"is compared with labels: for two sets of labels use binning.mutual_information; {_AS_FLOATS}"
)


def without_single_rows(points: Points, codes: Counts, k: int) -> tuple[list[Points], Counts]:
    """Without the rows that are the only ones of their label."""
    sizes = np.bincount(codes)
    if sizes.max() == 1:
        raise ValueError("no label of Y occurs twice: these look like numbers, not labels")
    if sizes.min() <= k:
        warn(
            f"{(sizes <= k).sum()} of the {len(sizes)} labels have at most k={k} rows, so fewer "
            f"neighbours are used for them; {(sizes == 1).sum()} rows, the only ones of their "
            "label, are left out"
        )
    if sizes.min() > 1:
        return [points], codes
    kept = np.flatnonzero(sizes[codes] > 1)
    chosen = replace(points, matrix=points.matrix[kept])
    return [chosen], np.unique(codes[kept], return_inverse=True)[1].astype(np.int64)


def checked_threshold(value: float | None, points: Sequence[Points], k: int) -> float | None:
    """The `local_nonuniformity`, if k neighbours are enough for its boxes to have a volume."""
    if value is None:
        return None
    threshold = positive(value, "local_nonuniformity")
    if threshold > 1.0:
        raise ValueError(f"local_nonuniformity must be at most 1, got {value!r}")
    columns = sum(part.d for part in points)
    if k < columns:
        raise ValueError(
            f"local_nonuniformity needs k >= {columns}, the columns of X and Y together, for a box "
            f"around the neighbours to have a volume; got k={k}"
        )
    return threshold
