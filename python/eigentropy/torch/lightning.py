"""A monitor as a callback of Lightning: `pip install lightning` (or pytorch-lightning)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from eigentropy.report.recording import as_recorder
from eigentropy.torch.loggers import as_list
from eigentropy.torch.monitor import Monitor

try:
    from lightning.pytorch import Callback
except ImportError:
    try:
        from pytorch_lightning import Callback
    except ImportError as error:
        raise ImportError(
            "eigentropy.torch.lightning needs Lightning: pip install lightning"
        ) from error


class MonitorCallback(Callback):  # type: ignore[misc]
    """Measures a LightningModule's layers at the end of training epochs.

    The values go to the trainer's loggers at its global step, and to `log` and `record`, with the
    metrics that the module has logged, at the number of the epoch, from 1. The validation before
    training, the sanity check, is not an epoch. Steps and history are part of the trainer's
    checkpoints.

    Parameters
    ----------
    layers, probe, every, log, record, **options
        Of `eigentropy.torch.Monitor`; `every` counts epochs.

    Attributes
    ----------
    monitor : Monitor or None
        From the start of the first fit on.
    """

    def __init__(
        self,
        layers: str | Sequence[str],
        probe: Any,
        *,
        every: int = 1,
        log: Any = None,
        record: Any = None,
        **options: Any,
    ) -> None:
        super().__init__()
        recorder = as_recorder(record)  # one for all monitors that are made
        own = {"layers": layers, "probe": probe, "every": every, "record": recorder}
        self._arguments = {**own, **options}
        self._logs = as_list(log)
        self.monitor: Monitor | None = None
        self._state: dict[str, Any] | None = None

    def setup(self, trainer: Any, pl_module: torch.nn.Module, stage: str) -> None:
        """Make the monitor, when a fit begins."""
        if stage != "fit":
            return

        def to_trainer(values: dict[str, float], step: int) -> None:
            ours = {k: v for k, v in values.items() if k not in trainer.callback_metrics}
            for logger in trainer.loggers:
                logger.log_metrics(ours, step=trainer.global_step)

        self._state = self.state_dict()  # of an earlier fit
        self.monitor = Monitor(pl_module, log=[to_trainer, *self._logs], **self._arguments)
        self.load_state_dict(self._state)

    def on_train_epoch_end(self, trainer: Any, pl_module: torch.nn.Module) -> None:
        """Count an epoch, and measure if it is one of `every`."""
        assert self.monitor is not None
        metrics = trainer.callback_metrics.items()
        # Lightning's own name for the axis of its loggers.
        self.monitor.step(values={name: float(v) for name, v in metrics if name != "step"})

    def teardown(self, trainer: Any, pl_module: torch.nn.Module, stage: str) -> None:
        """Take the monitor off the model; the history stays."""
        if stage == "fit" and self.monitor is not None:
            self.monitor.remove()

    def state_dict(self) -> dict[str, Any]:
        """The monitor's, for a checkpoint."""
        return self._state or {} if self.monitor is None else self.monitor.state_dict()

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on where a checkpoint was written."""
        self._state = state_dict
        if self.monitor is not None and state_dict:
            self.monitor.load_state_dict(state_dict)
