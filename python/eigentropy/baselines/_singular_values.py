"""Singular values of a matrix, from products of blocks: a mapped file is never read as a whole."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from eigentropy._backends.host_arrays import Matrix
from eigentropy._spectra.eigenvalues import eigvalsh
from eigentropy._support import memory
from eigentropy._support.interruption import interruptible

# Rows or columns are multiplied in blocks of this many entries: 64 MiB as float64.
BLOCK_ENTRIES = 2**23

Spectrum = npt.NDArray[np.float64]


def squared_singular_values(Z: Matrix, center: bool, entries: int = BLOCK_ENTRIES) -> Spectrum:
    """min(n, d) of them, relative to the square of the largest entry; rounding noise is 0."""
    n, d = Z.shape
    order = min(n, d)
    memory.require(
        8.0 * (float(order) * (order + 300) + entries),
        f"the product of Z with itself, {order} x {order},",
        "use fewer rows or columns",
    )
    largest = max(float(np.abs(block).max()) for block in _blocks(Z, entries, by_columns=n <= d))
    if largest == 0.0:
        raise ValueError("Z is 0 everywhere: it has no spectrum")
    mean = _column_means(Z, largest, entries) if center else np.zeros(d)
    product = interruptible(lambda: _product(Z, largest, mean, entries), n * d * order)
    squares: Spectrum = np.maximum(eigvalsh(product, overwrite=True), 0.0)
    rounding = max(n, d) * np.finfo(np.float64).eps
    if squares[0] <= rounding * rounding:  # what is left of equal rows
        raise ValueError("all rows of Z are equal: centred, they have no spectrum")
    squares[squares < rounding * squares[0]] = 0.0
    return squares


def _product(Z: Matrix, scale: float, mean: Spectrum, entries: int) -> Spectrum:
    """Of the centred rows of Z / scale with each other, or of its columns if there are fewer."""
    n, d = Z.shape
    product, start = np.zeros((min(n, d), min(n, d))), 0
    for block in _blocks(Z, entries, by_columns=n <= d):
        values = block.astype(np.float64)
        values /= scale
        if n <= d:
            values -= mean[start : start + values.shape[1]]
            product += values @ values.T
            start += values.shape[1]
        else:
            values -= mean
            product += values.T @ values
    return product


def _column_means(Z: Matrix, scale: float, entries: int) -> Spectrum:
    """Of Z / scale, whose entries are at most 1."""
    blocks = _blocks(Z, entries, by_columns=True)
    return np.concatenate([(block.astype(np.float64) / scale).mean(axis=0) for block in blocks])


def _blocks(Z: Matrix, entries: int, *, by_columns: bool) -> list[Matrix]:
    """Views of all rows of some columns, or of all columns of some rows."""
    n, d = Z.shape
    if by_columns:
        width = max(1, entries // n)
        return [Z[:, start : start + width] for start in range(0, d, width)]
    height = max(1, entries // d)
    return [Z[start : start + height] for start in range(0, n, height)]
