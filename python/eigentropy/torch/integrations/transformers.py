"""A monitor as a callback of Hugging Face's Trainer: `pip install transformers accelerate`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch

from eigentropy.report.recording import as_recorder
from eigentropy.torch.integrations.batches import (
    Batches,
    TrainersSteps,
    are_default,
    as_alarms,
    callback_source,
    check_callback,
    evaluated,
    in_words,
)
from eigentropy.torch.monitoring.hooks import Hook
from eigentropy.torch.monitoring.layers import Layers, as_sequence, unwrapped
from eigentropy.torch.monitoring.loggers import CallersLog, Log, as_list, as_log, files_of
from eigentropy.torch.monitoring.monitor import Monitor
from eigentropy.torch.monitoring.sources import AnySource

try:
    from transformers import TrainerCallback
    from transformers.trainer_callback import ExportableState
except ImportError as error:
    raise ImportError(
        "eigentropy.torch.integrations.transformers needs transformers: "
        "pip install transformers accelerate"
    ) from error


class _Measured(float):
    """A value of a monitor among the metrics of an evaluation, which other callbacks leave out."""


class MonitorCallback(TrainerCallback, ExportableState):  # type: ignore[misc]
    """Measures a model's layers at each evaluation of a Trainer.

    With a `Probe`, or, with an `Evaluation`, on the passes of the evaluation itself. Of tokens,
    those that are real by the mask of the batch count: see `pooling` of `Monitor`. The Trainer
    does not show its batches to callbacks, so the callback looks at what the model is called with.
    It does not see labels that the Trainer keeps to itself, for label smoothing or a
    `compute_loss_func`; "dsmi_y" and "kernel_y" need a probe then. Each of several evaluation sets
    is an evaluation of its own.

    The values join `state.log_history`, which the Trainer saves with its checkpoints, and go to
    `log` at the Trainer's global step, with the metrics of the evaluation, and to `record` at the
    number of the evaluation. They join the metrics of the evaluation with the prefix ``eval_``, so
    that ``metric_for_best_model="dse/encoder"`` and `EarlyStoppingCallback` work on them; not with
    `background`, where they join the history after the next evaluation or at the end. An
    evaluation outside of `train` measures nothing. Steps, history and the state of alarms are part
    of the Trainer's checkpoints; ``train(resume_from_checkpoint=...)`` continues them.
    ``restore_callback_states_from_checkpoint=True`` is refused: the Trainer would make a new
    callback, and a checkpoint does not hold the probe.

    Parameters
    ----------
    layers, source, probe, every, log, record, **options
        As in `eigentropy.torch.Monitor`, but no `Reservoir`; `every` counts evaluations. The
        samples of the probe are what the model takes by name, such as ``{"input_ids": ...,
        "attention_mask": ...}``.
    labels : callable, optional
        From the arguments of the model by name to the labels of the batch, for an `Evaluation`. By
        default what is called "labels", "label" or "y", if it is one number a sample. Others, such
        as the next token for each token of a language model, are left out with a warning, and
        "dsmi_y" with them, unless `measures` asks for it.
    index : callable, optional
        From the arguments of the model to the numbers of the samples. Without it they are counted,
        and samples that fill up the last batch of several processes count twice.
    alarm : CollapseAlarm or sequence of these, optional
        Made without a monitor. The action "stop" sets ``control.should_training_stop``.

    Attributes
    ----------
    monitor : Monitor or None
        From the start of training on. "step" in its `history` is the number of the evaluation: 1,
        2, ...; the Trainer's global step is in `log` and in `state.log_history`.

    Raises
    ------
    ValueError
        The source is an `Evaluation` and the Trainer replicates the model by DataParallel, whose
        replicas cannot be watched; or labels are needed and not found.
    """

    def __init__(
        self,
        layers: Layers | None = None,
        source: AnySource = None,
        *,
        probe: Any = None,
        labels: Callable[[Any], Any] | None = None,
        index: Callable[[Any], Any] | None = None,
        every: int = 1,
        log: Any = None,
        record: Any = None,
        alarm: Any = None,
        **options: Any,
    ) -> None:
        check_callback(MonitorCallback.__init__, options)
        # The Trainer may make the callback without arguments: on_train_begin refuses that.
        made_by_trainer = layers is None and source is None and probe is None
        self._source = None if made_by_trainer else callback_source(source, probe, options)
        own = {"layers": layers, "source": self._source, "every": every}
        recorder = as_recorder(record)  # one for all monitors that are made
        self._arguments = {**own, "record": recorder, **options}
        watches = evaluated(self._source) is not None
        self._batches = Batches(labels, index, are_default(options)) if watches else None
        self._batch: Mapping[str, Any] | None = None  # what is evaluated
        self._hook: Any = None
        self._logs = [as_log(one) for one in as_list(log)]
        self._alarms = as_alarms(alarm)
        self.monitor: Monitor | None = None
        self._state: Any = None
        self._metrics: dict[str, float] = {}
        self._steps = TrainersSteps()

    def on_train_begin(
        self, args: Any, state: Any, control: Any, model: torch.nn.Module, **others: Any
    ) -> None:
        """Make the monitor."""

        def log(values: dict[str, float], step: int) -> None:
            global_step, epoch, metrics = self._steps.at(step, self._now())
            ours = {k: v for k, v in values.items() if k not in metrics}
            self._state.log_history.append({**ours, "step": global_step, "epoch": epoch})

        if self._arguments["layers"] is None:
            raise ValueError(
                "layers is missing; where the Trainer has made a new callback from a checkpoint, "
                "leave restore_callback_states_from_checkpoint=False: the monitor goes on from the "
                "checkpoint without it"
            )
        if self._batches is not None and args.n_gpu > 1:
            raise ValueError(
                "an Evaluation cannot watch the replicas of DataParallel: use a Probe, or one "
                "process for each GPU, as torchrun starts them"
            )
        self._remove()  # of training that was broken off
        self._state = state
        for file in files_of(self._logs) if state.is_world_process_zero else []:
            file.open()
            if state.global_step:  # which the checkpoint has
                file.loaded(state.global_step)
            file.check()
        self.monitor = Monitor(
            model, log=[CallersLog(log), *map(self._at_global_step, self._logs)], **self._arguments
        )
        for alarm in self._alarms:
            alarm.reset()  # of other training
            alarm.attach(self.monitor)
        # Without an entry the Trainer cannot write its next checkpoint.
        state.stateful_callbacks.setdefault(type(self).__name__, [])
        saved = self._saved(state)
        if saved is not None:
            self.monitor.load_state_dict(saved)
        if self._batches is not None:
            root = unwrapped(model)
            hook = Hook(root, self._passes)
            self._hook = root.register_forward_pre_hook(hook, with_kwargs=True)

    def _passes(self, model: torch.nn.Module, _: Any, arguments: dict[str, Any]) -> None:
        """Keep what the model is called with: only there are labels seen."""
        self._batch = None if model.training else arguments

    def _saved(self, state: Any) -> Any:
        """The monitor's state in the checkpoint that training goes on from, if it does."""
        found = state.stateful_callbacks.get(type(self).__name__, []) if state.global_step else []
        same = [
            one["attributes"]["saved"]
            for one in (found if isinstance(found, list) else [found])
            if one["attributes"].get("watched") == self._watched()
        ]
        return same[-1] if same else None  # the latest is the last

    def _watched(self) -> dict[str, Any]:
        """What tells the state of this callback from those of others in a checkpoint."""
        names = as_sequence(in_words(self._arguments["layers"] or []))
        return {"layers": names, "evaluation": evaluated(self._source)}

    def state(self) -> dict[str, Any]:
        """The monitor's state, for the Trainer's checkpoint."""
        saved = None if self.monitor is None else self.monitor.state_dict()
        return {"args": {}, "attributes": {"watched": self._watched(), "saved": saved}}

    def _at_global_step(self, log: Log) -> Log:
        return lambda values, step: log(values, self._steps.at(step, self._now())[0])

    def _now(self) -> tuple[int, float | None, dict[str, float]]:
        """Where the Trainer is."""
        return self._state.global_step, self._state.epoch, self._metrics

    def on_prediction_step(self, args: Any, state: Any, control: Any, **others: Any) -> None:
        """Take what the layers returned for a batch."""
        batch, self._batch = self._batch, None
        if self._batches is not None and self._is_watching() and batch is not None:
            assert self.monitor is not None
            self._batches.collect(self.monitor, batch)

    def on_predict(self, args: Any, state: Any, control: Any, metrics: Any, **others: Any) -> None:
        """Forget the batches of a prediction, which is no evaluation."""
        if self._batches is not None and self._is_watching():
            assert self.monitor is not None
            self.monitor.discard()

    def on_evaluate(
        self, args: Any, state: Any, control: Any, metrics: Any = None, **others: Any
    ) -> None:
        """Count an evaluation, and measure if `every` says so."""
        if self._is_watching():
            assert self.monitor is not None
            self._state = state
            self._metrics = {
                name: float(value)
                for name, value in (metrics or {}).items()
                if isinstance(value, (int, float))
                and not isinstance(value, _Measured)
                and name != "step"
            }
            self._steps.note(self.monitor, self._now())
            found = self.monitor.step(values=self._metrics) or {}
            if metrics is not None:  # the Trainer's own, which it looks into next
                ours = {k: v for k, v in found.items() if k not in self._metrics}
                metrics.update({f"eval_{name}": _Measured(value) for name, value in ours.items()})
            if any(alarm.should_stop for alarm in self._alarms):
                control.should_training_stop = True

    def on_train_end(self, args: Any, state: Any, control: Any, **others: Any) -> None:
        """Take the monitor off the model; the history stays."""
        self._remove()

    def _is_watching(self) -> bool:
        """Outside of training there is no monitor."""
        return self.monitor is not None and not self.monitor.removed

    def _remove(self) -> None:
        if self.monitor is not None:
            self.monitor.remove()
        if self._hook is not None:
            self._hook.remove()
            self._hook = None
