"""A monitor that records: what `eigentropy report` reads is what it has measured."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="eigentropy.torch needs PyTorch")

import eigentropy as eg
from eigentropy.report import Recorder, page, read_run, remarks
from eigentropy.torch import Monitor, Reservoir
from eigentropy.torch.monitoring.measuring import NOT_FINITE

nn = torch.nn


def blobs(n=90):
    y = torch.arange(n) % 3
    return torch.randn(n, 4, generator=torch.Generator().manual_seed(0)) + 3 * torch.eye(4)[y], y


@pytest.fixture
def net():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Linear(16, 3))


def test_a_run_holds_what_was_measured(net, tmp_path):
    x, y = blobs()
    recorder = Recorder(tmp_path / "runs" / "a", settings={"lr": 0.1})
    with Monitor(net, ["1", "2"], probe=(x, y), record=recorder, t=3.3, seed=5) as monitor:
        monitor.measure(values={"loss": torch.tensor(2.0)})
        monitor.step(values={"loss": 1.0, "accuracy": np.float32(0.5)})
    run = read_run(tmp_path / "runs" / "a")
    assert (run.layers, run.steps, run.title) == (("1", "2"), [0, 1], "a")
    for row, step in zip(monitor.history, (0, 1), strict=True):
        assert row == {"step": step, **{k: v[step] for k, v in run.values.items() if v[step]}}
    assert run.values["loss"] == [2.0, 1.0]
    assert run.values["accuracy"] == [None, 0.5]
    known = run.description
    assert (known["t"], known["seed"], known["n"]) == (3.3, 5, 90)
    assert known["classes"] == [{"name": str(k), "size": 30} for k in range(3)]
    assert known["settings"] == {"lr": 0.1}
    at = known["times"].index(3.3)
    assert run.spectra[1]["2"]["entropy"][at] == pytest.approx(run.values["dse/2"][1], rel=1e-5)
    assert run.views[0]["groups"] == y.tolist()
    page([run])


def test_recording_changes_no_value(net, tmp_path):
    plain = Monitor(net, ["1", "2"], probe=blobs()).measure()
    assert Monitor(net, ["1", "2"], probe=blobs(), record=tmp_path / "a").measure() == plain


def test_further_values_reach_the_loggers(net):
    seen = []
    with Monitor(net, "2", probe=blobs(), every=2, log=lambda v, step: seen.append(v)) as monitor:
        assert monitor.step(values={"loss": 3.0}) is None  # not one of every second
        values = monitor.step(values={"loss": 2.0})
    assert values["loss"] == 2.0
    assert list(values)[-1] == "loss"
    assert seen == [values]
    assert monitor.history[0]["loss"] == 2.0


@pytest.mark.parametrize(
    ("values", "error", "message"),
    [
        ([1.0], TypeError, r"^values .*\[1.0\]"),
        ({"loss": "low"}, TypeError, r"^values\['loss'\] .* str"),
        ({"loss": torch.ones(2)}, TypeError, r"^values\['loss'\] .* Tensor"),
        ({"step": 1}, ValueError, "^values: .*'step'"),
        ({1: 1}, ValueError, "^values: .* 1$"),
        ({"dse/2": 1}, ValueError, "'dse/2' is the name of what the monitor measures"),
    ],
)
def test_values_are_checked(net, values, error, message):
    with pytest.raises(error, match=message):
        Monitor(net, "2", probe=blobs()).measure(values=values)


def test_a_layer_with_nan_has_no_value_and_the_report_says_so(net, tmp_path):
    monitor = Monitor(net, ["0", "2"], probe=blobs(), record=tmp_path / "a")
    monitor.step()
    net[2].weight.data[0, 0] = math.nan
    with pytest.warns(UserWarning, match=NOT_FINITE):
        monitor.step()
    run = read_run(tmp_path / "a")
    assert run.values["dse/2"][1] is None
    assert set(run.spectra[2]) == {"0"}
    assert any("Layer 2 " in text and "epoch 2" in text for text in remarks(run))


@pytest.mark.parametrize("value", [float("nan"), np.float32(0.1), {1, 2}])
def test_settings_that_json_cannot_hold_are_refused_before_training(tmp_path, value):
    with pytest.raises(TypeError, match=r"^settings .*JSON"):
        Recorder(tmp_path / "a", settings={"lr": value})


def test_a_directory_with_a_run_is_refused_before_training(net, tmp_path):
    Monitor(net, "2", probe=blobs(), record=tmp_path / "a").measure()
    with pytest.raises(FileExistsError, match="resume=True"):
        Monitor(net, "2", probe=blobs(), record=tmp_path / "a")
    with pytest.raises(TypeError, match=r"^record .* int"):
        Monitor(net, "2", probe=blobs(), record=3)


def test_a_run_goes_on_with_the_monitors_state(net, tmp_path):
    first = Monitor(net, "2", probe=blobs(), record=tmp_path / "a")
    for _ in range(2):
        first.step()
    state = json.loads(json.dumps(first.state_dict()))
    first.step()  # after the checkpoint
    again = Recorder(tmp_path / "a", resume=True)
    second = Monitor(net, "2", probe=blobs(), record=again)
    with pytest.raises(FileExistsError, match="load_state_dict"):
        second.measure()
    second.load_state_dict(state)
    second.step()
    second.step()
    assert read_run(tmp_path / "a").steps == [1, 2, 3, 4]


def test_a_disk_that_is_full_does_not_stop_the_training(net, tmp_path, monkeypatch):
    def full(*_):
        raise OSError("no space left on device")

    monitor = Monitor(net, "2", probe=blobs(), record=tmp_path / "a")
    monitor.step()
    monkeypatch.setattr("eigentropy.report.run_files.append_line", full)
    with pytest.warns(UserWarning, match="^step 2: .*Recorder.* no space left"):
        monitor.step()
    assert monitor.step() is not None  # said once: another warning would be an error
    monkeypatch.undo()
    monitor.step()
    assert read_run(tmp_path / "a").steps == [1, 4]


def test_a_recorder_that_cannot_begin_is_said_once_and_begins_later(net, tmp_path, full_disk):
    seen = []
    expected = Monitor(net, "2", probe=blobs()).measure()
    log = lambda values, step: seen.append((step, values))  # noqa: E731
    monitor = Monitor(net, "2", probe=blobs(), record=tmp_path / "a", log=log)
    with full_disk(0):
        with pytest.warns(UserWarning, match=r"^step 1: .*Recorder\(") as caught:
            assert monitor.step() == expected
        assert monitor.step() == expected  # said once: another warning would be an error
    assert len(caught) == 1
    assert seen == [(1, expected), (2, expected)]
    assert not (tmp_path / "a" / "values.jsonl").exists()
    monitor.step()
    assert read_run(tmp_path / "a").steps == [3]


@pytest.mark.parametrize("error", [MemoryError("too little"), ValueError("a map's")])
def test_a_map_that_fails_costs_neither_values_nor_spectra(net, tmp_path, monkeypatch, error):
    def fails(*_, **__):
        raise error

    monitor = Monitor(net, ["1", "2"], probe=blobs(), record=tmp_path / "a")
    monkeypatch.setattr("eigentropy.report.views.diffusion_coordinates", fails)
    with pytest.warns(UserWarning, match=rf"^step 1: .*Recorder.*{error}") as caught:
        values = monitor.step()
    assert len(caught) == 1  # of two layers
    assert math.isfinite(values["dse/2"])
    assert monitor.history == [{"step": 1, **values}]
    run = read_run(tmp_path / "a")
    assert {key: known[0] for key, known in run.values.items()} == pytest.approx(values)
    assert set(run.spectra[1]) == {"1", "2"}
    assert run.views == []


def test_a_run_is_read_after_a_line_has_not_fitted_on_the_disk(net, tmp_path, full_disk):
    monitor = Monitor(net, "2", probe=blobs(), record=Recorder(tmp_path / "a", views=2))
    for _ in range(3):  # the next has no view, whose file would be the one that does not fit
        monitor.step()
    spectra = tmp_path / "a" / "spectra.jsonl"
    size = spectra.stat().st_size
    with full_disk(size + 5), pytest.warns(UserWarning, match=r"^step 4: .*Recorder\("):
        monitor.step()
    assert spectra.stat().st_size == size
    monitor.step()
    assert read_run(tmp_path / "a").steps == [1, 2, 3, 5]


@pytest.mark.filterwarnings("ignore::eigentropy.SaturationWarning")
def test_a_reservoir_is_recorded_with_the_labels_of_its_samples(net, tmp_path):
    x, y = blobs()
    with Monitor(net, "2", Reservoir(20), measures=["dse", "dsmi_y"], record=tmp_path / "a") as m:
        net(x)
        m.step(y)
    run = read_run(tmp_path / "a")
    assert run.spectra[1]["2"]["n"] == 20
    assert set(run.views[0]["groups"]) == {0, 1, 2}
    assert run.description["classes"] is None


def test_one_sample_is_recorded_without_a_map(net, tmp_path):
    x, _ = blobs(1)
    monitor = Monitor(net, "2", probe=x, record=tmp_path / "a")
    with pytest.warns(eg.SaturationWarning):
        monitor.step()
    run = read_run(tmp_path / "a")
    assert run.values["dse/2"] == [0.0]
    assert run.views == []
    page([run])


def test_regression_targets_are_classes_without_names(net, tmp_path):
    x, y = blobs()
    Monitor(net, "2", probe=(x, y + 0.5), record=tmp_path / "a", n_clusters=3).measure()
    classes = read_run(tmp_path / "a").description["classes"]
    assert [c["name"] for c in classes] == ["group 1", "group 2", "group 3"]
