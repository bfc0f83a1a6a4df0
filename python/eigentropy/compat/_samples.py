"""The samples and options of NPEET's functions, checked before a random number is drawn."""

from __future__ import annotations

from collections.abc import Sized
from typing import Any

import numpy as np

from eigentropy._backends.host_arrays import Matrix, as_matrix, as_numpy
from eigentropy._kernels.groups import Codes
from eigentropy._support.options import integer, logarithm_base, nonnegative
from eigentropy.baselines._contingency import column_codes
from eigentropy.baselines._ksg_inputs import as_columns


def vectors(values: Any, name: str) -> Matrix:
    """One row a sample. A flat list is refused, as NPEET does."""
    return as_matrix(values, name)


def vectors_or_scalars(values: Any, name: str) -> Matrix:
    """One row a sample, or a flat list of scalars."""
    return as_columns(values, name)


def labels_of_variables(values: Any, name: str) -> Codes:
    """The value of each sample, of any type, as its number: one column a variable."""
    array = as_numpy(values, name)
    if array.ndim != 2:
        raise ValueError(
            f"{name} must have one row for each sample and one column for each variable, got an "
            f"array of shape {array.shape}; of one variable pass {name}[:, None]"
        )
    return np.stack(column_codes(array, name), axis=1)


def same_length(**samples: Sized) -> None:
    """Raise ValueError unless all have as many samples."""
    (first, values), *others = samples.items()
    for name, other in others:
        if len(other) != len(values):
            raise ValueError(f"{name} has {len(other)} samples, {first} has {len(values)}")


def checked(k: Any, base: Any, *samples: Sized) -> tuple[int, float]:
    """The neighbours, fewer than the samples, and the base of the logarithm."""
    k, n = integer(k, "k", at_least=1), min(map(len, samples))
    if k >= n:
        raise ValueError(f"k must be less than the number of samples, got k={k} for {n} samples")
    return k, logarithm_base(base)


def checked_alpha(alpha: Any, k: int, columns: int) -> float | None:
    """The threshold of the correction, if there is one."""
    alpha = nonnegative(alpha, "alpha", at_most=1.0)
    if alpha > 0.0 and k < columns:
        raise ValueError(
            f"alpha={alpha:g} needs k >= {columns}, the columns of x and y together, for a box "
            f"around the neighbours to have a volume; got k={k}: raise k, or leave alpha at 0"
        )
    return alpha or None


def base_as_neighbours(base: Any) -> int:
    """What NPEET's centropycd takes for k."""
    number = logarithm_base(base)
    if number != int(number):
        raise ValueError(
            f"base must be a whole number here, got {number!r}: as in NPEET it is also the k of an "
            "entropy; baselines.densities.discrete_conditional_entropy has a k and any base"
        )
    return int(number)
