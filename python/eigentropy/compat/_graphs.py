"""The matrices whose spectra `dse-dsmi` takes, and its entropies."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from eigentropy import _core
from eigentropy._backends.host_arrays import Matrix
from eigentropy._kernels.matrix import require_matrix_memory
from eigentropy._spectra.groups import SHARED_KERNEL_SHARE
from eigentropy._support import memory
from eigentropy._support.interruption import interruptible

Floats = npt.NDArray[np.floating[Any]]
RowNumbers = npt.NDArray[np.int64]

# dse-dsmi adds this to every probability before it takes the logarithm.
EPS = float(np.finfo(np.float64).eps)

# Rows of P in work at a time: a few megabytes beside the matrix.
BLOCK = 64


class Graph(Protocol):
    """A matrix built from rows; its `repr` names every setting."""

    def eigenvalues(self, rows: Matrix) -> Floats:
        """Compute the magnitudes of all eigenvalues."""

    def of_subsets(self, rows: Matrix, subsets: Sequence[RowNumbers]) -> list[Floats]:
        """Do so for each set of row numbers, up to a common factor."""


@dataclass(frozen=True)
class Gaussian:
    """The diffusion operator for `alpha`, or with None the Gaussian kernel itself."""

    sigma: float
    alpha: float | None

    def eigenvalues(self, rows: Matrix) -> Floats:
        """Compute them, ascending; those of G times 1 / (sigma sqrt(2 pi)).

        Entropies depend on neither the order nor the factor, but what dse-dsmi stores does.
        """
        require_matrix_memory(len(rows), rows.shape[1], "float64")
        values = _core.spectrum(rows, self.sigma, self.alpha, "float64")[0]
        factor = 1.0 if self.alpha is not None else 1.0 / (self.sigma * math.sqrt(2.0 * math.pi))
        magnitudes: Floats = np.abs(values[::-1]) * factor
        return magnitudes

    def of_subsets(self, rows: Matrix, subsets: Sequence[RowNumbers]) -> list[Floats]:
        """Solve all subsets as one batch."""
        sizes = [len(subset) for subset in subsets]
        require_matrix_memory(max(sizes), rows.shape[1], "float64")
        ends = np.cumsum(sizes)
        values, *_ = _core.subset_spectra(
            rows,
            np.concatenate([[0], ends]),
            np.concatenate(subsets),
            self.sigma,
            self.alpha,
            "float64",
            memory_limit=SHARED_KERNEL_SHARE * memory.available(),
        )
        return np.split(np.abs(values), ends[:-1])


@dataclass(frozen=True)
class Neighbours:
    """1 where row j is no further from row i than its k-th nearest, itself the first."""

    k: int

    def eigenvalues(self, rows: Matrix) -> Floats:
        """Solve the matrix as it is: not symmetric, unless all neighbours are mutual."""
        return _magnitudes(self._adjacency(rows))

    def of_subsets(self, rows: Matrix, subsets: Sequence[RowNumbers]) -> list[Floats]:
        """Build all matrices, then solve them.

        NumPy's threads wait for work actively and slow down ours: 2 ms for each alternation.
        """
        return [
            _magnitudes(adjacency)
            for adjacency in [self._adjacency(rows[subset]) for subset in subsets]
        ]

    def _adjacency(self, rows: Matrix) -> npt.NDArray[np.bool_]:
        n = len(rows)
        if n < self.k:
            raise ValueError(f"knn is {self.k}, and a set of rows to connect has only {n}")
        # The solver works on a copy in float64 and has as much again for its own.
        memory.require(3.0 * 8.0 * n * n, f"the {n} x {n} neighbour matrix", "pass a smaller max_N")
        return _core.knn_adjacency(rows, self.k).astype(np.bool_)


def _magnitudes(adjacency: npt.NDArray[np.bool_]) -> Floats:
    symmetric = np.array_equal(adjacency, adjacency.T)
    solve = np.linalg.eigvalsh if symmetric else np.linalg.eigvals
    operations = 25.0 * len(adjacency) ** 3
    return np.abs(interruptible(lambda: solve(adjacency.astype(np.float64)), operations))


def spectral_entropy(magnitudes: Floats, t: float) -> float:
    """Entropy of magnitudes^t, in the precision of their type, as `dse-dsmi` takes it."""
    with np.errstate(over="ignore"):  # handled below
        powers = magnitudes**t
        total = powers.sum()
    if not 0.0 < total < np.inf:  # a large t, or a sum beyond 65504 in float16
        powers = (magnitudes.astype(np.float64) / float(magnitudes.max())) ** t
        total = powers.sum()
    return _bits(powers / total)


def entry_entropy(rows: Matrix, sigma: float) -> float:
    """Entropy of the entries of P for alpha = 1/2, divided by their sum n."""
    require_matrix_memory(len(rows), rows.shape[1], "float64")
    A, _, _, degrees = _core.matrix(rows, sigma, 0.5, "float64")
    roots, n = np.sqrt(degrees), len(rows)
    entropy = 0.0
    for start in range(0, n, BLOCK):
        block = slice(start, start + BLOCK)
        # P = D^-1 K = D^-1/2 A D^1/2
        entropy += _bits(A[block] * (roots / roots[block, None]) / n)
    return np.float64(entropy)


def shannon_entropy(rows: Matrix, bins: int) -> float:
    """Entropy of a histogram of the rows with `bins` bins in each dimension."""
    counts = Counter(row.tobytes() for row in bin_numbers(rows, bins))
    return _bits(np.array(list(counts.values())) / len(rows))


def bin_numbers(values: Matrix, bins: int) -> npt.NDArray[np.int64]:
    """Bin, 1 .. bins, of each value between the extremes of its column; a constant is in the last.

    The largest value is in the last bin, too.
    """
    low = values.min(axis=0)
    width = values.max(axis=0) - low
    scaled = np.ones_like(values)
    np.divide(values - low, width, out=scaled, where=width > 0.0)
    return np.digitize(scaled, np.linspace(0.0, 1.0, bins + 1)[:-1])


def _bits(probabilities: Floats) -> float:
    p = probabilities.astype(np.float64) + EPS
    entropy: np.float64 = -np.sum(p * np.log2(p))
    return entropy
