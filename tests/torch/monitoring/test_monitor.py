"""What a monitor measures, that training does not notice it, and what it says of bad input."""

from __future__ import annotations

import copy
import csv
import json
import math
import random
import re
import warnings

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="eigentropy.torch needs PyTorch")

import eigentropy as eg
from eigentropy._support import memory
from eigentropy.torch import (
    CSVLogger,
    Evaluation,
    JSONLinesLogger,
    Monitor,
    Probe,
    Reservoir,
    TensorBoardLogger,
)
from eigentropy.torch.monitoring.budget import Budget
from eigentropy.torch.monitoring.collection import INCOMPLETE, NOT_HOOKED, REPEATED, Counted, Place
from eigentropy.torch.monitoring.measuring import NOT_FINITE
from eigentropy.torch.monitoring.rows import UNUSABLE
from messages import naming

nn = torch.nn


class Net(nn.Module):
    """Two blocks with all that a careless probe would disturb, and a head."""

    careless = True

    def __init__(self):
        super().__init__()
        self.encoder = nn.Sequential(
            nn.Sequential(nn.Linear(4, 16), nn.BatchNorm1d(16), nn.ReLU(inplace=True)),
            nn.Sequential(nn.Linear(16, 8), nn.Dropout(0.5), nn.Tanh()),
        )
        self.head = nn.Linear(8, 3)
        self.register_buffer("calls", torch.zeros(1))
        self.register_buffer("last", torch.zeros(1))

    def forward(self, x):
        self.calls += 1  # in place, also in evaluation mode
        self.last = x.mean().detach()[None]  # another tensor
        if self.careless:  # which Dynamo cannot follow
            random.random(), np.random.random(), torch.rand(1)
        return self.head(self.encoder(x))


@pytest.fixture
def net():
    torch.manual_seed(0)
    return Net()


def blobs(n=120, seed=0):
    generator = torch.Generator().manual_seed(seed)
    y = torch.arange(n) % 3
    return torch.randn(n, 4, generator=generator) + 3 * torch.eye(4)[y], y


LAYERS = ["encoder.*", "head"]


def activations(net, x):
    """What the layers return, by hand."""
    net = copy.deepcopy(net).eval()
    with torch.no_grad():
        first = net.encoder[0](x)
        second = net.encoder[1](first)
        return {"encoder.0": first, "encoder.1": second, "head": net.head(second)}


def test_the_values_are_those_of_dse_and_dsmi(net):
    x, y = blobs()
    with Monitor(net, LAYERS, probe=(x, y)) as monitor:
        values = monitor.step()
    assert monitor.layers == ("encoder.0", "encoder.1", "head")
    for name, Z in activations(net, x).items():
        information = eg.dsmi(Z, y, n_null=2)
        assert values[f"dse/{name}"] == pytest.approx(float(eg.dse(Z)), rel=1e-6)
        assert values[f"dsmi_y/{name}"] == pytest.approx(float(information), abs=1e-6)
        adjusted = values[f"dsmi_y_adjusted/{name}"]
        assert adjusted == pytest.approx(information.adjusted(), abs=1e-6)
        error = values[f"dsmi_y_null_se/{name}"]
        assert error == pytest.approx(information.standard_error, abs=1e-6)
    assert len(values) == 12
    assert monitor.history == [{"step": 1, **values}]


def test_information_about_the_input_and_the_layer_before(net):
    x, _ = blobs()
    measures = ["dsmi_x", "dsmi_previous"]
    with Monitor(net, LAYERS, probe=x, measures=measures, n_clusters=3) as monitor:
        values = monitor.step()
    Z = activations(net, x)
    expected = eg.dsmi(Z["head"], x, n_clusters=3, n_null=2)
    assert values["dsmi_x/head"] == pytest.approx(float(expected), abs=1e-6)
    before = eg.dsmi(Z["head"], Z["encoder.1"], n_clusters=3, clusters="kmeans", n_null=2)
    assert values["dsmi_previous/head"] == pytest.approx(float(before), abs=1e-6)
    assert "dsmi_previous/encoder.0" not in values
    assert not any(key.startswith("dse") for key in values)


def test_the_clusters_of_the_input_are_found_once(net, monkeypatch):
    from eigentropy._kernels import groups

    calls, cluster = [], groups._cluster
    monkeypatch.setattr(groups, "_cluster", lambda *a: calls.append(1) or cluster(*a))
    with Monitor(net, LAYERS, probe=blobs(), measures=["dsmi_x"], n_clusters=3) as monitor:
        monitor.step()
        monitor.step()
    assert len(calls) == 1


