"""Callbacks and metrics in the real libraries; skipped by name where one is not installed."""

from __future__ import annotations

import csv
import json
import sys
import time
import warnings
from pathlib import Path
from types import SimpleNamespace

import pytest

torch = pytest.importorskip("torch", reason="eigentropy.torch needs PyTorch")

import device_arrays
import eigentropy as eg
from eigentropy.torch import Evaluation, Monitor, Reservoir
from eigentropy.torch.integrations.batches import Batches, labels_of
from messages import naming

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


def fit(pl, model, callbacks, folder, epochs=3, rows=None, ckpt_path=None, **options):
    """Three steps an epoch, by default validated on the same rows."""
    from lightning.pytorch.loggers import CSVLogger

    loader, held_out = (
        torch.utils.data.DataLoader(torch.utils.data.TensorDataset(*chosen), batch_size=20)
        for chosen in (blobs(), rows or blobs())
    )
    trainer = pl.Trainer(
        max_epochs=epochs, accelerator="cpu", callbacks=callbacks, default_root_dir=folder,
        logger=CSVLogger(folder), enable_progress_bar=False, enable_model_summary=False,
        num_sanity_val_steps=2, **options,
    )  # fmt: skip
    torch.manual_seed(1)
    trainer.fit(model, loader, held_out, ckpt_path=ckpt_path)
    return trainer


@pytest.mark.parametrize("background", [False, 3])
def test_lightning_logs_each_epoch_and_not_the_sanity_check(pl, tmp_path, background):
    from eigentropy.torch.integrations.lightning import MonitorCallback

    def log(values, step):
        seen.append(step)
        time.sleep(0.2 if background else 0.0)  # the trainer is at another step by then

    seen = []
    callback = MonitorCallback("head", blobs(), log=log, background=background)
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


def test_lightning_s_name_for_the_axis_is_no_value(pl, tmp_path):
    from eigentropy.torch.integrations.lightning import MonitorCallback

    model, callback = lightning_module(pl), MonitorCallback("head", blobs())
    loss = model.training_step
    model.training_step = lambda batch, batch_idx: (model.log("step", 7.0), loss(batch, 0))[1]
    fit(pl, model, [callback], tmp_path, epochs=1)
    assert callback.monitor.history[0]["step"] == 1


def test_lightning_records_its_metrics_and_goes_on_in_a_second_fit(pl, tmp_path):
    from eigentropy.report import read_run
    from eigentropy.torch.integrations.lightning import MonitorCallback

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
    from eigentropy.torch.integrations.lightning import MonitorCallback

    alone, watched = lightning_module(pl), lightning_module(pl)
    fit(pl, alone, [], tmp_path / "a")
    fit(pl, watched, [MonitorCallback(["encoder", "head"], blobs())], tmp_path / "b")
    for a, b in zip(alone.state_dict().values(), watched.state_dict().values(), strict=True):
        assert torch.equal(a, b)


def test_lightning_saves_the_history_in_checkpoints(pl, tmp_path):
    from eigentropy.torch.integrations.lightning import MonitorCallback

    trainer = fit(pl, lightning_module(pl), [MonitorCallback("head", blobs())], tmp_path, epochs=2)
    path = tmp_path / "run.ckpt"
    trainer.save_checkpoint(path)
    callback = MonitorCallback("head", blobs())
    fit(pl, lightning_module(pl), [callback], tmp_path, epochs=3, ckpt_path=path)
    assert [row["step"] for row in callback.monitor.history] == [1, 2, 3]


def watching(source, **options):
    from eigentropy.torch.integrations.lightning import MonitorCallback

    return MonitorCallback("head", source, **options)


