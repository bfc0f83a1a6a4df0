"""Shannon entropy and mutual information of a histogram with bins of equal width in each column.

The CSE and CSMI ("classic") of the paper that DSE and DSMI are compared with.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from eigentropy._backends.host_arrays import Matrix, as_matrix, as_numpy
from eigentropy._kernels.groups import KINDS, Codes, group_codes, infer_kind
from eigentropy._support.options import integer, logarithm_base, one_of, random_seed
from eigentropy._support.signatures import named_options
from eigentropy.baselines._estimate import BaselineEstimate

ESTIMATORS = ("plain", "matched")

# Columns are binned in blocks of this many entries: 64 MiB as float64.
BLOCK_ENTRIES = 2**23

# Bin numbers are kept in as few bytes as hold them; this is the largest number of 32 bits.
MOST_BINS = 2**32


@named_options()
def entropy(Z: Any, *, bins: int = 10, base: float = 2.0) -> BaselineEstimate:
    r"""Shannon entropy of the rows of Z, cut into bins.

    .. math:: H = -\sum_c p_c \log p_c

    over the cells c of a grid with `bins` bins of equal width between the smallest and the largest
    value of each column, p_c being the share of the rows in cell c. Value x of a column with
    extremes a and b is in bin floor(bins (x - a) / (b - a)), b itself in the last one; a constant
    column has one bin. This is an entropy of cells, between 0 and log n, not the differential
    entropy of a density.

    No histogram is made: rows are told apart exactly, block of columns by block of columns, and
    what is kept is one number for each row. Columns after the one where all cells hold a single
    row cannot change anything and are not binned.

    Where it fails: there are bins^d cells. With more than a few columns nearly every row has a
    cell of its own, and H is log n whatever the data are.

    Parameters
    ----------
    Z : array-like of shape (n, d)
        As in `eigentropy.diffusion_spectral_entropy`; mapped files are read in blocks of columns.
    bins : int
        In each column.
    base : float
        Of the logarithm: 2 gives bits, math.e nats.

    Returns
    -------
    BaselineEstimate

    Raises
    ------
    ValueError, TypeError
        An argument of the wrong value or type; NaN or infinity in Z.

    References
    ----------
    Tishby, Zaslavsky: Deep learning and the information bottleneck principle. ITW 2015; its use
    for networks is in Shwartz-Ziv, Tishby, arXiv:1703.00810.

    Examples
    --------
    >>> float(entropy([[0.0, 1.0], [0.1, 1.0], [2.0, 1.0], [2.1, 1.0]]))
    1.0
    """
    bins, base = _bins(bins), logarithm_base(base)
    rows = as_matrix(Z)
    value = _entropy(np.bincount(cells(rows, bins)), base)
    return BaselineEstimate(value, "binning", len(rows), base, settings={"bins": bins})


@named_options()
def mutual_information(
    Z: Any,
    Y: Any,
    *,
    bins: int = 10,
    kind: str = "auto",
    estimator: str = "plain",
    n_null: int = 20,
    base: float = 2.0,
    seed: int = 0,
) -> BaselineEstimate:
    r"""Mutual information of the rows of Z, cut into bins, and Y.

    .. math:: I = \sum_{c, y} p_{cy} \log \frac{p_{cy}}{p_c\, p_y}

    with the cells c of `entropy` and the labels y, or the cells of Y. "plain" is this plug-in
    estimate, the classic one, which is never negative and biased upwards. "matched" subtracts the
    mean that it has for random permutations of Y, as in
    `eigentropy.diffusion_spectral_mutual_information`.

    Where it fails: as soon as nearly every row has a cell of its own, the plain value is H(Y) and
    the matched one 0, whether the labels are right or permuted.

    Parameters
    ----------
    Z : array-like of shape (n, d)
        As in `entropy`.
    Y : array-like of length n
        Labels; scalars, which are cut into bins like a column of Z; or vectors (n, m), whose rows
        are binned like those of Z.
    bins : int
        In each column of Z and of Y.
    kind : {"auto", "labels", "scalars", "vectors"}
        What Y is, as in `eigentropy.diffusion_spectral_mutual_information`.
    estimator : {"plain", "matched"}
    n_null : int
        Number of permutations, for "matched"; at least 2.
    base : float
        Of the logarithm: 2 gives bits, math.e nats.
    seed : int
        Of the permutations.

    Returns
    -------
    BaselineEstimate
        Of "matched", the standard error is that of the mean that is subtracted, and negative
        values are reported as they are.

    Raises
    ------
    ValueError, TypeError
        An argument of the wrong value or type; Y of another length than Z; missing labels; NaN or
        infinity.

    Examples
    --------
    >>> float(mutual_information([[0.0], [0.1], [2.0], [2.1]], ["a", "a", "b", "b"]))
    1.0
    """
    bins, base = _bins(bins), logarithm_base(base)
    one_of(kind, "kind", KINDS)
    one_of(estimator, "estimator", ESTIMATORS)
    integer(n_null, "n_null", at_least=2)
    rng = np.random.default_rng(random_seed(seed))
    rows = as_matrix(Z)
    groups = _cells_of_y(Y, len(rows), kind, bins)
    cells_of_z = cells(rows, bins)
    value = _information(cells_of_z, groups, base)
    settings: dict[str, Any] = {"bins": bins, "estimator": estimator}
    if estimator == "plain":
        return BaselineEstimate(value, "binning", len(rows), base, settings=settings)
    null = [_information(cells_of_z, rng.permutation(groups), base) for _ in range(n_null)]
    error = float(np.std(null, ddof=1)) / math.sqrt(n_null)
    settings |= {"n_null": n_null, "seed": seed}
    return BaselineEstimate(
        value - float(np.mean(null)), "binning", len(rows), base, error, settings
    )


def cells(Z: Matrix, bins: int, entries: int = BLOCK_ENTRIES) -> Codes:
    """The cell of each row, 0 .. number of occupied cells - 1. Equal numbers mean equal cells.

    Columns are read in blocks of at most `entries` numbers. Each block divides the cells of the
    blocks before it: rows stay together if they were together and their bins in the block are
    equal, byte for byte.
    """
    codes = np.zeros(len(Z), dtype=np.int64)
    for block in _blocks(Z, entries):
        codes = _divided(codes, _bin_numbers(block, bins))
        if codes.max() == len(Z) - 1:  # every row is alone
            break
    return codes


def _bins(bins: Any) -> int:
    number = integer(bins, "bins", at_least=1)
    if number > MOST_BINS:
        raise ValueError(f"bins must be at most 2**32, got {number}")
    return number


def _blocks(Z: Matrix, entries: int) -> Iterator[Matrix]:
    n, d = Z.shape
    width = max(1, entries // n)
    for start in range(0, d, width):
        yield Z[:, start : start + width]


def _bin_numbers(block: Matrix, bins: int) -> npt.NDArray[np.unsignedinteger[Any]]:
    values = block.astype(np.float64)
    values *= 0.5  # so that no range of finite numbers is infinite
    low = values.min(axis=0)
    width = values.max(axis=0) - low
    width[width == 0.0] = 1.0  # a constant column: all in bin 0
    values -= low
    values /= width  # the quotient first: bins / width would overflow for a tiny width
    values *= bins
    np.minimum(values, bins - 1, out=values)
    return values.astype(np.min_scalar_type(bins - 1))


def _divided(codes: Codes, numbers: npt.NDArray[np.unsignedinteger[Any]]) -> Codes:
    """New codes, equal where the old ones and all of a row's numbers are."""
    n = len(codes)
    packed = np.concatenate(
        [codes.reshape(n, 1).view(np.uint8), np.ascontiguousarray(numbers).view(np.uint8)], axis=1
    )
    keys = np.ascontiguousarray(packed).view(np.dtype((np.void, packed.shape[1]))).reshape(n)
    return np.unique(keys, return_inverse=True)[1].reshape(n).astype(np.int64)


