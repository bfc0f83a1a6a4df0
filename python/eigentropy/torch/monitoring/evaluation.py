"""Activations of the passes by which a loop evaluates its model: no pass for the monitor alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from eigentropy._support import memory
from eigentropy._support.options import integer
from eigentropy.torch.monitoring.layers import Pooling, first_tensor, pooled, unwrapped, watch
from eigentropy.torch.monitoring.samples import Numbers, Samples, check_lengths, priorities

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
        self.count = 0  # of the places that are taken, each by a sample:
        self.numbers = np.empty(self.capacity, dtype=np.int64)
        self.ranks = np.empty(self.capacity, dtype=np.uint64)
        self.labelled = np.zeros(self.capacity, dtype=bool)
        self.labels: Array | None = None
        self.known: set[int] = set()  # their numbers

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
        slots, rows = self._places(numbers)
        for name, part in self.batch.items():
            if name not in self.stored or self.stored[name].shape[1] != part.shape[1]:
                self.stored[name] = self._room(part)
            if len(rows):
                chosen = part[torch.from_numpy(rows).to(part.device)]
                self.stored[name][slots] = chosen.cpu().numpy()
            self.passed[name] += self.size
        self.labelled[slots] = labels is not None
        if labels is not None:
            self._keep_labels(slots, labels[rows])
        self.seen += self.size
        self._start()

    def _keep_labels(self, slots: Numbers, labels: Array) -> None:
        if self.labels is None:
            self.labels = np.empty((self.capacity, *labels.shape[1:]), labels.dtype)
        wide = np.promote_types(self.labels.dtype, labels.dtype)  # strings may be longer
        self.labels = self.labels.astype(wide, copy=False)
        self.labels[slots] = labels

    def _room(self, part: torch.Tensor) -> Array:
        size = self.capacity * part.shape[1] * part.element_size()
        memory.require(
            float(size),
            f"what another layer returns for {self.capacity} samples",
            "use pooling='mean', fewer layers or a smaller evaluation=",
        )
        return np.zeros((self.capacity, part.shape[1]), str(part.dtype).removeprefix("torch."))

    def _places(self, numbers: Numbers) -> tuple[Numbers, Numbers]:
        """The places that change, and the row of the batch that comes to each."""
        ranks = priorities(numbers, self.seed)
        n, full = self.count, self.count == self.capacity
        low = np.flatnonzero(ranks < self.ranks.max()) if full else np.arange(len(ranks))
        new: dict[int, int] = {}  # the row of each number
        for number, row in zip(numbers[low].tolist(), low.tolist(), strict=True):
            if number not in self.known:
                new.setdefault(number, row)
        rows = np.fromiter(new.values(), np.int64, len(new))
        slots = np.arange(n, min(n + len(rows), self.capacity))
        if len(slots) < len(rows):
            together = np.concatenate([self.ranks[:n], ranks[rows]])
            stays = np.zeros(len(together), dtype=bool)
            stays[np.argpartition(together, self.capacity - 1)[: self.capacity]] = True
            leaving = np.flatnonzero(~stays[:n])
            self.known.difference_update(self.numbers[leaving].tolist())
            slots, rows = np.concatenate([slots, leaving]), rows[stays[n:]]
        self.numbers[slots], self.ranks[slots] = numbers[rows], ranks[rows]
        self.known.update(numbers[rows].tolist())
        self.count = len(self.known)
        return slots, rows

    def take(self) -> Samples:
        """The samples, ordered by number; empties it.

        A layer that some batches have not passed is left out, and so are labels that some samples
        lack.
        """
        order = np.argsort(self.numbers[: self.count])
        complete = [name for name in self.stored if self.passed[name] == self.seen]
        rows = {name: self.stored[name][order] for name in complete}
        labels = None
        if self.labels is not None and self.labelled[: self.count].all():
            labels = self.labels[order]
            if labels.dtype == object:  # of which kind they are is seen where they are together
                labels = np.asarray(labels.tolist())
        numbers = self.numbers[order]
        self._forget()
        return Samples(rows, numbers, labels)

    def remove(self) -> None:
        """Take the hooks off the model."""
        for handle in self.handles:
            handle.remove()
