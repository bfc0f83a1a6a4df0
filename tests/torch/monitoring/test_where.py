"""Activations on a GPU stay there and are measured there; what is measured is what the host finds.

Runs on a GPU, or on tensors of the host that say they are on one; see the fixture `gpu`.
"""

from __future__ import annotations

import copy
import math
import sys

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="eigentropy.torch needs PyTorch")

import device_arrays
from eigentropy.report import read_run
from eigentropy.torch import CollapseAlarm, Evaluation, Monitor, Probe, Reservoir, functional
from eigentropy.torch.monitoring.measuring import NOT_FINITE
from eigentropy.torch.monitoring.where import Where, all_finite, on_host
from messages import naming

nn = torch.nn

pytestmark = pytest.mark.filterwarnings("ignore::eigentropy.SaturationWarning")

N = 90


@pytest.fixture
def net():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 8), nn.ReLU(inplace=True), nn.Linear(8, 3))


def blobs(n=N):
    y = torch.arange(n) % 3
    return torch.randn(n, 4, generator=torch.Generator().manual_seed(1)) + 3 * torch.eye(4)[y], y


def measured(net, x, y, source, **options):
    """The values of one measurement, by the source of this name."""
    if source == "probe":
        return Monitor(net, "**", Probe(x, y, batch_size=32), **options).measure()
    net.train(source == "reservoir")
    with Monitor(
        net, "**", Evaluation(50) if source == "evaluation" else Reservoir(50), **options
    ) as monitor:
        for rows in torch.arange(N).split(32):
            if source == "evaluation":
                with torch.no_grad():
                    net(x[rows])
                monitor.collect(y[rows])
            else:
                net(x[rows])
                monitor.collection.commit(y[rows], None, needs_labels=True)
        return monitor.measure()


SOURCES = ["probe", "evaluation", "reservoir"]


def near(values):
    return pytest.approx(values, rel=1e-4, abs=1e-4, nan_ok=True)


@pytest.mark.parametrize("source", SOURCES)
def test_rows_stay_on_the_gpu_and_the_values_are_those_of_the_host(gpu, net, source):
    x, y = blobs()
    expected = measured(copy.deepcopy(net), x, y, source)
    model, there = gpu.put(net, x)
    assert measured(model, there, y, source) == near(expected)
    assert len(expected) == 12
    assert gpu.copied == []


@pytest.mark.parametrize("source", SOURCES)
def test_the_host_measures_where_the_caller_says_so(gpu, net, source):
    x, y = blobs()
    expected = measured(copy.deepcopy(net), x, y, source)
    model, there = gpu.put(net, x)
    found = measured(model, there, y, source, device="cpu")
    assert found == (near(expected) if gpu.is_real else expected)
    assert gpu.copied


@pytest.mark.parametrize("source", SOURCES)
def test_without_the_plug_in_rows_are_copied_and_that_is_said_once(gpu, net, source, monkeypatch):
    x, y = blobs()
    expected = measured(copy.deepcopy(net), x, y, source)
    monkeypatch.setitem(sys.modules, device_arrays.PACKAGE, None)
    model, there = gpu.put(net, x)
    said = naming("0, 1, 2", "cuda:0", "copied", "eigentropy-cuda13", "device='cpu'")
    with pytest.warns(UserWarning, match=said) as caught:
        found = measured(model, there, y, source)
    assert len(caught) == 1
    assert found == (near(expected) if gpu.is_real else expected)


def test_it_is_said_once_for_all_steps(gpu, net, monkeypatch):
    monkeypatch.setitem(sys.modules, device_arrays.PACKAGE, None)
    x, y = blobs()
    model, there = gpu.put(net, x)
    with Monitor(model, "2", probe=(there, y)) as monitor:
        with pytest.warns(UserWarning, match="eigentropy-cuda13"):
            monitor.step()
        monitor.step()  # a warning would be an error


def test_what_lies_on_another_device_is_measured_on_the_host(cuda_core, net):
    """Such as Apple's: as ever, without a word."""
    x, y = blobs()
    expected = Monitor(net, "**", probe=(x, y)).measure()
    there = x.as_subclass(device_arrays.torch_elsewhere("mps"))
    device_arrays.copied.clear()
    assert Monitor(net, "**", probe=(there, y)).measure() == expected
    assert device_arrays.copied


@pytest.mark.parametrize(
    "measures",
    [["dse", "dsmi_y", "dsmi_previous"], ["kernel", "kernel_y", "kernel_x", "kernel_previous"]],
)
def test_every_measure_is_that_of_the_host(gpu, net, measures):
    options = {"measures": measures, "n_clusters": 3}
    x, y = blobs()
    expected = measured(copy.deepcopy(net), x, y, "probe", **options)
    model, there = gpu.put(net, x)
    found = measured(model, there, y, "probe", **options)
    assert found.keys() == expected.keys()
    assert found == pytest.approx(expected, rel=1e-3, abs=1e-3, nan_ok=True)