def _cells_of_y(Y: Any, n: int, kind: str, bins: int) -> Codes:
    if Y is None:
        raise ValueError("Y is missing: pass labels, scalars or vectors")
    values = as_numpy(Y, "Y")
    if (infer_kind(values) if kind == "auto" else kind) != "vectors":
        return group_codes(values, n, kind, bins, None)
    vectors = as_matrix(values.reshape(len(values), -1) if values.ndim else values, "Y")
    if len(vectors) != n:
        raise ValueError(f"Y has {len(vectors)} entries, Z has {n} rows")
    return cells(vectors, bins)


def _entropy(counts: npt.NDArray[np.int64], base: float) -> float:
    n = int(counts.sum())
    value = math.log(n) - float(counts @ np.log(counts)) / n
    return max(0.0, value) / math.log(base)  # the rounding of a single cell may be < 0


def _information(cells_of_z: Codes, cells_of_y: Codes, base: float) -> float:
    """From the counts of the pairs that occur; as a sum of terms whose total is never negative."""
    n = len(cells_of_z)
    pairs, counts = np.unique(cells_of_z * (cells_of_y.max() + 1) + cells_of_y, return_counts=True)
    z, y = np.divmod(pairs, cells_of_y.max() + 1)
    expected = np.bincount(cells_of_z)[z].astype(np.float64) * np.bincount(cells_of_y)[y]
    value = float(counts @ np.log(counts * float(n) / expected)) / n
    return max(0.0, value) / math.log(base)  # rounding, for independent partitions
