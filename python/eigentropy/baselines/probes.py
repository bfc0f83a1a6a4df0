"""The accuracy of simple classifiers of Z, each judged on rows that it has not seen."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from eigentropy._backends.host_arrays import Matrix
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

# Of each row this number of times k nearest rows are found once for all subsets: of a half of the
# rows, some 6 k of them are in it.
NEAREST = 12

# The last iterations hardly change an accuracy.
ITERATIONS = 200


@named_options()
def knn_accuracy(Z: Any, Y: Any, *, k: int = 5) -> BaselineEstimate:
    """Share of the rows whose label most of their k nearest other rows have.

    Leave-one-out, by Euclidean distance. What is undecided counts in part, so that neither the
    order of the rows nor that of the classes matters: m classes with as many votes are right with
    1 / m, and rows at the distance of the k-th nearest share the votes that are left.

    Where it fails: as all methods by distance, where columns that tell nothing are larger than
    those that do. Where many rows are equal, it may be below chance: a row has no vote about
    itself, so that of equally many equal rows of each class it sees one fewer of its own class.
    Of rows that are all equal, with classes of one size, it is 0.

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
    hits = neighbour_hits(rows, codes, k)
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
    accuracies, _ = linear_hits(rows, codes, folds, seed)
    error = float(np.std(accuracies, ddof=1)) / math.sqrt(folds)
    return BaselineEstimate(
        float(np.mean(accuracies)), "linear probe", len(rows), None, error,
        settings={"folds": folds, "seed": seed},
    )  # fmt: skip


def neighbour_hits(rows: Matrix, codes: Codes, k: int) -> Array:
    """How right the vote of its k nearest other rows is for each row, from 0 to 1."""
    values = _scaled(rows)
    return interruptible(lambda: _hits(values, codes, k), values.size * len(values))


def _scaled(rows: Matrix) -> Array:
    """Rows about their median, which one distant row does not move, over their largest entry."""
    values = rows.astype(np.float64)
    values /= float(np.abs(rows).max()) or 1.0
    values -= np.median(values, axis=0)
    return values


def accuracies_of_subsets(
    rows: Matrix, codes: Codes, k: int, sets: Sequence[npt.NDArray[np.int64]]
) -> Array:
    """The mean of `neighbour_hits` of each subset of the rows.

    The nearest rows of all rows are found once. A subset in which some row has too few of these, or
    in which a tie may go beyond them, is looked at by itself.
    """
    values = _scaled(rows)
    near = interruptible(lambda: _Nearest.of(values, NEAREST * k), values.size * len(values))
    members = np.eye(codes.max() + 1)[codes]
    found = [near.accuracy(members, codes, k, one) for one in sets]
    known = [
        float(neighbour_hits(rows[one], codes[one], k).mean()) if value is None else value
        for one, value in zip(sets, found, strict=True)
    ]
    return np.array(known)


def linear_hits(rows: Matrix, codes: Codes, folds: int, seed: int) -> tuple[Array, Array]:
    """The accuracy of logistic regression on each fold, and whether it is right for each row."""
    return interruptible(lambda: _fold_hits(logistic_regression(), rows, codes, folds, seed))


def cross_validated(
    classifier: Any, Z: npt.NDArray[Any], y: Codes, folds: int = 5, seed: int = 0
) -> Array:
    """Accuracy on each fold of a classifier of scikit-learn that was fitted to the others."""
    return _fold_hits(classifier, Z, y, folds, seed)[0]


def _fold_hits(
    classifier: Any, Z: npt.NDArray[Any], y: Codes, folds: int, seed: int
) -> tuple[Array, Array]:
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.model_selection import StratifiedKFold

    hits, accuracies = np.empty(len(y)), []
    splits = StratifiedKFold(folds, shuffle=True, random_state=seed % 2**32)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        for others, fold in splits.split(Z, y):
            classifier.fit(Z[others], y[others])
            hits[fold] = classifier.predict(Z[fold]) == y[fold]
            accuracies.append(float(hits[fold].mean()))
    return np.array(accuracies), hits


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
    members = np.eye(codes.max() + 1)[codes]
    hits = np.empty(len(values))
    for block, distances, rounding in _distances(values):
        votes = _shares(distances, k, rounding) @ members
        hits[block] = _rightness(votes, codes[block], k * len(values))
    return hits


