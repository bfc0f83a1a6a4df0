"""Scores that are functions of second moments, of many subsets of the rows of a model.

Each is the function of `eigentropy.baselines` of its name, with the settings of `ranking.scores`,
and shares the products of the rows with the others. The subsets only say how a score varies: its
value is that function's own.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import cached_property

import numpy as np
import numpy.typing as npt

from eigentropy._kernels.groups import Codes
from eigentropy.baselines.transferability import ledoit_wolf, log_evidence

Doubles = npt.NDArray[np.float64]

# Of the evidence, which is flat at its maximum: three finer grids leave 1e-9 of it.
FINER_GRIDS = 3


class Moments:
    """Some rows with their classes, and the products that several scores have in common.

    Products are of rows with each other or of columns, whichever are fewer.

    Parameters
    ----------
    rows : array of shape (n, d)
        Of the size of 1, so that no square overflows.
    codes : array of int, shape (n,)
        0 .. classes - 1, each of which occurs.
    """

    def __init__(self, rows: Doubles, codes: Codes) -> None:
        self.rows, self.codes = rows, codes
        self.n, self.d = rows.shape
        self.mean = rows.mean(axis=0)
        self.centred = rows - self.mean

    @cached_property
    def members(self) -> Doubles:
        """Which rows are of which class, shape (n, classes)."""
        return np.eye(self.codes.max() + 1)[self.codes]

    @cached_property
    def centred_product(self) -> Doubles:
        """C C' or C' C of the centred rows."""
        return _product(self.centred)

    @cached_property
    def product(self) -> Doubles:
        """Z Z' or Z' Z."""
        if self.n > self.d:  # a sum of positive terms: nothing cancels
            product: Doubles = np.multiply.outer(self.n * self.mean, self.mean)
            product += self.centred_product
            return product
        return _product(self.rows)

    @cached_property
    def directions(self) -> tuple[Doubles, Doubles]:
        """Squared singular values of Z, descending and above the rounding, with their vectors."""
        squares, vectors = np.linalg.eigh(self.product)
        squares, vectors = squares[::-1], vectors[:, ::-1]
        kept = squares > max(self.n, self.d) * np.finfo(np.float64).eps * squares[0]
        return squares[kept], vectors[:, kept]

    @property
    def singular_values(self) -> Doubles:
        """Of Z, those that are above the rounding."""
        return np.sqrt(self.directions[0])


def _product(rows: Doubles) -> Doubles:
    product: Doubles = rows @ rows.T if len(rows) <= rows.shape[1] else rows.T @ rows
    return product


def logme(of: Moments) -> float:
    """`transferability.logme`."""
    squares, vectors = of.directions
    sums = of.rows.T @ of.members if of.n > of.d else of.members
    along = (vectors.T @ sums) ** 2
    if of.n > of.d:
        along /= squares[:, None]
    sizes = of.members.sum(axis=0)
    rest = np.maximum(sizes - along.sum(axis=0), 0.0)
    rest[rest <= of.n * np.finfo(np.float64).eps * sizes] = 0.0
    return float(log_evidence(squares, along, rest, of.n, FINER_GRIDS).mean() / of.n)


def h_score(of: Moments) -> float:
    """`transferability.h_score` with the shrinkage of Ledoit and Wolf."""
    product = of.centred_product / of.n
    trace, square = float(np.trace(product)), float(np.square(product).sum())
    a = ledoit_wolf(of.centred, trace, square)
    shrunk = (1.0 - a) * product
    shrunk[np.diag_indices_from(shrunk)] += a * trace / of.d
    sizes = of.members.sum(axis=0)
    if of.n > of.d:
        means = (of.members / sizes).T @ of.centred
        within = np.einsum("kd,dk->k", means, np.linalg.solve(shrunk, means.T))
    else:  # C S^-1 C' = C C' (a I + (1 - a) C C')^-1
        average = of.members / sizes
        solved = np.linalg.solve(shrunk, average)
        within = np.einsum("nk,nk->k", average, of.n * (product @ solved))
    return float((1.0 - a) * (sizes @ within) / of.n)


def transrate(of: Moments, epsilon: float = 0.01) -> float:
    """`transferability.transrate` in bits, of rows of unit deviation."""
    deviation = math.sqrt(float(np.trace(of.centred_product)) / (of.n * of.d))
    distortion = epsilon * deviation
    within = sum(
        len(group) / of.n * _rate(_product(group), len(group), distortion)
        for group in (of.centred[of.codes == y] for y in range(of.codes.max() + 1))
    )
    return float(_rate(of.centred_product, of.n, distortion) - within) / math.log(2.0)


def _rate(product: Doubles, n: int, distortion: float) -> float:
    inside = product / (n * distortion**2)
    inside[np.diag_indices_from(inside)] += 1.0
    return float(np.log(np.diag(np.linalg.cholesky(inside))).sum())


def rankme(of: Moments, epsilon: float = 1e-7) -> float:
    """`spectral.rankme`."""
    p = np.zeros(min(of.n, of.d))
    s = of.singular_values
    p[: len(s)] = s / s.sum()
    p += epsilon
    p = p[p > 0.0]
    return math.exp(-float(p @ np.log(p)))


def effective_rank(of: Moments) -> float:
    """`spectral.effective_rank`."""
    p = of.singular_values / of.singular_values.sum()
    return math.exp(-float(p @ np.log(p)))


def self_clustering(of: Moments) -> float:
    """`geometry.self_clustering` of centred rows."""
    directions = of.centred / np.linalg.norm(of.centred, axis=1, keepdims=True)
    total = float(np.square(_product(directions)).sum())
    expected = of.n + of.n * (of.n - 1) / of.d
    return float((total - expected) / (of.n**2 - expected))


FUNCTIONS: Mapping[str, Callable[[Moments], float]] = {
    "logme": logme,
    "h_score": h_score,
    "transrate": transrate,
    "rankme": rankme,
    "effective_rank": effective_rank,
    "self_clustering": self_clustering,
}


def value_of(name: str, of: Moments) -> float:
    """A score of these rows; NaN where it has none."""
    try:
        with np.errstate(all="ignore"):
            return FUNCTIONS[name](of)
    except (np.linalg.LinAlgError, ValueError, IndexError):
        return math.nan
