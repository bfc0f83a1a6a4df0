"""A bounded random sample of the activations that pass by in training."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from eigentropy.torch.monitoring.collection import (
    ActivationSource,
    Collection,
    Place,
    Watched,
)
from eigentropy.torch.monitoring.layers import first_tensor, pooled, watch
from eigentropy.torch.monitoring.samples import (
    Array,
    Numbering,
    Samples,
    as_labels,
    as_sample_numbers,
    check_lengths,
)


class Reservoir(ActivationSource):
    """Samples of training itself, for a monitor: a random sample, without repetition, of at most n.

    They come from the last forward pass before each `Monitor.step`. Each measurement empties the
    reservoir, so without `budget` the sample is of at most `every` batches.

    Parameters
    ----------
    n : int
    """

    @property
    def default_measures(self) -> tuple[str, ...]:
        """The entropy."""
        return ("dse",)

    def attach(self, watched: Watched, seed: int) -> TrainingSamples:
        """Watch the training of one model."""
        return TrainingSamples(watched, self.n, seed)


class TrainingSamples(Collection):
    """At most `most` samples of those that have passed since the last measurement (algorithm R).

    All layers hold the same samples, in the same order. Only forward passes in training mode with
    gradients count; of several before a `commit`, the last one.
    """

    def __init__(self, watched: Watched, most: int, seed: int) -> None:
        self.most, self.pooling = most, watched.pooling
        self.repeated: set[str] = set()
        self.numbering = Numbering()
        self.generator = np.random.default_rng(seed)
        self._forget()
        self._forget_batch()
        self.handles = watch(
            watched.model, watched.layers, self._start, self._record, "a reservoir"
        )

    def _forget(self) -> None:
        self.seen = 0
        self.stored: dict[str, Array] = {}
        self.passed: Counter[str] = Counter()
        self.labels: dict[int, Any] = {}
        self.numbers: dict[int, int] = {}

    def _forget_batch(self) -> None:
        self.size = 0
        self.slots: npt.NDArray[np.int64] = np.empty(0, dtype=np.int64)
        self.rows: npt.NDArray[np.int64] = np.empty(0, dtype=np.int64)
        self.batch: dict[str, Array] = {}

    def _start(self) -> None:
        if torch.is_grad_enabled():
            self._forget_batch()

    def _record(self, module: torch.nn.Module, name: str, output: Any) -> None:
        if not (module.training and torch.is_grad_enabled()):
            return
        if self.size == 0:
            self._draw(len(first_tensor(output, name)))
        rows = pooled(output, name, self.pooling, self.size)
        chosen = rows[torch.from_numpy(self.rows).to(rows.device)]  # a copy
        if self.batch.pop(name, None) is not None:
            self.repeated.add(name)
        self.batch[name] = chosen.cpu().numpy()

    def _draw(self, size: int) -> None:
        """Choose which rows of a batch go to which places; of two for one place the later stays."""
        positions = self.seen + np.arange(size)
        drawn = self.generator.integers(0, positions + 1)
        slots = np.where(positions < self.most, positions, drawn)
        backwards = np.flatnonzero(slots < self.most)[::-1]
        self.slots, first = np.unique(slots[backwards], return_index=True)
        self.rows, self.size = backwards[first], size

    def commit(self, labels: Any, index: Any, needs_labels: bool) -> None:
        """Take what the last batch has of the samples that are kept."""
        if labels is None and needs_labels:
            raise ValueError("labels are missing: dsmi_y with a reservoir needs step(labels)")
        known, numbers = as_labels(labels), as_sample_numbers(index)
        self.numbering.check(numbers, self.seen)
        check_lengths(self.size, "training", labels=known, index=numbers)
        places = list(zip(self.slots.tolist(), self.rows.tolist(), strict=True))
        for slot, row in places:
            self.labels.pop(slot, None)  # of the sample that was there before
            if known is not None:
                self.labels[slot] = known[row]
        if numbers is not None:
            self.numbers.update({slot: int(numbers[row]) for slot, row in places})
        for name, part in self.batch.items():
            if name not in self.stored or self.stored[name].shape[1] != part.shape[1]:
                self.stored[name] = np.zeros((self.most, part.shape[1]), part.dtype)
            self.stored[name][self.slots] = part
            self.passed[name] += self.size
        self.seen += self.size
        self._forget_batch()

    @property
    def n(self) -> int:
        """Number of samples that it holds."""
        return min(self.seen, self.most)

    def discard(self) -> None:
        """Forget the samples."""
        self._forget()

    def take(self, place: Place) -> Samples:
        """The samples of each layer and their labels, if these were given; afterwards none is left.

        A layer that some batches have not passed is left out, and so are the labels if some samples
        have none. Samples without numbers get numbers that no other process gives.
        """
        n = self.n
        rows = {
            name: rows[:n] for name, rows in self.stored.items() if self.passed[name] == self.seen
        }
        known = [self.labels[slot] for slot in range(n) if slot in self.labels]
        numbers = [self.numbers.get(slot, slot * place.processes + place.rank) for slot in range(n)]
        labels = np.asarray(known) if known and len(known) == n else None
        self._forget()
        return Samples(rows, np.array(numbers, dtype=np.int64), labels)

    def remove(self) -> None:
        """Take the hooks off the model."""
        for handle in self.handles:
            handle.remove()
