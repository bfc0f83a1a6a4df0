"""Distributions of which the study of sampling errors draws independent samples, with labels.

Nothing but the rows depends on the seed: centres, weights and shares are the same in all samples.
No way to a sampling error was chosen on one of these.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from eigentropy.studies import data, sets
from eigentropy.studies.data import Array, Labels

Sample = tuple[Array, Labels]
Draw = Callable[[int, int], Sample]

# Of what all samples share. The first number keeps the samples apart from those of other studies.
_FIXED = 1600

# Two draws of one digit are about as far apart as a digit and the nearest other one.
DIGIT_NOISE = 0.1

RARE_SHARES = (0.6, 0.25, 0.1, 0.03, 0.015, 0.005)
PROTOTYPES, PROTOTYPE_NOISE = 300, 0.01


def _rng(seed: int) -> np.random.Generator:
    return np.random.default_rng([_FIXED, seed])


def _fixed(number: int) -> np.random.Generator:
    return np.random.default_rng(_FIXED + number)


def blobs(n: int, seed: int) -> Sample:
    """Five blobs of unit variance in twenty dimensions, of equal probabilities."""
    rng, centers = _rng(seed), _fixed(1).uniform(-10.0, 10.0, (5, 20))
    labels = rng.integers(5, size=n)
    return centers[labels] + rng.standard_normal((n, 20)), labels


def gaussian(n: int, seed: int) -> Sample:
    """Ten independent normal columns."""
    Z = _rng(seed).standard_normal((n, 10))
    return Z, data.quadrants(Z)


def student(n: int, seed: int) -> Sample:
    """Ten independent columns of Student's t with three degrees of freedom."""
    Z = _rng(seed).standard_t(3.0, (n, 10))
    return Z, data.quadrants(Z)


def swiss_roll(n: int, seed: int) -> Sample:
    """The rolled-up sheet of the study `bandwidth`."""
    Z, labels = sets.swiss_roll(n, _FIXED * 1000 + seed)
    assert labels is not None
    return Z, labels


def digits(n: int, seed: int) -> Sample:
    """Handwritten digits with replacement, with normal noise of 0.1 in each pixel (from 0 to 1).

    There are 1797 of them, too few for many independent samples. With the noise they are a
    distribution that has as many as one likes.
    """
    rng = _rng(seed)
    X, y = data.digits()
    chosen = rng.integers(len(X), size=n)
    return X[chosen] + DIGIT_NOISE * rng.standard_normal((n, X.shape[1])), y[chosen]


def relu_features(n: int, seed: int) -> Sample:
    """64 random features max(0, w x + b) of sixteen normal variables."""
    fixed, X = _fixed(2), _rng(seed).standard_normal((n, 16))
    W, b = fixed.standard_normal((16, 64)) / 4.0, 0.5 * fixed.standard_normal(64)
    return np.maximum(X @ W + b, 0.0), data.quadrants(X)


def rare_classes(n: int, seed: int) -> Sample:
    """Six blobs in ten dimensions, of probabilities from 60 % to 0.5 %."""
    rng, centers = _rng(seed), _fixed(3).uniform(-10.0, 10.0, (6, 10))
    labels = rng.choice(6, n, p=RARE_SHARES)
    return centers[labels] + rng.standard_normal((n, 10)), labels


def near_duplicates(n: int, seed: int) -> Sample:
    """300 points in twenty dimensions, drawn with replacement, with noise of 0.01.

    Of 500 rows, most have another one very near. Rows are drawn one by one, not in pairs: then they
    would not be independent, and no sampling error that treats rows alike would hold.
    """
    rng, prototypes = _rng(seed), _fixed(4).standard_normal((PROTOTYPES, 20))
    chosen = rng.integers(PROTOTYPES, size=n)
    Z = prototypes[chosen] + PROTOTYPE_NOISE * rng.standard_normal((n, 20))
    return Z, data.quadrants(prototypes[chosen])


SETS: dict[str, Draw] = {
    "blobs": blobs,
    "Gaussian": gaussian,
    "Student t3": student,
    "swiss roll": swiss_roll,
    "digits": digits,
    "ReLU features": relu_features,
    "rare classes": rare_classes,
    "near-duplicates": near_duplicates,
}
