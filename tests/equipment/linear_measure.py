"""A measure whose sampling error is known in closed form: the mean of the first column."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from eigentropy._measures.sampling.variation import Variation
from eigentropy._support.number import Number


@dataclass(frozen=True)
class Terms(Variation):
    """The mean of n numbers: its error is theirs over the root of n, with n - 1 degrees."""

    terms: np.ndarray

    @property
    def n(self):
        return len(self.terms)

    @property
    def value(self):
        return float(self.terms.mean())

    @property
    def standard_error(self):
        return float(self.terms.std(ddof=1)) / math.sqrt(self.n)

    @property
    def degrees(self):
        return self.n - 1.0

    def minus(self, other):
        return replace(self, terms=self.terms - other.terms)


@dataclass(frozen=True, eq=False)
class Mean(Number):
    """What `mean` returns."""

    value: float
    terms: np.ndarray

    def _variation(self):
        return Terms(self.terms)


def mean(Z):
    """The mean of the first column, which knows how it varies over other samples."""
    column = np.asarray(Z, dtype=np.float64)[:, 0]
    return Mean(float(column.mean()), column)