def test_the_order_of_layers_is_that_in_which_they_run():
    class Backwards(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b = nn.Linear(4, 4), nn.Linear(4, 4)

        def forward(self, x):
            return self.a(self.b(x))

    torch.manual_seed(0)
    with Monitor(Backwards(), ["a", "b"], probe=blobs()[0], measures=["dsmi_previous"]) as monitor:
        kinds = ("dsmi_previous", "dsmi_previous_null_se", "dsmi_previous_adjusted")
        assert set(monitor.step()) == {f"{kind}/a" for kind in kinds}


def everything(net):
    """All that a monitor must leave as it is."""
    return {
        "modes": [module.training for module in net.modules()],
        "buffers": [(id(b), b._version, b.clone()) for b in net.buffers()],
        "gradients": [None if p.grad is None else p.grad.clone() for p in net.parameters()],
        "hooks": [len(module._forward_hooks) for module in net.modules()],
        "torch": torch.get_rng_state(),
        "numpy": np.random.get_state()[1].tolist(),
        "python": random.getstate(),
    }


def assert_same(one, other):
    assert one.keys() == other.keys()
    for key in ("modes", "hooks", "numpy", "python"):
        assert one[key] == other[key], key
    assert torch.equal(one["torch"], other["torch"])
    for (a, _, x), (b, _, y) in zip(one["buffers"], other["buffers"], strict=True):
        assert a == b
        assert torch.equal(x, y)
    for x, y in zip(one["gradients"], other["gradients"], strict=True):
        assert (x is None and y is None) or torch.equal(x, y)


def test_a_probe_leaves_no_trace(net):
    x, y = blobs()
    net.encoder[1].eval()  # a part that is frozen stays so
    nn.functional.cross_entropy(net(x), y).backward()
    before = everything(net)
    with Monitor(net, LAYERS, probe=(x, y)) as monitor:
        monitor.step()
        assert_same(everything(net), before)
    assert_same(everything(net), before)


def gaussian():
    """The generators of all three keep the second one of a pair for the next call."""
    of_torch = torch.randn(1, dtype=torch.float64).item()
    return random.gauss(0.0, 1.0), np.random.standard_normal(), of_torch


@pytest.mark.parametrize("kind", [np.random.MT19937, np.random.PCG64, np.random.Philox])
@pytest.mark.parametrize("before", [0, 1])
def test_the_next_random_numbers_are_those_without_a_monitor(kind, before):
    class Noisy(nn.Linear):
        def forward(self, x):
            return super().forward(x) + sum(gaussian())

    net = nn.Sequential(Noisy(4, 3))
    of_numpy, drawn = np.random.get_bit_generator(), []
    try:
        np.random.set_bit_generator(kind(3))
        of_kind = np.random.get_state(legacy=False)
        for probe in (None, blobs()):
            random.seed(3)
            torch.manual_seed(3)
            np.random.set_state(of_kind)
            for _ in range(before):
                gaussian()
            if probe is not None:
                with Monitor(net, "0", probe) as monitor:
                    monitor.step()
            drawn.append([gaussian() for _ in range(3)])
    finally:
        np.random.set_bit_generator(of_numpy)
    assert drawn[0] == drawn[1]


def test_a_forward_that_exchanges_numpy_s_generator_leaves_no_other_trace(net):
    class Exchanging(nn.Linear):
        def forward(self, x):
            np.random.set_bit_generator(np.random.PCG64(1))
            gaussian()
            return super().forward(x)

    net = nn.Sequential(nn.BatchNorm1d(4), Exchanging(4, 3))
    of_numpy = np.random.get_bit_generator()
    before = everything(net)
    try:
        with (
            Monitor(net, "1", probe=blobs()) as monitor,
            pytest.raises(ValueError, match="state"),
        ):
            monitor.step()
    finally:
        np.random.set_bit_generator(of_numpy)
    assert_same({**everything(net), "numpy": before["numpy"]}, before)


def test_a_module_that_sets_its_attributes_by_itself_hears_of_both_modes():
    modes = []

    class Watching(nn.Linear):
        def __setattr__(self, name, value):
            if name == "training":
                modes.append(value)
            super().__setattr__(name, value)

    net = nn.Sequential(Watching(4, 3), nn.Tanh())
    modes.clear()
    with Monitor(net, "1", probe=blobs()[0]) as monitor:
        monitor.step()
    assert modes == [False, True]
    assert all(module.training for module in net.modules())


def test_a_probe_between_forward_and_backward_does_no_harm(net):
    x, y = blobs()
    with Monitor(net, LAYERS, probe=(x, y)) as monitor:
        loss = nn.functional.cross_entropy(net(x), y)
        monitor.step()
        loss.backward()
    assert all(torch.isfinite(p.grad).all() for p in net.parameters())


def train(net, monitor, steps=6):
    torch.manual_seed(3)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    for _ in range(steps):
        x, y = torch.randn(32, 4), torch.randint(3, (32,))
        optimizer.zero_grad()
        nn.functional.cross_entropy(net(x), y).backward()
        optimizer.step()
        if monitor is not None:
            monitor.step()
    return net


@pytest.mark.parametrize("source", [blobs(), Reservoir(50)])
def test_training_is_bitwise_the_same_with_a_monitor(net, source):
    alone, watched = copy.deepcopy(net), copy.deepcopy(net)
    train(alone, None)
    with Monitor(watched, LAYERS, source, every=2) as monitor:
        train(watched, monitor)
    assert len(monitor.history) == 3
    for a, b in zip(alone.state_dict().values(), watched.state_dict().values(), strict=True):
        assert torch.equal(a, b)


def test_an_error_in_the_pass_leaves_no_trace(net):
    with Monitor(net, "head", probe=torch.randn(20, 5)) as monitor:  # 5 columns where it wants 4
        before = everything(net)
        with pytest.raises(RuntimeError, match="shapes"):
            monitor.step()
        assert_same(everything(net), before)


def test_every_counts_steps(net):
    seen = []
    log = lambda values, step: seen.append(step)  # noqa: E731
    with Monitor(net, "head", probe=blobs(), every=3, log=log) as monitor:
        monitor.measure()  # the start
        results = [monitor.step() for _ in range(7)]
    assert seen == [0, 3, 6]
    assert [result is not None for result in results] == [False, False, True] * 2 + [False]
    assert [row["step"] for row in monitor.history] == [0, 3, 6]


class Clock:
    """Which a measurement takes a second of, and nothing else anything."""

    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now

    def measured(self, *_):
        self.now += 1.0


def test_a_budget_leaves_out_what_comes_too_soon(net):
    clock = Clock()
    share = Budget(0.2, clock)
    with Monitor(net, "head", probe=blobs(), budget=share, log=clock.measured) as monitor:
        measured = []
        for _ in range(12):  # of a second each
            measured.append(monitor.step() is not None)
            clock.now += 1.0
        monitor.measure()  # whatever the budget says
        assert monitor.step() is None
    assert measured == [True, False, False, False] * 3  # 1 of 1 + 4 seconds
    assert monitor.steps == 13


def test_a_budget_and_every_must_both_agree(net):
    clock = Clock()
    options = {"every": 3, "budget": Budget(0.2, clock), "log": clock.measured}
    with Monitor(net, "head", probe=blobs(), **options) as monitor:
        for _ in range(12):
            monitor.step()
            clock.now += 1.0
    assert [row["step"] for row in monitor.history] == [3, 9]


def test_a_budget_of_everything_leaves_nothing_out(net):
    with Monitor(net, "head", probe=blobs(), budget=1.0) as monitor:
        assert all(monitor.step() is not None for _ in range(3))


@pytest.mark.parametrize("share", [0.0, -0.1, 1.5, math.nan])
def test_a_budget_is_a_share(net, share):
    with pytest.raises(ValueError, match=r"^budget "):
        Monitor(net, "head", probe=blobs(), budget=share)
    with pytest.raises(TypeError, match=r"^budget "):
        Monitor(net, "head", probe=blobs(), budget="5 %")


def test_after_removal_there_are_no_hooks_and_no_steps(net):
    monitor = Monitor(net, LAYERS, Reservoir(10))
    assert sum(everything(net)["hooks"]) == 5  # with the end of a pass, and its close
    monitor.remove()
    assert sum(everything(net)["hooks"]) == 0
    assert len(net._forward_pre_hooks) == 0
    with pytest.raises(RuntimeError, match="removed"):
        monitor.step()


def test_the_state_goes_on_in_another_process(net):
    first = Monitor(net, "head", probe=blobs(), every=2)
    for _ in range(3):
        first.step()
    second = Monitor(net, "head", probe=blobs(), every=2)
    second.load_state_dict(json.loads(json.dumps(first.state_dict())))
    assert second.step() is not None
    assert [row["step"] for row in second.history] == [2, 4]


# ---- Patterns -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("layers", "found"),
    [
        ("head", ["head"]),
        ("encoder.*", ["encoder.0", "encoder.1"]),
        (["encoder.?.0"], ["encoder.0.0", "encoder.1.0"]),
        ("**.0", ["encoder.0", "encoder.0.0", "encoder.1.0"]),
        (["head", "encoder", "hea*"], ["encoder", "head"]),
    ],
)
def test_patterns(net, layers, found):
    assert Monitor(net, layers, probe=blobs()).layers == tuple(found)


