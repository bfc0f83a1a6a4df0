"""The information of labels in subsets of the rows, whose groups are solved as one batch."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import chain
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from eigentropy._kernels.groups import Codes, groups_of_rows
from eigentropy._kernels.matrix import KernelMatrix
from eigentropy._kernels.partitions import Partitions
from eigentropy._measures.forms import nulls_of_subset, seed_of_subset, twice
from eigentropy._measures.sampling.width_influence import width_changes, width_jumps
from eigentropy._spectra.functionals import Functional, nats_of_groups
from eigentropy._spectra.groups import SHARED_KERNEL_SHARE

Doubles = npt.NDArray[np.float64]
Numbers = npt.NDArray[np.int64]

# The step in log(sigma) by which the slope of an information is found, and the subsets that it is
# found of: those of the first division.
STEP = 0.05
SLOPED = 4


# Beside the forms of an information: the entropy of the rows, which needs no groups.
ENTROPY = "entropy"


class Asked(NamedTuple):
    """Which information, in which forms: see `forms.twice`; `dtype` is that of the eigenvalues.

    `ENTROPY` may be among the forms. `blocks` of the rows stay together in random partitions.
    """

    which: Functional
    forms: Sequence[str]
    estimator: str
    base: float
    seed: int
    dtype: str
    blocks: Numbers | None = None


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
    """Each form of the information in each subset, twice: shape (subsets, forms, 2).

    At the sigma of all rows, where the kernel of all rows serves every subset. Where a rule chose
    it, a subset has a sigma of its own; what that changes is the difference of the logarithms,
    times the mean slope of subsets of this size. A sigma that jumps has no slope: each subset is
    measured at its own.
    """
    # Random partitions differ the more, the fewer units they are of.
    units = matrix.n if asked.blocks is None else len(np.unique(asked.blocks))
    n_null = max(nulls_of_subset(form, asked.estimator, units) for form in asked.forms)
    grouped = [
        _Grouped(
            rows,
            Partitions.drawn(
                groups_of_rows(codes, rows),
                n_null,
                seed_of_subset(asked.seed, number),
                None
                if asked.blocks is None
                else np.unique(asked.blocks[rows], return_inverse=True)[1],
            ),
        )
        for number, rows in enumerate(sets)
    ]
    if width_jumps(matrix, np.unique(np.concatenate(sets))):
        alone = [_values(_at_own_width(matrix, one.rows), [one], asked) for one in grouped]
        return np.concatenate(alone)
    values = _values(matrix, grouped, asked)
    if matrix.rule is None:
        return values
    sizes, own = np.array([len(rows) for rows in sets]), _widths(matrix, sets)
    moved = _values(matrix.at_width(matrix.sigma * math.exp(STEP)), grouped[:SLOPED], asked)
    slopes = (moved - values[:SLOPED]).mean(axis=2) / STEP
    for size in np.unique(sizes):
        alike = sizes == size
        slope = np.nanmean(slopes[alike[:SLOPED]], axis=0)
        values[alike] += slope[:, None] * own[alike, None, None]
    return values


def _at_own_width(matrix: KernelMatrix, rows: Numbers) -> Any:
    return matrix.at_width(matrix.of_rows(rows).sigma)


def _widths(matrix: KernelMatrix, sets: Sequence[Numbers]) -> Doubles:
    """Log of what the rule would take for each subset, over what it took for all of their rows.

    To first order, from what leaving out each row changes.
    """
    assert matrix.rule is not None
    used = np.unique(np.concatenate(sets))
    squared, scale = matrix.samples.squared_distances(used)
    changes = width_changes(squared, matrix.sigma / scale, matrix.rule)
    changes = changes - changes.mean()
    sums = [float(changes[np.searchsorted(used, rows)].sum()) / len(rows) for rows in sets]
    return (1.0 - len(used)) * np.array(sums)


def _values(matrix: KernelMatrix, grouped: Sequence[_Grouped], asked: Asked) -> Doubles:
    """At the sigma of the matrix."""
    informative = any(form != ENTROPY for form in asked.forms)
    with_whole = (*asked.forms, asked.estimator) != ("value", "matched")
    several = [
        [*(one.groups() if informative else []), *([one.rows] if with_whole else [])]
        for one in grouped
    ]
    entropies = _entropies(matrix, list(chain(*several)), asked)
    ends = np.cumsum([len(groups) for groups in several])[:-1]
    return np.array(
        [
            [_form(form, one.partitions, found, asked) for form in asked.forms]
            for one, found in zip(grouped, np.split(entropies, ends), strict=True)
        ]
    )


def _form(form: str, partitions: Partitions, found: Doubles, asked: Asked) -> tuple[float, float]:
    """From the entropies of the groups, and of all rows where these are the last."""
    whole = float(found[-1])
    if form == ENTROPY:
        return whole, whole
    shares = partitions.shares
    conditional = found[: len(partitions) * len(shares)].reshape(-1, len(shares)) @ shares
    label_entropy = -float(shares @ np.log(shares)) / math.log(asked.base)
    return twice(
        form, asked.estimator, conditional[0], conditional[1:], (whole, 0.0), label_entropy,
        asked.base,
    )  # fmt: skip


def _entropies(matrix: KernelMatrix, groups: Sequence[Numbers], asked: Asked) -> Doubles:
    """The entropy of each group of rows by itself."""
    offsets = np.concatenate([[0], np.cumsum([len(rows) for rows in groups])])
    eigenvalues, _, _ = matrix.subset_spectra(
        offsets,
        np.concatenate(groups),
        asked.dtype,
        SHARED_KERNEL_SHARE * matrix.samples.device.available(),
        None,
    )
    np.clip(eigenvalues, 0.0, 1.0, out=eigenvalues)
    return nats_of_groups(asked.which, eigenvalues, offsets[:-1]) / math.log(asked.base)