def test_lightning_s_own_validation_is_measured_and_the_sanity_check_is_not(pl, tmp_path):
    seen, model, epochs = [], lightning_module(pl), []
    callback = watching(Evaluation(500), log=lambda values, step: seen.append((step, values)))
    model.on_validation_end = lambda: epochs.append(model.head(model.encoder(blobs()[0])))
    fit(pl, model, [callback], tmp_path)
    assert [step for step, _ in seen] == [1, 2, 3]
    assert len(epochs) == 4  # the sanity check, too
    for (_, values), Z in zip(seen, epochs[1:], strict=True):
        assert values["dse/head"] == pytest.approx(float(eg.dse(Z.detach())), abs=1e-5)
        information = eg.dsmi(Z.detach(), blobs()[1], n_null=2)
        assert values["dsmi_y/head"] == pytest.approx(float(information), abs=1e-5)
        assert values["val_loss"] == pytest.approx(
            float(nn.functional.cross_entropy(Z, blobs()[1])), abs=1e-5
        )
    assert callback.monitor.removed
    assert not model._forward_pre_hooks
    assert not model.head._forward_hooks


KERNEL = ("kernel", "kernel_y")


def test_lightning_measures_the_density_matrix_of_its_validation(pl, tmp_path):
    model, epochs = lightning_module(pl), []
    callback = watching(Evaluation(500), measures=KERNEL)
    model.on_validation_end = lambda: epochs.append(model.head(model.encoder(blobs()[0])))
    fit(pl, model, [callback], tmp_path, epochs=1)
    (row,) = callback.monitor.history
    Z, y = epochs[-1].detach().numpy(), blobs()[1].numpy()
    assert row["kernel/head"] == pytest.approx(float(eg.kernel_entropy(Z)), abs=1e-5)
    bits = eg.kernel_information(Z, y, n_null=2).bits()
    assert row["kernel_y/head"] == pytest.approx(bits, abs=1e-4)
    assert "dse/head" not in row


def test_lightning_validates_more_rarely_and_goes_on_from_a_checkpoint(pl, tmp_path):
    first = watching(Evaluation(500), every=2)
    trainer = fit(pl, lightning_module(pl), [first], tmp_path, epochs=3)
    assert [row["step"] for row in first.monitor.history] == [2]
    trainer.save_checkpoint(tmp_path / "run.ckpt")
    second = watching(Evaluation(500), every=2)
    fit(pl, lightning_module(pl), [second], tmp_path, 4, ckpt_path=tmp_path / "run.ckpt")
    assert [row["step"] for row in second.monitor.history] == [2, 4]


def test_several_callbacks_of_a_lightning_trainer_go_on_by_themselves(pl, tmp_path):
    from eigentropy.torch.integrations.lightning import MonitorCallback

    def made():
        return [
            watching(Evaluation(500), every=2),
            MonitorCallback("head", blobs()),
            MonitorCallback(["encoder"], blobs(), every=3),
        ]

    trainer = fit(pl, lightning_module(pl), made(), tmp_path, epochs=3)
    trainer.save_checkpoint(tmp_path / "run.ckpt")
    again = made()
    fit(pl, lightning_module(pl), [*again], tmp_path, 6, ckpt_path=tmp_path / "run.ckpt")
    steps = [[row["step"] for row in callback.monitor.history] for callback in again]
    assert steps == [[2, 4, 6], [1, 2, 3, 4, 5, 6], [3, 6]]


def test_lightning_trains_the_same_while_its_validation_is_watched(pl, tmp_path):
    alone, watched = lightning_module(pl), lightning_module(pl)
    fit(pl, alone, [], tmp_path / "a")
    fit(pl, watched, [watching(Evaluation(30))], tmp_path / "b")
    for a, b in zip(alone.state_dict().values(), watched.state_dict().values(), strict=True):
        assert torch.equal(a, b)


def test_lightning_finds_no_labels_before_training_begins(pl, tmp_path):
    model, begun = lightning_module(pl), []
    model.validation_step = lambda batch, batch_idx: model.log("mean", model(batch[0]).mean())
    model.on_train_start = lambda: begun.append(1)
    with pytest.raises(ValueError, match="labels="):
        fit(pl, model, [watching(Evaluation(9))], tmp_path, rows=[blobs()[0]])
    assert not begun
    assert not model.head._forward_hooks  # though there is no teardown
    callback = watching(Evaluation(500), measures="dse")
    fit(pl, model, [callback], tmp_path, epochs=1, rows=[blobs()[0]])
    assert set(callback.monitor.history[0]) == {"step", "dse/head", "mean"}


