"""The history of a monitor plots itself."""

from __future__ import annotations

import json
import math

import pytest

torch = pytest.importorskip("torch", reason="eigentropy.torch needs PyTorch")
matplotlib = pytest.importorskip("matplotlib", reason="matplotlib is not installed")

from eigentropy.torch import Monitor

matplotlib.use("agg")


@pytest.fixture
def monitor():
    torch.manual_seed(0)
    x, y = torch.randn(60, 4), torch.arange(60) % 3
    model = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.Linear(8, 3))
    with Monitor(model, ["0", "1"], probe=(x, y)) as monitor:
        for _ in range(3):
            monitor.step()
            model[0].weight.data.mul_(0.5)
    yield monitor
    matplotlib.pyplot.close("all")


def lines(ax):
    return sorted(
        (line.get_xdata().tolist(), line.get_ydata().tolist())
        for line in ax.get_lines()
        if len(line.get_xdata()) == 3
    )


@pytest.mark.parametrize("measure", ["dse", "dsmi_y_adjusted"])
def test_the_curves_are_those_of_the_layers(monitor, measure):
    ax = monitor.plot(measure)
    expected = sorted(
        ([1, 2, 3], [row[f"{measure}/{layer}"] for row in monitor.history])
        for layer in monitor.layers
    )
    assert lines(ax) == expected


def test_an_information_has_the_interval_of_its_partitions(monitor):
    ax = monitor.plot("dsmi_y", layers=["1"])
    (band,) = ax.collections
    drawn = band.get_paths()[0].vertices
    quantile = 12.7062  # of Student's t with one degree of freedom: n_null is 2
    for row in monitor.history:
        value, error = row["dsmi_y/1"], row["dsmi_y_null_se/1"]
        ends = drawn[drawn[:, 0] == row["step"], 1]
        assert error > 0.0
        assert ends.max() == pytest.approx(value + quantile * error, rel=1e-5)
        assert ends.min() == pytest.approx(max(value - quantile * error, min(0.0, value)), abs=1e-6)
    assert not monitor.plot("dse").collections


def test_the_unit_is_that_of_the_monitor():
    x, model = torch.randn(30, 4), torch.nn.Sequential(torch.nn.Linear(4, 3))
    nats, bits = (Monitor(model, "0", probe=x, base=base) for base in (math.e, 2.0))
    for monitor in (nats, bits):
        monitor.measure()
    assert "nats" in nats.plot().get_ylabel()
    assert "bits" in bits.plot().get_ylabel()


def test_it_draws_into_given_axes_also_after_a_checkpoint(monitor):
    _, ax = matplotlib.pyplot.subplots()
    again = Monitor(monitor.collection.watched.model, ["0", "1"], probe=torch.randn(9, 4))
    again.load_state_dict(json.loads(json.dumps(monitor.state_dict())))
    assert again.history == monitor.history
    assert again.history.plot("dse", ax=ax) is ax
    assert lines(ax) == lines(monitor.plot("dse"))