def test_a_pattern_that_matches_nothing_names_the_nearest(net):
    with pytest.raises(ValueError, match=r"^layers: 'haed' .*'head'"):
        Monitor(net, ["encoder.*", "haed"], probe=blobs())
    with pytest.raises(ValueError, match=r"^layers: 'zzzzzz' .*'encoder', 'encoder.0'"):
        Monitor(net, "zzzzzz", probe=blobs())
    with pytest.raises(ValueError, match=r"^layers "):
        Monitor(net, [], probe=blobs())
    with pytest.raises(ValueError, match=r"^layers: '0' "):
        Monitor(nn.Linear(4, 3), "0", probe=blobs())


# ---- Bad input ----------------------------------------------------------------------------------


def test_nan_is_warned_about_with_layer_and_step_and_training_goes_on(net):
    with Monitor(net, LAYERS, probe=blobs()) as monitor:
        monitor.step()
        weight = net.head.weight.data.clone()
        net.head.weight.data[0, 0] = math.nan
        with pytest.warns(UserWarning, match=f"layer 'head', step 2: {NOT_FINITE}") as caught:
            values = monitor.step()
        assert len(caught) == 1
        assert math.isnan(values["dse/head"])
        assert math.isnan(values["dsmi_y/head"])
        assert math.isfinite(values["dse/encoder.1"])
        monitor.step()  # the same trouble again is no news: a warning would be an error here
        net.head.weight.data = weight
        assert math.isfinite(monitor.step()["dse/head"])


def test_after_a_layer_with_nan_the_next_one_is_measured(net):
    net.encoder[1][0].weight.data[0, 0] = math.inf
    measures = ["dse", "dsmi_previous"]
    monitor = Monitor(net, LAYERS, probe=blobs(), measures=measures)
    with pytest.warns(UserWarning, match=NOT_FINITE) as caught:
        values = monitor.step()
    assert {str(w.message).partition(",")[0] for w in caught} == {
        "layer 'encoder.1'",
        "layer 'head'",
    }
    assert math.isfinite(values["dse/encoder.0"])
    assert math.isnan(values["dsmi_previous/encoder.1"])


def test_a_probe_of_more_samples_is_thinned_and_passes_in_batches(net):
    x, y = blobs(500)
    sizes = []
    net.register_forward_pre_hook(lambda module, args: sizes.append(len(args[0])))
    with Monitor(net, "head", Probe(x, y, max_points=100, batch_size=32)) as monitor:
        values = monitor.step()
    assert sizes == [32, 32, 32, 4]
    rows = np.sort(np.random.default_rng(0).choice(500, 100, replace=False))
    Z = activations(net, x[rows])["head"]
    assert values["dse/head"] == pytest.approx(float(eg.dse(Z)), rel=1e-6)
    assert values["dsmi_y/head"] == pytest.approx(float(eg.dsmi(Z, y[rows], n_null=2)), abs=1e-6)


