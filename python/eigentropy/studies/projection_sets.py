"""Long rows, and the random projections of them that the study `projection` compares.

scikit-learn's projections, one whose columns are orthogonal, and layers of random networks.
"""

from __future__ import annotations

import importlib
import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from eigentropy.studies import data
from eigentropy.studies.data import Array, Labels

Sample = tuple[Array, Labels]

# Keeps the random numbers apart from those of other studies.
_STUDY = 1700

# Columns of a row of the sparse rows that are not 0.
FEW = 10


def _rng(seed: int, number: int) -> np.random.Generator:
    return np.random.default_rng([_STUDY, seed, number])


def manifold(k: int, law: str) -> Callable[[int, int, int], Sample]:
    """Rows on a random linear subspace of k dimensions, with independent coordinates."""

    def make(n: int, d: int, seed: int) -> Sample:
        rng = _rng(seed, k)
        X = rng.standard_normal((n, k)) if law == "normal" else rng.uniform(-1, 1, (n, k))
        return X @ np.linalg.qr(rng.standard_normal((d, k)))[0].T, data.quadrants(X)

    return make


def gaussian(n: int, d: int, seed: int) -> Sample:
    """Independent normal columns: all rows are about equally far apart."""
    Z = _rng(seed, 1).standard_normal((n, d))
    return Z, data.quadrants(Z)


def power_law(n: int, d: int, seed: int) -> Sample:
    """Independent normal columns, the i-th of variance 1 / i."""
    X = _rng(seed, 2).standard_normal((n, d))
    return X / np.sqrt(np.arange(1.0, d + 1.0)), data.quadrants(X)


def blobs(n: int, d: int, seed: int) -> Sample:
    """Five blobs of unit variance, far apart."""
    return data.blobs(n, d, 5, seed=seed)


def sparse_rows(n: int, d: int, seed: int) -> Sample:
    """Ten columns of a row are normal, and the others 0: as of words in a text."""
    rng = _rng(seed, 3)
    Z = np.zeros((n, d))
    columns = rng.integers(d, size=(n, FEW))
    np.put_along_axis(Z, columns, rng.standard_normal((n, FEW)), axis=1)
    return Z, rng.integers(2, size=n)


def digit_pixels(n: int, d: int, seed: int) -> Sample:
    """Handwritten digits, of 8 x 8 pixels, enlarged to d pixels by linear interpolation."""
    X, y = _some_digits(n, seed)
    side = math.ceil(math.sqrt(d))
    at = np.linspace(0.0, 7.0, side)
    lift = np.maximum(0.0, 1.0 - np.abs(at[:, None] - np.arange(8)))
    pixels = lift @ X.reshape(-1, 8, 8) @ lift.T
    return np.ascontiguousarray(pixels.reshape(len(X), -1)[:, :d]), y


def digit_features(n: int, d: int, seed: int) -> Sample:
    """Random features max(0, w x) of handwritten digits x."""
    X, y = _some_digits(n, seed)
    return layered(X, d, 1, relu=True, seed=_STUDY), y


def photographs(n: int, d: int, seed: int) -> Sample:
    """Square pieces, at random places, of the two photographs that come with scikit-learn."""
    datasets = _sklearn("datasets")
    side = math.ceil(math.sqrt(d / 3))
    pictures = [datasets.load_sample_image(f"{name}.jpg") / 255.0 for name in ("china", "flower")]
    rng = _rng(seed, 4)
    labels = rng.integers(2, size=n)
    high, wide = (length - side + 1 for length in pictures[0].shape[:2])
    places = zip(labels, rng.integers(high, size=n), rng.integers(wide, size=n), strict=True)
    Z = np.array([pictures[c][i : i + side, j : j + side].reshape(-1)[:d] for c, i, j in places])
    return Z, labels


def _some_digits(n: int, seed: int) -> Sample:
    X, y = data.digits()
    chosen = data.subset(len(X), min(1.0, n / len(X)), seed=_STUDY + seed)
    return X[chosen], y[chosen]


# Of these the recommendation is chosen, and of the others it is decided, with seeds of their own.
CHOOSING: dict[str, Callable[[int, int, int], Sample]] = {
    "subspace of 5": manifold(5, "normal"),
    "digit pixels": digit_pixels,
    "power law": power_law,
}
DECIDING: dict[str, Callable[[int, int, int], Sample]] = {
    "subspace of 10": manifold(10, "uniform"),
    "digit features": digit_features,
    "photographs": photographs,
    "blobs": blobs,
    "Gaussian": gaussian,
}
SETS = {**CHOOSING, **DECIDING, "sparse rows": sparse_rows}


