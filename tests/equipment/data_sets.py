"""Data sets that several tests share."""

from __future__ import annotations

import numpy as np
import pytest


def _duplicated(rng):
    return np.repeat(rng.normal(size=(60, 7)), 5, axis=0)


DATA_SETS = {
    "gaussian-d1": lambda rng: rng.normal(size=(100, 1)),
    "gaussian-d20": lambda rng: rng.normal(size=(400, 20)),
    "gaussian-d512": lambda rng: rng.normal(size=(257, 512)),
    "gaussian-d5000": lambda rng: rng.normal(size=(200, 5000)),
    "far-from-zero": lambda rng: 1e6 + rng.normal(size=(300, 10)),
    "blobs": lambda rng: random_blobs(500, 20),
    "swiss-roll": lambda rng: swiss_roll(600),
    "digits": lambda rng: digits()[0][:700],
    "duplicated-rows": _duplicated,
    "one-row": lambda rng: rng.normal(size=(1, 4)),
    "two-rows": lambda rng: rng.normal(size=(2, 3)),
    "n1100": lambda rng: rng.normal(size=(1100, 30)),
}


def digits():
    """The 1797 pictures of scikit-learn, 8 x 8, and what they show."""
    return pytest.importorskip("sklearn.datasets").load_digits(return_X_y=True)


def swiss_roll(n, seed=2):
    """That of scikit-learn, number for number."""
    rng = np.random.RandomState(seed)
    angle = 1.5 * np.pi * (1 + 2 * rng.uniform(size=n))
    height = 21 * rng.uniform(size=n)
    return np.stack([angle * np.cos(angle), height, angle * np.sin(angle)], axis=1)


def random_blobs(n, d, k=3, seed=1):
    """Rows about k centres that lie between -10 and 10 in each coordinate."""
    rng = np.random.default_rng(seed)
    return rng.uniform(-10, 10, size=(k, d))[np.arange(n) % k] + rng.normal(size=(n, d))


def separated_blobs(n_per_blob, d, k=3, distance=50.0, seed=0):
    """k Gaussian blobs whose centres are `distance` apart, and their labels."""
    rng = np.random.default_rng(seed)
    labels = np.repeat(np.arange(k), n_per_blob)
    centers = np.zeros((k, d))
    centers[np.arange(k), np.arange(k) % d] = distance * (1 + np.arange(k) // d)
    return centers[labels] + rng.normal(size=(len(labels), d)), labels
