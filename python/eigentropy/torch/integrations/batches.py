"""What callbacks of trainers share: labels and numbers of samples in the batches evaluated."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from eigentropy.torch.monitoring.monitor import Monitor

# Under these keys labels are looked for, in this order.
KEYS = ("labels", "label", "y")


@dataclass(frozen=True)
class Batches:
    """How a monitor of the loop's own evaluation gets what it needs out of a batch.

    Attributes
    ----------
    labels, index : callable or None
        From a batch to its labels and the numbers of its samples. Without them the labels are
        found by `labels_of`, and the samples counted.
    """

    labels: Callable[[Any], Any] | None = None
    index: Callable[[Any], Any] | None = None

    def collect(self, monitor: Monitor, batch: Any) -> None:
        """Hand the monitor a batch that has just passed.

        Raises
        ------
        ValueError
            The monitor needs labels, and there are none, or what is found may be something else.
        """
        known = self._known(batch) if "dsmi_y" in monitor.measures else None
        monitor.collect(known, None if self.index is None else self.index(batch))

    def _known(self, batch: Any) -> Any:
        if self.labels is not None:
            return self.labels(batch)
        found = labels_of(batch)
        if found is None:
            raise ValueError(f"there are no labels in what is evaluated: {_ADVICE}")
        if getattr(found, "ndim", 1) > 1:  # such as a second picture, or a class for each token
            shape = tuple(found.shape)
            raise ValueError(f"in what is evaluated, labels would be of shape {shape}: {_ADVICE}")
        return found


_ADVICE = "give labels=, a function of the batch, or measures without 'dsmi_y'"


def labels_of(batch: Any) -> Any:
    """What a mapping has under one of `KEYS`, or the last of several entries; None without."""
    if isinstance(batch, Mapping):
        return next((batch[key] for key in KEYS if batch.get(key) is not None), None)
    return batch[-1] if isinstance(batch, (tuple, list)) and len(batch) > 1 else None


def refuse_reservoir(options: Mapping[str, Any]) -> None:
    """Of all batches since the last step a callback's monitor would have the last one alone."""
    if options.get("reservoir") is not None:
        raise ValueError(
            "a reservoir needs a step after each training batch, and this callback makes one an "
            "epoch or evaluation: use evaluation=, a probe, or a Monitor in the training step"
        )
