"""A bounded random sample of the activations that pass by in training."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import torch

from eigentropy.report.measures import DEFAULT_WITH_LABELS
from eigentropy.torch.monitoring.collection import ActivationSource, Counted, Place, Watched
from eigentropy.torch.monitoring.passes import Pass, PassingSamples
from eigentropy.torch.monitoring.rows import uneven
from eigentropy.torch.monitoring.samples import (
    Array,
    Numbering,
    Numbers,
    Samples,
    as_array,
    as_labels,
    as_sample_numbers,
    check_lengths,
)
from eigentropy.torch.monitoring.where import Rows, put, room


class Reservoir(ActivationSource):
    """Samples of training itself, for a monitor: a random sample, without repetition, of at most n.

    They come from the last forward pass before each `Monitor.step`. Each measurement empties the
    reservoir, so without `budget` the sample is of at most `every` batches.

    Parameters
    ----------
    n : int
        With ``pooling="tokens"``, of tokens.
    """

    needs_labels = False

    @property
    def default_measures(self) -> tuple[str, ...]:
        """The entropy, and the information about the labels where steps are given some."""
        return DEFAULT_WITH_LABELS

    def attach(self, watched: Watched, seed: int) -> TrainingSamples:
        """Watch the training of one model."""
        return TrainingSamples(watched, self.n, seed)


class TrainingSamples(PassingSamples):
    """At most `most` rows of those that have passed since the last measurement (algorithm R).

    Rows are those of samples, or of the tokens of samples. All layers hold the same ones, in the
    same order. A pass counts if it begins with gradients and the model or a watched layer is in
    training mode. Of several before a `commit` the last one counts.
    """

    def __init__(self, watched: Watched, most: int, seed: int) -> None:
        super().__init__(watched, "a reservoir")
        self.most = most
        self.numbering = Numbering()
        self.generator = np.random.default_rng(seed)
        self._forget()

    def _forget(self) -> None:
        self.seen = 0  # rows
        self.samples = Counted()
        self.stored: dict[str, Rows] = {}
        self.passed: Counter[str] = Counter()
        self.labels: dict[int, Any] = {}
        self.numbers: dict[int, int] = {}

    def _counts(self, modules: list[torch.nn.Module]) -> bool:
        return torch.is_grad_enabled() and any(module.training for module in modules)

    def _kept(self, found: Pass, rows: torch.Tensor) -> Rows:
        if found.chosen is None:
            found.slots, found.chosen = self._draw(len(rows))
        return self.where.kept(rows, found.chosen)

    def _draw(self, size: int) -> tuple[Numbers, Numbers]:
        """Places, and the row of a batch for each; of two rows for one place the later stays."""
        positions = self.seen + np.arange(size)
        drawn = self.generator.integers(0, positions + 1)
        slots = np.where(positions < self.most, positions, drawn)
        backwards = np.flatnonzero(slots < self.most)[::-1]
        places, first = np.unique(slots[backwards], return_index=True)
        return places, backwards[first]

    def commit(self, labels: Any, index: Any, needs_labels: bool) -> None:
        """Take what the last batch has of the samples that are kept."""
        self._check_thread("step")
        if labels is None and needs_labels:
            raise ValueError(
                "labels are missing: dsmi_y and kernel_y with a reservoir need step(labels) at "
                "each step; or leave them out of measures"
            )
        known, numbers = as_labels(labels), as_sample_numbers(index)
        self.numbering.check(numbers, self.seen)
        check_lengths(self.size, "training", labels=known, index=numbers)
        batch = self._taken()
        if batch.chosen is not None and batch.slots is not None:
            known = batch.labels_of_rows(known)
            numbers = None if numbers is None else batch.numbers_of_rows(numbers)
            self._keep_labels(batch.slots.tolist(), batch.chosen.tolist(), known, numbers)
            self._keep_rows(batch, batch.slots)
        self.seen += batch.count
        self.samples += batch.counted

    def _keep_labels(
        self, slots: list[int], rows: list[int], labels: Array | None, numbers: Numbers | None
    ) -> None:
        own = None if labels is None else labels[rows]  # a copy: the loop may reuse its memory
        for number, (slot, row) in enumerate(zip(slots, rows, strict=True)):
            self.labels.pop(slot, None)  # of the sample that was there before
            if own is not None:
                self.labels[slot] = own[number]
            if numbers is not None:
                self.numbers[slot] = int(numbers[row])

    def _keep_rows(self, batch: Pass, slots: Numbers) -> None:
        for name, part in batch.rows.items():
            if name not in self.stored:
                self.stored[name] = room(self.most, part)
            if self.stored[name].shape[1] != part.shape[1]:
                self.unusable[name] = uneven(self.stored[name].shape[1], part.shape[1])
                continue
            put(self.stored[name], slots, part)
            self.passed[name] += batch.count

    @property
    def n(self) -> int:
        """Number of rows that it holds."""
        return min(self.seen, self.most)

    def discard(self) -> None:
        """Forget the samples."""
        self._forget()

    def expected(self) -> tuple[int, list[int]]:
        """How many rows are there to measure, and how many columns each layer has."""
        return self.n, [rows.shape[1] for rows in self.stored.values()]

    def take(self, place: Place) -> Samples:
        """The samples of each layer and their labels, if these were given; afterwards none is left.

        A layer that some batches have not passed is left out, and so are the labels if some samples
        have none. Samples without numbers get numbers that no other process gives.
        """
        n, self.counted = self.n, self.samples
        rows = {
            name: rows[:n]
            for name, rows in self.stored.items()
            if 0 < self.passed[name] == self.seen
        }
        known = [self.labels[slot] for slot in range(n) if slot in self.labels]
        numbers = [self.numbers.get(slot, slot * place.processes + place.rank) for slot in range(n)]
        labels = as_array(known, "labels") if known and len(known) == n else None
        self._forget()
        return Samples(rows, np.array(numbers, dtype=np.int64), labels)
