"""The betas of a curve."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from eigentropy._backends.host_arrays import as_numpy
from eigentropy.bottleneck.joint import Doubles

# By default: the number of betas, and the largest one in units of the first critical beta. A guess
# at what shows all of a curve. Below that beta T may tell something already, by a jump, but never
# up to beta = 1: the first point is half-way.
POINTS = 60
ABOVE = 100.0


def checked_betas(betas: Any, critical: float) -> Doubles:
    """Betas as an ascending array; by default around and beyond the first critical one."""
    if betas is None:
        return np.geomspace(math.sqrt(critical), ABOVE * critical, POINTS)
    array = np.atleast_1d(as_numpy(betas, "betas", numbers=True))
    if array.ndim != 1 or array.size == 0 or array.dtype.kind not in "iuf":
        raise ValueError(
            f"betas must be numbers in one dimension, got shape {array.shape} of {array.dtype}"
        )
    array = array.astype(np.float64)
    wrong = ~(np.isfinite(array) & (array > 0.0))
    if wrong.any():
        raise ValueError(
            f"betas must be finite numbers > 0, got {array[wrong][0]:g} and "
            f"{np.count_nonzero(wrong) - 1} more such entries"
        )
    return np.unique(array)
