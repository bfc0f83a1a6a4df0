"""Samples of the passes by which a loop evaluates its model: no pass for the monitor alone."""

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
    LowestPriorities,
    Numbering,
    Numbers,
    Samples,
    as_array,
    as_labels,
    as_sample_numbers,
    check_lengths,
    chosen_rows,
)
from eigentropy.torch.monitoring.where import Rows, put, require_room, room


class Evaluation(ActivationSource):
    """Samples of the loop's own evaluation, for a monitor: at most n, the same at each measurement.

    The monitor makes no pass of its own. The loop calls `Monitor.collect` after each batch that it
    evaluates, and `Monitor.step` after the last one.

    Parameters
    ----------
    n : int
        With ``pooling="tokens"``, of tokens, uniformly from all that are kept.
    """

    @property
    def default_measures(self) -> tuple[str, ...]:
        """The entropy, and the information about the labels."""
        return DEFAULT_WITH_LABELS

    def attach(self, watched: Watched, seed: int) -> EvaluatedSamples:
        """Watch the evaluations of one model."""
        return EvaluatedSamples(watched, self.n, seed)


class EvaluatedSamples(PassingSamples):
    """At most `most` of the rows that pass in evaluation mode, the same each time.

    Rows are those of samples, or of the tokens of samples. Those whose numbers have the lowest
    `priorities` are kept: neither the order of the samples nor the process that sees them makes a
    difference. A sample that passes twice counts once.
    """

    def __init__(self, watched: Watched, most: int, seed: int) -> None:
        super().__init__(watched, "an evaluation")
        self.most, self.seed = most, seed
        self.numbering = Numbering()
        self._forget()

    def _forget(self) -> None:
        self.seen = Counted()
        self.stored: dict[str, Rows] = {}
        self.passed: Counter[str] = Counter()
        self.kept = LowestPriorities(self.most, self.seed)
        self.labelled = np.zeros(self.most, dtype=bool)  # for each place
        self.labels: Array | None = None

    def _counts(self, modules: list[torch.nn.Module]) -> bool:
        return not self.root.training

    def _kept(self, found: Pass, rows: torch.Tensor) -> torch.Tensor:
        return rows.clone()

    def collect(self, labels: Any, index: Any, needs_labels: bool, place: Place) -> None:
        """Take what the last batch has of the samples that are kept.

        Without numbers the samples are counted, as if dealt out to the processes in turn.
        """
        self._check_thread("collect")
        if labels is None and needs_labels:
            raise ValueError(
                "labels are missing: dsmi_y and kernel_y need collect(labels); or leave them out "
                "of measures"
            )
        known, numbers = as_labels(labels), as_sample_numbers(index)
        self.numbering.check(numbers, self.seen.prompts)
        if numbers is None:
            numbers = (self.seen.prompts + np.arange(self.size)) * place.processes + place.rank
        self._keep(known, numbers)

    def _keep(self, labels: Array | None, numbers: Numbers) -> None:
        check_lengths(self.size, "evaluation", index=numbers, labels=labels)
        size, batch = self.size, self._taken()
        labels = batch.labels_of_rows(labels)
        slots, rows = self.kept.places(batch.numbers_of_rows(numbers))
        for name, part in batch.rows.items():
            chosen = self.where.kept(part, rows)
            if name not in self.stored:
                self.stored[name] = self._room(chosen)
            if self.stored[name].shape[1] != part.shape[1]:
                self.unusable[name] = uneven(self.stored[name].shape[1], part.shape[1])
                continue
            if len(rows):
                put(self.stored[name], slots, chosen)
            self.passed[name] += size
        self.labelled[slots] = labels is not None
        if labels is not None:
            self._keep_labels(slots, labels[rows])
        self.seen += batch.counted

    def _keep_labels(self, slots: Numbers, labels: Array) -> None:
        if self.labels is None:
            self.labels = np.empty((self.most, *labels.shape[1:]), labels.dtype)
        wide = np.promote_types(self.labels.dtype, labels.dtype)  # strings may be longer
        self.labels = self.labels.astype(wide, copy=False)
        self.labels[slots] = labels

    def _room(self, part: Rows) -> Rows:
        require_room(
            float(self.most * part.shape[1] * part.itemsize),
            part,
            f"what another layer returns for {self.most} samples",
            "use pooling='mean', fewer layers or a smaller Evaluation(n)",
        )
        return room(self.most, part)

    def pass_over(self) -> None:
        """Forget the samples: the weights will have changed when the next step is measured."""
        self.discard()

    def discard(self) -> None:
        """Forget the samples."""
        self._forget()

    def expected(self) -> tuple[int, list[int]]:
        """How many rows are there to measure, and how many columns each layer has."""
        return self.kept.count, [rows.shape[1] for rows in self.stored.values()]

    def take(self, place: Place) -> Samples:
        """The samples, ordered by number; afterwards there are none.

        A layer that some batches have not passed is left out, and so are the labels if some samples
        have none.
        """
        order = np.argsort(self.kept.numbers[: self.kept.count])
        seen = self.counted = self.seen
        complete = [name for name in self.stored if 0 < self.passed[name] == seen.prompts]
        # One layer at a time: there is no second copy of all of them.
        rows = {name: chosen_rows(self.stored.pop(name), order) for name in complete}
        labels = None
        if self.labels is not None and self.labelled[: self.kept.count].all():
            labels = self.labels[order]
            if labels.dtype == object:  # their common type shows only when they are together
                labels = as_array(labels.tolist(), "labels")
        numbers = self.kept.numbers[order]
        self._forget()
        return Samples(rows, numbers, labels)