def test_a_process_without_samples_takes_none(net):
    with Monitor(net, "head", Probe(*blobs(3))) as monitor:
        assert monitor.collection.take(Place(1, 4)).rows["head"].shape == (1, 3)
        assert monitor.collection.counted == Counted(1)
        found = monitor.collection.take(Place(3, 4))
    assert (len(found.numbers), found.rows, monitor.collection.counted) == (0, {}, Counted())


@pytest.mark.parametrize(
    ("one", "other", "tokens"), [(None, None, None), (None, 4, 4), (4, None, 4), (4, 5, 9)]
)
def test_what_is_counted_of_two_passes_adds_up(one, other, tokens):
    assert Counted(2, one) + Counted(3, other) == Counted(5, tokens)


def test_the_input_goes_to_the_device_of_the_model(net):
    seen = []
    net.careless = False
    net.register_forward_pre_hook(lambda module, args: seen.append(args[0].device.type))
    with (
        Monitor(net.to("meta"), "head", blobs()) as monitor,
        pytest.warns(UserWarning, match=naming("'head'", UNUSABLE, "meta")),
    ):
        monitor.step()
    assert set(seen) == {"meta"}


def test_batches_make_no_difference(net):
    one = Monitor(net, LAYERS, Probe(*blobs(), batch_size=1000)).measure()
    other = Monitor(net, LAYERS, Probe(*blobs(), batch_size=7)).measure()
    assert one == pytest.approx(other, abs=1e-5)


def test_a_probe_in_a_mapped_file_is_read_by_rows(net, tmp_path):
    x, y = blobs(300)
    np.save(tmp_path / "x.npy", x.numpy().astype(np.float64))
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
    values = Monitor(net, "head", probe=(mapped, y.numpy())).measure()
    assert values == pytest.approx(Monitor(net, "head", probe=(x, y)).measure(), abs=1e-5)


def test_an_array_gets_the_dtype_of_the_first_parameter_that_there_is():
    x, y = blobs()
    net = nn.Sequential(nn.BatchNorm1d(4, affine=False), nn.Linear(4, 3, bias=False)).double()
    values = Monitor(net, "1", Probe(x.numpy(), y)).measure()  # whose parameters are None at first
    assert values == Monitor(net, "1", Probe(x.double(), y)).measure()


class Transposed(nn.Module):
    """Its output lies in memory column by column."""

    def forward(self, x):
        return x.T.contiguous().T


@pytest.mark.parametrize("batch_size", [120, 50])
def test_rows_that_lie_column_by_column_are_measured_as_any_others(batch_size):
    x, y = blobs()
    net = nn.Sequential(Transposed(), nn.Identity())
    expected = eg.dse(x, sigma=2.0, base=2.0)
    values = Monitor(net, "0", Probe(x, y, batch_size=batch_size), sigma=2.0).measure()
    assert values["dse/0"] == pytest.approx(float(expected), abs=1e-12)


def test_activations_that_do_not_fit_are_refused_before_they_are_stored(net, monkeypatch):
    monitor = Monitor(net, LAYERS, Probe(*blobs(), batch_size=60))
    monkeypatch.setattr(memory, "available", lambda: 120 * 16 * 4 + 100.0)
    with pytest.raises(MemoryError, match=r"2 layers .*120 samples.*pooling='mean'.*max_points"):
        monitor.step()


@pytest.mark.filterwarnings("ignore:.*single group")
def test_one_sample_has_entropy_0(net):
    x, y = blobs(1)
    with Monitor(net, "head", probe=(x, y)) as monitor:
        with pytest.warns(eg.SaturationWarning, match="^layer 'head', step 1: "):
            values = monitor.step()
        monitor.step()
    assert values["dse/head"] == 0.0
    assert values["dsmi_y/head"] == 0.0


