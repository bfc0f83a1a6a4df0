"""Rows of layers with the labels and the numbers of their samples."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from eigentropy._backends.host_arrays import as_numpy
from eigentropy._backends.shapes import check_present
from eigentropy._kernels.groups import missing_labels

Array = npt.NDArray[Any]
Numbers = npt.NDArray[np.int64]


def as_array(values: Any, name: str) -> Array:
    """Labels or samples as an array on the host."""
    return as_numpy(values.detach().cpu() if isinstance(values, torch.Tensor) else values, name)


def as_labels(labels: Any) -> Array | None:
    """The argument `labels` as an array, of which no entry is missing.

    Batches come one by one, and all of them together would hide what is missing: NaN among strings
    becomes a string.
    """
    if labels is None:
        return None
    array = as_array(labels, "labels")
    missing = missing_labels(array.reshape(-1))
    if missing.any():
        rows = missing.reshape(len(array) if array.ndim else 1, -1)
        check_present(np.any(rows, axis=1), "labels", " (NaN, None, NA, NaT or masked)")
    return array


def as_sample_numbers(index: Any) -> Numbers | None:
    """The argument `index`, the numbers of samples, as integers."""
    if index is None:
        return None
    numbers = as_array(index, "index")
    if numbers.dtype.kind not in "iu" or numbers.ndim != 1:
        raise TypeError(f"index must be integers (n,), got {numbers.dtype} {numbers.shape}")
    return numbers.astype(np.int64)


class Numbering:
    """Sees to it that all batches of a measurement come with numbers of samples, or none does.

    Without numbers the samples are counted, and a count may be the number of another sample.
    """

    def __init__(self) -> None:
        self.given = False

    def check(self, numbers: Numbers | None, seen: int) -> None:
        """Before a batch is taken, when `seen` samples of the same measurement have passed."""
        given = numbers is not None
        if seen == 0:
            self.given = given
        elif self.given != given:
            this, others = ("none", "one") if self.given else ("one", "none")
            raise ValueError(
                f"index: this batch has {this}, those before it since the last measurement have "
                f"{others}: give it for all or for none"
            )


def _no_batch(mode: str) -> str:
    """Why there may be no batch."""
    hidden = "; checkpoint(model, x, use_reentrant=True) hides its layers: pass use_reentrant=False"
    return f"has the model run in {mode} mode since the last one?" + (
        hidden if mode == "training" else ""
    )


def check_lengths(size: int, mode: str, **given: Any) -> None:
    """Refuse what does not have one entry for each row of the last batch in this mode."""
    for name, values in given.items():
        if values is not None and len(values) != size:
            raise ValueError(
                f"{name} has {len(values)} entries, the last batch in {mode} mode has {size} rows"
                + ("" if size else f": {_no_batch(mode)}")
            )


@dataclass
class Samples:
    """What layers return for some samples.

    Attributes
    ----------
    rows : dict of arrays or tensors (n, d)
        By the names of the layers; a tensor where they lie on a GPU.
    numbers : array of int, shape (n,)
        Which samples of the data set these are.
    labels : array (n, ...) or None
    """

    rows: dict[str, Any]
    numbers: Numbers
    labels: Array | None = None

    def chosen(self, which: npt.NDArray[Any]) -> Samples:
        """Some of them."""
        return Samples(
            {name: chosen_rows(rows, which) for name, rows in self.rows.items()},
            self.numbers[which],
            None if self.labels is None else self.labels[which],
        )

    def distinct(self, most: int, seed: int) -> Samples:
        """Each sample once, `most` of them at most, ordered by number.

        A sampler that shares a data set between processes repeats some samples, so that all
        processes get equally many. Which samples stay depends on their numbers and the seed alone.
        """
        which = distinct(self.numbers, most, seed)
        return self if which is None else self.chosen(which)


def chosen_rows(rows: Any, which: npt.NDArray[Any]) -> Any:
    """A copy of some rows, where they lie; which ones is known on the host."""
    return rows[torch.from_numpy(which) if isinstance(rows, torch.Tensor) else which]


def distinct(numbers: Numbers, most: int, seed: int) -> npt.NDArray[Any] | None:
    """Where each of `most` samples stands first, in the order of their numbers; None for all."""
    if len(numbers) <= most and bool((numbers[1:] > numbers[:-1]).all()):
        return None
    _, first = np.unique(numbers, return_index=True)
    if len(first) > most:
        first = first[np.argsort(priorities(numbers[first], seed))[:most]]
        first = first[np.argsort(numbers[first])]
    return first


class LowestPriorities:
    """The places of the samples, at most `most`, whose numbers have the lowest `priorities`.

    Neither the order of the samples nor how they are dealt out makes a difference, and a sample
    that comes twice has one place.

    Attributes
    ----------
    count : int
        Of the places that are taken.
    numbers : array of int
        The number of the sample in each place, of which the first `count` are taken.
    """

    def __init__(self, most: int, seed: int) -> None:
        self.most, self.seed, self.count = most, seed, 0
        self.numbers = np.empty(0, dtype=np.int64)
        self._ranks = np.empty(0, dtype=np.uint64)
        self._known: set[int] = set()

    def places(self, numbers: Numbers) -> tuple[Numbers, Numbers]:
        """The places that change, and which of these samples comes to each."""
        ranks = priorities(numbers, self.seed)
        n, full = self.count, 0 < self.count == self.most
        low = np.flatnonzero(ranks < self._ranks[:n].max()) if full else np.arange(len(ranks))
        new: dict[int, int] = {}  # the row of each number
        for number, row in zip(numbers[low].tolist(), low.tolist(), strict=True):
            if number not in self._known:
                new.setdefault(number, row)
        rows = np.fromiter(new.values(), np.int64, len(new))
        slots = np.arange(n, min(n + len(rows), self.most))
        self.numbers = lengthened(self.numbers, n + len(slots), self.most)
        self._ranks = lengthened(self._ranks, n + len(slots), self.most)
        if len(slots) < len(rows):
            together = np.concatenate([self._ranks[:n], ranks[rows]])
            stays = np.zeros(len(together), dtype=bool)
            stays[np.argpartition(together, self.most - 1)[: self.most]] = True
            leaving = np.flatnonzero(~stays[:n])
            self._known.difference_update(self.numbers[leaving].tolist())
            slots, rows = np.concatenate([slots, leaving]), rows[stays[n:]]
        self.numbers[slots], self._ranks[slots] = numbers[rows], ranks[rows]
        self._known.update(numbers[rows].tolist())
        self.count = len(self._known)
        return slots, rows


def lengthened(array: Any, length: int, most: int) -> Any:
    """An array or a tensor with at least this length, with the same entries at its beginning.

    It is made twice as long, so that one that grows is not copied each time, but not longer than
    `most`.
    """
    if len(array) >= length:
        return array
    shape = (max(length, min(2 * len(array), most)), *array.shape[1:])
    is_tensor = isinstance(array, torch.Tensor)
    longer = array.new_empty(shape) if is_tensor else np.empty(shape, array.dtype)
    longer[: len(array)] = array
    return longer


# The number of a token is that of its sample times this, and its place among the kept tokens.
TOKENS_OF_A_SAMPLE = 2**20


def token_numbers(samples: Numbers, positions: Numbers) -> Numbers:
    """A number for each token, by the number of its sample and its place among the kept tokens.

    Raises
    ------
    ValueError
        They do not fit into 64 bits.
    """
    most = np.iinfo(np.int64).max // TOKENS_OF_A_SAMPLE
    sample, token = (int(np.abs(some).max(initial=0)) for some in (samples, positions))
    if sample >= most or token >= TOKENS_OF_A_SAMPLE:
        raise ValueError(
            f"pooling='tokens' is for samples with numbers below {most}, got {sample}, of at most "
            f"{TOKENS_OF_A_SAMPLE} tokens, got {token + 1}: give smaller numbers as index"
        )
    return samples * TOKENS_OF_A_SAMPLE + positions


def sample_numbers(tokens: Numbers) -> Numbers:
    """The number of the sample of each token."""
    samples: Numbers = tokens // TOKENS_OF_A_SAMPLE
    return samples


def priorities(numbers: Numbers, seed: int) -> npt.NDArray[np.uint64]:
    """A random-looking rank for each number; different numbers have different ranks.

    The k numbers of a set with the lowest ranks are a random sample of the set, and the samples of
    two sets that overlap overlap as well. It is the finalizer of SplitMix64, a bijection.
    """
    x = numbers.astype(np.uint64) + _offset(seed)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    mixed: npt.NDArray[np.uint64] = x ^ (x >> np.uint64(31))
    return mixed


@lru_cache
def _offset(seed: int) -> npt.NDArray[np.uint64]:
    return np.random.SeedSequence(seed).generate_state(1, np.uint64).astype(np.uint64)
