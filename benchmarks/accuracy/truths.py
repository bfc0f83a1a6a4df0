"""Rows and operators whose entropy is known without the n eigenvalues.

Tests use them at few rows, large.py at many.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

import eigentropy as eg
from benchmarks.accuracy.estimates import Counted, Data, products

# Between the centres of what is to be separate, in sigma: beyond 15 the kernel is 0 in float32. Not
# more, since rounding of a distance grows with the coordinates.
FAR = 25.0


ALPHA = 0.5


class FeatureMap:
    r"""A = D^-1/2 F F^T D^-1/2 of nonnegative features F, shape (n, r): a kernel of rank r.

    d_i = sum_j (F F^T)_ij, so that the largest eigenvalue is 1 with eigenvector sqrt(d), as for the
    Gaussian kernel. The others are those of the r x r matrix F^T D^-1 F.
    """

    def __init__(self, F: np.ndarray) -> None:
        self.n = len(F)
        self.degrees: np.ndarray = F @ F.sum(axis=0)
        self.features = F / np.sqrt(self.degrees)[:, None]
        small = self.features.T @ self.features
        self.eigenvalues = np.clip(np.linalg.eigvalsh(small)[::-1], 0.0, 1.0)
        self.trace = float(np.trace(small))
        self.frobenius2 = float((small**2).sum())

    def matmul(self, V: np.ndarray, progress: object = None) -> np.ndarray:
        features = self.features.astype(V.dtype, copy=False)
        product: np.ndarray = features @ (features.T @ V)
        return product


@dataclass(frozen=True)
class Truth:
    """Rows, or an operator, with the entropies that they have, in bits, by t.

    `upper` is where only an upper bound is known.
    """

    name: str
    source: Data | FeatureMap
    entropies: dict[float, float]
    alpha: float = ALPHA
    upper: bool = False

    def operator(self) -> Counted:
        """A, without its matrix."""
        if isinstance(self.source, FeatureMap):
            return Counted(self.source)
        return products(self.source, self.alpha, explicit=False)


def far_clusters(n: int, k: int = 10, d: int = 20, t: float = 50.0) -> Truth:
    """Gaussian clusters: S(t) = log2 k at a large t (Proposition 4.2)."""
    Z = np.random.default_rng(0).normal(size=(n, d))
    sigma = 2.0 * np.sqrt(d)  # within a cluster the second eigenvalue is about 0.1
    Z += _spread(k, d, sigma)[np.arange(n) % k]
    data = Data(f"{k} far clusters", Z, sigma)
    return Truth(data.name, data, {t: float(np.log2(k))})


def copies(n: int, small: int = 500, d: int = 5, alpha: float = ALPHA) -> Truth:
    """Far copies of a few rows: eigenvalues repeat, S = S(of one copy) + log2 of their number."""
    one, count = np.random.default_rng(0).normal(size=(small, d)), n // small
    operator = eg.DiffusionOperator(one, alpha=alpha)
    spectrum, sigma = operator.eigenvalues(), operator.sigma
    Z = (one + _spread(count, d, sigma)[:, None, :]).reshape(-1, d)
    more = float(np.log2(count))
    expected = {t: eg.spectral_entropy(spectrum, t) + more for t in (1.0, 2.0, 3.5)}
    data = Data(f"{count} copies of {small} rows", Z, sigma)
    return Truth(data.name, data, expected, alpha)


def repeated_rows(n: int, distinct: int = 300, d: int = 5, alpha: float = ALPHA) -> Truth:
    """Few distinct rows, unequally often: A has their number as its rank."""
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(distinct, d))
    shares = np.arange(1.0, distinct + 1.0)
    counts = 1 + rng.multinomial(n - distinct, shares / shares.sum())
    sigma = eg.bandwidth(rows)
    spectrum = weighted_eigenvalues(rows, counts, sigma, alpha)
    expected = {t: eg.spectral_entropy(spectrum, t) for t in (1.0, 2.0, 3.5)}
    data = Data(f"{distinct} distinct rows", np.repeat(rows, counts, axis=0), sigma)
    return Truth(data.name, data, expected, alpha)


def weighted_eigenvalues(
    rows: np.ndarray, counts: np.ndarray, sigma: float, alpha: float
) -> np.ndarray:
    """Those of A that are not 0, where rows[i] occurs counts[i] times."""
    r2 = ((rows[:, None, :] - rows[None, :, :]) ** 2).sum(axis=2)
    G = np.exp(-r2 / (2.0 * sigma**2))
    q = G @ counts
    K = G / np.outer(q, q) ** alpha
    scale = np.sqrt(counts / (K @ counts))
    return np.clip(np.linalg.eigvalsh(scale[:, None] * K * scale)[::-1], 0.0, 1.0)


def feature_map(n: int, rank: int = 200) -> Truth:
    """Bumps along a line: a kernel with as many eigenvalues as there are bumps."""
    x = np.random.default_rng(0).uniform(size=n)
    F = np.exp(-0.5 * (rank * (x[:, None] - np.linspace(0.0, 1.0, rank))) ** 2)
    A = FeatureMap(F)
    expected = {t: eg.spectral_entropy(A.eigenvalues, t) for t in (1.0, 2.0, 3.5)}
    return Truth(f"feature map of rank {rank}", A, expected)


def gaussian(n: int, d: int = 512) -> Truth:
    """Normal rows, for which Proposition 4.3 is an upper bound."""
    sigma = float(np.sqrt(d / 2))
    Z = np.random.default_rng(0).normal(size=(n, d))
    bound = eg.gaussian_entropy(n, d, sigma)
    data = Data(f"gaussian d={d}", Z, sigma)
    return Truth(data.name, data, {1.0: bound}, upper=True)


def _spread(k: int, d: int, sigma: float) -> np.ndarray:
    """k points, shape (k, d), FAR sigma from each other and more, around 0."""
    grid = int(np.ceil(k ** (1.0 / d) - 1e-9))
    digits = np.arange(k)[:, None] // grid ** np.arange(min(d, 62))[None, :] % grid
    points = np.zeros((k, d))
    points[:, : digits.shape[1]] = FAR * sigma * (digits - (grid - 1) / 2.0)
    return points


TRUTHS: dict[str, Callable[[int], Truth]] = {
    "far clusters": far_clusters,
    "copies": copies,
    "repeated rows": repeated_rows,
    "feature map": feature_map,
    "gaussian": gaussian,
}


def agreement(truth: Truth, estimate: Any, tol: float, level: float) -> dict[str, dict[str, Any]]:
    """For each t: the entropy, the truth, and whether they agree.

    They do where the relative difference is within 2 tol, and the interval of this level contains
    the truth; or begins below it, where that is an upper bound.
    """
    found = {}
    for t, truly in truth.entropies.items():
        value, error = estimate.entropy(t), estimate.standard_error(t)
        low, high = estimate.interval(t, level=level)
        relative = value / truly - 1.0
        if truth.upper:
            agrees = low <= truly
        else:
            agrees = abs(relative) <= 2.0 * tol and low <= truly <= high
        found[f"{t:g}"] = {
            "bits": value,
            "standard_error": error,
            "upper_bound" if truth.upper else "truth": truly,
            "relative_difference": relative,
            "agrees": bool(agrees),
        }
    return found
