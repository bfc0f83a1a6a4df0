"""Data sets on which rules for sigma are compared: made and real, with clusters and without."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from eigentropy.studies import data
from eigentropy.studies.data import Array, Labels

Rows = tuple[Array, Labels | None]


@dataclass(frozen=True)
class DataSet:
    """Rows and labels, if it has some, by number of rows and seed."""

    name: str
    make: Callable[[int, int], Rows]
    labelled: bool = True
    clusters: int | None = None  # how many there are, where that is known


def blobs(d: int, k: int) -> Callable[[int, int], Rows]:
    """Blobs of unit variance, far apart."""
    return lambda n, seed: data.blobs(n, d, k, seed=seed)


def uneven_blobs(n: int, seed: int) -> Rows:
    """Four blobs in ten dimensions, of standard deviations 1/4, 1/2, 1 and 2."""
    rng = np.random.default_rng(seed)
    centers = rng.uniform(-10.0, 10.0, size=(4, 10))
    labels = rng.permutation(np.arange(n) % 4)
    widths = np.array([0.25, 0.5, 1.0, 2.0])[labels]
    return centers[labels] + widths[:, None] * rng.standard_normal((n, 10)), labels


def swiss_roll(n: int, seed: int) -> Rows:
    """A rolled-up sheet in three dimensions; labels are fifths of the way along it."""
    rng = np.random.default_rng(seed)
    way = rng.uniform(size=n)
    angle = 1.5 * math.pi * (1.0 + 2.0 * way)
    Z = np.column_stack([angle * np.cos(angle), 21.0 * rng.uniform(size=n), angle * np.sin(angle)])
    Z += 0.1 * rng.standard_normal(Z.shape)
    return Z, (5 * way).astype(np.int64)


def moons(n: int, seed: int) -> Rows:
    """Two half circles that reach into each other, with noise of 0.05."""
    rng = np.random.default_rng(seed)
    labels = rng.permutation(np.arange(n) % 2)
    angle = math.pi * rng.uniform(size=n)
    upper = np.column_stack([np.cos(angle), np.sin(angle)])
    lower = np.column_stack([1.0 - np.cos(angle), 0.5 - np.sin(angle)])
    Z = np.where(labels[:, None] == 0, upper, lower)
    return Z + 0.05 * rng.standard_normal(Z.shape), labels


def circles(n: int, seed: int) -> Rows:
    """A circle within one of twice its radius, with noise of 0.05."""
    rng = np.random.default_rng(seed)
    labels = rng.permutation(np.arange(n) % 2)
    angle = 2.0 * math.pi * rng.uniform(size=n)
    Z = np.column_stack([np.cos(angle), np.sin(angle)]) / (1.0 + labels)[:, None]
    return Z + 0.05 * rng.standard_normal(Z.shape), labels


def tree(n: int, seed: int) -> Rows:
    """Five branches of random walks in twenty dimensions."""
    return data.tree(5, n // 5, 20, seed=seed)


def noisy_manifold(n: int, seed: int) -> Rows:
    """Three uniform coordinates in a hundred dimensions, with noise of 0.1 in each."""
    return data.manifold(n, 3, 100, "uniform", 0.1, seed=seed), None


def real(name: str) -> Callable[[int, int], Rows]:
    """At most n rows, drawn at random, of one of scikit-learn's data sets, columns standardised."""

    def make(n: int, seed: int) -> Rows:
        X, labels = data.sklearn_table(name)
        chosen = data.subset(len(X), min(1.0, n / len(X)), seed=seed)
        spread = X.std(axis=0)
        Z: Array = (X - X.mean(axis=0)) / np.where(spread > 0, spread, 1.0)
        return Z[chosen], labels[chosen]

    return make


def digits(n: int, seed: int) -> Rows:
    """At most n of the digits, drawn at random."""
    X, labels = data.digits()
    chosen = data.subset(len(X), min(1.0, n / len(X)), seed=seed)
    return X[chosen], labels[chosen]


def hidden_layer(n: int, seed: int) -> Rows:
    """The hidden layer of a small trained network, on digits that it has not seen."""
    from eigentropy.studies import models, networks

    recipe = networks.Recipe("mlp", 64, 2, "ReLU", 1.0, 3e-3, 450, 0.0, 10)
    training, heldout, y_training, y_heldout = models.halves()
    Z = networks.hidden_layer(recipe, training, y_training, heldout, seed)
    chosen = data.subset(len(Z), min(1.0, n / len(Z)), seed=seed)
    return Z[chosen].astype(np.float64), y_heldout[chosen]


HIDDEN_LAYER = "hidden layer"

SETS = {
    each.name: each
    for each in (
        DataSet("blobs d=20", blobs(20, 3), clusters=3),
        DataSet("blobs d=2000", blobs(2000, 5), clusters=5),
        DataSet("uneven blobs", uneven_blobs, clusters=4),
        DataSet("moons", moons, clusters=2),
        DataSet("circles", circles, clusters=2),
        DataSet("swiss roll", swiss_roll),
        DataSet("tree", tree),
        DataSet("noisy manifold", noisy_manifold, labelled=False),
        DataSet("iris", real("iris")),
        DataSet("wine", real("wine")),
        DataSet("breast cancer", real("breast_cancer")),
        DataSet("digits", digits, clusters=10),
        DataSet(HIDDEN_LAYER, hidden_layer, clusters=10),
    )
}


# Representations between collapsed (spread 0) and spread out (spread 1).


def gathered(n: int, spread: float, seed: int) -> Array:
    """Ten classes in fifty dimensions, of standard deviation 0.01 at 0 and 10 at 1.

    From ten points, which is what training to the end makes of ten classes, to one cloud.
    """
    rng = np.random.default_rng(seed)
    centers = rng.standard_normal((10, 50))
    Z: Array = centers[np.arange(n) % 10]
    Z += 10.0 ** (3.0 * spread - 2.0) * rng.standard_normal((n, 50))
    return Z


def flattened(n: int, spread: float, seed: int) -> Array:
    """Normal rows in a hundred dimensions; the i-th has the deviation i^(-4 (1 - spread)).

    From a line to a ball.
    """
    rng = np.random.default_rng(seed)
    deviations: Array = np.arange(1.0, 101.0) ** (-4.0 * (1.0 - spread))
    return rng.standard_normal((n, 100)) * deviations


SPREADS = {"gathered classes": gathered, "flattened rows": flattened}
