"""Which rows the layers have, and how a value of them moves with the prompts."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from eigentropy._kernels.groups import Codes
from eigentropy._measures.sampling.halves import (
    Halves,
    divisions,
    divisions_of_blocks,
    used_blocks,
)
from eigentropy._measures.sampling.variation import Variation, check_rows

Doubles = npt.NDArray[np.float64]
Numbers = npt.NDArray[np.int64]

# Random rows stand for more of them where a measure is taken of 32 subsets for its sampling error.
SUBSET_ROWS = 1024


class MeasuredValue(NamedTuple):
    """A measure of a layer.

    Attributes
    ----------
    value : float
    variation : Variation or None
        How it moves with the prompts; None where that is not known.
    error, bound : float
        Of estimated spectra, and of rounding.
    nulls : array of shape (partitions,), or None
        Of an information, what each random partition gave: the same ones in all layers.
    """

    value: float
    variation: Variation | None = None
    error: float = 0.0
    bound: float = 0.0
    nulls: Doubles | None = None


@dataclass(frozen=True)
class PromptSample:
    """Which rows the layers have: all layers the same.

    Attributes
    ----------
    prompts : array of int, shape (m,)
        Which prompt each row is of.
    codes : array of int, shape (m,), or None
        The class of each row.
    seed : int
    sampling : bool
    """

    prompts: Numbers
    codes: Codes | None
    seed: int
    sampling: bool

    @cached_property
    def blocks(self) -> Numbers:
        """The prompt of each row, from 0 without gaps."""
        return np.unique(self.prompts, return_inverse=True)[1].reshape(-1)

    @property
    def n(self) -> int:
        """How many prompts have rows: the independent units."""
        return int(self.blocks.max()) + 1

    @property
    def is_of_tokens(self) -> bool:
        """Whether a prompt has several rows."""
        return self.n < len(self.prompts)

    @cached_property
    def used(self) -> int:
        """How many prompts the subsets are drawn from: those of some `SUBSET_ROWS` rows."""
        if self.is_of_tokens:
            return used_blocks(self.blocks, SUBSET_ROWS)
        return min(self.n, SUBSET_ROWS)

    @cached_property
    def sets(self) -> list[Numbers]:
        """The rows of halves and of three quarters of the prompts; none without sampling."""
        if not self.sampling:
            return []
        if self.is_of_tokens:
            found = divisions_of_blocks(self.blocks, self.seed, most=SUBSET_ROWS)
        else:
            found = divisions(self.n, self.seed, most=SUBSET_ROWS)
        return [rows for one in found for pair in one for rows in pair]

    def moved(self, value: float, subsets: Any) -> Variation | None:
        """How a value moves, from its values on the sets: shape (sets,), or (sets, 2)."""
        if subsets is None:
            return None
        values = np.asarray(subsets, dtype=np.float64)
        if values.ndim == 1:
            values = np.stack([values, values], axis=1)
        halves, rests = values.reshape(-1, 2, 2, 2).transpose(1, 0, 2, 3)
        return Halves(self.n, value, halves, rests, self.seed, self.used)

    def first(self, most: int) -> Numbers:
        """A random sample of the prompts, where each prompt is one row."""
        generator = np.random.default_rng(self.seed)
        return np.sort(generator.permutation(self.n)[:most])


@dataclass(frozen=True, eq=False)
class MeanOfPrompts(Variation):
    """A mean over prompts.

    Attributes
    ----------
    values : array (prompts,)
        NaN of those that have none, which do not count.
    """

    values: Doubles

    @property
    def known(self) -> Doubles:
        """Those that count."""
        return self.values[np.isfinite(self.values)]

    @property
    def n(self) -> int:  # type: ignore[override]
        """How many prompts count."""
        return len(self.known)

    @property
    def value(self) -> float:  # type: ignore[override]
        """The mean."""
        return float(self.known.mean()) if self.n else math.nan

    @property
    def standard_error(self) -> float:
        """Standard deviation over prompts, over the root of their number."""
        return float(self.known.std(ddof=1)) / math.sqrt(self.n) if self.n > 1 else math.nan

    @property
    def degrees(self) -> float:
        """Degrees of freedom of `standard_error`."""
        return self.n - 1.0

    def minus(self, other: Variation) -> MeanOfPrompts:
        """The mean of the differences, prompt by prompt."""
        assert isinstance(other, MeanOfPrompts)
        return MeanOfPrompts(self.values - other.values)


def mean_of_prompts(values: Doubles, sampling: bool) -> MeasuredValue:
    """The mean of what each prompt has by itself."""
    mean = MeanOfPrompts(values)
    return MeasuredValue(mean.value, mean if sampling and mean.n > 1 else None)


def why_no_errors(sample: PromptSample) -> str:
    """Why there are no sampling errors; empty if there can be."""
    try:
        check_rows(sample.n)
    except ValueError as error:
        return str(error).replace("rows", "prompts", 1)
    return ""
