"""A bounded random sample of the activations that pass by in training."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from eigentropy._support.options import integer
from eigentropy.torch.monitoring.layers import Pooling, first_tensor, pooled, watch
from eigentropy.torch.monitoring.samples import Numbers, Samples, check_lengths

Array = npt.NDArray[Any]


class Reservoir:
    """At most `capacity` samples of those that have passed since it was emptied (algorithm R).

    All layers hold the same samples, in the same order. Only forward passes in training mode with
    gradients count, of these the last one before `commit`.
    """

    def __init__(
        self,
        model: torch.nn.Module,
        layers: Mapping[str, torch.nn.Module],
        pooling: Pooling,
        capacity: int,
        seed: int,
    ) -> None:
        self.capacity = integer(capacity, "reservoir", at_least=1)
        self.repeated: set[str] = set()  # layers that ran several times in one pass
        self.pooling = pooling
        self.generator = np.random.default_rng(seed)
        self.seen = 0
        self.stored: dict[str, Array] = {}
        self.passed: Counter[str] = Counter()
        self.labels: dict[int, Any] = {}
        self.numbers: dict[int, int] = {}
        self._forget_batch()
        self.handles = watch(model, layers, self._start, self._record, "a reservoir")

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
        """Which rows of a batch go to which places; of two for one place the later stays."""
        positions = self.seen + np.arange(size)
        drawn = self.generator.integers(0, positions + 1)
        slots = np.where(positions < self.capacity, positions, drawn)
        backwards = np.flatnonzero(slots < self.capacity)[::-1]
        self.slots, first = np.unique(slots[backwards], return_index=True)
        self.rows, self.size = backwards[first], size

    def commit(self, labels: Any = None, numbers: Numbers | None = None) -> None:
        """Take over what was chosen of the last batch, of samples with these numbers."""
        places = list(zip(self.slots.tolist(), self.rows.tolist(), strict=True))
        check_lengths(self.size, "training", labels=labels, index=numbers)
        for slot, row in places:
            self.labels.pop(slot, None)  # of a sample that had to go
            if labels is not None:
                self.labels[slot] = labels[row]
        if numbers is not None:
            self.numbers.update({slot: int(numbers[row]) for slot, row in places})
        for name, part in self.batch.items():
            if name not in self.stored or self.stored[name].shape[1] != part.shape[1]:
                self.stored[name] = np.zeros((self.capacity, part.shape[1]), part.dtype)
            self.stored[name][self.slots] = part
            self.passed[name] += self.size
        self.seen += self.size
        self._forget_batch()

    @property
    def n(self) -> int:
        """Number of samples that it holds."""
        return min(self.seen, self.capacity)

    def take(self, rank: int = 0, processes: int = 1) -> Samples:
        """The samples of each layer and their labels, as far as these were given; empties it.

        A layer that some batches have not passed is left out, and so are labels that some samples
        lack. Samples without numbers get some that no other of the `processes` has.
        """
        n = self.n
        rows = {
            name: rows[:n] for name, rows in self.stored.items() if self.passed[name] == self.seen
        }
        known = [self.labels[slot] for slot in range(n) if slot in self.labels]
        numbers = [self.numbers.get(slot, slot * processes + rank) for slot in range(n)]
        self.seen, self.stored, self.labels, self.numbers = 0, {}, {}, {}
        self.passed.clear()
        labels = np.asarray(known) if known and len(known) == n else None
        return Samples(rows, np.array(numbers, dtype=np.int64), labels)

    def remove(self) -> None:
        """Take the hooks off the model."""
        for handle in self.handles:
            handle.remove()
