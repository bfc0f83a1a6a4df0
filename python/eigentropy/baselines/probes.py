"""The accuracy of simple classifiers of Z, each judged on rows that it has not seen."""

from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np
import numpy.typing as npt

from eigentropy._kernels.groups import Codes
from eigentropy._support.interruption import interruptible
from eigentropy._support.options import integer, random_seed
from eigentropy._support.signatures import named_options
from eigentropy.baselines._estimate import BaselineEstimate
from eigentropy.baselines._labelled import labelled

Array = npt.NDArray[np.float64]

# Distances are computed in blocks of this many: 64 MiB.
BLOCK_ENTRIES = 2**23

# How far two squared distances may be apart by rounding, in eps of the squares of both rows and a
# root of the number of columns.
ROUNDINGS = 4.0

# The last iterations hardly change an accuracy.
ITERATIONS = 200


@named_options()
def knn_accuracy(Z: Any, Y: Any, *, k: int = 5) -> BaselineEstimate:
    """Share of the rows whose label most of their k nearest other rows have.

    Leave-one-out, by Euclidean distance. What is undecided counts in part, so that neither the
    order of the rows nor that of the classes matters: m classes with as many votes are right with
    1 / m, and rows at the distance of the k-th nearest share the votes that are left.

    Where it fails: as all methods by distance, where columns that tell nothing are larger than
    those that do.

    Parameters
    ----------
    Z : array-like of shape (n, d)
    Y : array-like of length n
        Labels of two classes or more.
    k : int
        Less than n.

    Returns
    -------
    BaselineEstimate
        `standard_error` is over the rows, as if they were independent.

    Raises
    ------
    ValueError, TypeError
        An argument of the wrong value or type; NaN or infinity; one class; k >= n.

    Examples
    --------
    >>> float(knn_accuracy([[0.0], [0.1], [5.0], [5.1]], [0, 0, 1, 1], k=1))
    1.0
    """
    k = integer(k, "k", at_least=1)
    rows, codes = labelled(Z, Y)
    n = len(rows)
    if k >= n:
        raise ValueError(f"k must be less than the number of rows, got k={k} for {n} rows")
    values = rows.astype(np.float64)
    values /= float(np.abs(rows).max()) or 1.0
    values -= np.median(values, axis=0)  # which one distant row does not move
    hits = interruptible(lambda: _hits(values, codes, k))
    error = float(hits.std(ddof=1)) / math.sqrt(n)
    return BaselineEstimate(
        float(hits.mean()), "k nearest neighbours", n, None, error, settings={"k": k}
    )


@named_options()
def linear_accuracy(Z: Any, Y: Any, *, folds: int = 5, seed: int = 0) -> BaselineEstimate:
    """Cross-validated accuracy of logistic regression on standardised columns.

    The folds are stratified and drawn by `seed`. Mean and deviation of a column are those of the
    rows that the classifier is fitted to. scikit-learn fits it, with an L2 penalty of 1.

    Where it fails: classes that a plane cannot separate.

    Parameters
    ----------
    Z : array-like of shape (n, d)
    Y : array-like of length n
        Labels of two classes or more, each of at least `folds` rows.
    folds : int
        At least 2.
    seed : int

    Returns
    -------
    BaselineEstimate
        `standard_error` is over the folds, as if they were independent.

    Raises
    ------
    ValueError, TypeError
        An argument of the wrong value or type; NaN or infinity; one class; a class of fewer rows
        than folds.
    ImportError
        scikit-learn is missing.
    """
    folds, seed = integer(folds, "folds", at_least=2), random_seed(seed)
    rows, codes = labelled(Z, Y, folds, f"folds={folds} need: pass fewer folds")
    accuracies = interruptible(
        lambda: cross_validated(logistic_regression(), rows, codes, folds, seed)
    )
    error = float(np.std(accuracies, ddof=1)) / math.sqrt(folds)
    return BaselineEstimate(
        float(np.mean(accuracies)), "linear probe", len(rows), None, error,
        settings={"folds": folds, "seed": seed},
    )  # fmt: skip


def cross_validated(
    classifier: Any, Z: npt.NDArray[Any], y: Codes, folds: int = 5, seed: int = 0
) -> Array:
    """Accuracy on each fold of a classifier of scikit-learn that was fitted to the others."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.model_selection import StratifiedKFold, cross_val_score

    splits = StratifiedKFold(folds, shuffle=True, random_state=seed % 2**32)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        scores: Array = cross_val_score(classifier, Z, y, cv=splits)
    return scores


def logistic_regression() -> Any:
    """A classifier on standardised columns, so that the scale of Z does not matter."""
    try:
        from sklearn.linear_model import LogisticRegression
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler
    except ImportError as error:
        raise ImportError(
            "linear_accuracy needs scikit-learn: pip install 'eigentropy[cluster]'"
        ) from error
    return make_pipeline(StandardScaler(), LogisticRegression(max_iter=ITERATIONS))


def _hits(values: Array, codes: Codes, k: int) -> Array:
    """How right the vote of its k nearest other rows is for each row, from 0 to 1."""
    n = len(values)
    squares = np.einsum("ij,ij->i", values, values)
    eps = float(np.finfo(np.float64).eps)
    rounding = ROUNDINGS * math.sqrt(values.shape[1]) * eps
    members = np.eye(codes.max() + 1)[codes]
    hits = np.empty(n)
    height = max(1, BLOCK_ENTRIES // n)
    for start in range(0, n, height):
        block = slice(start, min(n, start + height))
        both = squares[block, None] + squares
        distances = both - 2.0 * (values[block] @ values.T)
        own = np.arange(n)[block]
        distances[own - start, own] = np.inf
        votes = _shares(distances, k, rounding * both) @ members
        most = votes >= votes.max(axis=1, keepdims=True) - k * n * eps
        hits[block] = most[own - start, codes[own]] / most.sum(axis=1)
    return hits


def _shares(distances: Array, k: int, rounding: Array) -> Array:
    """The votes of each row: 1 for those nearer than the k-th; those as near share what is left."""
    kth = np.partition(distances, k - 1, axis=1)[:, [k - 1]]
    nearer = distances < kth - rounding
    tied = (distances <= kth + rounding) & ~nearer
    left = k - nearer.sum(axis=1, keepdims=True)
    shares: Array = nearer + tied * (left / tied.sum(axis=1, keepdims=True))
    return shares
