"""Callbacks and metrics in the real libraries; skipped by name where one is not installed."""

from __future__ import annotations

import csv
import warnings
from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="eigentropy.torch needs PyTorch")

import eigentropy as eg  # noqa: E402

nn = torch.nn
# The libraries warn about each other, and about loaders without workers.
pytestmark = pytest.mark.filterwarnings("ignore")


def blobs(n=60):
    y = torch.arange(n) % 3
    return torch.randn(n, 4, generator=torch.Generator().manual_seed(0)) + 3 * torch.eye(4)[y], y


def library(name):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pytest.importorskip(name, reason=f"{name} is not installed: group adapters")


@pytest.fixture
def pl():
    return library("lightning.pytorch")


def lightning_module(pl):
    class Module(pl.LightningModule):
        def __init__(self):
            super().__init__()
            self.encoder, self.head = nn.Sequential(nn.Linear(4, 8), nn.Dropout()), nn.Linear(8, 3)

        def forward(self, x):
            return self.head(self.encoder(x))

        def training_step(self, batch, _):
            return nn.functional.cross_entropy(self(batch[0]), batch[1])

        def validation_step(self, batch, _):
            self.log("val_loss", self.training_step(batch, _))

        def configure_optimizers(self):
            return torch.optim.SGD(self.parameters(), lr=0.1)

    torch.manual_seed(0)
    return Module()


def fit(pl, model, callbacks, folder, epochs=3, **options):
    from lightning.pytorch.loggers import CSVLogger

    loader = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(*blobs()), batch_size=20)
    trainer = pl.Trainer(
        max_epochs=epochs, accelerator="cpu", callbacks=callbacks, default_root_dir=folder,
        logger=CSVLogger(folder), enable_progress_bar=False, enable_model_summary=False,
        num_sanity_val_steps=2,
    )  # fmt: skip
    torch.manual_seed(1)
    trainer.fit(model, loader, loader, **options)
    return trainer


def test_lightning_logs_each_epoch_and_not_the_sanity_check(pl, tmp_path):
    from eigentropy.torch.lightning import MonitorCallback

    seen = []
    callback = MonitorCallback("head", blobs(), log=lambda values, step: seen.append(step))
    model = lightning_module(pl)
    trainer = fit(pl, model, [callback], tmp_path)
    assert seen == [1, 2, 3]
    with (Path(trainer.logger.log_dir) / "metrics.csv").open(newline="") as file:
        logged = [row for row in csv.DictReader(file) if row["dse/head"]]
    assert [row["step"] for row in logged] == ["3", "6", "9"]
    with torch.no_grad():
        Z = model.eval()(blobs()[0])
    last = callback.monitor.history[-1]["dse/head"]
    assert last == pytest.approx(float(eg.dse(Z)), rel=1e-5)
    assert callback.monitor.removed


def test_lightning_records_its_metrics_and_goes_on_in_a_second_fit(pl, tmp_path):
    from eigentropy.report import read_run
    from eigentropy.torch.lightning import MonitorCallback

    callback, model = MonitorCallback("head", blobs(), record=tmp_path / "a"), lightning_module(pl)
    trainer = fit(pl, model, [callback], tmp_path / "logs", epochs=2)
    with (Path(trainer.logger.log_dir) / "metrics.csv").open(newline="") as file:
        losses = [float(row["val_loss"]) for row in csv.DictReader(file) if row["val_loss"]]
    assert len(losses) == 2  # once an epoch, not again with the monitor's
    assert read_run(tmp_path / "a").values["val_loss"] == pytest.approx(losses, rel=1e-6)
    fit(pl, model, [callback], tmp_path / "logs", epochs=1)
    run = read_run(tmp_path / "a")
    assert run.steps == [1, 2, 3]
    assert all(value > 0 for value in run.values["dse/head"])


