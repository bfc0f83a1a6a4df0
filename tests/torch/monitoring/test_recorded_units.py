"""A monitor that records units: the same units and samples at every step, as the model gives."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="eigentropy.torch needs PyTorch")

import processes
from eigentropy.report import Recorder, Units, read_run
from eigentropy.torch import Evaluation, Monitor, Probe, Reservoir
from eigentropy.torch.monitoring.measuring import NOT_FINITE
from messages import naming

nn = torch.nn
N = 60


def data(n=N):
    y = torch.arange(n) % 3
    x = torch.randn(n, 1, 6, 6, generator=torch.Generator().manual_seed(0))
    return x + y[:, None, None, None], y


@pytest.fixture
def net():
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(1, 5, 3), nn.ReLU(), nn.Flatten(), nn.Linear(80, 40), nn.ReLU(), nn.Linear(40, 3)
    )


def recorded(net, path, steps=2, layers=("0", "4"), source=None, **options):
    options = {"units": True, **options}
    with Monitor(net, list(layers), source or Probe(*data()), record=path, **options) as monitor:
        for _ in range(steps):
            with torch.no_grad():
                net[3].weight.mul_(1.1)
            monitor.step()
    return read_run(path)


def test_units_are_what_the_layer_gives_on_the_probe(net, tmp_path):
    run = recorded(net, tmp_path / "a", steps=1, layers=("4", "5"))
    x, _ = data()
    with torch.no_grad():
        exact = net[:5](x).numpy()
    steps, units = run.units("4")
    assert steps.tolist() == [1]
    assert units.dtype == np.float32
    np.testing.assert_array_equal(units[0], exact.T)
    assert run.units("5")[1].shape == (1, 3, N)


@pytest.mark.parametrize("pooling", ["flatten", "mean"])
def test_a_unit_of_channels_is_the_mean_over_positions(net, tmp_path, pooling):
    run = recorded(net, tmp_path / "a", layers=("0",), pooling=pooling)
    x, _ = data()
    with torch.no_grad():
        exact = net[0](x).mean(dim=(2, 3)).T
    np.testing.assert_allclose(run.units("0")[1][1], exact, atol=1e-6)
    assert run.description["columns"] == {"0": 5}


def test_a_unit_of_tokens_is_the_mean_of_a_feature(tmp_path):
    net = nn.Sequential(nn.Unflatten(1, (4, 3)), nn.Linear(3, 7))
    x = torch.randn(20, 12)
    with Monitor(net, "1", Probe(x), record=tmp_path / "a", units=True) as monitor:
        monitor.step()
    with torch.no_grad():
        exact = net(x).mean(dim=1).T
    np.testing.assert_allclose(read_run(tmp_path / "a").units("1")[1][0], exact, atol=1e-6)


def test_columns_that_a_function_pools_are_units_as_they_are(net, tmp_path):
    own = recorded(net, tmp_path / "a", layers=("0",), pooling=lambda z: z.flatten(1))
    assert own.description["columns"] == {"0": 80}


def test_the_same_units_and_samples_are_kept_at_every_step(net, tmp_path):
    run = recorded(net, tmp_path / "a", layers=("4",), units=Units(7, 11, seed=3))
    known = run.description["units"]
    assert (known["per_layer"], known["samples"], known["n"], known["seed"]) == (7, 11, N, 3)
    assert run.description["columns"] == {"4": 40}
    units = np.sort(np.random.default_rng(3).choice(40, 7, replace=False))
    samples = np.sort(np.random.default_rng(3).choice(N, 11, replace=False))
    x, _ = data()
    with torch.no_grad():
        last = net[:5](x).numpy().T
        net[3].weight.div_(1.1)
        before = net[:5](x).numpy().T
    kept = run.units("4")[1]
    for found, whole in zip(kept, (before, last), strict=True):
        np.testing.assert_allclose(found, whole[np.ix_(units, samples)], atol=1e-5)


def test_a_number_is_that_of_the_units(net, tmp_path):
    assert recorded(net, tmp_path / "a", units=9).units("4")[1].shape == (2, 9, N)


def test_a_layer_with_nan_has_no_units_at_that_step(net, tmp_path):
    with Monitor(net, ["3", "5"], Probe(*data()), record=tmp_path / "a", units=True) as monitor:
        monitor.step()
        net[5].weight.data[0, 0] = math.nan
        with pytest.warns(UserWarning, match=NOT_FINITE):
            monitor.step()
    run = read_run(tmp_path / "a")
    assert run.units("3")[0].tolist() == [1, 2]
    assert run.units("5")[0].tolist() == [1]


@pytest.mark.parametrize("source", [Evaluation(20), Reservoir(20)])
def test_samples_that_change_have_no_units(net, tmp_path, source):
    with pytest.raises(ValueError, match=naming("units=True", type(source).__name__, "Probe")):
        Monitor(net, "4", source, record=tmp_path / "a", units=True)
    assert not (tmp_path / "a").exists()


def test_units_are_recorded_or_nowhere(net):
    with pytest.raises(ValueError, match=naming("units=True", "record")):
        Monitor(net, "4", Probe(*data()), units=True)


@pytest.mark.parametrize(
    ("units", "error"), [("all", TypeError), (1, ValueError), (0.5, TypeError)]
)
def test_the_argument_is_checked(net, tmp_path, units, error):
    with pytest.raises(error, match=naming("units", units)):
        Monitor(net, "4", Probe(*data()), record=tmp_path / "a", units=units)


def test_what_two_steps_have_no_room_for_is_refused_before_training(net, tmp_path):
    with pytest.raises(ValueError, match=naming("units", "max_bytes=1000", N)):
        recorded(net, tmp_path / "a", units=Units(max_bytes=1000))


def test_units_leave_no_trace_in_the_values(net, tmp_path):
    plain = Monitor(net, ["0", "4"], Probe(*data())).measure()
    with_units = Monitor(net, ["0", "4"], Probe(*data()), record=tmp_path / "a", units=True)
    assert with_units.measure() == plain


def test_a_disk_that_is_full_is_said_once(net, tmp_path, monkeypatch):
    def full(*_):
        raise OSError("no space left on device")

    with Monitor(net, "4", Probe(*data()), record=tmp_path / "a", units=True) as monitor:
        monitor.step()
        monkeypatch.setattr("eigentropy.report.recording.write_units", full)
        with pytest.warns(UserWarning, match=r"^step 2: .*Recorder.* no space left"):
            monitor.step()
        assert monitor.step() is not None  # said once: another warning would be an error
        monkeypatch.undo()
        monitor.step()
    run = read_run(tmp_path / "a")
    assert run.steps == run.units("4")[0].tolist() == [1, 4]


def test_a_run_goes_on_with_the_same_units(net, tmp_path):
    with Monitor(net, "4", Probe(*data()), record=tmp_path / "a", units=5) as first:
        first.step()
        first.step()
        state = json.loads(json.dumps(first.state_dict()))
        first.step()  # after the checkpoint
    before = read_run(tmp_path / "a").units("4")[1]
    again = Recorder(tmp_path / "a", resume=True)
    with Monitor(net, "4", Probe(*data()), record=again, units=5) as second:
        second.load_state_dict(state)
        with torch.no_grad():
            net[3].weight.mul_(2.0)
        second.step()
    steps, after = read_run(tmp_path / "a").units("4")
    assert steps.tolist() == [1, 2, 3]
    np.testing.assert_array_equal(after[:2], before[:2])
    assert (after[2] != before[2]).any()


def test_other_units_are_not_gone_on_with(net, tmp_path):
    with Monitor(net, "4", Probe(*data()), record=tmp_path / "a", units=5) as first:
        first.step()
        state = first.state_dict()
    again = Recorder(tmp_path / "a", resume=True)
    with Monitor(net, "4", Probe(*data()), record=again, units=6) as second:
        second.load_state_dict(state)
        with pytest.raises(ValueError, match=naming("units", 5, 6)):
            second.step()


def two_steps(rank, folder, gather=None):
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(4, 6), nn.ReLU(), nn.Linear(6, 3))
    x = torch.randn(31, 4, generator=torch.Generator().manual_seed(1))
    where = folder if rank == 0 else f"{folder}-{rank}"
    with Monitor(net, ["0", "2"], Probe(x), record=where, units=True, gather=gather) as monitor:
        monitor.step()


def test_the_first_process_alone_writes_the_units_of_all_samples(tmp_path):
    two_steps(0, tmp_path / "alone")
    cases = {
        f"{gather}": (two_steps, str(tmp_path / f"{gather}"), gather) for gather in (False, True)
    }
    processes.results(cases, 2, tmp_path)
    alone = read_run(tmp_path / "alone")
    for case in cases:
        assert not (tmp_path / f"{case}-1").exists()
        together = read_run(tmp_path / case)
        for layer in alone.layers:
            np.testing.assert_allclose(together.units(layer)[1], alone.units(layer)[1], atol=1e-6)
