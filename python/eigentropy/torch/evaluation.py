"""Activations of the passes by which a loop evaluates its model: no pass for the monitor alone."""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from eigentropy import _memory
from eigentropy._options import integer
from eigentropy.torch.layers import Pooling, first_tensor, pooled, unwrapped, watch
from eigentropy.torch.samples import Numbers, Samples, check_lengths, priorities

Array = npt.NDArray[Any]


class Evaluation:
    """At most `capacity` of the samples that pass in evaluation mode, the same each time.

    Those whose numbers have the lowest `priorities`: neither the order of the samples nor the
    process that sees them makes a difference. A sample that passes twice counts once.
    """

    def __init__(
        self,
        model: torch.nn.Module,
        layers: Mapping[str, torch.nn.Module],
        pooling: Pooling,
        capacity: int,
        seed: int,
    ) -> None:
        self.capacity = integer(capacity, "evaluation", at_least=1)
        self.repeated: set[str] = set()  # layers that ran several times in one pass
        self.pooling, self.seed = pooling, seed
        self.size = 0
        self.batch: dict[str, torch.Tensor] = {}
        self._forget()
        self.root = unwrapped(model)
        self.handles = watch(model, layers, self._start, self._record, "evaluation")

    def _forget(self) -> None:
        self.seen = 0
        self.stored: dict[str, Array] = {}
        self.passed: Counter[str] = Counter()
        self.slots: dict[int, int] = {}  # by the number of the sample
        self.labels: dict[int, Any] = {}  # by slot
        self.worst: list[tuple[int, int]] = []  # a heap: minus the priority, the number

    def _start(self) -> None:
        self.size, self.batch = 0, {}

    def _record(self, _: torch.nn.Module, name: str, output: Any) -> None:
        """Copies at once: the next module may work in place."""
        if self.root.training:
            return
        if self.size == 0:
            self.size = len(first_tensor(output, name))
        if self.batch.pop(name, None) is not None:
            self.repeated.add(name)
        self.batch[name] = pooled(output, name, self.pooling, self.size).clone()

    def collect(
        self, labels: Any, numbers: Numbers | None, rank: int = 0, processes: int = 1
    ) -> None:
        """Take over what was chosen of the last batch.

        Without numbers the samples are counted, as if dealt out to the processes in turn.
        """
        if numbers is None:
            numbers = (self.seen + np.arange(self.size)) * processes + rank
        check_lengths(self.size, "evaluation", index=numbers, labels=labels)
        places = self._places(numbers)
        slots, rows = list(places), np.fromiter(places.values(), np.int64, len(places))
        for name, part in self.batch.items():
            if name not in self.stored or self.stored[name].shape[1] != part.shape[1]:
                self.stored[name] = self._room(part)
            if len(rows):
                self.stored[name][slots] = part[torch.from_numpy(rows)].cpu().numpy()
            self.passed[name] += self.size
        for slot, row in places.items():
            self.labels.pop(slot, None)  # of a sample that had to go
            if labels is not None:
                self.labels[slot] = labels[row]
        self.seen += self.size
        self._start()

    def _room(self, part: torch.Tensor) -> Array:
        size = self.capacity * part.shape[1] * part.element_size()
        _memory.require(
            float(size),
            f"what another layer returns for {self.capacity} samples",
            "use pooling='mean', fewer layers or a smaller evaluation=",
        )
        return np.zeros((self.capacity, part.shape[1]), str(part.dtype).removeprefix("torch."))

    def _places(self, numbers: Numbers) -> dict[int, int]:
        """The row of the batch for each slot that changes."""
        places: dict[int, int] = {}
        ranks = priorities(numbers, self.seed).tolist()
        for row, (number, rank) in enumerate(zip(numbers.tolist(), ranks, strict=True)):
            if number in self.slots:
                continue
            if len(self.slots) < self.capacity:
                slot = len(self.slots)
                heapq.heappush(self.worst, (-rank, number))
            elif rank < -self.worst[0][0]:
                slot = self.slots.pop(heapq.heappushpop(self.worst, (-rank, number))[1])
            else:
                continue
            self.slots[number] = slot
            places[slot] = row
        return places

    def take(self) -> Samples:
        """The samples, ordered by number; empties it.

        A layer that some batches have not passed is left out, and so are labels that some samples
        lack.
        """
        numbers = np.array(sorted(self.slots), dtype=np.int64)
        slots = [self.slots[number] for number in numbers.tolist()]
        complete = [name for name in self.stored if self.passed[name] == self.seen]
        rows = {name: self.stored[name][slots] for name in complete}
        known = [self.labels[slot] for slot in slots if slot in self.labels]
        labels = np.asarray(known) if known and len(known) == len(slots) else None
        self._forget()
        return Samples(rows, numbers, labels)

    def remove(self) -> None:
        """Take the hooks off the model."""
        for handle in self.handles:
            handle.remove()
