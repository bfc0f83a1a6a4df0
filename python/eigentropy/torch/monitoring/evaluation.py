"""Samples of the passes by which a loop evaluates its model: no pass for the monitor alone."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import torch

from eigentropy._support import memory
from eigentropy.report.measures import DEFAULT_WITH_LABELS
from eigentropy.torch.monitoring.collection import ActivationSource, Place, Watched
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
    priorities,
)


class Evaluation(ActivationSource):
    """Samples of the loop's own evaluation, for a monitor: at most n, the same at each measurement.

    The monitor makes no pass of its own. The loop calls `Monitor.collect` after each batch that it
    evaluates, and `Monitor.step` after the last one.

    Parameters
    ----------
    n : int
    """

    @property
    def default_measures(self) -> tuple[str, ...]:
        """The entropy, and the information about the labels."""
        return DEFAULT_WITH_LABELS

    def attach(self, watched: Watched, seed: int) -> EvaluatedSamples:
        """Watch the evaluations of one model."""
        return EvaluatedSamples(watched, self.n, seed)


class EvaluatedSamples(PassingSamples):
    """At most `most` of the samples that pass in evaluation mode, the same each time.

    The samples whose numbers have the lowest `priorities` are kept: neither the order of the
    samples nor the process that sees them makes a difference. A sample that passes twice counts
    once.
    """

    def __init__(self, watched: Watched, most: int, seed: int) -> None:
        super().__init__(watched, "an evaluation")
        self.most, self.seed = most, seed
        self.numbering = Numbering()
        self._forget()

    def _forget(self) -> None:
        self.seen = 0
        self.stored: dict[str, Array] = {}
        self.passed: Counter[str] = Counter()
        self.count = 0  # of the places that samples have taken; for each place:
        self.numbers = np.empty(self.most, dtype=np.int64)
        self.ranks = np.empty(self.most, dtype=np.uint64)
        self.labelled = np.zeros(self.most, dtype=bool)
        self.labels: Array | None = None
        self.known: set[int] = set()  # their numbers

    def _counts(self, modules: list[torch.nn.Module]) -> bool:
        return not self.root.training

    def _kept(self, found: Pass, rows: torch.Tensor) -> torch.Tensor:
        return rows.clone()

    def collect(self, labels: Any, index: Any, needs_labels: bool, place: Place) -> None:
        """Take what the last batch has of the samples that are kept.

        Without numbers the samples are counted, as if dealt out to the processes in turn.
        """
        if labels is None and needs_labels:
            raise ValueError(
                "labels are missing: dsmi_y and kernel_y need collect(labels); or leave them out "
                "of measures"
            )
        known, numbers = as_labels(labels), as_sample_numbers(index)
        self.numbering.check(numbers, self.seen)
        if numbers is None:
            numbers = (self.seen + np.arange(self.size)) * place.processes + place.rank
        self._keep(known, numbers)

    def _keep(self, labels: Array | None, numbers: Numbers) -> None:
        check_lengths(self.size, "evaluation", index=numbers, labels=labels)
        slots, rows = self._places(numbers)
        size, batch = self.size, self._taken()
        for name, part in batch.rows.items():
            if name not in self.stored:
                self.stored[name] = self._room(part)
            if self.stored[name].shape[1] != part.shape[1]:
                self.unusable[name] = uneven(self.stored[name].shape[1], part.shape[1])
                continue
            if len(rows):
                chosen = part[torch.from_numpy(rows).to(part.device)]
                self.stored[name][slots] = chosen.cpu().numpy()
            self.passed[name] += size
        self.labelled[slots] = labels is not None
        if labels is not None:
            self._keep_labels(slots, labels[rows])
        self.seen += size

    def _keep_labels(self, slots: Numbers, labels: Array) -> None:
        if self.labels is None:
            self.labels = np.empty((self.most, *labels.shape[1:]), labels.dtype)
        wide = np.promote_types(self.labels.dtype, labels.dtype)  # strings may be longer
        self.labels = self.labels.astype(wide, copy=False)
        self.labels[slots] = labels

    def _room(self, part: torch.Tensor) -> Array:
        size = self.most * part.shape[1] * part.element_size()
        memory.require(
            float(size),
            f"what another layer returns for {self.most} samples",
            "use pooling='mean', fewer layers or a smaller Evaluation(n)",
        )
        return np.zeros((self.most, part.shape[1]), str(part.dtype).removeprefix("torch."))

    def _places(self, numbers: Numbers) -> tuple[Numbers, Numbers]:
        """The places that change, and the row of the batch that comes to each."""
        ranks = priorities(numbers, self.seed)
        n, full = self.count, self.count == self.most
        low = np.flatnonzero(ranks < self.ranks.max()) if full else np.arange(len(ranks))
        new: dict[int, int] = {}  # the row of each number
        for number, row in zip(numbers[low].tolist(), low.tolist(), strict=True):
            if number not in self.known:
                new.setdefault(number, row)
        rows = np.fromiter(new.values(), np.int64, len(new))
        slots = np.arange(n, min(n + len(rows), self.most))
        if len(slots) < len(rows):
            together = np.concatenate([self.ranks[:n], ranks[rows]])
            stays = np.zeros(len(together), dtype=bool)
            stays[np.argpartition(together, self.most - 1)[: self.most]] = True
            leaving = np.flatnonzero(~stays[:n])
            self.known.difference_update(self.numbers[leaving].tolist())
            slots, rows = np.concatenate([slots, leaving]), rows[stays[n:]]
        self.numbers[slots], self.ranks[slots] = numbers[rows], ranks[rows]
        self.known.update(numbers[rows].tolist())
        self.count = len(self.known)
        return slots, rows

    def pass_over(self) -> None:
        """Forget the samples: the weights will have changed when the next step is measured."""
        self.discard()

    def discard(self) -> None:
        """Forget the samples."""
        self._forget()

    def take(self, place: Place) -> Samples:
        """The samples, ordered by number; afterwards there are none.

        A layer that some batches have not passed is left out, and so are the labels if some samples
        have none.
        """
        order = np.argsort(self.numbers[: self.count])
        complete = [name for name in self.stored if 0 < self.passed[name] == self.seen]
        rows = {name: self.stored[name][order] for name in complete}
        labels = None
        if self.labels is not None and self.labelled[: self.count].all():
            labels = self.labels[order]
            if labels.dtype == object:  # their common type shows only when they are together
                labels = as_array(labels.tolist(), "labels")
        numbers = self.numbers[order]
        self._forget()
        return Samples(rows, numbers, labels)