def test_lightning_trains_the_same_with_the_callback(pl, tmp_path):
    from eigentropy.torch.lightning import MonitorCallback

    alone, watched = lightning_module(pl), lightning_module(pl)
    fit(pl, alone, [], tmp_path / "a")
    fit(pl, watched, [MonitorCallback(["encoder", "head"], blobs())], tmp_path / "b")
    for a, b in zip(alone.state_dict().values(), watched.state_dict().values(), strict=True):
        assert torch.equal(a, b)


def test_lightning_saves_the_history_in_checkpoints(pl, tmp_path):
    from eigentropy.torch.lightning import MonitorCallback

    trainer = fit(pl, lightning_module(pl), [MonitorCallback("head", blobs())], tmp_path, epochs=2)
    path = tmp_path / "run.ckpt"
    trainer.save_checkpoint(path)
    callback = MonitorCallback("head", blobs())
    fit(pl, lightning_module(pl), [callback], tmp_path, epochs=3, ckpt_path=path)
    assert [row["step"] for row in callback.monitor.history] == [1, 2, 3]


def test_transformers_measures_at_each_evaluation(tmp_path):
    transformers = library("transformers")
    library("accelerate")
    from eigentropy.report import read_run
    from eigentropy.torch.transformers import MonitorCallback

    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            self.encoder, self.head = nn.Linear(4, 8), nn.Linear(8, 3)

        def forward(self, x, labels=None):
            logits = self.head(self.encoder(x).tanh())
            if labels is None:
                return {"logits": logits}
            return {"loss": nn.functional.cross_entropy(logits, labels), "logits": logits}

    x, y = blobs()
    rows = [{"x": a, "labels": b} for a, b in zip(x, y, strict=True)]
    arguments = transformers.TrainingArguments(
        output_dir=str(tmp_path), num_train_epochs=2, eval_strategy="epoch", report_to=[],
        per_device_train_batch_size=20, use_cpu=True, disable_tqdm=True, save_strategy="no",
    )  # fmt: skip
    seen = []
    callback = MonitorCallback(
        ["encoder", "head"], ({"x": x}, y), log=lambda values, step: seen.append(step),
        record=tmp_path / "run",
    )  # fmt: skip
    torch.manual_seed(0)
    model = Model()
    trainer = transformers.Trainer(
        model, arguments, train_dataset=rows, eval_dataset=rows, callbacks=[callback]
    )
    trainer.train()
    assert seen == [3, 6]
    logged = [row for row in trainer.state.log_history if "dsmi_y/encoder" in row]
    assert [row["step"] for row in logged] == [3, 6]
    with torch.no_grad():
        Z = model(x)["logits"]
    assert logged[-1]["dse/head"] == pytest.approx(float(eg.dse(Z)), rel=1e-5)
    losses = [row["eval_loss"] for row in trainer.state.log_history if "eval_loss" in row]
    assert read_run(tmp_path / "run").values["eval_loss"] == pytest.approx(losses)
    trainer.evaluate()  # after training: there is no monitor any more
    assert seen == [3, 6]


def test_metrics_are_those_of_all_batches():
    library("torchmetrics")
    from eigentropy.torch.metrics import DiffusionSpectralEntropy, DiffusionSpectralInformation

    x, y = blobs()
    entropy = DiffusionSpectralEntropy(t=2.0)
    information = DiffusionSpectralInformation(n_null=5, compute_on_cpu=True)
    for start in range(0, 60, 20):
        part = slice(start, start + 20)
        entropy.update(x[part])
        information.update(x[part], y[part])
    assert float(entropy.compute()) == pytest.approx(float(eg.dse(x, t=2.0)), rel=1e-6)
    assert float(information.compute()) == pytest.approx(float(eg.dsmi(x, y, n_null=5)), rel=1e-5)
    entropy.reset()
    entropy.update(x[:30])
    assert float(entropy.compute()) == pytest.approx(float(eg.dse(x[:30], t=2.0)), rel=1e-6)
    with pytest.raises(ValueError, match="labels has 3 entries, Z has 60 rows"):
        information.update(x, y[:3])
    with pytest.raises(ValueError, match="Unexpected keyword arguments"):
        DiffusionSpectralEntropy(gamma=1)
