"""Data sets that several tests share."""

from __future__ import annotations

import numpy as np
import pytest


def _duplicated(rng):
    return np.repeat(rng.normal(size=(60, 7)), 5, axis=0)


def _of_sklearn(name, *arguments, **options):
    datasets = pytest.importorskip("sklearn.datasets")
    return getattr(datasets, name)(*arguments, **options)


DATA_SETS = {
    "gaussian-d1": lambda rng: rng.normal(size=(100, 1)),
    "gaussian-d20": lambda rng: rng.normal(size=(400, 20)),
    "gaussian-d512": lambda rng: rng.normal(size=(257, 512)),
    "gaussian-d5000": lambda rng: rng.normal(size=(200, 5000)),
    "far-from-zero": lambda rng: 1e6 + rng.normal(size=(300, 10)),
    "blobs": lambda rng: _of_sklearn("make_blobs", 500, 20, centers=3, random_state=1)[0],
    "swiss-roll": lambda rng: _of_sklearn("make_swiss_roll", 600, random_state=2)[0],
    "digits": lambda rng: _of_sklearn("load_digits").data[:700],
    "duplicated-rows": _duplicated,
    "one-row": lambda rng: rng.normal(size=(1, 4)),
    "two-rows": lambda rng: rng.normal(size=(2, 3)),
    "n2000": lambda rng: rng.normal(size=(2000, 30)),
}


def separated_blobs(n_per_blob, d, k=3, distance=50.0, seed=0):
    """k Gaussian blobs whose centres are `distance` apart, and their labels."""
    rng = np.random.default_rng(seed)
    labels = np.repeat(np.arange(k), n_per_blob)
    centers = np.zeros((k, d))
    centers[np.arange(k), np.arange(k) % d] = distance * (1 + np.arange(k) // d)
    return centers[labels] + rng.normal(size=(len(labels), d)), labels
