"""The information of labels in subsets of the rows, whose groups are solved as one batch."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import chain
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from eigentropy import _core
from eigentropy._kernels.groups import Codes, groups_of_rows
from eigentropy._kernels.matrix import KernelMatrix
from eigentropy._kernels.partitions import Partitions
from eigentropy._measures.forms import nulls_of_subset, seed_of_subset, twice
from eigentropy._measures.sampling.width_influence import width_changes
from eigentropy._spectra.functionals import Functional
from eigentropy._spectra.groups import SHARED_KERNEL_SHARE

Doubles = npt.NDArray[np.float64]
Numbers = npt.NDArray[np.int64]

# The step in log(sigma) by which the slope of an information is found, and the subsets that it is
# found of: those of the first division.
STEP = 0.05
SLOPED = 4


class Asked(NamedTuple):
    """Which information: see `forms.twice`; `dtype` is that of the eigenvalues."""

    which: Functional
    what: str
    estimator: str
    base: float
    seed: int
    dtype: str


class _Grouped(NamedTuple):
    """A subset with its groups, as they are and at random."""

    rows: Numbers
    partitions: Partitions

    def groups(self) -> list[Numbers]:
        """The rows of each group of each partition."""
        return [self.rows[places] for places in self.partitions.subsets()]


def informations_of_sets(
    matrix: KernelMatrix, codes: Codes, sets: Sequence[Numbers], asked: Asked
) -> Doubles:
    """The information in each subset, twice: shape (subsets, 2).

    At the sigma of all rows, where the kernel of all rows serves every subset. Where a rule chose
    it, a subset has a sigma of its own; what that changes is the difference of the logarithms,
    times the mean slope of subsets of this size.
    """
    n_null = nulls_of_subset(asked.what, asked.estimator, matrix.n)
    grouped = [
        _Grouped(
            rows,
            Partitions.drawn(
                groups_of_rows(codes, rows), n_null, seed_of_subset(asked.seed, number)
            ),
        )
        for number, rows in enumerate(sets)
    ]
    values = _values(matrix, grouped, asked)
    if matrix.rule is None:
        return values
    sizes, own = np.array([len(rows) for rows in sets]), _widths(matrix, sets)
    moved = _values(matrix.at_width(matrix.sigma * math.exp(STEP)), grouped[:SLOPED], asked)
    slopes = (moved - values[:SLOPED]).mean(axis=1) / STEP
    for size in np.unique(sizes):
        alike = sizes == size
        values[alike] += np.nanmean(slopes[alike[:SLOPED]]) * own[alike, None]
    return values


def _widths(matrix: KernelMatrix, sets: Sequence[Numbers]) -> Doubles:
    """Log of what the rule would take for each subset, over what it took for all of their rows.

    To first order, from what leaving out each row changes.
    """
    assert matrix.rule is not None
    used = np.unique(np.concatenate(sets))
    rows, places = matrix.samples.host_sample(used)
    if matrix.samples.holds == "distances":
        squared, scale = rows[np.ix_(places, places)].astype(np.float64) ** 2, 1.0
    else:
        squared, scale = _core.squared_distances(rows, places)
    changes = width_changes(squared, matrix.sigma / scale, matrix.rule)
    changes = changes - changes.mean()
    sums = [float(changes[np.searchsorted(used, rows)].sum()) / len(rows) for rows in sets]
    return (1.0 - len(used)) * np.array(sums)


def _values(matrix: KernelMatrix, grouped: Sequence[_Grouped], asked: Asked) -> Doubles:
    """At the sigma of the matrix."""
    with_whole = (asked.what, asked.estimator) != ("value", "matched")
    several = [[*one.groups(), *([one.rows] if with_whole else [])] for one in grouped]
    entropies = _entropies(matrix, list(chain(*several)), asked)
    ends = np.cumsum([len(groups) for groups in several])[:-1]
    values = []
    for one, found in zip(grouped, np.split(entropies, ends), strict=True):
        shares = one.partitions.shares
        conditional = found[: len(one.partitions) * len(shares)].reshape(-1, len(shares)) @ shares
        whole = float(found[-1]), 0.0
        label_entropy = -float(shares @ np.log(shares)) / math.log(asked.base)
        values.append(
            twice(
                asked.what, asked.estimator, conditional[0], conditional[1:],
                whole, label_entropy, asked.base,
            )
        )  # fmt: skip
    return np.array(values)


def _entropies(matrix: KernelMatrix, groups: Sequence[Numbers], asked: Asked) -> Doubles:
    """The entropy of each group of rows by itself."""
    ends = np.cumsum([len(rows) for rows in groups])
    eigenvalues, _, _ = matrix.subset_spectra(
        np.concatenate([[0], ends]),
        np.concatenate(groups),
        asked.dtype,
        SHARED_KERNEL_SHARE * matrix.samples.device.available(),
        None,
    )
    np.clip(eigenvalues, 0.0, 1.0, out=eigenvalues)
    nats = [asked.which.of_eigenvalues(values) for values in np.split(eigenvalues, ends[:-1])]
    return np.array(nats) / math.log(asked.base)
