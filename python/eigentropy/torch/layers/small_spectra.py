"""The entropies of many small kernels, which are solved together."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from eigentropy._spectra.functionals import Shannon, nats_of_groups
from eigentropy._support.warnings import recorded_warnings

Doubles = npt.NDArray[np.float64]


def bits_of_each(
    matrix: Callable[..., Any],
    several: Sequence[Doubles],
    t: float = 1.0,
    dtype: str = "float64",
    **options: Any,
) -> Doubles:
    """The entropy of the matrix of each array of rows (m, d), by kernels of width 1.

    NaN of rows that are not finite.

    Parameters
    ----------
    matrix : DiffusionOperator or DensityMatrix
    several : sequence of array
    t : float
    dtype : str
        Of the eigenvalues.
    **options
        Of the matrix.
    """
    finite = np.array([np.isfinite(rows).all() for rows in several])
    found = np.full(len(several), math.nan)
    if not finite.any():
        return found
    known = [rows for rows, good in zip(several, finite, strict=True) if good]
    ends = np.cumsum([len(rows) for rows in known])
    offsets = np.concatenate([[0], ends])
    with recorded_warnings():
        joined = matrix(np.concatenate(known), sigma=1.0, **options)
        # No memory for the kernel of all rows: the arrays have nothing of it in common.
        values, _, _ = joined.subset_spectra(offsets, np.arange(ends[-1]), dtype, 0.0, None)
    np.clip(values, 0.0, 1.0, out=values)
    found[finite] = nats_of_groups(Shannon(t), values, offsets[:-1]) / math.log(2.0)
    return found