def _sklearn(module: str) -> Any:
    try:
        return importlib.import_module(f"sklearn.{module}")
    except ImportError as error:
        raise ImportError(
            "projections come with scikit-learn: pip install 'eigentropy[cluster]'"
        ) from error


DENSE, ACHLIOPTAS, LI, ONE = "dense normal", "Achlioptas, 1/3", "Li, 1/sqrt d", "1/k"
ORTHOGONAL = "orthogonal"
KINDS = (DENSE, ACHLIOPTAS, LI, ONE, ORTHOGONAL)


def project(Z: Array, k: int, kind: str, seed: int) -> Array:
    """Z by a random matrix (d, k), so that squared distances are kept on average.

    All kinds but the orthogonal one are scikit-learn's. Of the sparse ones the name says the share
    of entries that are not 0: one third (Achlioptas), 1/sqrt(d) (Li, Hastie and Church;
    scikit-learn's default), or 1/k, where a column of Z goes to one column of the result, on
    average.

    Raises
    ------
    ValueError
        k is above d for the orthogonal kind.
    ImportError
        scikit-learn is missing.
    """
    d = Z.shape[1]
    if kind == ORTHOGONAL:
        if k > d:
            raise ValueError(f"k must be at most d = {d}, the number of columns of Z, got {k}")
        frame = np.linalg.qr(_rng(seed, 5).standard_normal((d, k)))[0]
        rows: Array = math.sqrt(d / k) * (Z @ frame)
        return rows
    random_projection = _sklearn("random_projection")
    if kind == DENSE:
        made = random_projection.GaussianRandomProjection(k, random_state=seed)
    else:
        density = {ACHLIOPTAS: 1.0 / 3.0, LI: "auto", ONE: 1.0 / k}[kind]
        made = random_projection.SparseRandomProjection(k, density=density, random_state=seed)
    projected: Array = np.ascontiguousarray(made.fit_transform(Z))
    return projected


def bound(n: int, eps: float) -> int:
    """The least k with k >= 4 ln n / (eps^2 / 2 - eps^3 / 3)."""
    return math.ceil(4.0 * math.log(n) / (eps**2 / 2.0 - eps**3 / 3.0))


def isometric(Z: Array) -> Array:
    """Rows of n columns that are as far apart as those of Z, to 1e-7: from their products."""
    n, d = Z.shape
    if n >= d:
        return Z
    centred = Z - Z.mean(axis=0)
    values, vectors = np.linalg.eigh(centred @ centred.T)
    rows: Array = vectors * np.sqrt(np.maximum(values, 0.0))
    return rows


# Layers of random networks.


class Arc(NamedTuple):
    """What an infinitely wide ReLU layer with weights of variance 2 / d makes of two rows."""

    squared: Array
    before: Array

    @classmethod
    def of(cls, X: Array, depth: int = 1) -> Arc:
        """Squared distances after `depth` layers, and before (Cho and Saul, 2009)."""
        gram = X @ X.T
        norms = np.sqrt(np.diag(gram))
        scale = np.outer(norms, norms)
        before = distances(X)
        for _ in range(depth):
            cosine = np.clip(gram / scale, -1.0, 1.0)
            angle = np.arccos(cosine)
            gram = scale * (np.sin(angle) + (math.pi - angle) * cosine) / math.pi
        lengths = np.diag(gram)
        squared = lengths[:, None] + lengths - 2.0 * gram
        return cls(squared[_pairs(len(X))], before)


def layered(X: Array, width: int, depth: int, *, relu: bool, seed: int) -> Array:
    """X after layers of random normal weights, which keep lengths on average, and no bias."""
    rng = _rng(seed, 6)
    for _ in range(depth):
        gain = (2.0 if relu else 1.0) / width
        X = X @ (math.sqrt(gain) * rng.standard_normal((X.shape[1], width)))
        if relu:
            X = np.maximum(X, 0.0)
    return X


def _pairs(n: int) -> tuple[npt.NDArray[np.intp], ...]:
    return np.triu_indices(n, 1)


def distances(Z: Array) -> Array:
    """Squared distances of all pairs of rows."""
    centred = Z - Z.mean(axis=0)
    squares = np.einsum("ij,ij->i", centred, centred)
    found = squares[:, None] + squares - 2.0 * centred @ centred.T
    pairs: Array = np.maximum(found[_pairs(len(Z))], 0.0)
    return pairs