@pytest.mark.filterwarnings("ignore::eigentropy.SaturationWarning")
def test_training_batches_of_one_fill_a_reservoir():
    net = nn.Sequential(nn.Linear(4, 3))
    with Monitor(net, "0", Reservoir(5), every=4) as monitor:
        for _ in range(4):
            net(torch.randn(1, 4))
            values = monitor.step()
    assert 0 < values["dse/0"] < 2


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({}, ValueError, r"Probe\(.*Evaluation\(.*Reservoir\("),
        ({"probe": blobs(), "source": Reservoir(3)}, ValueError, r"Probe\(.*Evaluation\("),
        ({"probe": blobs()[0], "measures": ["dsmi_y"]}, ValueError, "dsmi_y"),
        ({"probe": (*blobs(), 1)}, ValueError, "probe.* 3"),
        ({"probe": (blobs()[0], [1, 2])}, ValueError, "probe .* 120 .* 2 labels"),
        ({"probe": blobs(), "measures": ["mi"]}, ValueError, "measures .*'dse'.* 'mi'"),
        ({"probe": blobs(), "measures": []}, ValueError, "measures"),
        ({"probe": "x.npy"}, TypeError, "probe .* str"),
        ({"probe": [torch.ones(3, 4), torch.ones(2)]}, ValueError, r"\[2, 3\]"),
        ({"probe": torch.ones(0, 4)}, ValueError, r"probe .*\[0\]"),
        ({"probe": blobs(), "every": 0}, ValueError, "every .* 0"),
        ({"probe": blobs(), "t": 0}, ValueError, "^t .* 0"),
        ({"probe": blobs(), "sigma": "wide"}, ValueError, "sigma .*'wide'"),
        ({"probe": blobs(), "pooling": "max"}, ValueError, "pooling .*'flatten'.*'max'"),
        ({"probe": blobs(), "clusters": "dbscan"}, ValueError, "clusters .*'dbscan'"),
        ({"probe": blobs(), "clusters": np.zeros(120)}, TypeError, r"^clusters .*Probe\("),
        ({"probe": blobs(), "log": "run.txt"}, ValueError, "log .*'run.txt'"),
        ({"probe": blobs(), "log": 3}, TypeError, "log .* int"),
        ({"source": Reservoir(5), "measures": ["dsmi_x"]}, ValueError, "dsmi_x .*Probe"),
        ({"source": Evaluation(5), "measures": ["dsmi_x"]}, ValueError, "dsmi_x .*Probe"),
        ({"probe": blobs(5), "measures": ["dsmi_x"]}, ValueError, "n_clusters .*10.* 5 "),
        ({"probe": blobs(), "evaluation": 9}, TypeError, r"'evaluation'.*Evaluation\(n\)"),
        ({"probe": blobs(), "reservoir": 9}, TypeError, r"'reservoir'.*Reservoir\(n\)"),
        ({"probe": blobs(), "max_points": 9}, TypeError, r"Probe\(x, y, max_points="),
        ({"probe": blobs(), "batch_size": 9}, TypeError, r"Probe\(x, y, batch_size="),
        ({"probe": blobs(), "clustering": "kmeans"}, TypeError, "'clustering'.*clusters"),
        ({"probe": blobs(), "mesures": "dse"}, TypeError, "'mesures'.*'measures'"),
    ],
)
def test_bad_arguments_are_named(net, options, error, message):
    with pytest.raises(error, match=message):
        Monitor(net, "head", **options)


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: Evaluation(0), ValueError, "n .* 0"),
        (lambda: Reservoir(2.0), TypeError, "n .* 2.0"),
        (lambda: Probe(blobs()[0], max_points=0), ValueError, "max_points .* 0"),
        (lambda: Probe(blobs()[0], batch_size=0), ValueError, "batch_size .* 0"),
        (lambda: Probe(blobs()[0], max_point=9), TypeError, "'max_point'.*'max_points'"),
    ],
)
def test_bad_arguments_of_a_source_are_named(make, error, message):
    with pytest.raises(error, match=message):
        make()


def test_a_source_serves_several_monitors(net):
    x, y = blobs()
    source = Probe(x, y)
    expected = Monitor(net, "head", probe=(x, y)).measure()
    assert Monitor(net, "head", source).measure() == expected
    assert Monitor(net, "head", source).measure() == expected
    assert Monitor(net, "head", (x, y)).measure() == expected


class Shared(nn.Module):
    def __init__(self):
        super().__init__()
        self.act, self.a, self.b = nn.Tanh(), nn.Linear(4, 6), nn.Linear(6, 2)
        self.unused = nn.Linear(2, 2)

    def forward(self, x):
        return self.act(self.b(self.act(self.a(x))))


def test_of_a_module_that_runs_twice_the_last_output_counts():
    net, (x, _) = Shared(), blobs()
    with Monitor(net, "act", Probe(x, batch_size=50)) as monitor:  # of rows of 6, and then of 2
        with pytest.warns(UserWarning, match=f"layer 'act', step 1: {REPEATED}"):
            values = monitor.step()
        with torch.no_grad():
            assert values["dse/act"] == pytest.approx(float(eg.dse(net(x))), rel=1e-6)
    net.b = nn.Linear(6, 6)
    with Monitor(net, "act", Probe(x, batch_size=50)) as monitor:
        with pytest.warns(UserWarning, match=f"layer 'act', step 1: {REPEATED}") as caught:
            values = monitor.step()
        monitor.step()
    assert len(caught) == 1
    assert values["dse/act"] == pytest.approx(float(eg.dse(net(x))), rel=1e-6)


@pytest.mark.parametrize("source", [Evaluation(500), Reservoir(500)])
def test_of_a_module_that_runs_twice_in_the_loop_the_last_output_counts(source):
    net, (x, _) = Shared(), blobs()
    net.b = nn.Linear(6, 6)
    evaluated = isinstance(source, Evaluation)
    with Monitor(net, "act", source, measures="dse") as monitor:
        for expected in (1, 0):  # warnings
            net.train(not evaluated)(x)
            if evaluated:
                monitor.collect()
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                values = monitor.step()
            assert [str(w.message) for w in caught] == (
                [f"layer 'act', step 1: {REPEATED}"] * expected
            )
    assert values["dse/act"] == pytest.approx(float(eg.dse(net(x).detach())), rel=1e-6)


def test_a_layer_that_does_not_run_is_said_once():
    with Monitor(Shared(), ["a", "unused"], probe=blobs()[0]) as monitor:
        with pytest.warns(UserWarning, match=f"layer 'unused', step 1: {INCOMPLETE}"):
            values = monitor.step()
        monitor.step()
    assert set(values) == {"dse/a"}


def test_of_labels_that_look_like_classes_is_said_once():
    """By a probe when it is made, and by the loop's own batches for the first layer alone."""
    x, y = blobs()[0], torch.arange(120.0) % 20
    net = nn.Sequential(nn.Linear(4, 6), nn.Tanh())
    with pytest.warns(eg.GroupWarning, match=naming("labels", 20, 10, "integers")) as caught:
        monitor = Monitor(net, "1", probe=(x, y))
    monitor.step()
    monitor.remove()
    assert len(caught) == 1
    one_hot = torch.eye(20)[y.long()]
    with Monitor(net, ["0", "1"], Evaluation(120)) as monitor:
        for expected in (1, 0):
            net.eval()(x)
            monitor.collect(one_hot)
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                monitor.step()
            assert [w.category for w in caught] == [eg.GroupWarning] * expected
            assert all(re.match(naming("labels", 20, "step 1"), str(w.message)) for w in caught)