def test_alarms_and_recordings_take_what_they_need_to_the_host(gpu, net, tmp_path):
    x, y = blobs()
    model, there = gpu.put(copy.deepcopy(net), x)
    runs = {}
    for name, (one, samples) in {"host": (net, x), "gpu": (model, there)}.items():
        options = {"record": tmp_path / name, "units": 4}
        with Monitor(one, ["0", "2"], probe=(samples, y), **options) as monitor:
            CollapseAlarm(monitor, reference=None, floor=0.1, dump=tmp_path)
            values = monitor.step()
        runs[name] = read_run(tmp_path / name), values
    assert runs["gpu"][1] == near(runs["host"][1])
    for layer in ("0", "2"):
        units = [run.units(layer)[1] for run, _ in runs.values()]
        np.testing.assert_allclose(*units, atol=1e-2)


def test_a_profile_of_layers_on_a_gpu_has_the_sampling_errors_of_the_host(gpu, net):
    x, _ = blobs(40)
    expected = Monitor(copy.deepcopy(net), ["0", "2"], probe=x).profile()
    model, there = gpu.put(net, x)
    found = Monitor(model, ["0", "2"], probe=there).profile()
    assert len(found.neighbours) == 1
    for one, other in zip(found.neighbours, expected.neighbours, strict=True):
        assert one.difference.value == pytest.approx(other.difference.value, abs=1e-3)
        error = other.difference.standard_error
        assert one.difference.standard_error == pytest.approx(error, rel=1e-2)


def test_tokens_stay_on_the_gpu(gpu):
    class Reader(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(4, 6)

        def forward(self, x):
            return self.layer(x)

    torch.manual_seed(0)
    model, x = Reader(), torch.randn(12, 5, 4)
    expected = {}
    for pooling in ("mean", "tokens"):
        expected[pooling] = Monitor(
            model, "layer", Probe(x, max_points=40), pooling=pooling
        ).measure()
    model, there = gpu.put(model, x)
    for pooling, values in expected.items():
        source = Probe(there, max_points=40, batch_size=4)
        assert Monitor(model, "layer", source, pooling=pooling).measure() == near(values)
    assert all(len(shape) == 1 for shape in gpu.copied)  # numbers of tokens, and no rows


def test_nan_on_a_gpu_is_nan(gpu, net):
    net[2].weight.data[0, 0] = math.nan
    model, there = gpu.put(net, blobs()[0])
    with pytest.warns(UserWarning, match=f"layer '2', step 0: {NOT_FINITE}"):
        values = Monitor(model, "2", probe=there).measure()
    assert math.isnan(values["dse/2"])


def test_what_does_not_fit_on_the_gpu_is_refused_before_it_is_kept(
    gpu, net, monkeypatch, cuda_core
):
    x, y = blobs()
    model, there = gpu.put(net, x)
    monkeypatch.setattr(cuda_core, "memory", lambda device: (1000.0, 1000.0))
    monkeypatch.setattr(torch.cuda, "memory_reserved", lambda device: 0)
    with pytest.raises(MemoryError, match=naming("90 samples", "max_points")):
        Monitor(model, "0", Probe(there, y, batch_size=45)).measure()
    model.eval()
    with Monitor(model, "0", Evaluation(50)) as monitor, torch.no_grad():
        model(there)
        with pytest.raises(MemoryError, match=naming("50 samples", "Evaluation")):
            monitor.collect(y)


@pytest.mark.parametrize("device", ["cuda", "cuda:1", "tpu", 3])
def test_another_device_is_refused(net, device):
    with pytest.raises(ValueError, match=naming("device", repr(device))):
        Monitor(net, "0", probe=blobs(), device=device)


def test_processes_send_what_lies_on_a_gpu(gpu, net, process_group):
    """Over gloo, which sends what lies on the host."""
    x, y = blobs()
    expected = measured(copy.deepcopy(net), x, y, "evaluation")
    model, there = gpu.put(net, x)
    assert measured(model, there, y, "evaluation", gather=True) == near(expected)


def test_rows_of_the_host_are_copied_and_those_of_a_gpu_too(gpu):
    """The next module may work in place."""
    rows = torch.arange(6.0).reshape(3, 2)
    [there] = gpu.put(rows.clone())
    for one in (rows, there):
        kept, some = Where().kept(one), Where().kept(one, np.array([2, 0]))
        one.zero_()
        np.testing.assert_array_equal(on_host(kept), [[0, 1], [2, 3], [4, 5]])
        np.testing.assert_array_equal(on_host(some), [[4, 5], [0, 1]])
    there[0, 0] = math.inf
    assert not all_finite(there)


def test_a_rule_for_sigma_takes_no_more_than_a_sample_to_the_host(gpu):
    rows = torch.randn(60, 5, generator=torch.Generator().manual_seed(3))
    expected = float(functional.diffusion_spectral_entropy(rows, sigma="narrow"))
    [there] = gpu.put(rows)
    found = functional.diffusion_spectral_entropy(there, sigma="narrow")
    assert float(found) == pytest.approx(expected, rel=1e-5)
    assert (60, 5) not in gpu.copied