def test_lightning_takes_labels_and_numbers_by_functions(pl, tmp_path):
    x, y = blobs()
    callback = watching(Evaluation(500), labels=lambda b: b[1], index=lambda b: b[2])
    again = torch.cat([torch.arange(60), torch.arange(20)])  # as a distributed sampler does
    fit(pl, lightning_module(pl), [callback], tmp_path, 1, rows=[x[again], y[again], again])
    plain = watching(Evaluation(500))
    fit(pl, lightning_module(pl), [plain], tmp_path, 1)
    same = [{**c.monitor.history[0], "val_loss": None} for c in (callback, plain)]
    assert same[0] == pytest.approx(same[1], abs=1e-6)


def test_lightning_that_does_not_validate_is_told_so(pl, tmp_path):
    with pytest.warns(UserWarning, match="Evaluation"):
        fit(pl, lightning_module(pl), [watching(Evaluation(9))], tmp_path, 1, limit_val_batches=0)


@pytest.mark.parametrize(
    ("batch", "expected"),
    [
        (("x", "y"), "y"),
        ([1, 2, 3], 3),
        ({"x": 0, "label": 1}, 1),
        ({"y": 2, "labels": 1}, 1),
        ({"y": 2, "labels": None}, 2),
        (("x",), None),
        ({"x": 0}, None),
        (torch.ones(3, 2), None),
    ],
)
def test_labels_of_a_batch(batch, expected):
    assert labels_of(batch) == expected


def test_what_may_be_no_labels_is_not_taken_for_them():
    net = nn.Sequential(nn.Linear(4, 3))
    x, y = blobs()
    with Monitor(net, "0", Evaluation(100)) as monitor:
        net.eval()(x)
        with pytest.raises(ValueError, match=r"\(60, 4\).*labels="):
            Batches().collect(monitor, (x, x))
        Batches(labels=lambda batch: y).collect(monitor, (x, x))
        expected = Monitor(net, "0", probe=(x, y)).measure()
        assert monitor.step() == pytest.approx(expected, abs=1e-5)


def test_the_density_matrix_needs_the_labels_of_a_batch_too():
    net = nn.Sequential(nn.Linear(4, 3))
    x, y = blobs()
    with Monitor(net, "0", Evaluation(100), measures=KERNEL) as monitor:
        net.eval()(x)
        with pytest.raises(ValueError, match=naming("labels=", "'kernel_y'")):
            Batches().collect(monitor, {"x": x})
        Batches().collect(monitor, {"x": x, "labels": y})
        expected = Monitor(net, "0", probe=(x, y), measures=KERNEL).measure()
        assert monitor.step() == pytest.approx(expected, abs=1e-5)


class Classifier(nn.Module):
    """As a Trainer wants it."""

    def __init__(self):
        super().__init__()
        self.encoder, self.head = nn.Linear(4, 8), nn.Linear(8, 3)

    def forward(self, x, labels=None):
        logits = self.head(self.encoder(x).tanh())
        if labels is None:
            return {"logits": logits}
        return {"loss": nn.functional.cross_entropy(logits, labels), "logits": logits}


def hugging_face(folder, callbacks, **options):
    """A Trainer of two epochs, of three steps each."""
    transformers = library("transformers")
    library("accelerate")
    x, y = blobs()
    rows = [{"x": a, "labels": b} for a, b in zip(x, y, strict=True)]
    options = {"num_train_epochs": 2, "save_strategy": "no", **options}
    arguments = transformers.TrainingArguments(
        output_dir=str(folder), eval_strategy="epoch", report_to=[], use_cpu=True,
        per_device_train_batch_size=20, disable_tqdm=True, **options,
    )  # fmt: skip
    torch.manual_seed(0)
    return transformers.Trainer(
        Classifier(), arguments, train_dataset=rows, eval_dataset=rows, callbacks=callbacks
    )