def test_of_a_layer_before_with_few_distinct_rows_is_said_once():
    class Signs(nn.Module):
        def forward(self, x):
            return (x[:, :2] > 0).float()

    torch.manual_seed(0)
    net = nn.Sequential(Signs(), nn.Linear(2, 4))
    with Monitor(net, ["0", "1"], probe=blobs()[0], measures="dsmi_previous") as monitor:
        with pytest.warns(eg.GroupWarning, match=naming("layer '1'", "layer before", 4)) as caught:
            monitor.step()
        monitor.step()
    assert len(caught) == 1


class Sometimes(nn.Module):
    """Its layer `late` runs for batches of more than 20."""

    def __init__(self):
        super().__init__()
        self.first, self.late = nn.Linear(4, 6), nn.Tanh()

    def forward(self, x):
        x = self.first(x)
        return self.late(x) if len(x) > 20 else x


def test_a_layer_that_does_not_run_for_all_samples_has_no_values():
    monitor = Monitor(Sometimes(), ["first", "late"], Probe(blobs()[0], batch_size=50))
    with pytest.warns(UserWarning, match=f"layer 'late', step 1: {INCOMPLETE}"):
        values = monitor.step()
    assert set(values) == {"dse/first"}
    net = Sometimes()
    with Monitor(net, ["first", "late"], Reservoir(100), every=2) as monitor:
        net(torch.randn(30, 4))
        monitor.step()
        net(torch.randn(10, 4))
        with pytest.warns(UserWarning, match=f"layer 'late', step 2: {INCOMPLETE}"):
            values = monitor.step()
    assert set(values) == {"dse/first"}


def test_a_logger_that_fails_is_warned_about_once_and_the_others_go_on(net):
    seen = []

    def broken(values, step):
        raise OSError("disk full")

    log = [broken, lambda values, step: seen.append((step, values))]
    with Monitor(net, "head", probe=blobs(), log=log) as monitor:
        with pytest.warns(UserWarning, match="^step 1: .*broken.*OSError: disk full"):
            monitor.step()
        values = monitor.step()
    assert seen[1] == (2, values)


# ---- Models of all kinds ------------------------------------------------------------------------


def test_a_compiled_model_is_measured_and_not_compiled_again(net):
    from torch._dynamo.utils import counters

    x, y = blobs()
    expected = Monitor(net, LAYERS, probe=(x, y)).measure()
    torch._dynamo.reset()
    net.careless = False
    compiled = torch.compile(net, backend="eager")
    with Monitor(compiled, LAYERS, probe=(x, y)) as monitor:
        assert monitor.step() == expected
        train(compiled, monitor, steps=2)
        graphs = counters["stats"]["unique_graphs"]
        train(compiled, monitor, steps=3)
    assert counters["stats"]["unique_graphs"] == graphs
    assert len(monitor.history) == 6
    torch._dynamo.reset()


def test_a_model_with_a_compiled_part_keeps_its_names(net):
    x, y = blobs()
    expected = Monitor(net, ["encoder.0.0", "head"], probe=(x, y)).measure()
    torch._dynamo.reset()
    net.encoder = torch.compile(net.encoder, backend="eager")
    with torch.no_grad():
        net.eval()(x)  # so that it is compiled before there are hooks
    assert Monitor(net, ["encoder.0.0", "head"], probe=(x, y)).measure() == expected
    torch._dynamo.reset()


def test_data_parallel_is_unwrapped(net):
    x, y = blobs()
    expected = Monitor(net, LAYERS, probe=(x, y)).measure()
    assert Monitor(nn.DataParallel(net), LAYERS, probe=(x, y)).measure() == expected


def test_distributed_data_parallel_is_unwrapped(net, process_group):
    x, y = blobs()
    expected = Monitor(net, LAYERS, probe=(x, y)).measure()
    parallel = nn.parallel.DistributedDataParallel(net)
    assert Monitor(parallel, LAYERS, probe=(x, y)).measure() == expected


def test_only_the_first_rank_measures(net, process_group, monkeypatch):
    seen = []
    monitor = Monitor(net, "head", probe=blobs(), log=lambda values, step: seen.append(step))
    monkeypatch.setattr(torch.distributed, "get_rank", lambda: 1)
    assert monitor.step() == {}
    assert monitor.history == seen == []
    assert monitor.steps == 1


def test_models_with_several_arguments():
    class Two(nn.Module):
        def __init__(self):
            super().__init__()
            self.sum = nn.Identity()

        def forward(self, a, b):
            return self.sum(a + b)

    x, y = blobs()
    by_name = Monitor(Two(), "sum", Probe({"b": x, "a": x}, y, batch_size=50)).measure()
    by_place = Monitor(Two(), "sum", probe=([x, x], y)).measure()
    assert by_name == by_place
    assert by_name["dse/sum"] == pytest.approx(float(eg.dse(2 * x)), rel=1e-6)


