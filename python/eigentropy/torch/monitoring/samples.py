"""Rows of layers with their labels and sample numbers, as a collection or a process has them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
Numbers = npt.NDArray[np.int64]


def check_lengths(size: int, mode: str, **given: Any) -> None:
    """Refuse what has not one entry for each row of the last batch in this mode."""
    for name, values in given.items():
        if values is not None and len(values) != size:
            raise ValueError(
                f"{name} has {len(values)} entries, the last batch in {mode} mode has {size} rows"
            )


@dataclass
class Samples:
    """What layers return for some samples.

    Attributes
    ----------
    rows : dict of arrays (n, d)
        By the names of the layers.
    numbers : array of int, shape (n,)
        Which samples of the data set these are.
    labels : array (n, ...) or None
    """

    rows: dict[str, Array]
    numbers: Numbers
    labels: Array | None = None

    def chosen(self, which: npt.NDArray[Any]) -> Samples:
        """Some of them."""
        return Samples(
            {name: rows[which] for name, rows in self.rows.items()},
            self.numbers[which],
            None if self.labels is None else self.labels[which],
        )

    def distinct(self, most: int, seed: int) -> Samples:
        """Each sample once, `most` of them at most, ordered by number.

        A sampler that deals a data set out to processes gives some samples twice, so that all get
        equally many. Which samples stay depends on their numbers and the seed alone.
        """
        if len(self.numbers) <= most and bool((np.diff(self.numbers) > 0).all()):
            return self
        _, first = np.unique(self.numbers, return_index=True)
        if len(first) > most:
            first = first[np.argsort(priorities(self.numbers[first], seed))[:most]]
            first = first[np.argsort(self.numbers[first])]
        return self.chosen(first)


def priorities(numbers: Numbers, seed: int) -> npt.NDArray[np.uint64]:
    """A random-looking rank for each number, different for different ones.

    Of any set, the k numbers that come first are a random sample, and of two sets that overlap the
    samples overlap. The finalizer of SplitMix64, which is a bijection.
    """
    x = numbers.astype(np.uint64) + _start(seed)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    mixed: npt.NDArray[np.uint64] = x ^ (x >> np.uint64(31))
    return mixed


@lru_cache
def _start(seed: int) -> npt.NDArray[np.uint64]:
    return np.random.SeedSequence(seed).generate_state(1, np.uint64).astype(np.uint64)
