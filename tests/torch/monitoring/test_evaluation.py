"""A monitor that watches the passes by which a loop evaluates its model."""

from __future__ import annotations

import copy
import threading

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="eigentropy.torch needs PyTorch")

import eigentropy as eg
from eigentropy._support import memory
from eigentropy.torch import Evaluation, Monitor, Reservoir
from eigentropy.torch.monitoring.collection import INCOMPLETE, Place
from eigentropy.torch.monitoring.samples import priorities
from messages import naming

nn = torch.nn


@pytest.fixture
def net():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 8), nn.ReLU(inplace=True), nn.Dropout(), nn.Linear(8, 3))


def blobs(n=120):
    y = torch.arange(n) % 3
    return torch.randn(n, 4, generator=torch.Generator().manual_seed(0)) + 3 * torch.eye(4)[y], y


def evaluate(net, monitor, batch=32, index=None, order=None):
    x, y = blobs()
    net.eval()
    with torch.no_grad():
        for rows in (torch.arange(len(x)) if order is None else order).split(batch):
            net(x[rows])
            monitor.collect(y[rows], rows if index else None)
    net.train()


def test_the_values_are_those_of_a_probe(net):
    expected = Monitor(net, "**", probe=blobs()).measure()
    with Monitor(net, "**", Evaluation(500)) as monitor:
        evaluate(net, monitor)
        assert monitor.step() == pytest.approx(expected, abs=1e-5)


def test_the_samples_are_the_same_each_time_whatever_their_order(net):
    x, y = blobs()
    numbers = torch.arange(120).numpy()
    chosen = sorted(numbers[priorities(numbers, 0).argsort()[:50]].tolist())
    with torch.no_grad():
        Z = copy.deepcopy(net).eval()(x[chosen])
    with Monitor(net, "3", Evaluation(50)) as monitor:
        for order in (torch.arange(120), torch.randperm(120)):
            evaluate(net, monitor, 32, index=True, order=order)
            values = monitor.step()
            assert values["dse/3"] == pytest.approx(float(eg.dse(Z)), abs=1e-5)
            expected = eg.dsmi(Z, y[chosen], n_null=2)
            assert values["dsmi_y/3"] == pytest.approx(float(expected), abs=1e-5)


@pytest.mark.parametrize("first", [True, False])
def test_counted_and_given_numbers_do_not_mix(net, first):
    """The second batch would be counted from 60 on, or be given a number of the first."""
    x, y = blobs()
    net.eval()
    with Monitor(net, "3", Evaluation(500)) as monitor, torch.no_grad():
        for _ in range(2):  # and after a measurement anew
            net(x[:60])
            monitor.collect(y[:60], torch.arange(60, 120) if first else None)
            net(x[60:])
            has = "none.* one" if first else "one.* none"
            with pytest.raises(ValueError, match=f"^index: .* {has}"):
                monitor.collect(y[60:], None if first else torch.arange(60))
            monitor.collect(y[60:], torch.arange(60) if first else None)
            assert monitor.step()["dse/3"] == pytest.approx(float(eg.dse(net(x))), abs=1e-5)
            first = not first


@pytest.mark.parametrize("index", [True, False])
def test_an_evaluation_that_is_not_measured_leaves_no_samples(net, index):
    """The weights have changed since: rows of both would be of no network."""
    with Monitor(net, "3", Evaluation(50), every=2) as monitor:
        evaluate(net, monitor, index=index)
        assert monitor.step() is None
        with torch.no_grad():
            net[0].weight.mul_(-2.0)
        evaluate(net, monitor, index=index)
        values = monitor.step()
    with Monitor(net, "3", Evaluation(50)) as expected:
        evaluate(net, expected, index=index)
        assert values == expected.step()


def test_an_evaluation_that_is_discarded_does_not_count(net):
    with Monitor(net, "3", Evaluation(500)) as monitor:
        evaluate(net, monitor)
        monitor.discard()
        with torch.no_grad():
            net[0].weight.mul_(-2.0)
        evaluate(net, monitor)
        values = monitor.step()
    assert values == pytest.approx(Monitor(net, "3", probe=blobs()).measure(), abs=1e-5)


