"""A monitor writes sampling errors where it is asked to."""

from __future__ import annotations

import math
import warnings

import pytest

torch = pytest.importorskip("torch", reason="eigentropy.torch needs PyTorch")

import eigentropy as eg
from eigentropy.torch import Monitor
from messages import names, naming

nn = torch.nn
N = 64
ABOUT_LABELS = ["dsmi_y", "kernel_y"]


@pytest.fixture
def net():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 6), nn.Tanh(), nn.Linear(6, 3))


def data(n=N):
    y = torch.arange(n) % 3
    return torch.randn(n, 4, generator=torch.Generator().manual_seed(0)) + 2 * torch.eye(4)[y], y


def measured(net, n=N, **options):
    with Monitor(net, ["1", "2"], probe=data(n), **options) as monitor:
        return monitor.measure()


def test_each_value_has_the_sampling_error_of_its_result(net):
    x, y = data()
    Z = net[:2](x).detach()
    values = measured(net, measures=["dse", "kernel", *ABOUT_LABELS], sampling=True)
    diffusion, kernel = eg.dsmi(Z, y, n_null=2), eg.kernel_information(Z, y, n_null=2)
    assert {key: value for key, value in values.items() if key.endswith("sampling_se/1")} == {
        "dse_sampling_se/1": eg.dse(Z).sampling_error,
        "kernel_sampling_se/1": eg.kernel_entropy(Z).sampling_error,
        "dsmi_y_sampling_se/1": diffusion.sampling_error,
        "dsmi_y_adjusted_sampling_se/1": diffusion.sampling_error_of("adjusted"),
        "kernel_y_sampling_se/1": kernel.sampling_error_of("bits"),
        "kernel_y_adjusted_sampling_se/1": kernel.sampling_error_of("adjusted"),
    }
    assert all(value > 0.0 for key, value in values.items() if "sampling_se" in key)


@pytest.mark.parametrize("kind", ["labels", "scalars"])
def test_those_of_the_kernel_information_are_in_bits_as_it_is(net, kind):
    x, y = data()
    of = (x, y if kind == "labels" else y + 0.1 * torch.randn(N))
    values = [
        Monitor(net, "1", probe=of, measures="kernel_y", sampling=True, base=base).measure()
        for base in (2.0, math.e)
    ]
    assert values[0] == pytest.approx(values[1])


def test_there_are_none_unless_they_are_asked_for(net):
    asked = measured(net, measures=ABOUT_LABELS, sampling=True)
    plain = {key: value for key, value in asked.items() if "sampling" not in key}
    assert measured(net, measures=ABOUT_LABELS) == plain
    assert len(plain) < len(asked)


def test_too_few_rows_have_none_and_it_is_said_once_a_layer(net):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        with Monitor(net, ["1", "2"], probe=data(6), measures="dsmi_y", sampling=True) as monitor:
            values = [monitor.measure() for _ in range(2)][-1]
    texts = [str(warning.message) for warning in caught]
    assert [names(text, "6", "sampling error") for text in texts] == [True, True]
    assert [names(text, "layer", "'1'") for text in texts] == [True, False]
    assert all(math.isnan(value) == ("sampling_se" in key) for key, value in values.items())


def test_a_layer_that_is_not_finite_has_none(net):
    net[2].weight.data.fill_(float("nan"))
    with pytest.warns(UserWarning, match=naming("'2'", "NaN")):
        values = measured(net, measures=ABOUT_LABELS, sampling=True)
    assert math.isnan(values["dsmi_y_sampling_se/2"])
    assert math.isnan(values["kernel_y_adjusted_sampling_se/2"])
    assert not math.isnan(values["dsmi_y_sampling_se/1"])


def test_too_few_rows_stop_no_run_that_is_recorded(net, tmp_path):
    with pytest.warns(UserWarning, match=naming("15 rows", "16")):
        values = measured(net, 15, measures="dse", sampling=True, record=tmp_path)
    assert math.isfinite(values["dse/2"])
    assert math.isnan(values["dse_sampling_se/2"])