def test_outputs_with_states_and_in_dictionaries():
    class Odd(nn.Module):
        def __init__(self):
            super().__init__()
            self.rnn, self.dictionary = nn.LSTM(4, 5, batch_first=True), nn.Identity()
            self.number = Number()

        def forward(self, x):
            self.dictionary({"logits": x})
            self.number(x)
            return self.rnn(x[:, None])

    class Number(nn.Module):
        def forward(self, x):
            return 3

    x, _ = blobs()
    values = Monitor(Odd(), ["rnn", "dictionary"], probe=x).measure()
    assert values["dse/dictionary"] == pytest.approx(float(eg.dse(x)), rel=1e-6)
    with pytest.warns(UserWarning, match=naming("'number'", UNUSABLE, "int", "pooling=")):
        assert Monitor(Odd(), "number", probe=x).measure() == {}


@pytest.mark.parametrize(
    ("pooling", "shape", "by_hand"),
    [
        ("flatten", (2, 3, 2), lambda z: z.reshape(len(z), -1)),
        ("mean", (3, 4), lambda z: z.mean(1)),
        ("mean", (3, 2, 2), lambda z: z.mean((2, 3))),
        ("mean", (5,), lambda z: z),
        ("first", (3, 4), lambda z: z[:, 0]),
        (lambda z: z.amax(dim=1), (3, 4), lambda z: z.amax(1)),
    ],
)
def test_pooling(pooling, shape, by_hand):
    x = torch.randn(60, *shape, generator=torch.Generator().manual_seed(0))
    net = nn.Sequential(nn.Identity())
    values = Monitor(net, "0", probe=x, pooling=pooling).measure()
    assert values["dse/0"] == pytest.approx(float(eg.dse(by_hand(x))), rel=1e-6)


def test_pooling_that_gives_no_row_a_sample_is_refused():
    net, x = nn.Sequential(nn.Identity()), torch.randn(20, 3, 4)
    for probe, pooling, words in (
        (x, lambda z: z.reshape(60, 4), ("(20, 3, 4)", "(60, 4)", 20)),
        (x[:, 0], "first", ("pooling='first'", "(20, 4)")),
        (x, lambda z: z[:, 7], ("IndexError", "pooling=")),
        (x, lambda z: z.mean(1).tolist(), ("list", "pooling=")),
    ):
        with pytest.warns(UserWarning, match=naming("layer '0'", UNUSABLE, *words)):
            assert Monitor(net, "0", probe=probe, pooling=pooling).measure() == {}


def test_bfloat16_activations_are_measured_in_float32():
    x = torch.randn(50, 6, generator=torch.Generator().manual_seed(0)).bfloat16()
    values = Monitor(nn.Sequential(nn.Identity()), "0", probe=x).measure()
    assert values["dse/0"] == pytest.approx(float(eg.dse(x.float())), rel=1e-6)


def test_what_works_in_place_behind_a_layer_does_not_change_what_it_returned():
    net = nn.Sequential(nn.Linear(4, 6), nn.ReLU(inplace=True))
    x, _ = blobs()
    values = Monitor(net, "0", probe=x).measure()
    with torch.no_grad():
        assert values["dse/0"] == pytest.approx(float(eg.dse(net[0](x))), rel=1e-6)


# ---- Reservoir ----------------------------------------------------------------------------------


def test_a_reservoir_that_holds_all_is_the_training_batches():
    net = nn.Sequential(nn.Linear(4, 6), nn.Tanh())
    x, y = blobs(90)
    with Monitor(net, "1", Reservoir(200), every=3, measures=["dse", "dsmi_y"]) as monitor:
        for start in range(0, 90, 30):
            net(x[start : start + 30])
            values = monitor.step(y[start : start + 30])
    Z = net(x).detach()
    assert values["dse/1"] == pytest.approx(float(eg.dse(Z)), rel=1e-5)
    assert values["dsmi_y/1"] == pytest.approx(float(eg.dsmi(Z, y, n_null=2)), abs=1e-5)


def test_a_small_reservoir_keeps_rows_of_layers_and_labels_together():
    net = nn.Sequential(nn.Identity(), nn.Identity())
    monitor = Monitor(net, ["0", "1"], Reservoir(20), every=1000, measures=["dse", "dsmi_y"])
    numbers = torch.arange(300.0)[:, None]
    for start in range(0, 300, 30):
        net(numbers[start : start + 30])
        monitor.step(numbers[start : start + 30, 0].long())
    reservoir = monitor.collection
    assert reservoir.n == 20
    assert sum(len(rows) for rows in reservoir.stored.values()) == 40  # bounded
    samples = reservoir.take(Place())
    rows, labels = samples.rows, samples.labels
    assert rows["0"].ravel().tolist() == rows["1"].ravel().tolist() == [float(y) for y in labels]
    assert len(set(labels)) == 20
    assert reservoir.n == 0


def test_a_reservoir_is_a_fair_sample():
    net = nn.Sequential(nn.Identity())
    counts = np.zeros(10)
    for seed in range(300):
        with Monitor(net, "0", Reservoir(10), every=1000, seed=seed) as monitor:
            for tens in range(10):
                net(torch.full((10, 1), float(tens)))
                monitor.step()
            counts += np.bincount(
                monitor.collection.take(Place()).rows["0"].ravel().astype(int), minlength=10
            )
    assert counts.sum() == 3000
    assert np.abs(counts - 300).max() < 5 * math.sqrt(300 * 0.9)


def test_evaluation_does_not_reach_the_reservoir():
    net = nn.Sequential(nn.Linear(4, 6))
    with Monitor(net, "0", Reservoir(100)) as monitor:
        net(torch.randn(10, 4))
        with torch.no_grad():
            net(torch.randn(20, 4))
        net.eval()
        net(torch.randn(20, 4))
        net.train()
        monitor.collection.commit(None, None, False)
        assert monitor.collection.n <= 10


