"""Whether the values of Y look like classes, though their type is that of scalars or vectors."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Numbers = npt.NDArray[np.int64]

# Guesses, and the price of a wrong one is a line that one option silences. A class has this many
# rows on average, or more: with fewer, its group has hardly a spectrum.
ROWS_A_CLASS = 3

# Class numbers are taken for such up to this many times as many classes as bins: 100 for 10 bins.
# More whole numbers, all of them present, are rather counts, ages in days or prices.
CLASSES_A_BIN = 10

# Numbered classes begin here: noise of a density clustering, or the first class of most libraries.
FIRST_CLASSES = (-1.0, 0.0, 1.0)


def one_hot_codes(vectors: npt.NDArray[Any]) -> Numbers | None:
    """The class of each row of one-hot vectors, in the order of the columns; None for others.

    All entries have one of two values, and at most one of a row has the larger one: 0 and 1, -1 and
    1, or smoothed labels. Rows without it are a class as well, the first, as in dummy variables of
    which one was dropped.
    """
    if vectors.shape[1] < 2 or len(np.unique(vectors[0])) > 2:
        return None
    low, high = vectors.min(), vectors.max()
    hot = vectors == high
    if low == high or not (hot | (vectors == low)).all() or hot.sum(axis=1).max() > 1:
        return None
    columns = np.where(hot.any(axis=1), 1 + hot.argmax(axis=1), 0)
    return np.unique(columns, return_inverse=True)[1].astype(np.int64)


def distinct_codes(vectors: npt.NDArray[Any], most: int) -> Numbers | None:
    """The groups of equal rows, in order of appearance; None if these are more than `most`."""
    known: dict[bytes, int] = {}
    codes = np.empty(len(vectors), dtype=np.int64)
    for number, row in enumerate(vectors):
        codes[number] = known.setdefault((row + 0.0).tobytes(), len(known))  # -0 becomes 0
        if len(known) > most:
            return None
    return codes


def class_values(y: npt.NDArray[Any], bins: Numbers, n_bins: int) -> npt.NDArray[Any] | None:
    """The distinct values of scalars that look like classes, some of which share a bin; or None.

    They look so if each occurs `ROWS_A_CLASS` times on average, and they are no more than the bins
    or whole numbers such as 0 .. 39: from one of `FIRST_CLASSES` on, half of them or more present,
    and at most `CLASSES_A_BIN` for each bin.
    """
    values = np.unique(y)
    count = len(values)
    if count == len(np.unique(bins)) or ROWS_A_CLASS * count > len(y):
        return None
    if count <= n_bins:
        return values
    numbered = values[0] in FIRST_CLASSES and (values == np.rint(values)).all()
    dense = values[-1] - values[0] < 2 * count
    return values if numbered and dense and count <= CLASSES_A_BIN * n_bins else None