@pytest.mark.parametrize("capacity", [1, 7, 50, 119, 120, 500])
@pytest.mark.parametrize("batch", [1, 9, 120])
def test_samples_labels_and_rows_belong_together(net, capacity, batch):
    """Whatever the order and however often they come, first as the layer returns them."""
    x, y = blobs()
    order = torch.cat([torch.randperm(120), torch.randint(120, (60,))])
    with torch.no_grad():
        Z = copy.deepcopy(net).eval()(x).numpy()
    with Monitor(net, "3", Evaluation(capacity), measures="dse") as monitor:
        evaluate(net, monitor, batch, index=True, order=order)
        samples = monitor.collection.take(Place())
    numbers = torch.arange(120).numpy()
    chosen = sorted(numbers[priorities(numbers, 0).argsort()[:capacity]].tolist())
    assert samples.numbers.tolist() == chosen
    assert samples.labels.tolist() == y[chosen].tolist()
    assert samples.rows["3"] == pytest.approx(Z[chosen], abs=1e-6)


def test_labels_keep_what_they_are(net):
    """Strings of any length, objects, several numbers each."""
    x, _ = blobs()
    for first, second in (
        (["a"] * 60, ["longer"] * 60),
        (np.full(60, 1.5, dtype=object), np.full(60, 2.0, dtype=object)),
        (np.zeros((60, 2)), np.ones((60, 2))),
        (np.arange(60), np.full(60, 0.5)),
    ):
        with Monitor(net, "3", Evaluation(100)) as monitor, torch.no_grad():
            net.eval()
            for rows, labels in ((x[:60], first), (x[60:], second)):
                net(rows)
                monitor.collect(labels)
            samples = monitor.collection.take(Place())
        expected = np.asarray([*first, *second])[samples.numbers]
        assert samples.labels.dtype == expected.dtype
        assert samples.labels.tolist() == expected.tolist()


def test_labels_that_some_samples_lack_are_none(net):
    x, y = blobs()
    with Monitor(net, "3", Evaluation(500), measures=["dse"]) as monitor:
        for labelled in (True, False):
            net.eval()
            with torch.no_grad():
                for rows in torch.arange(120).split(60):
                    net(x[rows])
                    monitor.collect(y[rows] if labelled or rows[0] else None, rows)
            net.train()
            assert monitor.step()["dse/3"] > 0


def test_memory_is_bounded_by_the_number_of_samples(net):
    monitor = Monitor(net, ["0", "3"], Evaluation(10))
    for _ in range(3):
        evaluate(net, monitor)
    assert {name: rows.shape for name, rows in monitor.collection.stored.items()} == {
        "0": (10, 8),
        "3": (10, 3),
    }
    kept = monitor.collection.kept
    assert kept.count == len(kept.numbers) == 10


def test_more_samples_than_memory_are_refused(net, monkeypatch):
    monitor = Monitor(net, "3", Evaluation(10**6))
    monkeypatch.setattr(memory, "available", lambda: 1e5)
    with pytest.raises(MemoryError, match=r"1000000 samples.*Evaluation\(n\)"):
        evaluate(net, monitor)


def test_what_works_in_place_behind_a_layer_does_not_change_what_it_returned(net):
    x, _ = blobs()
    with Monitor(net, "0", Evaluation(500), measures="dse") as monitor, torch.no_grad():
        net.eval()(x)
        monitor.collect()
        expected = float(eg.dse(net[0](x)))
        assert monitor.step() == {"dse/0": pytest.approx(expected, abs=1e-6)}


def train(net, monitor):
    x, y = blobs()
    torch.manual_seed(1)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    for _ in range(3):
        optimizer.zero_grad()
        nn.functional.cross_entropy(net(x), y).backward()
        optimizer.step()
        net.eval()
        with torch.no_grad():
            net(x)
        net.train()
        if monitor is not None:
            monitor.collect(y)
            monitor.step()


