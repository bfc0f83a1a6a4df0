"""A monitor as a callback of Hugging Face's Trainer: `pip install transformers accelerate`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from eigentropy.report.recording import as_recorder
from eigentropy.torch.loggers import as_list, as_log
from eigentropy.torch.monitor import Monitor

try:
    from transformers import TrainerCallback
    from transformers.trainer_callback import ExportableState
except ImportError as error:
    raise ImportError(
        "eigentropy.torch.transformers needs transformers: pip install transformers accelerate"
    ) from error


class MonitorCallback(TrainerCallback, ExportableState):  # type: ignore[misc]
    """Measures a model's layers at each evaluation of a Trainer.

    The values join `state.log_history`, which the Trainer saves with its checkpoints, and go to
    `log` at the Trainer's global step, with the metrics of the evaluation, and to `record` at the
    number of the evaluation. An evaluation outside of `train` measures nothing. Steps and history
    are part of the Trainer's checkpoints; ``train(resume_from_checkpoint=...)`` goes on there.
    ``restore_callback_states_from_checkpoint=True`` is refused: the Trainer would make the callback
    anew, for which a checkpoint does not have the probe.

    Parameters
    ----------
    layers, probe, every, log, record, **options
        Of `eigentropy.torch.Monitor`; `every` counts evaluations. The samples of the probe are what
        the model takes by name, such as ``{"input_ids": ..., "attention_mask": ...}``.

    Attributes
    ----------
    monitor : Monitor or None
        From the start of training on.
    """

    def __init__(
        self,
        layers: str | Sequence[str] | None = None,
        probe: Any = None,
        *,
        every: int = 1,
        log: Any = None,
        record: Any = None,
        **options: Any,
    ) -> None:
        recorder = as_recorder(record)  # one for all monitors that are made
        own = {"layers": layers, "probe": probe, "every": every, "record": recorder}
        self._arguments = {**own, **options}
        self._logs = as_list(log)
        self.monitor: Monitor | None = None
        self._state: Any = None
        self._metrics: dict[str, float] = {}

    def on_train_begin(
        self, args: Any, state: Any, control: Any, model: torch.nn.Module, **others: Any
    ) -> None:
        """Make the monitor."""

        def log(values: dict[str, float], step: int) -> None:
            ours = {k: v for k, v in values.items() if k not in self._metrics}
            entry = {**ours, "step": self._state.global_step, "epoch": self._state.epoch}
            self._state.log_history.append(entry)

        if self._arguments["layers"] is None:
            raise ValueError(
                "layers is missing; where the Trainer has made this callback anew, from a "
                "checkpoint, leave restore_callback_states_from_checkpoint=False: the monitor goes "
                "on there anyway"
            )
        self._state = state
        self.monitor = Monitor(
            model, log=[log, *map(self._at_global_step, self._logs)], **self._arguments
        )
        # Without an entry the Trainer cannot write its next checkpoint.
        state.stateful_callbacks.setdefault(type(self).__name__, [])
        saved = self._saved(state)
        if saved is not None:
            self.monitor.load_state_dict(saved)

    def _saved(self, state: Any) -> Any:
        """The monitor's state in the checkpoint that training goes on from, if it does."""
        found = state.stateful_callbacks.get(type(self).__name__, []) if state.global_step else []
        same = [
            one["attributes"]["saved"]
            for one in (found if isinstance(found, list) else [found])
            if one["attributes"].get("watched") == self._watched()
        ]
        return same[-1] if same else None  # the latest is the last

    def _watched(self) -> list[str]:
        """By which the callback finds its own state among those of several."""
        layers = self._arguments["layers"]
        return [layers] if isinstance(layers, str) else list(layers or [])

    def state(self) -> dict[str, Any]:
        """The monitor's state, for the Trainer's checkpoint."""
        saved = None if self.monitor is None else self.monitor.state_dict()
        return {"args": {}, "attributes": {"watched": self._watched(), "saved": saved}}

    def _at_global_step(self, log: Any) -> Any:
        function = as_log(log)
        return lambda values, step: function(values, self._state.global_step)

    def on_evaluate(
        self, args: Any, state: Any, control: Any, metrics: Any = None, **others: Any
    ) -> None:
        """Count an evaluation, and measure if it is one of `every`."""
        if self.monitor is not None and not self.monitor.removed:
            self._state = state
            numbers = {k: v for k, v in (metrics or {}).items() if isinstance(v, (int, float))}
            self._metrics = {k: float(v) for k, v in numbers.items() if k != "step"}
            self.monitor.step(values=self._metrics)

    def on_train_end(self, args: Any, state: Any, control: Any, **others: Any) -> None:
        """Take the monitor off the model; the history stays."""
        if self.monitor is not None:
            self.monitor.remove()
