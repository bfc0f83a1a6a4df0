"""A profile measures every layer, and compares each with the one before."""

from __future__ import annotations

import gc
import json
import math
import subprocess
import sys
import weakref

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="eigentropy.torch needs PyTorch")

import eigentropy as eg
from eigentropy.torch import Monitor, Probe, Reservoir
from eigentropy.torch.monitoring import measuring
from messages import naming

nn = torch.nn
N = 120
ABOUT = ["dsmi_y", "dsmi_previous"]


@pytest.fixture
def net():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(6, 12), nn.Tanh(), nn.Identity(), nn.Linear(12, 1))


def data(n=N):
    y = torch.arange(n) % 3
    return torch.randn(n, 6, generator=torch.Generator().manual_seed(0)) + 3 * torch.eye(6)[y], y


def rows(net):
    Z, found = data()[0], {}
    for name, layer in net.named_children():
        Z = layer(Z)
        found[name] = Z.detach().numpy()
    return found


def test_the_values_are_those_of_the_monitor(net):
    options = {"measures": ["dse", *ABOUT], "sampling": True}
    with Monitor(net, ["1", "3"], probe=data(), **options) as monitor:
        values, profile = monitor.measure(), monitor.profile()
    assert profile.names == ["1", "3"]
    for layer in profile.layers:
        for measure, number in layer.numbers.items():
            expected = values[f"{measure}/{layer.name}"]
            assert number.value == expected
            error = values[f"{measure}_sampling_se/{layer.name}"]
            assert number.sampling_error == pytest.approx(error, rel=1e-12, nan_ok=True)
    assert profile.units["dse"] == "bits"
    assert len(monitor.history) == 1


def test_the_differences_are_those_of_the_rows(net):
    Z, y = rows(net), data()[1]
    profile = eg.profile(net, data(), measures=["dse", "dsmi_y", "kernel_y"], n_null=4)
    expected = {
        "dse": eg.compare(Z["0"], Z["1"], paired=True),
        "dsmi_y": eg.compare(Z["0"], Z["1"], measure="dsmi", Y=y, n_null=4, paired=True),
        "kernel_y": eg.compare(
            Z["0"], Z["1"], measure="kernel_information_bits", Y=y, n_null=4, paired=True
        ),
    }
    found = {one.measure: one.difference for one in profile.neighbours if one.b == "1"}
    for measure, difference in expected.items():
        assert found[measure].value == pytest.approx(difference.value, rel=1e-9)
        assert found[measure].standard_error == pytest.approx(difference.standard_error, rel=1e-6)
        assert found[measure].p_value == pytest.approx(difference.p_value, rel=1e-6)


def test_a_layer_that_changes_nothing_is_tied_and_one_that_forgets_is_not(net):
    net[3].forward = lambda x: x[torch.randperm(len(x), generator=generator), :1]
    generator = torch.Generator().manual_seed(0)
    profile = eg.profile(net, data(), ["1", "2", "3"], measures=["dse", "dsmi_y"])
    for measure in ("dse", "dsmi_y", "dsmi_y_adjusted"):
        assert profile.p_values[measure, "1", "2"] == 1.0
        assert profile.p_values[measure, "2", "3"] < 0.05
        assert profile.ties(measure) == [("1", "2")]


@pytest.mark.filterwarnings("ignore:layer.*single row")
def test_a_profile_has_the_information_about_labels_and_the_layer_before(net):
    profile = eg.profile(net, data(60), ["0", "1"], n_null=2)
    assert set(profile.measures) == {
        "dse", *ABOUT, "dsmi_y_adjusted", "dsmi_previous_adjusted",
    }  # fmt: skip
    assert "dsmi_previous" not in profile.layers[0].numbers
    assert set(eg.profile(net, data(60)[0], "0").measures) == {"dse"}


def test_no_more_than_two_layers_are_in_memory(net, monkeypatch):
    plain, seen, most = measuring.measure, [], []

    def measure(Z, *arguments, **options):
        seen.append(weakref.ref(Z))
        gc.collect()
        most.append(sum(one() is not None for one in seen))
        return plain(Z, *arguments, **options)

    monkeypatch.setattr(measuring, "measure", measure)
    net.append(nn.Tanh())
    eg.profile(net, data(30), measures="dsmi_y", n_null=2)
    assert len(most) == 5
    assert max(most) == 2


def test_a_layer_that_is_not_finite_is_compared_with_none(net):
    net[2].forward = lambda x: x * math.nan
    with pytest.warns(UserWarning, match=naming("NaN")):
        profile = Monitor(net, ["0", "1", "2"], data(), measures="dsmi_y").profile()
    assert {(one.a, one.b) for one in profile.neighbours} == {("0", "1")}
    assert math.isnan(profile.values("dsmi_y")["2"].value)
    assert "nan" in repr(profile)


