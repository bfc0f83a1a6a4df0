"""The joint distribution of discrete variables, and the entropies of its margins."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from eigentropy._backends.host_arrays import as_numpy
from eigentropy._kernels.groups import Codes, label_codes
from eigentropy._support.options import one_of

ESTIMATORS = ("plug-in", "miller-madow", "shrinkage")


def value_codes(values: Any, name: str) -> Codes:
    """The value of each row, 0 .. number of distinct ones - 1, in their order.

    A row of several columns is one value, and rows are in the order of the first column in which
    they differ.
    """
    array = table(values, name)
    codes = np.zeros(len(array), dtype=np.int64)
    for column in array.T:
        codes = joint_codes(codes, label_codes(column, len(array), name))
    return codes


def column_codes(values: Any, name: str) -> list[Codes]:
    """The values of each column for itself."""
    array = table(values, name)
    return [label_codes(column, len(array), name) for column in array.T]


def table(values: Any, name: str) -> Any:
    """Any values as an array of one row a sample."""
    array = as_numpy(values, name)
    if array.ndim == 0:
        raise ValueError(f"{name} must have one value for each sample, got the scalar {array}")
    if array.size == 0:
        raise ValueError(f"{name} is empty: its shape is {array.shape}")
    return array.reshape(len(array), -1)


def joint_codes(first: Codes, second: Codes) -> Codes:
    """The pair of values of each row, numbered in the order of the first, then of the second."""
    pairs = first * (second.max() + 1) + second
    if pairs.max() >= 8 * len(pairs):  # too many for an array of all that could occur
        return np.unique(pairs, return_inverse=True)[1].reshape(-1).astype(np.int64)
    numbers: Codes = (np.cumsum(np.bincount(pairs) > 0) - 1)[pairs]
    return numbers


def check_lengths(variables: dict[str, Codes]) -> None:
    """Raise ValueError unless all variables are of the same samples."""
    (first, codes), *others = variables.items()
    for name, other in others:
        if len(other) != len(codes):
            raise ValueError(f"{name} has {len(other)} entries, {first} has {len(codes)}")


@dataclass(frozen=True)
class Joint:
    """Some variables of the same samples, with `values` that each could have.

    The entropies of "shrinkage" are those of one distribution, so that they fit each other: a share
    lambda of it is uniform over all combinations of values, and the rest are the frequencies.
    """

    variables: Sequence[Codes]
    estimator: str
    n_values: Sequence[int]

    @classmethod
    def of(cls, variables: Sequence[Codes], estimator: str) -> Joint:
        """With the values that occur."""
        one_of(estimator, "estimator", ESTIMATORS)
        return cls(variables, estimator, [int(codes.max()) + 1 for codes in variables])

    @property
    def n(self) -> int:
        """Number of samples."""
        return len(self.variables[0])

    def entropy(self, *chosen: int) -> float:
        """Of some of the variables, in nats."""
        counts = self._counts(chosen)
        if self.estimator == "shrinkage":
            return _shrunk(counts, self._log_cells(chosen), self.uniform_share)
        value = math.log(self.n) - float(counts @ np.log(counts)) / self.n
        bias = (len(counts) - 1) / (2.0 * self.n) if self.estimator == "miller-madow" else 0.0
        return max(0.0, value) + bias  # the rounding of a single value may be < 0

    @cached_property
    def uniform_share(self) -> float:
        """The lambda with the smallest expected squared error, as estimated (Hausser, Strimmer)."""
        every = range(len(self.variables))
        squares = float(((self._counts(every) / self.n) ** 2).sum())
        distance = squares - math.exp(-self._log_cells(every))
        if self.n == 1 or distance <= 0.0:
            return 1.0
        return min(1.0, (1.0 - squares) / ((self.n - 1) * distance))

    def _counts(self, chosen: Sequence[int]) -> Codes:
        codes = np.zeros(self.n, dtype=np.int64)
        for variable in chosen:
            codes = joint_codes(codes, self.variables[variable])
        return np.bincount(codes)

    def _log_cells(self, chosen: Sequence[int]) -> float:
        """Of all combinations of values, which may be too many for a float."""
        return math.log(math.prod(self.n_values[variable] for variable in chosen))


def _shrunk(counts: Codes, log_cells: float, share: float) -> float:
    """The entropy of share / cells + (1 - share) counts / n, also in the cells without a sample."""
    uniform = math.exp(-log_cells)
    p = share * uniform + (1.0 - share) * (counts / counts.sum())
    value = -float(p @ np.log(p, out=np.zeros(len(p)), where=p > 0.0))  # 1 / cells may be 0
    empty = max(0.0, 1.0 - len(counts) * uniform)
    if share > 0.0:
        value += empty * share * (log_cells - math.log(share))
    return max(0.0, value)