def _distances(values: Array) -> Iterator[tuple[slice, Array, Array]]:
    """Squared distances of some rows to all, infinite to themselves, and how far rounding goes."""
    n = len(values)
    squares = np.einsum("ij,ij->i", values, values)
    eps = ROUNDINGS * math.sqrt(values.shape[1]) * float(np.finfo(np.float64).eps)
    height = max(1, BLOCK_ENTRIES // n)
    for start in range(0, n, height):
        block = slice(start, min(n, start + height))
        both = squares[block, None] + squares
        distances = both - 2.0 * (values[block] @ values.T)
        own = np.arange(n)[block]
        distances[own - start, own] = np.inf
        yield block, distances, eps * both


def _rightness(votes: Array, codes: Codes, most_votes: float) -> Array:
    """1 / m where m classes have as many votes as any, the row's own among them; otherwise 0."""
    rounding = most_votes * float(np.finfo(np.float64).eps)
    most = votes >= votes.max(axis=1, keepdims=True) - rounding
    right: Array = most[np.arange(len(codes)), codes] / most.sum(axis=1)
    return right


class _Nearest(NamedTuple):
    """The nearest rows of each row, ascending: their numbers and distances, shape (n, m).

    `rounding` is how far two of these distances may be apart by rounding.
    """

    numbers: npt.NDArray[np.int64]
    distances: Array
    rounding: Array

    @classmethod
    def of(cls, values: Array, most: int) -> _Nearest:
        """The `most` nearest ones, or all others."""
        most, parts = min(most, len(values) - 1), []
        for _, distances, rounding in _distances(values):
            numbers = np.argpartition(distances, most - 1, axis=1)[:, :most]
            order = np.take_along_axis(distances, numbers, axis=1).argsort(axis=1)
            numbers = np.take_along_axis(numbers, order, axis=1)
            known = [np.take_along_axis(one, numbers, axis=1) for one in (distances, rounding)]
            parts.append((numbers, *known))
        return cls(*(np.concatenate(part) for part in zip(*parts, strict=True)))

    def accuracy(
        self, members: Array, codes: Codes, k: int, chosen: npt.NDArray[np.int64]
    ) -> float | None:
        """Of the chosen rows alone, or None where these neighbours do not tell."""
        is_chosen = np.zeros(len(codes), dtype=bool)
        is_chosen[chosen] = True
        numbers = self.numbers[chosen]
        inside = is_chosen[numbers]
        counts = inside.cumsum(axis=1)
        if (counts[:, -1] < k).any():
            return None
        distances, rounding = self.distances[chosen], self.rounding[chosen]
        last = (counts >= k).argmax(axis=1)[:, None]
        kth = np.take_along_axis(distances, last, axis=1)
        if numbers.shape[1] < len(codes) - 1 and (kth + rounding >= distances[:, -1:]).any():
            return None
        nearer = inside & (distances < kth - rounding)
        tied = inside & (distances <= kth + rounding) & ~nearer
        left = k - nearer.sum(axis=1, keepdims=True)
        shares = nearer + tied * (left / tied.sum(axis=1, keepdims=True))
        votes = np.einsum("ij,ijk->ik", shares, members[numbers])
        return float(_rightness(votes, codes[chosen], k * len(chosen)).mean())


def _shares(distances: Array, k: int, rounding: Array) -> Array:
    """The votes of each row: 1 for those nearer than the k-th; those as near share what is left."""
    kth = np.partition(distances, k - 1, axis=1)[:, [k - 1]]
    nearer = distances < kth - rounding
    tied = (distances <= kth + rounding) & ~nearer
    left = k - nearer.sum(axis=1, keepdims=True)
    shares: Array = nearer + tied * (left / tied.sum(axis=1, keepdims=True))
    return shares