def callback(layers=("encoder", "head"), **options):
    library("transformers")
    from eigentropy.torch.integrations.transformers import MonitorCallback

    x, y = blobs()
    return MonitorCallback(list(layers), ({"x": x}, y), **options)


@pytest.mark.parametrize("background", [False, 3])
def test_transformers_measures_at_each_evaluation(tmp_path, background):
    from eigentropy.report import read_run

    def log(values, step):
        seen.append(step)
        time.sleep(0.2 if background else 0.0)  # the Trainer is at another step by then

    seen = []
    options = {"log": log, "record": tmp_path / "run", "background": background}
    trainer = hugging_face(tmp_path, [callback(**options)])
    trainer.train()
    assert seen == [3, 6]
    logged = [row for row in trainer.state.log_history if "dsmi_y/encoder" in row]
    assert [row["step"] for row in logged] == [3, 6]
    with torch.no_grad():
        Z = trainer.model(blobs()[0])["logits"]
    assert logged[-1]["dse/head"] == pytest.approx(float(eg.dse(Z)), rel=1e-5)
    losses = [row["eval_loss"] for row in trainer.state.log_history if "eval_loss" in row]
    assert read_run(tmp_path / "run").values["eval_loss"] == pytest.approx(losses)
    trainer.evaluate()  # after training: there is no monitor any more
    assert seen == [3, 6]


def watcher(source, layers="head", **options):
    library("transformers")
    from eigentropy.torch.integrations.transformers import MonitorCallback

    return MonitorCallback(layers, source, **options)


def test_transformers_own_evaluation_is_measured(tmp_path):
    probed, watched = callback(["head"]), watcher(Evaluation(500))
    trainer = hugging_face(tmp_path, [probed, watched], per_device_eval_batch_size=25)
    model = trainer.model
    trainer.train()
    seen, expected = watched.monitor.history, probed.monitor.history
    assert [row["step"] for row in seen] == [1, 2]
    assert seen == [pytest.approx(row, abs=1e-5) for row in expected]
    assert {"dsmi_y/head", "eval_loss"} <= set(seen[0])
    assert not model._forward_pre_hooks
    assert not model.head._forward_hooks
    trainer.evaluate()
    assert len(watched.monitor.history) == 2


def test_transformers_measures_the_density_matrix(tmp_path):
    x, y = blobs()
    probed, watched = (
        watcher(source, measures=KERNEL) for source in (({"x": x}, y), Evaluation(500))
    )
    hugging_face(tmp_path, [probed, watched], num_train_epochs=1).train()
    (row,) = watched.monitor.history
    assert row == pytest.approx(probed.monitor.history[0], abs=1e-4)
    assert {"kernel/head", "kernel_y/head", "kernel_y_null_se/head"} <= set(row)


def test_transformers_trains_the_same_while_its_evaluation_is_watched(tmp_path):
    alone = hugging_face(tmp_path, [])
    watched = hugging_face(tmp_path, [watcher(Evaluation(30))])
    for trainer in (alone, watched):
        trainer.train()
    pairs = zip(alone.model.parameters(), watched.model.parameters(), strict=True)
    assert all(torch.equal(a, b) for a, b in pairs)


def test_a_prediction_of_transformers_is_no_evaluation(tmp_path):
    transformers = library("transformers")

    class Predicts(transformers.TrainerCallback):
        def on_epoch_end(self, *_, **__):
            trainer.predict(trainer.eval_dataset[:30])

    probed, watched = callback(["head"]), watcher(Evaluation(500))
    trainer = hugging_face(tmp_path, [Predicts(), probed, watched])
    trainer.train()
    expected = probed.monitor.history
    assert watched.monitor.history == [pytest.approx(row, abs=1e-5) for row in expected]