def test_bits_are_bits_whatever_the_base(net):
    x, y = data(40)
    of = (x, y.float() + torch.rand(40))  # scalars: the value itself, in bits
    two, e = (
        eg.profile(net, of, ["0", "1"], measures="kernel_y", base=base, n_null=2)
        for base in (2.0, math.e)
    )
    assert two.units["kernel_y"] == e.units["kernel_y"] == "bits"
    (a,), (b,) = two.neighbours, e.neighbours
    assert a.difference.value == pytest.approx(b.difference.value)
    assert a.difference.standard_error == pytest.approx(b.difference.standard_error)
    assert a.difference.base == b.difference.base == 2.0


def test_few_rows_have_values_without_errors(net):
    with pytest.warns(UserWarning, match=naming("sampling error", 6)):
        profile = Monitor(net, "0", data(6), measures="dsmi_y").profile()
    assert math.isnan(profile.values()["0"].sampling_error)
    assert not math.isnan(float(profile.values()["0"]))


def test_a_profile_of_nothing_is_refused(net):
    monitor = Monitor(net.train(), "0", Reservoir(40), measures="dse")
    with (
        pytest.warns(UserWarning, match="'0'"),
        pytest.raises(ValueError, match=naming("no layer has rows")),
    ):
        monitor.profile()


@pytest.mark.parametrize("level", [0.0, 1.0, math.nan])
def test_a_level_is_a_probability(net, level):
    with (
        Monitor(net, "0", probe=data()[0]) as monitor,
        pytest.raises(ValueError, match=naming("level")),
    ):
        monitor.profile(level=level)


def test_a_probe_without_labels_tells_nothing_about_them(net):
    with pytest.raises(ValueError, match=naming("labels", "dsmi_y")):
        eg.profile(net, data()[0], measures="dsmi_y")


def lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_a_run_has_the_profile_of_each_measurement_with_sampling_errors(net, tmp_path):
    options = {"measures": "dsmi_y", "sampling": True, "record": tmp_path}
    with Monitor(net, ["0", "1"], probe=data(30), **options) as monitor:
        for _ in range(2):
            monitor.step()
        profile = monitor.profile()
    found = lines(tmp_path / "profiles.jsonl")
    assert [line["step"] for line in found] == [1, 2, 2]
    assert found[2] == {"step": 2, **profile.to_record()}
    assert found[1] == found[2]


def test_without_sampling_errors_it_has_those_that_are_asked_for(net, tmp_path):
    with Monitor(net, "0", probe=data(), measures="dsmi_y", record=tmp_path) as monitor:
        monitor.step()
        assert not (tmp_path / "profiles.jsonl").exists()
        monitor.profile()
    assert [line["step"] for line in lines(tmp_path / "profiles.jsonl")] == [1]


def test_profiles_after_the_state_that_a_run_goes_on_from_are_dropped(net, tmp_path):
    from eigentropy.report import Recorder

    options = {"probe": data(30), "measures": "dsmi_y", "sampling": True}
    with Monitor(net, "0", **options, record=tmp_path) as monitor:
        monitor.step()
        state = monitor.state_dict()
        monitor.step()
    with Monitor(net, "0", **options, record=Recorder(tmp_path, resume=True)) as monitor:
        monitor.load_state_dict(state)
        monitor.step()
    assert [line["step"] for line in lines(tmp_path / "profiles.jsonl")] == [1, 2]


def test_a_profile_leaves_the_model_alone(net):
    before = {name: value.clone() for name, value in net.state_dict().items()}
    state = torch.get_rng_state()
    eg.profile(net.train(), Probe(*data(30)), "0", measures="dsmi_y", n_null=2)
    assert net.training
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(before[name], value) for name, value in net.state_dict().items())
    assert not net[0]._forward_hooks


def test_without_pytorch_it_says_what_is_missing():
    code = (
        "import sys; sys.modules['torch'] = None\n"
        "import eigentropy as eg\n"
        "try: eg.profile(None, None)\n"
        "except ImportError as error: print(error)"
    )
    alone = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "PyTorch" in alone.stdout


def test_an_unknown_option_names_the_nearest(net):
    with pytest.raises(TypeError, match=naming("'simga'", "'sigma'")):
        eg.profile(net, data(), simga=1.0)


def test_rows_are_for_pandas(net):
    found = eg.profile(net, data(60), ["0", "1"], measures="dsmi_y", n_null=2).to_rows()
    assert [row["layer"] for row in found] == ["0", "1"]
    assert [row["columns"] for row in found] == [12, 12]
    assert all(np.isfinite(row["dsmi_y_sampling_se"]) for row in found)
