"""Rows over their lengths."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]


def without_direction(values: Array) -> npt.NDArray[np.int64]:
    """The numbers of the rows that are 0."""
    return np.flatnonzero(~values.any(axis=1))


def over_lengths(values: Array) -> Array:
    """The rows over their lengths, in place; none may be 0. No square over- or underflows."""
    values /= np.abs(values).max(axis=1, keepdims=True)
    values /= np.sqrt(np.einsum("ij,ij->i", values, values))[:, None]
    return values