def test_labels_that_transformers_keeps_to_itself_are_missed(tmp_path):
    def loss(outputs, labels, **_):
        return nn.functional.cross_entropy(outputs["logits"], labels)

    def train(watched):
        trainer = hugging_face(tmp_path, [watched])
        trainer.compute_loss_func = loss  # which is given them, and the model is not
        trainer.train()

    with pytest.raises(ValueError, match="labels="):
        train(watcher(Evaluation(30)))
    without = watcher(Evaluation(30), measures="dse")
    train(without)
    assert [set(row) >= {"dse/head", "eval_loss"} for row in without.monitor.history] == [True] * 2


def test_training_of_transformers_that_broke_off_leaves_no_hooks_to_the_next(tmp_path):
    watched = watcher(Evaluation(30), measures="dse")
    trainer = hugging_face(tmp_path, [watched])
    arguments = trainer.args, trainer.state, trainer.control
    watched.on_train_begin(*arguments, model=trainer.model)
    watched.on_train_begin(*arguments, model=trainer.model)
    assert len(trainer.model.head._forward_hooks) == 1
    assert len(trainer.model._forward_pre_hooks) == 2  # a batch begins, and its labels


@pytest.mark.parametrize("name", ["lightning.pytorch", "transformers"])
def test_a_reservoir_would_be_of_the_last_batch_and_is_refused(name):
    library(name)
    make = watcher if name == "transformers" else watching
    with pytest.raises(ValueError, match=r"Evaluation\(n\)"):
        make(Reservoir(30))


def test_the_replicas_of_data_parallel_are_not_watched(tmp_path):
    trainer = hugging_face(tmp_path, [])
    arguments = SimpleNamespace(n_gpu=2), trainer.state, trainer.control
    with pytest.raises(ValueError, match="DataParallel"):
        watcher(Evaluation(30)).on_train_begin(*arguments, model=trainer.model)


def test_transformers_goes_on_from_a_checkpoint(tmp_path):
    first = [callback(every=2), callback(["head"])]
    hugging_face(tmp_path, first, save_strategy="epoch", num_train_epochs=3).train()
    second = [callback(["head"]), callback(every=2)]  # in another order
    trainer = hugging_face(tmp_path, second, save_strategy="epoch", num_train_epochs=4)
    trainer.train(resume_from_checkpoint=str(tmp_path / "checkpoint-9"))
    assert [row["step"] for row in second[0].monitor.history] == [1, 2, 3, 4]
    assert [row["step"] for row in second[1].monitor.history] == [2, 4]
    assert second[0].monitor.history[:3] == first[1].monitor.history
    third = callback(["head"])
    trainer = hugging_face(tmp_path, [third], num_train_epochs=5)
    trainer.train(resume_from_checkpoint=str(tmp_path / "checkpoint-12"))
    assert [row["step"] for row in third.monitor.history] == [1, 2, 3, 4, 5]


def test_a_probe_and_an_evaluation_of_the_same_layers_go_on_by_themselves(tmp_path):
    first = [callback(["head"]), watcher(Evaluation(30), ["head"], every=2)]
    hugging_face(tmp_path, first, save_strategy="epoch", num_train_epochs=2).train()
    second = [callback(["head"]), watcher(Evaluation(30), ["head"], every=2)]
    trainer = hugging_face(tmp_path, second, save_strategy="epoch", num_train_epochs=4)
    trainer.train(resume_from_checkpoint=str(tmp_path / "checkpoint-6"))
    steps = [[row["step"] for row in one.monitor.history] for one in second]
    assert steps == [[1, 2, 3, 4], [2, 4]]


def test_transformers_goes_on_from_a_checkpoint_without_a_monitor(tmp_path):
    hugging_face(tmp_path, [], save_strategy="epoch").train()
    late = callback()
    trainer = hugging_face(tmp_path, [late], save_strategy="epoch", num_train_epochs=3)
    trainer.train(resume_from_checkpoint=str(tmp_path / "checkpoint-6"))
    assert [row["step"] for row in late.monitor.history] == [1]