def test_a_reservoir_without_labels_or_with_too_few_says_so():
    net = nn.Sequential(nn.Linear(4, 6))
    with Monitor(net, "0", Reservoir(9), measures=["dsmi_y"]) as monitor:
        net(torch.randn(10, 4))
        with pytest.raises(ValueError, match=r"^labels .*step\(labels\)"):
            monitor.step()
        with pytest.raises(ValueError, match=r"^labels .* 3 .* 10 "):
            monitor.step([1, 2, 3])


def test_a_reservoir_uses_the_labels_that_it_is_given():
    net, (x, y) = nn.Sequential(nn.Linear(4, 6)), blobs(90)
    with Monitor(net, "0", Reservoir(200), every=2) as monitor:
        for _ in range(2):
            net(x)
            values = monitor.step()
        assert set(values) == {"dse/0"}
        for rows in (slice(0, 50), slice(50, 90)):
            net(x[rows])
            values = monitor.step(y[rows])
        information = eg.dsmi(net(x).detach(), y, n_null=2)
        assert values["dsmi_y/0"] == pytest.approx(float(information), abs=1e-5)
        net(x)
        with pytest.raises(ValueError, match=naming("labels", "step(labels)", "measures")):
            monitor.step()
    with Monitor(net, "0", Reservoir(200), measures="dse") as monitor:
        net(x)
        assert set(monitor.step(y)) == {"dse/0"}


def test_counted_and_given_numbers_do_not_mix_in_a_reservoir():
    net = nn.Sequential(nn.Linear(4, 6))
    with Monitor(net, "0", Reservoir(50), every=2) as monitor:
        for numbers in (torch.arange(10, 20), None):
            net(torch.randn(10, 4))
            monitor.step(index=numbers)
            net(torch.randn(10, 4))
            with pytest.raises(ValueError, match=r"^index: "):
                monitor.step(index=torch.arange(10) if numbers is None else None)
            monitor.measure()


def test_a_reservoir_without_a_pass_measures_nothing_and_says_so():
    monitor = Monitor(nn.Sequential(nn.Linear(4, 6)), "0", Reservoir(9))
    with pytest.warns(
        UserWarning, match=re.escape(f"layer '0', step 1: {INCOMPLETE}: {NOT_HOOKED}")
    ):
        assert monitor.step() == {}


def test_a_reservoir_watches_a_compiled_model():
    torch._dynamo.reset()
    net = nn.Sequential(nn.Linear(4, 6))
    with Monitor(net, "0", Reservoir(50)) as monitor:
        compiled = torch.compile(net, backend="eager")
        x, _ = blobs(30)
        compiled(x).sum().backward()
        values = monitor.step()
    assert values["dse/0"] == pytest.approx(float(eg.dse(net(x).detach())), rel=1e-5)
    torch._dynamo.reset()


# ---- Loggers ------------------------------------------------------------------------------------


def test_csv_has_one_row_a_measurement_and_goes_on(net, tmp_path):
    path = tmp_path / "run.csv"
    monitor = Monitor(net, "head", probe=blobs(), log=path)
    first, second = monitor.step(), monitor.step()
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["step", *first]
    assert [row["step"] for row in rows] == ["1", "2"]
    assert float(rows[1]["dse/head"]) == second["dse/head"]
    log = CSVLogger(str(path), resume=True)
    log({"accuracy": math.nan}, 3)
    log({"accuracy": 0.5}, 4)
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["step", *first, "accuracy"]
    assert [row["accuracy"] for row in rows] == ["", "", "nan", "0.5"]
    assert sorted(p.name for p in tmp_path.iterdir()) == ["run.csv"]


def test_json_lines_are_valid_json(net, tmp_path):
    path = tmp_path / "run.jsonl"
    monitor = Monitor(net, "head", probe=blobs(), log=[path])
    values = monitor.step()
    JSONLinesLogger(path, resume=True)({"x": math.nan}, 2)
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert lines == [{"step": 1, **values}, {"step": 2, "x": None}]


def test_anything_with_add_scalar_is_a_writer(net):
    class Writer:
        def __init__(self):
            self.scalars = {}

        def add_scalar(self, key, value, step):
            self.scalars[key, step] = value

    writer = Writer()
    values = Monitor(net, "head", probe=blobs(), log=writer).step()
    assert writer.scalars == {(key, 1): value for key, value in values.items()}


def test_tensorboard_reads_what_was_logged(net, tmp_path):
    pytest.importorskip("tensorboard", reason="TensorBoard is not installed")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    log = TensorBoardLogger(tmp_path)
    values = Monitor(net, "head", probe=blobs(), log=log).step()
    log.writer.close()
    events = EventAccumulator(str(tmp_path)).Reload()
    scalar = events.Scalars("dse/head")[0]
    assert scalar.step == 1
    assert scalar.value == pytest.approx(values["dse/head"], rel=1e-6)


@pytest.mark.parametrize("source", ["probe", "evaluation"])
def test_warnings_point_at_the_callers_line(source):
    model = nn.Sequential(nn.Linear(3, 4)).eval()
    x = torch.ones(5, 3)  # equal rows: an entropy of 0
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        if source == "probe":
            Monitor(model, ["0"], probe=x).step()
        else:
            monitor = Monitor(model, ["0"], Evaluation(5))
            with torch.no_grad():
                model(x)
            monitor.collect(torch.arange(5))
            monitor.step()
    assert caught
    assert {warning.filename for warning in caught} == {__file__}
