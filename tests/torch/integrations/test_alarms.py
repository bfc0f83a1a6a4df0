"""Alarms in the callbacks of trainers: their values, their flags, and their state."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="eigentropy.torch needs PyTorch")

from eigentropy.torch import CollapseAlarm, CollapseError, CollapseWarning, Evaluation
from messages import naming

nn = torch.nn
# The libraries warn about each other, and about loaders without workers.
pytestmark = pytest.mark.filterwarnings("ignore")

HEALTHY = 6  # epochs
EPOCHS = 20


def blobs(n=60):
    y = torch.arange(n) % 3
    return torch.randn(n, 4, generator=torch.Generator().manual_seed(0)) + 3 * torch.eye(4)[y], y


def library(name):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pytest.importorskip(name, reason=f"{name} is not installed: group adapters")


class Shrinks(nn.Module):
    """A layer that returns less and less after a number of training passes."""

    def __init__(self):
        super().__init__()
        self.layer, self.passes = nn.Linear(4, 8), 0

    def forward(self, x):
        self.passes += self.training
        return self.layer(x) * (1.0 if self.passes <= HEALTHY else 1e-3)


class Classifier(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder, self.head = Shrinks(), nn.Linear(8, 3)

    def forward(self, x, labels=None):
        logits = self.head(self.encoder(x))
        if labels is None:
            return {"logits": logits}
        return {"loss": nn.functional.cross_entropy(logits, labels), "logits": logits}


@pytest.fixture
def pl():
    return library("lightning.pytorch")


def fit(pl, folder, callbacks, epochs=EPOCHS, ckpt_path=None, model=None):
    """One step an epoch."""

    class Module(pl.LightningModule):
        def __init__(self):
            super().__init__()
            self.net = Classifier()

        def forward(self, x):
            return self.net(x)

        def training_step(self, batch, _):
            return self.net(*batch)["loss"]

        def validation_step(self, batch, _):
            self.log("val_loss", self.net(*batch)["loss"])

        def configure_optimizers(self):
            return torch.optim.SGD(self.parameters(), lr=1e-3)

    torch.manual_seed(0)
    loader = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(*blobs()), batch_size=60)
    trainer = pl.Trainer(
        max_epochs=epochs, accelerator="cpu", callbacks=callbacks, default_root_dir=folder,
        logger=False, enable_progress_bar=False, enable_model_summary=False,
        enable_checkpointing=any("Checkpoint" in type(one).__name__ for one in callbacks),
    )  # fmt: skip
    trainer.fit(model or Module(), loader, loader, ckpt_path=ckpt_path)
    return trainer


def lightning_callback(source=None, **options):
    from eigentropy.torch.integrations.lightning import MonitorCallback

    return MonitorCallback("net.encoder", source or blobs(), **options)


@pytest.mark.parametrize("source", [None, Evaluation(100)])
def test_stop_ends_the_training_of_lightning(pl, tmp_path, source):
    alarm = CollapseAlarm(reference=5, action="stop")
    callback = lightning_callback(source, alarm=alarm)
    trainer = fit(pl, tmp_path, [callback])
    assert alarm.raised
    assert trainer.should_stop
    assert HEALTHY < trainer.current_epoch < EPOCHS
    assert callback.monitor.history[-1]["alarm/net.encoder"] == 1.0
    assert "val_loss" in callback.monitor.history[-1]


def test_early_stopping_and_checkpoints_of_lightning_see_the_values(pl, tmp_path):
    from lightning.pytorch.callbacks import EarlyStopping, ModelCheckpoint

    alarm = CollapseAlarm(reference=5, action=lambda event: None)
    name = "alarm_evidence/net.encoder"
    stopping = EarlyStopping(name, mode="min", patience=EPOCHS, divergence_threshold=1.0)
    keeping = ModelCheckpoint(tmp_path / "kept", monitor="scale/net.encoder", mode="max")
    callback = lightning_callback(alarm=alarm)
    trainer = fit(pl, tmp_path, [callback, stopping, keeping])
    history = callback.monitor.history
    assert len(history) == alarm.events[0].step < EPOCHS
    assert trainer.callback_metrics[name] == pytest.approx(history[-1][name])
    best = max(row["scale/net.encoder"] for row in history)
    assert float(keeping.best_model_score) == pytest.approx(best, rel=1e-6)
    assert all("step" in row and "val_loss" in row for row in history)


def test_raise_ends_lightning_s_training_with_the_error(pl, tmp_path):
    callback = lightning_callback(alarm=CollapseAlarm(reference=5, action="raise"))
    with pytest.raises(CollapseError, match=naming("net.encoder", "scale")):
        fit(pl, tmp_path, [callback])
    assert callback.monitor.removed


def test_a_checkpoint_of_lightning_has_the_state_of_the_alarm(pl, tmp_path):
    path, straight = tmp_path / "run.ckpt", CollapseAlarm(reference=5, action="stop")
    whole = fit(pl, tmp_path, [lightning_callback(alarm=straight)])
    trainer = fit(pl, tmp_path, [lightning_callback(alarm=CollapseAlarm(reference=5))], epochs=6)
    trainer.save_checkpoint(path)
    resumed = CollapseAlarm(reference=5, action="stop")
    later = trainer.lightning_module
    trainer = fit(pl, tmp_path, [lightning_callback(alarm=resumed)], ckpt_path=path, model=later)
    assert resumed.events[0].step == straight.events[0].step
    assert trainer.current_epoch == whole.current_epoch


def hugging_face(folder, callbacks, **options):
    """A Trainer with one step an epoch."""
    transformers = library("transformers")
    library("accelerate")
    x, y = blobs()
    rows = [{"x": a, "labels": b} for a, b in zip(x, y, strict=True)]
    arguments = transformers.TrainingArguments(
        output_dir=str(folder), eval_strategy="epoch", report_to=[], use_cpu=True,
        per_device_train_batch_size=60, disable_tqdm=True,
        learning_rate=1e-4, **{"save_strategy": "no", "num_train_epochs": EPOCHS, **options},
    )  # fmt: skip
    torch.manual_seed(0)
    return transformers.Trainer(
        Classifier(), arguments, train_dataset=rows, eval_dataset=rows, callbacks=callbacks
    )


def callback(source=None, **options):
    library("transformers")
    from eigentropy.torch.integrations.transformers import MonitorCallback

    x, y = blobs()
    return MonitorCallback("encoder", source or ({"x": x}, y), **options)


@pytest.mark.parametrize("source", [None, Evaluation(100)])
def test_stop_ends_the_training_of_transformers(tmp_path, source):
    alarm = CollapseAlarm(reference=5, action="stop")
    trainer = hugging_face(tmp_path, [callback(source, alarm=alarm)])
    trainer.train()
    assert alarm.raised
    assert HEALTHY < trainer.state.epoch < EPOCHS
    logged = [row for row in trainer.state.log_history if "alarm/encoder" in row]
    assert [row["alarm/encoder"] for row in logged] == [0.0] * (len(logged) - 1) + [1.0]


def test_the_trainer_s_metrics_have_the_values(tmp_path):
    transformers = library("transformers")
    alarm = CollapseAlarm(reference=5, action=lambda event: None)
    watched = callback(alarm=alarm)
    stopping = transformers.EarlyStoppingCallback(early_stopping_patience=2)
    trainer = hugging_face(
        tmp_path, [watched, stopping], save_strategy="epoch", load_best_model_at_end=True,
        metric_for_best_model="scale/encoder", greater_is_better=True, save_total_limit=1,
    )  # fmt: skip
    trainer.train()
    assert trainer.state.epoch < EPOCHS
    best = max(row["scale/encoder"] for row in watched.monitor.history)
    assert trainer.state.best_metric == pytest.approx(best)
    assert not any(name.startswith("eval_scale") for name in watched.monitor.history[-1])


def test_a_checkpoint_of_transformers_has_the_state_of_the_alarm(tmp_path):
    alarm = CollapseAlarm(reference=5, action="stop")
    trainer = hugging_face(tmp_path, [callback(alarm=alarm)], save_strategy="epoch")
    trainer.train()
    step, last = alarm.events[0].step, trainer.state.global_step
    resumed = CollapseAlarm(reference=5, action="stop")
    again = hugging_face(tmp_path, [callback(alarm=resumed)])
    again.model.encoder.passes = HEALTHY
    again.train(resume_from_checkpoint=str(tmp_path / f"checkpoint-{HEALTHY}"))
    assert resumed.events[0].step == step
    assert again.state.global_step == last


def test_training_again_begins_a_new_reference(tmp_path):
    alarm = CollapseAlarm(reference=5, action=lambda event: None)
    trainer = hugging_face(tmp_path, [callback(alarm=alarm)])
    trainer.train()
    assert alarm.raised
    trainer.train()  # all of it collapsed
    assert not alarm.raised
    assert len(alarm.events) == 1


def test_an_alarm_must_be_one(pl):
    for make in (lightning_callback, callback):
        with pytest.raises(TypeError, match=naming("alarm", "CollapseAlarm", "str")):
            make(alarm=["stop"])


def test_warnings_come_through_a_trainer(tmp_path):
    trainer = hugging_face(tmp_path, [callback(alarm=CollapseAlarm(reference=5))])
    with pytest.warns(CollapseWarning, match=naming("encoder", "scale")):
        trainer.train()
    assert trainer.state.epoch == EPOCHS
    assert np.isfinite(trainer.state.log_history[-1]["train_loss"])


def test_a_reference_that_is_counted_in_steps_of_a_trainer_is_said_at_the_end(pl, tmp_path):
    wanted = naming("encoder", "(125, 275)", "step 3")
    with pytest.warns(CollapseWarning, match=wanted):
        fit(pl, tmp_path, [lightning_callback(alarm=CollapseAlarm(reference=(125, 275)))], 3)
    own = callback(alarm=CollapseAlarm(reference=(125, 275)))
    trainer = hugging_face(tmp_path, [own], num_train_epochs=3)
    with pytest.warns(CollapseWarning, match=wanted):
        trainer.train()