def test_transformers_cannot_make_the_callback_anew(tmp_path):
    hugging_face(tmp_path, [callback()], save_strategy="epoch").train()
    options = {"restore_callback_states_from_checkpoint": True, "num_train_epochs": 3}
    trainer = hugging_face(tmp_path, [callback()], **options)
    with pytest.raises(ValueError, match="restore_callback_states_from_checkpoint=False"):
        trainer.train(resume_from_checkpoint=str(tmp_path / "checkpoint-6"))


@pytest.fixture
def wandb(tmp_path, monkeypatch):
    """The real library, which writes into a folder and asks no network."""
    for name in ("WANDB_DATA_DIR", "WANDB_CACHE_DIR", "WANDB_CONFIG_DIR"):
        monkeypatch.setenv(name, str(tmp_path))
    return library("wandb")


def offline_run(wandb, folder):
    quiet = wandb.Settings(silent=True, console="off", x_disable_stats=True, init_timeout=300)
    return wandb.init(project="digits", mode="offline", dir=str(folder), settings=quiet)


def messages(file):
    """Of a log in LevelDB's format: blocks of 32 KiB, a header of 7 bytes before each part."""
    place, message = 7, b""
    while place + 7 <= len(file):
        left = -place % 32768
        if 0 < left < 7:  # too few for a header: filled up
            place += left
        length, kind = int.from_bytes(file[place + 4 : place + 6], "little"), file[place + 6]
        message += file[place + 7 : place + 7 + length]
        place += 7 + length
        if place > len(file):  # it is being written
            return
        if kind in (1, 4):  # whole, or the last part
            yield message
            message = b""


def records(folder):
    """The file of an offline run, which the library's service ends to write behind our back."""
    from wandb.proto.wandb_internal_pb2 import Record

    (path,) = Path(folder).glob("wandb/offline-run-*/run-*.wandb")
    found, end = [], time.monotonic() + 100
    while not any(record.HasField("exit") for record in found) and time.monotonic() < end:
        time.sleep(0.1)
        found = [Record.FromString(data) for data in messages(path.read_bytes())]
    return found


def written(folder):
    """The rows of an offline run, and the metrics that it defines."""
    rows, metrics = [], {}
    for record in records(folder):
        if record.HasField("history"):
            items = record.history.item
            rows.append({i.key or ".".join(i.nested_key): json.loads(i.value_json) for i in items})
        if record.HasField("metric"):
            metrics[record.metric.glob_name or record.metric.name] = record.metric.step_metric
    return rows, metrics


@pytest.mark.parametrize("by_module", [False, True])
def test_weights_and_biases_gets_the_values_over_a_step_of_their_own(wandb, tmp_path, by_module):
    model = Classifier()
    with offline_run(wandb, tmp_path) as run:
        log = wandb if by_module else run
        monitor = Monitor(model, ["encoder", "head"], probe=blobs(), log=log)
        for number in range(40):  # the loop's own values, which move the run's step
            run.log({"loss": 1.0 / (1 + number)})
        first, second = monitor.step(), monitor.step()
    rows, metrics = written(tmp_path)
    ours = [row for row in rows if "monitor_step" in row]
    assert [row["monitor_step"] for row in ours] == [1, 2]
    for row, values in zip(ours, (first, second), strict=True):
        assert {key: row[key] for key in values} == pytest.approx(values)
    assert metrics["dse/*"] == metrics["dsmi_y/*"] == "monitor_step"
    assert sum("loss" in row for row in rows) == 40


def test_metrics_are_those_of_all_processes():
    """Which torchmetrics gathers: here a function that knows what the other process has."""
    library("torchmetrics")
    from eigentropy.torch.integrations.torchmetrics import DiffusionSpectralMutualInformation

    x, y = blobs()

    def gathered(mine, group):
        return [mine, (x if mine.ndim == 2 else y)[40:]]

    metric = DiffusionSpectralMutualInformation(
        n_null=5, dist_sync_fn=gathered, distributed_available_fn=lambda: True
    )
    metric.update(x[:25], y[:25])
    metric.update(x[25:40], y[25:40])
    assert float(metric.compute()) == pytest.approx(float(eg.dsmi(x, y, n_null=5)), rel=1e-5)


