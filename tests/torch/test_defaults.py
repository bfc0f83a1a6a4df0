"""PyTorch's default dtype and device change no value that a monitor or a metric gives."""

from __future__ import annotations

import contextlib
import copy

import pytest

torch = pytest.importorskip("torch", reason="eigentropy.torch needs PyTorch")

import eigentropy as eg
from eigentropy.torch import Evaluation, Monitor, Probe, Reservoir, initialization

nn = torch.nn


@contextlib.contextmanager
def defaults(dtype, device):
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        with torch.device(device):
            yield
    finally:
        torch.set_default_dtype(before)


DEFAULTS = pytest.mark.parametrize(
    ("dtype", "device"),
    [
        (dtype, device)
        for dtype in (torch.float16, torch.float32, torch.float64)
        for device in ("cpu", "meta")
    ],
)
Y = torch.arange(60) % 3
X = torch.randn(60, 4, generator=torch.Generator().manual_seed(0)) + 3 * torch.eye(4)[Y]


@pytest.fixture
def net():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 6), nn.BatchNorm1d(6), nn.Tanh(), nn.Dropout())


def probed(net):
    return Monitor(net, "2", Probe(X.numpy(), Y), measures=["dse", "dsmi_y", "dsmi_x"]).measure()


def loaded(net):
    """By batches. (A DataLoader itself does not work where the default device is "meta".)"""
    return Monitor(net, "2", zip(X.split(25), Y.split(25), strict=True)).measure()


def evaluated(net):
    with Monitor(net, "2", Evaluation(40)) as monitor, torch.no_grad():
        for rows in (slice(0, 40), slice(40, 60)):
            net.eval()(X[rows])
            monitor.collect(Y[rows])
        return monitor.step()


def sampled(net):
    with Monitor(net.train(), "2", Reservoir(40), every=2) as monitor:
        for rows in (slice(0, 40), slice(40, 60)):
            net(X[rows]).sum().backward()
            values = monitor.step(Y[rows])
        return values


def gathered(net):
    """By the way of several processes."""
    if torch.__version__.startswith("2.4."):
        pytest.skip("PyTorch 2.4 may wait for itself when it destroys a group of Gloo")
    store = torch.distributed.HashStore()
    torch.distributed.init_process_group("gloo", store=store, rank=0, world_size=1)
    try:
        return Monitor(net, "2", (X, Y), gather=True).measure()
    finally:
        torch.distributed.destroy_process_group()


@DEFAULTS
@pytest.mark.parametrize("measured", [probed, loaded, evaluated, sampled, gathered])
def test_a_monitor_gives_the_same_values(net, measured, dtype, device):
    expected = measured(copy.deepcopy(net))
    with defaults(dtype, device):
        assert measured(net) == expected


@DEFAULTS
def test_a_model_of_the_default_dtype_is_measured(dtype, device):
    with defaults(dtype, "cpu"):
        net = nn.Sequential(nn.Linear(4, 6), nn.Tanh())
    with defaults(dtype, device):
        values = Monitor(net, "1", (X.numpy(), Y)).measure()
    Z = net(X.to(dtype)).detach()
    assert values["dse/1"] == pytest.approx(float(eg.dse(Z)), rel=1e-6)


@DEFAULTS
@pytest.mark.filterwarnings("ignore")  # the libraries warn about each other
def test_metrics_give_the_same_values(dtype, device):
    pytest.importorskip("torchmetrics", reason="torchmetrics is not installed: group adapters")
    from eigentropy.torch.integrations.torchmetrics import (
        DiffusionSpectralEntropy,
        DiffusionSpectralMutualInformation,
    )

    with defaults(dtype, device):
        entropy, information = (
            DiffusionSpectralEntropy(),
            DiffusionSpectralMutualInformation(n_null=5),
        )
        S, I = entropy(X), information(X, Y)  # noqa: E741
    assert S.device.type == "cpu"
    assert float(S) == pytest.approx(float(eg.dse(X)), rel=1e-6)
    assert float(I) == pytest.approx(float(eg.dsmi(X, Y, n_null=5)), rel=1e-5)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_a_sweep_works_in_the_default_dtype(dtype):
    with defaults(dtype, "cpu"):
        sweep = initialization.sweep(
            lambda: nn.Sequential(nn.Linear(4, 6), nn.Tanh()), X.numpy(), (0.1, 1.0), repetitions=1
        )
    assert all(scale.dse > 0 for scale in sweep.scales)
