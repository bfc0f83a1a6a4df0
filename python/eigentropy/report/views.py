"""What is kept of a layer for its pictures: some eigenvalues, and a map of some rows."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

import numpy as np
import numpy.typing as npt

from eigentropy import embed
from eigentropy._backends.host_arrays import as_numpy
from eigentropy._core import SolverError
from eigentropy._measures.operator import DiffusionOperator
from eigentropy._support.warnings import ignored_warnings

Array = npt.NDArray[Any]


# So many eigenvalues of a spectrum are drawn, evenly on a logarithmic scale of ranks.
RANKS = 48

# Neighbours that PHATE looks at, where there are as many other rows.
NEIGHBOURS = 5

INSTALL = "pip install 'eigentropy[embed]'"


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
    return thousandths(as_numpy(coordinates, "coordinates"))


def phate_coordinates(rows: Array) -> list[list[float]] | None:
    """Two coordinates of PHATE, around their means, in thousandths of the largest.

    None where the library has none, as of rows that are all equal. What it warns of is about one
    picture, and would come again at each step of a training.
    """
    with ignored_warnings():
        try:
            coordinates = embed.phate(rows, knn=max(1, min(NEIGHBOURS, len(rows) - 2)))
        except (ValueError, ArithmeticError):  # a picture is not worth an error
            return None
    return thousandths(coordinates - coordinates.mean(axis=0))


def require_phate(what: str) -> None:
    """Refuse what needs PHATE where it is not installed.

    Raises
    ------
    ImportError
    """
    if not has_phate():
        raise ImportError(f"{what} needs the package phate: {INSTALL}")


def has_phate() -> bool:
    """Whether PHATE is installed."""
    return find_spec("phate") is not None and find_spec("graphtools") is not None


def thousandths(coordinates: Array) -> list[list[float]]:
    """Coordinates (n, 2) as two lists, in thousandths of the largest."""
    largest = np.abs(coordinates).max() or 1.0
    scaled = np.rint(1000 * coordinates / largest)
    columns: list[list[float]] = scaled.astype(np.int64).T.tolist()
    return columns