def test_metrics_are_those_of_all_batches():
    library("torchmetrics")
    from eigentropy.torch.integrations.torchmetrics import (
        DiffusionSpectralEntropy,
        DiffusionSpectralMutualInformation,
    )

    x, y = blobs()
    entropy = DiffusionSpectralEntropy(t=2.0)
    information = DiffusionSpectralMutualInformation(n_null=5, compute_on_cpu=True)
    for start in range(0, 60, 20):
        part = slice(start, start + 20)
        entropy.update(x[part])
        information.update(x[part], y[part])
    assert float(entropy.compute()) == pytest.approx(float(eg.dse(x, t=2.0)), rel=1e-6)
    assert float(information.compute()) == pytest.approx(float(eg.dsmi(x, y, n_null=5)), rel=1e-5)
    entropy.reset()
    entropy.update(x[:30])
    assert float(entropy.compute()) == pytest.approx(float(eg.dse(x[:30], t=2.0)), rel=1e-6)
    with pytest.raises(ValueError, match=r"^labels .* 3 .* 60 "):
        information.update(x, y[:3])
    with pytest.raises(TypeError, match=r"'max_point'.*'max_points'"):
        DiffusionSpectralEntropy(max_point=1)
    with pytest.raises(TypeError, match=r"'n_nul'.*'n_null'"):
        DiffusionSpectralMutualInformation(n_nul=5)
    with pytest.raises(ValueError, match="compute_on_cpu"):
        DiffusionSpectralEntropy(compute_on_cpu=3)


def test_metrics_are_measured_where_the_rows_lie(gpu):
    library("torchmetrics")
    from eigentropy.torch.integrations.torchmetrics import (
        DiffusionSpectralEntropy,
        KernelInformation,
    )

    x, y = blobs()
    there, labels = gpu.put(x, y)
    entropy, information = DiffusionSpectralEntropy(), KernelInformation(n_null=3)
    entropy.update(there)
    information.update(there, labels)
    assert entropy.compute().device == there.device
    assert float(entropy.compute()) == pytest.approx(float(eg.dse(x)), rel=1e-5)
    expected = float(eg.kernel_information(x, y, n_null=3))
    assert float(information.compute()) == pytest.approx(expected, rel=1e-4)
    assert (60, 4) not in gpu.copied


@pytest.mark.filterwarnings("error")
def test_metrics_without_the_plug_in_say_once_that_they_copy(gpu, monkeypatch):
    library("torchmetrics")
    from eigentropy.torch.integrations.torchmetrics import DiffusionSpectralEntropy

    monkeypatch.setitem(sys.modules, device_arrays.PACKAGE, None)
    x, _ = blobs()
    metric = DiffusionSpectralEntropy()
    metric.update(*gpu.put(x))
    with pytest.warns(UserWarning, match=naming("cuda:0", "eigentropy-cuda13", "compute_on_cpu")):
        assert float(metric.compute()) == pytest.approx(float(eg.dse(x)), rel=1e-5)
    metric.reset()
    metric.update(*gpu.put(x))
    metric.compute()


def test_metrics_of_the_kernel_are_those_of_all_batches():
    library("torchmetrics")
    from eigentropy.torch.integrations.torchmetrics import KernelEntropy, KernelInformation

    x, y = blobs()
    known = {"n_null": 5, "order": 2.0}
    entropy, of_labels, of_vectors = KernelEntropy(), *(KernelInformation(**known) for _ in "ab")
    for start in range(0, 60, 20):
        part = slice(start, start + 20)
        entropy.update(x[part])
        of_labels.update(x[part], y[part])
        of_vectors.update(x[part], x[part].tanh())
    for metric, expected in (
        (entropy, eg.kernel_entropy(x)),
        (of_labels, eg.kernel_information(x, y, **known)),
        (of_vectors, eg.kernel_information(x, x.tanh(), **known)),
    ):
        assert float(metric.compute()) == pytest.approx(float(expected), rel=1e-5)
    with pytest.raises(ValueError, match=r"^Y .* 3 .* 60 "):
        of_labels.update(x, y[:3])
    with pytest.raises(ValueError, match=r"^order .* -1"):
        KernelEntropy(order=-1).forward(x)
    for other in ("alpha", "given"):
        with pytest.raises(TypeError, match=f"'{other}'"):
            KernelInformation(**{other: 1.0})


