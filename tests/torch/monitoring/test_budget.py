"""A budget holds from the first step on, by what the first measurement is predicted to take."""

from __future__ import annotations

import math

import pytest

torch = pytest.importorskip("torch", reason="eigentropy.torch needs PyTorch")

from eigentropy.torch import Evaluation, Monitor, Probe, Reservoir
from eigentropy.torch.monitoring import forecast
from eigentropy.torch.monitoring.budget import Budget

nn = torch.nn
N = 120


class Clock:
    """Which a measurement of random rows takes a second of, and nothing else anything."""

    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now

    def measure(self, *_, **__):
        self.now += 1.0


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(forecast, "measure", clock.measure)
    return clock


class Net(nn.Sequential):
    def __init__(self, width=5):
        torch.manual_seed(0)
        super().__init__(nn.Linear(4, width), nn.Tanh(), nn.Linear(width, 3))
        self.sizes = []

    def forward(self, x):
        self.sizes.append(len(x))
        return super().forward(x)


def data(n=N):
    y = torch.arange(n) % 3
    return torch.randn(n, 4) + 3.0 * torch.eye(4)[y], y


def monitored(net, clock, layers="1", share=0.2, **options):
    return Monitor(net, layers, Probe(*data()), budget=Budget(share, clock), **options)


def test_no_measurement_is_made_before_it_is_a_small_enough_share(clock):
    net = Net()
    with monitored(net, clock) as monitor:
        made = clock.now
        seconds = monitor._prediction()
        assert seconds > 0.0
        when = []
        for tenth in range(1, 61):
            clock.now = made + seconds * tenth / 10.0
            if monitor.step() is not None:
                when.append(tenth)
                break
    assert when == [40]  # 1 of 1 + 4 times what it is predicted to take


def test_what_was_measured_takes_the_place_of_what_was_predicted(clock):
    def slow(values, step):
        clock.now += 7.0

    with monitored(Net(), clock, log=slow) as monitor:
        clock.now += 1000.0
        assert monitor.step() is not None
        clock.now += 27.0
        assert monitor.step() is None  # 28 seconds after 7
        clock.now += 1.0
        assert monitor.step() is not None


def test_measure_asks_no_budget_and_the_first_step_after_it_goes_by_it(clock):
    with monitored(Net(), clock) as monitor:
        assert monitor.measure()  # at once
        assert monitor.step() is not None  # it has taken no time on this clock


def test_more_layers_and_wider_ones_are_predicted_to_take_longer(clock):
    def seconds(net, layers="1", **options):
        with monitored(net, clock, layers, **options) as monitor:
            return monitor._prediction()

    one = seconds(Net())
    assert seconds(Net(), ["0", "1"]) == pytest.approx(2.0 * one)  # both have 5 columns
    assert seconds(Net(400)) > 2.0 * one
    assert seconds(Net(), n_null=9) > seconds(Net(), n_null=2)
    assert seconds(Net(), measures=["dse"]) < one


def test_the_prediction_is_in_seconds_of_this_machine(clock):
    """Twice as slow a machine, twice the seconds."""
    with monitored(Net(), clock) as monitor:
        fast = monitor._prediction()
    plain = clock.measure

    def slower(*rows, **options):
        plain()
        plain()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(forecast, "measure", slower)
        with monitored(Net(), clock) as monitor:
            assert monitor._prediction() == pytest.approx(2.0 * fast)


def test_one_batch_of_the_probe_says_how_wide_the_layers_are(clock):
    net = Net()
    with monitored(net, clock) as monitor:
        assert net.sizes == []
        assert monitor.step() is None
        assert net.sizes == [64]
        assert monitor.step() is None
        assert net.sizes == [64]
        assert monitor.collection.expected() == (N, [5])


def test_tokens_are_rows(clock):
    class Words(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = nn.Linear(4, 6)

        def forward(self, x):
            return self.inner(x)

    source = Probe(torch.randn(100, 3, 4), max_points=200)
    budget = Budget(0.2, clock)
    with Monitor(Words(), "inner", source, pooling="tokens", budget=budget) as monitor:
        assert monitor.step() is None
        assert monitor.collection.expected() == (200, [6])


def test_samples_that_the_loop_passes_are_known_without_a_pass(clock):
    for source, is_evaluation in ((Evaluation(50), True), (Reservoir(50), False)):
        net = Net()
        with Monitor(net, "1", source, budget=Budget(0.2, clock)) as monitor:
            assert monitor.collection.expected() == (0, [])
            net.train(not is_evaluation)
            x, y = data()
            with torch.set_grad_enabled(not is_evaluation):
                net(x)
            if is_evaluation:
                monitor.collect(y)
                assert monitor.collection.expected() == (50, [5])
                assert monitor.step() is None
            else:
                assert monitor.step(y) is None
                assert monitor.collection.expected() == (50, [5])
            assert net.sizes == [N]


def test_in_the_background_no_step_waits_for_a_measurement(clock):
    with monitored(Net(), clock, background=True) as monitor:
        assert monitor._prediction is None
        assert clock.now == 100.0
        monitor.step()
    assert len(monitor.history) == 1


def test_without_a_budget_nothing_is_predicted(clock):
    with Monitor(Net(), "1", Probe(*data())) as monitor:
        assert monitor._prediction is None
    assert clock.now == 100.0


def test_a_prediction_of_real_rows_takes_and_says_seconds():
    """By the real clock: what is predicted is no time, and not an hour."""
    with Monitor(Net(), "1", Probe(*data()), budget=0.05, sigma=0.01) as monitor:
        assert 0.0 < monitor._prediction() < 3600.0


@pytest.mark.parametrize("share", [0.0, -0.1, 1.5, math.nan, math.inf])
def test_a_share_is_above_0_and_at_most_1(share):
    with pytest.raises(ValueError, match=r"^budget "):
        Monitor(Net(), "1", Probe(*data()), budget=share)


@pytest.mark.parametrize("share", ["5 %", [0.1], 1j])
def test_a_share_is_a_number(share):
    with pytest.raises(TypeError, match=r"^budget "):
        Monitor(Net(), "1", Probe(*data()), budget=share)
