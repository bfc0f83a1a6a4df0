"""What is kept of a layer for its pictures: some eigenvalues, and a map of some rows."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from eigentropy._backends.host_arrays import as_numpy
from eigentropy._core import SolverError
from eigentropy._measures.operator import DiffusionOperator

Array = npt.NDArray[Any]


# So many eigenvalues of a spectrum are drawn, evenly on a logarithmic scale of ranks.
RANKS = 48


def ranks(n: int) -> npt.NDArray[np.int64]:
    """Which of n eigenvalues are drawn, from 1 to n."""
    return np.unique(np.geomspace(1, n, RANKS).round().astype(np.int64))


def view_rows(n: int, points: int) -> npt.NDArray[np.int64]:
    """The rows of a view: the same at every step and for every layer."""
    if n <= points:
        return np.arange(n)
    return np.sort(np.random.default_rng(0).choice(n, points, replace=False))


def diffusion_coordinates(rows: Array, sigma: float, alpha: float) -> list[list[float]] | None:
    """Coordinates in two diffusion directions, in thousandths of the largest."""
    try:
        coordinates = DiffusionOperator(rows, sigma=sigma, alpha=alpha).diffusion_map(2)
    except SolverError:  # a picture is not worth an error
        return None
    largest = np.abs(coordinates).max() or 1.0
    scaled = np.rint(1000 * as_numpy(coordinates, "coordinates") / largest)
    columns: list[list[float]] = scaled.astype(np.int64).T.tolist()
    return columns