def test_training_is_bitwise_the_same_and_leaves_no_hooks(net):
    alone, watched = copy.deepcopy(net), copy.deepcopy(net)
    train(alone, None)
    with Monitor(watched, "**", Evaluation(50)) as monitor:
        train(watched, monitor)
    for a, b in zip(alone.state_dict().values(), watched.state_dict().values(), strict=True):
        assert torch.equal(a, b)
    assert len(monitor.history) == 3
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in watched.modules())


def test_a_compiled_model_is_watched(net):
    torch._dynamo.reset()
    with Monitor(net, "3", Evaluation(500)) as monitor:
        evaluate(torch.compile(net, backend="eager"), monitor)
        values = monitor.step()
    assert values == pytest.approx(Monitor(net, "3", probe=blobs()).measure(), abs=1e-5)
    torch._dynamo.reset()


def test_training_does_not_reach_it(net):
    x, y = blobs()
    with Monitor(net, "3", Evaluation(50)) as monitor:
        net(x)
        with pytest.raises(ValueError, match=r"^labels .* 120 .* 0 "):
            monitor.collect(y)


def test_without_a_pass_it_measures_nothing_and_says_so(net):
    with (
        Monitor(net, "3", Evaluation(50)) as monitor,
        pytest.warns(UserWarning, match=f"layer '3', step 1: {INCOMPLETE}"),
    ):
        assert monitor.step() == {}


def test_what_is_missing_is_named(net):
    x, y = blobs()
    with Monitor(net, "3", Evaluation(50)) as monitor:
        with pytest.raises(ValueError, match=r"^labels .*dsmi_y.*collect\(labels\)"):
            monitor.collect()
        net.eval()(x)
        with pytest.raises(TypeError, match=r"^index .* float32"):
            monitor.collect(y, x[:, 0])
        with pytest.raises(ValueError, match=r"^index .* 3 .* 120 "):
            monitor.collect(y, [1, 2, 3])
    with pytest.raises(RuntimeError, match="removed"):
        monitor.collect(y)
    with (
        Monitor(net, "3", probe=(x, y)) as monitor,
        pytest.raises(RuntimeError, match=r"collect .*Evaluation\(n\)"),
    ):
        monitor.collect(y)
    with pytest.raises(ValueError, match=r"Probe\(.*Evaluation\("):
        Monitor(net, "3", Evaluation(3), probe=x)


@pytest.mark.parametrize("training", [False, True])
def test_two_threads_at_the_same_time_are_refused(net, training):
    """The first waits in the middle of its pass until the other has ended, or has begun."""
    (x, y), inside, go_on = blobs(), threading.Event(), threading.Event()

    def wait(*_):
        if threading.current_thread() is first:
            inside.set()
            assert go_on.wait(20)

    net.train(training)
    source, take = (Reservoir(50), Monitor.step) if training else (Evaluation(50), Monitor.collect)
    with Monitor(net, "3", source, pooling="flatten") as monitor:
        net[1].register_forward_hook(wait)
        first = threading.Thread(target=net, args=(x[:30],))
        first.start()
        assert inside.wait(20)
        net(x[30:60])
        go_on.set()
        first.join()
        with pytest.raises(RuntimeError, match=naming("threads", "lock", "probe")):
            take(monitor, y[30:60])
        net(x[:30])  # the next pass counts again
        values = take(monitor, y[:30])
        assert (values if training else monitor.step()) is not None


def test_a_pass_that_raises_in_a_thread_is_no_pass_at_the_same_time(net):
    x, y = blobs()

    def fail():
        with pytest.raises(RuntimeError):
            net(torch.ones(2, 7))
        failed.set()
        assert ended.wait(20)

    net.eval()
    failed, ended = threading.Event(), threading.Event()
    with Monitor(net, "3", Evaluation(50)) as monitor:
        thread = threading.Thread(target=fail)
        thread.start()
        assert failed.wait(20)
        net(x[:30])
        monitor.collect(y[:30])
        ended.set()
        thread.join()
        assert monitor.step() is not None
