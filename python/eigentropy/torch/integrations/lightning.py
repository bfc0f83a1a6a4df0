"""A monitor as a callback of Lightning: `pip install lightning` (or pytorch-lightning)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from eigentropy._support.warnings import warn
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
from eigentropy.torch.monitoring.layers import Layers
from eigentropy.torch.monitoring.loggers import CallersLog, as_list, as_log
from eigentropy.torch.monitoring.monitor import Monitor
from eigentropy.torch.monitoring.sources import AnySource

try:
    from lightning.pytorch import Callback
except ImportError:
    try:
        from pytorch_lightning import Callback
    except ImportError as error:
        raise ImportError(
            "eigentropy.torch.integrations.lightning needs Lightning: pip install lightning"
        ) from error


class MonitorCallback(Callback):  # type: ignore[misc]
    """Measures a LightningModule's layers at the end of training epochs or of validations.

    With a `Probe`, after each training epoch. With an `Evaluation`, after each of the trainer's own
    validations, on their passes: of all validation loaders, in their order. The sanity check before
    training is no validation.

    The values go to the trainer's loggers at its global step, and to `log` and `record`, with the
    metrics that the module has logged, at the number of the epoch or validation, from 1. Steps and
    history are part of the trainer's checkpoints, and so is the state of alarms.

    The values are in ``trainer.callback_metrics``, too, where `EarlyStopping` and `ModelCheckpoint`
    find them: ``ModelCheckpoint(monitor="dse/encoder", mode="max")``. With an `Evaluation` put this
    callback before them. In several processes each one has them if `gather` is true, or with an
    alarm. With `background` they are not there: the loggers get them after the next epoch, at the
    global step of their own.

    Parameters
    ----------
    layers, source, probe, every, log, record, **options
        As in `eigentropy.torch.Monitor`, but no `Reservoir`; `every` counts epochs, or validations.
    labels : callable, optional
        From a validation batch to its labels, for an `Evaluation`. By default the last entry of a
        tuple or list, or what a mapping has under "labels", "label" or "y", if it is one number a
        sample. Others, such as the next token for each token, are left out with a warning, and
        "dsmi_y" with them, unless `measures` asks for it.
    index : callable, optional
        From a validation batch to the numbers of its samples. Without it they are counted, and the
        order has to be the same each time; samples that a distributed sampler repeats count twice.
    alarm : CollapseAlarm or sequence of these, optional
        Made without a monitor. The action "stop" sets ``trainer.should_stop``.

    Attributes
    ----------
    monitor : Monitor or None
        From the start of the first fit on.

    Raises
    ------
    ValueError
        At the first validation batch: no labels are found, and they are needed.

    Warns
    -----
    UserWarning
        The source is an `Evaluation`, and the trainer does not validate.
    """

    def __init__(
        self,
        layers: Layers,
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
        super().__init__()
        check_callback(MonitorCallback.__init__, options)
        self._source = callback_source(source, probe, options)
        own = {"layers": layers, "source": self._source, "every": every}
        recorder = as_recorder(record)  # one for all monitors that are made
        self._arguments = {**own, "record": recorder, **options}
        watches = evaluated(self._source) is not None
        self._batches = Batches(labels, index, are_default(options)) if watches else None
        self._logs = [as_log(one) for one in as_list(log)]  # one for all monitors, too
        self._alarms = as_alarms(alarm)
        self._theirs: dict[str, float] = {}  # the values of others in callback_metrics
        self._steps = TrainersSteps()
        self.written: set[str] = set()  # what is ours there
        self.monitor: Monitor | None = None
        self._state: dict[str, Any] | None = None

    @property
    def state_key(self) -> str:
        """By which checkpoints tell several callbacks of a trainer apart."""
        known = {
            "layers": in_words(self._arguments["layers"]),
            "evaluation": evaluated(self._source),
        }
        return str(self._generate_state_key(**known))

    def setup(self, trainer: Any, pl_module: torch.nn.Module, stage: str) -> None:
        """Make the monitor, when a fit begins."""
        if stage != "fit":
            return

        def to_trainer(values: dict[str, float], step: int) -> None:
            now = trainer.global_step, self._theirs
            global_step, theirs = self._steps.at(step, now)
            ours = {k: v for k, v in values.items() if k not in theirs}
            for logger in trainer.loggers:
                logger.log_metrics(ours, step=global_step)

        self._state = self.state_dict()  # of an earlier fit
        logs = [CallersLog(to_trainer), *self._logs]
        self.monitor = Monitor(pl_module, log=logs, **self._arguments)
        for alarm in self._alarms:
            alarm.attach(self.monitor)
        self.load_state_dict(self._state)

    def on_train_start(self, trainer: Any, pl_module: torch.nn.Module) -> None:
        """Say so if there will be nothing to measure."""
        if self._batches is not None and not trainer.enable_validation:
            warn("an Evaluation measures nothing here: the trainer does not validate")

    def on_train_epoch_end(self, trainer: Any, pl_module: torch.nn.Module) -> None:
        """Count an epoch, and measure the probe if `every` says so."""
        if self._batches is None:
            self._step(trainer)

    def on_validation_batch_end(
        self,
        trainer: Any,
        pl_module: torch.nn.Module,
        outputs: Any,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Take what the layers returned; also in the sanity check, where missing labels show."""
        if self._batches is not None and self._is_watching():
            assert self.monitor is not None
            self._batches.collect(self.monitor, batch)

    def on_validation_end(self, trainer: Any, pl_module: torch.nn.Module) -> None:
        """Count a validation, and measure if `every` says so."""
        if self._batches is None or not self._is_watching():
            return
        assert self.monitor is not None
        if trainer.sanity_checking:
            self.monitor.discard()
        else:
            self._step(trainer)

    def _is_watching(self) -> bool:
        """Outside of a fit there is no monitor."""
        return self.monitor is not None and not self.monitor.removed

    def _step(self, trainer: Any) -> None:
        assert self.monitor is not None
        monitors = [one for one in trainer.callbacks if isinstance(one, MonitorCallback)]
        # "step" is Lightning's own name for the axis of its loggers.
        not_theirs = {"step"}.union(*(one.written for one in monitors))
        metrics = trainer.callback_metrics
        self._theirs = {k: float(v) for k, v in metrics.items() if k not in not_theirs}
        self._steps.note(self.monitor, (trainer.global_step, self._theirs))
        found = self.monitor.step(values=self._theirs) or {}
        ours = {k: torch.tensor(v) for k, v in found.items() if k not in self._theirs}
        self.written |= ours.keys()
        metrics.update(ours)
        if any(alarm.should_stop for alarm in self._alarms):
            trainer.should_stop = True

    def on_train_end(self, trainer: Any, pl_module: torch.nn.Module) -> None:
        """Wait for what is measured in the background, while the loggers are there."""
        if self.monitor is not None:
            self.monitor.wait()

    def on_exception(
        self, trainer: Any, pl_module: torch.nn.Module, exception: BaseException
    ) -> None:
        """Take the monitor off the model: after an exception there is no teardown."""
        self.teardown(trainer, pl_module, "fit")

    def teardown(self, trainer: Any, pl_module: torch.nn.Module, stage: str) -> None:
        """Take the monitor off the model; the history stays."""
        if stage == "fit" and self.monitor is not None:
            self.monitor.remove()

    def state_dict(self) -> dict[str, Any]:
        """The state of the monitor, for a checkpoint."""
        return self._state or {} if self.monitor is None else self.monitor.state_dict()

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on where a checkpoint was written."""
        self._state = state_dict
        if self.monitor is not None and state_dict:
            self.monitor.load_state_dict(state_dict)
