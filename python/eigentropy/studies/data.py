"""Data of the studies: each a function of its settings and a seed, and of nothing else."""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
Labels = npt.NDArray[np.int64]


def quadrants(X: Array) -> Labels:
    """Four classes by the signs of the first two columns."""
    found: Labels = (X[:, 0] > 0.0).astype(np.int64) + 2 * (X[:, 1] > 0.0)
    return found


def blobs(n: int, d: int, k: int = 3, *, box: float = 10.0, seed: int = 0) -> tuple[Array, Labels]:
    """Gaussian blobs of unit variance, as scikit-learn's make_blobs makes them, but seeded.

    Centres are uniform in [-box, box]^d; the sizes differ by at most one.

    Returns
    -------
    array of shape (n, d), and the blob of each row
    """
    rng = np.random.default_rng(seed)
    centers = rng.uniform(-box, box, size=(k, d))
    labels = rng.permutation(np.arange(n) % k)
    Z = rng.standard_normal((n, d))
    Z += centers[labels]
    return Z, labels


def stretched_blobs(n: int, d: int, k: int = 3, *, seed: int = 0) -> tuple[Array, Labels]:
    """Blobs in [-30, 30]^d, the first axis stretched threefold, divided by sqrt(d)."""
    Z, labels = blobs(n, d, k, box=30.0, seed=seed)
    Z[:, 0] *= 3.0
    return Z / np.sqrt(d), labels


def manifold(n: int, k: int, D: int, law: str, noise: float, *, seed: int = 0) -> Array:
    """Rows of intrinsic dimension k in D dimensions, with uniform noise in [-noise, noise].

    k independent coordinates, normal or uniform in [-1, 1], are mapped by a random isometry. The
    coordinates and the isometry depend on the seed alone: levels of noise are levels of noise on
    the same rows, each added to clean ones.
    """
    rng = np.random.default_rng(seed)
    shape = (n, k)
    coordinates = rng.standard_normal(shape) if law == "normal" else rng.uniform(-1, 1, shape)
    isometry = np.linalg.qr(rng.standard_normal((D, k)))[0]
    return noisy(coordinates @ isometry.T, noise, seed=seed)


def tree(branches: int, points: int, d: int, *, seed: int = 0) -> tuple[Array, Labels]:
    """A tree of random walks: a new branch starts at a random point of those before it.

    The first branch starts at the origin; steps are standard normal, one a row.

    Returns
    -------
    array of shape (branches * points, d), and the branch of each row
    """
    rng = np.random.default_rng(seed)
    steps = rng.standard_normal((branches, points, d))
    Z = np.cumsum(steps, axis=1)
    for branch in range(1, branches):
        Z[branch] += Z[rng.integers(branch), rng.integers(points)]
    return Z.reshape(-1, d), np.repeat(np.arange(branches), points)


def noisy(Z: npt.NDArray[Any], noise: float, *, seed: int = 0) -> Array:
    """A copy of Z with uniform noise in [-noise, noise]; Z itself stays as it is."""
    rng = np.random.default_rng([seed, 1])
    result: Array = Z + rng.uniform(-noise, noise, size=Z.shape)
    return result


def corrupted(labels: Labels, share: float, *, seed: int = 0) -> Labels:
    """A copy of the labels in which this share is replaced by labels drawn at random.

    The order of the rows and their new labels depend on the seed alone: a larger share corrupts
    the rows of a smaller share and more. share = 1 leaves nothing of the labels.
    """
    rng = np.random.default_rng([seed, 2])
    rows = rng.permutation(len(labels))[: round(share * len(labels))]
    drawn = rng.choice(np.unique(labels), size=len(labels))
    result = labels.copy()
    result[rows] = drawn[rows]
    return result


def subset(n: int, share: float, *, seed: int = 0) -> Labels:
    """Numbers of a random share of n rows, sorted; smaller shares are subsets of larger ones."""
    rng = np.random.default_rng([seed, 3])
    return np.sort(rng.permutation(n)[: max(1, round(share * n))])


def digits() -> tuple[Array, Labels]:
    """scikit-learn's handwritten digits: 1797 rows of 64 pixels from 0 to 1, and the digits.

    Raises
    ------
    ImportError
        scikit-learn is missing.
    """
    X, y = sklearn_table("digits")
    return X / 16.0, y


def sklearn_table(name: str) -> tuple[Array, Labels]:
    """The rows and labels that come with scikit-learn: "iris", "wine", "breast_cancer", "digits".

    Raises
    ------
    ImportError
        scikit-learn is missing.
    """
    try:
        datasets = importlib.import_module("sklearn.datasets")
    except ImportError as error:
        raise ImportError(
            f"the {name} come with scikit-learn: pip install 'eigentropy[cluster]'"
        ) from error
    X, y = getattr(datasets, f"load_{name}")(return_X_y=True)
    return X, y.astype(np.int64)
