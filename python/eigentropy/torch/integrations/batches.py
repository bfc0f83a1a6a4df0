"""What the callbacks of trainers share: their options, and the labels in evaluated batches."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch

from eigentropy._support.signatures import check_options, option_names
from eigentropy._support.warnings import warn
from eigentropy.report.measures import named
from eigentropy.torch.monitoring.alarm import CollapseAlarm
from eigentropy.torch.monitoring.collection import Source
from eigentropy.torch.monitoring.evaluation import Evaluation
from eigentropy.torch.monitoring.layers import as_sequence
from eigentropy.torch.monitoring.loaders import labels_of
from eigentropy.torch.monitoring.monitor import Monitor
from eigentropy.torch.monitoring.reservoir import Reservoir
from eigentropy.torch.monitoring.sources import RENAMED, AnySource, as_source


@dataclass
class Batches:
    """How a monitor of an `Evaluation` gets what it needs out of a batch.

    Attributes
    ----------
    labels, index : callable or None
        From a batch to its labels, and to the numbers of its samples. Without them, `labels_of`
        finds the labels, and the samples are counted.
    optional : bool
        Whether labels that are not one number a sample, such as the next token for each token, are
        left out with a warning, and what is measured about labels with them.
    """

    labels: Callable[[Any], Any] | None = None
    index: Callable[[Any], Any] | None = None
    optional: bool = False
    _has_warned: bool = field(default=False, init=False)

    def collect(self, monitor: Monitor, batch: Any) -> None:
        """Hand the monitor a batch that has just passed.

        Raises
        ------
        ValueError
            The monitor needs labels, and there are none, or what is found may be something else.
        """
        about_labels = named("y", monitor.measures)
        known = self._known(batch, about_labels) if about_labels else None
        monitor.collect(known, None if self.index is None else self.index(batch))

    def _known(self, batch: Any, about_labels: Sequence[str]) -> Any:
        found = labels_of(batch) if self.labels is None else self.labels(batch)
        if found is None:
            raise ValueError(f"there are no labels in what is evaluated: {_ADVICE}")
        if self.labels is not None or getattr(found, "ndim", 1) <= 1:
            return found
        shape = tuple(found.shape)  # such as a second picture, or a class for each token
        if not self.optional:
            raise ValueError(f"in what is evaluated, labels would be of shape {shape}: {_ADVICE}")
        if not self._has_warned:
            self._has_warned = True
            warn(
                f"in what is evaluated, labels are of shape {shape}, not one number a sample, so "
                f"that {' and '.join(about_labels)} is not measured: {_ADVICE}"
            )
        return None


class TrainersSteps:
    """Where a trainer was when its monitor took a step: of the values, which may come later."""

    def __init__(self) -> None:
        self._known: dict[int, Any] = {}

    def note(self, monitor: Monitor, where: Any) -> None:
        """The monitor is about to take its next step."""
        self._known[monitor.steps + 1] = where

    def at(self, step: int, otherwise: Any) -> Any:
        """What was noted for a step of the monitor; the notes of all steps are kept."""
        return self._known.get(step, otherwise)


_ADVICE = "give labels=, a function of the batch, or measures without 'dsmi_y' and 'kernel_y'"


def in_words(layers: Any) -> Any:
    """The argument `layers`, with a module, whose name its model knows, as it prints itself."""
    if not any(isinstance(one, torch.nn.Module) for one in as_sequence(layers)):
        return layers
    return [one if isinstance(one, str) else repr(one) for one in as_sequence(layers)]


def callback_source(source: AnySource, probe: Any, options: Mapping[str, Any]) -> Source:
    """The source of a callback's monitor; of a reservoir it would see only the last batch.

    Where the caller has named no measures, an evaluation does without labels: whether there are
    any shows in the batches, which `Batches` looks into.
    """
    found = as_source(source, probe)
    if isinstance(found, Reservoir):
        raise ValueError(
            "a reservoir needs a step after each training batch, and this callback makes one an "
            "epoch or evaluation: use Evaluation(n), Probe(x, labels), or a Monitor in the "
            "training step"
        )
    if isinstance(found, Evaluation) and are_default(options):
        found = copy.copy(found)
        found.needs_labels = False
    return found


def are_default(options: Mapping[str, Any]) -> bool:
    """Whether a callback's options leave it to the monitor what is measured."""
    return options.get("measures") is None


def as_alarms(alarm: CollapseAlarm | Sequence[CollapseAlarm] | None) -> list[CollapseAlarm]:
    """The argument `alarm` of a callback, before there is a monitor."""
    alarms = [alarm] if isinstance(alarm, CollapseAlarm) else [*(alarm or ())]
    for one in alarms:
        if not isinstance(one, CollapseAlarm):
            raise TypeError(
                f"alarm must be CollapseAlarm(...), or several of them, got {type(one).__name__}"
            )
    return alarms


def evaluated(source: Source | None) -> int | None:
    """How many samples of an evaluation a source keeps; None for a probe."""
    return source.n if isinstance(source, Evaluation) else None


def check_callback(callback: Callable[..., object], options: Mapping[str, Any]) -> None:
    """Refuse, before training, options that neither a callback nor its monitor has."""
    known = option_names(callback) | option_names(Monitor.__init__) - {"model"}
    check_options("MonitorCallback", options, known, RENAMED)