def test_metrics_draw_themselves():
    library("torchmetrics")
    plt = library("matplotlib.pyplot")
    from eigentropy.torch.integrations import torchmetrics

    x, y = blobs()
    entropy = torchmetrics.DiffusionSpectralEntropy()
    information = torchmetrics.DiffusionSpectralMutualInformation(n_null=5)
    values = [entropy(x[:k]) for k in (20, 40, 60)]
    information.update(x, y)
    for metric, given, drawn in (
        (entropy, values, values),
        (entropy, values[1], values[1:2]),
        (entropy, None, [entropy.compute()]),
        (information, None, [information.compute()]),
    ):
        figure, axes = metric.plot(given)
        (line,) = axes.lines
        assert list(line.get_ydata()) == pytest.approx([float(value) for value in drawn])
        plt.close(figure)
    _, axes = plt.subplots()
    assert entropy.plot(ax=axes)[1] is axes
    plt.close("all")


def test_callbacks_take_modules_as_layers(pl, tmp_path):
    model = lightning_module(pl)
    from eigentropy.torch.integrations.lightning import MonitorCallback

    callback = MonitorCallback([model.head, "encoder"], blobs())
    fit(pl, model, [callback], tmp_path, epochs=1)
    assert callback.monitor.layers == ("encoder", "head")
    trainer = hugging_face(tmp_path, [], save_strategy="epoch")
    watched = watcher(({"x": blobs()[0]}, blobs()[1]), trainer.model.head)
    trainer.add_callback(watched)
    trainer.train()
    assert watched.monitor.layers == ("head",)


def test_a_lightning_log_goes_on_in_a_second_fit_and_from_a_checkpoint(pl, tmp_path):
    from eigentropy.torch import CSVLogger
    from eigentropy.torch.integrations.lightning import MonitorCallback

    path, model = tmp_path / "run.csv", lightning_module(pl)
    callback = MonitorCallback("head", blobs(), log=path)
    trainer = fit(pl, model, [callback], tmp_path, epochs=2)
    trainer.save_checkpoint(tmp_path / "run.ckpt")
    fit(pl, model, [callback], tmp_path, epochs=1)
    assert [row["step"] for row in rows_of(path)] == ["1", "2", "3"]
    with pytest.raises(FileExistsError, match="resume=True"):
        fit(pl, model, [MonitorCallback("head", blobs(), log=path)], tmp_path, epochs=1)
    again = MonitorCallback("head", blobs(), log=CSVLogger(path, resume=True))
    fit(pl, lightning_module(pl), [again], tmp_path, 4, ckpt_path=tmp_path / "run.ckpt")
    assert [row["step"] for row in rows_of(path)] == ["1", "2", "3", "4"]


def rows_of(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_a_log_of_transformers_goes_on_from_a_checkpoint(tmp_path):
    from eigentropy.torch import CSVLogger

    path = tmp_path / "run.csv"
    hugging_face(tmp_path, [callback(log=path)], save_strategy="epoch", num_train_epochs=3).train()
    assert [row["step"] for row in rows_of(path)] == ["3", "6", "9"]
    with pytest.raises(FileExistsError, match="resume=True"):
        hugging_face(tmp_path, [callback(log=path)]).train()
    resumed = callback(log=CSVLogger(path, resume=True))
    trainer = hugging_face(tmp_path, [resumed], num_train_epochs=4)
    trainer.train(resume_from_checkpoint=str(tmp_path / "checkpoint-6"))
    assert [row["step"] for row in rows_of(path)] == ["3", "6", "9", "12"]
