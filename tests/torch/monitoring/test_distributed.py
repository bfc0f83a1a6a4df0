"""A monitor in two processes: their samples are gathered, and none waits for one that failed."""

from __future__ import annotations

import os
import warnings

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="eigentropy.torch needs PyTorch")

import eigentropy as eg
import processes
from eigentropy.torch import Evaluation, Monitor, Probe, Reservoir
from eigentropy.torch.monitoring.budget import Budget
from eigentropy.torch.monitoring.collection import INCOMPLETE

nn = torch.nn
N = 101  # which two processes cannot share equally


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.body, self.head = nn.Linear(4, 8), nn.Linear(8, 3)
        self.skip_body = False

    def forward(self, x):
        return self.head(x.repeat(1, 2) if self.skip_body else self.body(x).tanh())


def net():
    torch.manual_seed(0)
    return Net()


def data():
    y = torch.arange(N) % 3
    return torch.randn(N, 4, generator=torch.Generator().manual_seed(0)) + 3 * torch.eye(4)[y], y


def sampled(rank):
    """Numbers of the samples of a process, some of them twice in total."""
    sampler = torch.utils.data.DistributedSampler(range(N), num_replicas=2, rank=rank, shuffle=True)
    return torch.tensor(list(sampler))


def evaluate(model, monitor, index):
    """As a loop does it, batch after batch."""
    x, y = data()
    model.eval()
    with torch.no_grad():
        for part in index.split(20):
            model(x[part])
            monitor.collect(y[part], part)
    model.train()


def evaluation(rank, capacity):
    model = nn.parallel.DistributedDataParallel(net())
    seen = []
    log = lambda values, step: seen.append(step)  # noqa: E731
    with Monitor(model, ["body", "head"], Evaluation(capacity), log=log) as monitor:
        evaluate(model, monitor, sampled(rank))
        values = monitor.step(values={"loss": 1.0 + rank})
    assert seen == ([1] if rank == 0 else [])
    assert monitor.history == [{"step": 1, **values}]
    return values


def evaluation_in_order(rank):
    """Without numbers: as a sampler deals the samples out that does not shuffle."""
    x, y = data()
    model = net().eval()
    with Monitor(model, "head", Evaluation(60)) as monitor, torch.no_grad():
        model(x[rank:100:2])
        monitor.collect(y[rank:100:2])
        return monitor.step()


def probe_in_shares(rank):
    model, passed = net(), []
    model.register_forward_pre_hook(lambda module, args: passed.append(len(args[0])))
    with Monitor(model, ["body", "head"], Probe(*data(), batch_size=30), gather=True) as monitor:
        values = monitor.step()
    assert passed == ([30, 21] if rank == 0 else [30, 20])
    return values


def budget(rank):
    """The first process decides, though the other has had its share."""
    measured, share = [], Budget(1.0 - 0.5 * rank)
    with Monitor(net(), "head", probe=data(), gather=True, budget=share) as monitor:
        for _ in range(3):
            share.cost = 1e9 * rank
            measured.append(monitor.step() is not None)
    return measured


def probe_of_one_sample(rank):
    with Monitor(net(), "head", probe=data()[0][:1], gather=True) as monitor:
        return monitor.measure()


def probe_on_the_first_rank(rank):
    return Monitor(net(), "head", probe=data()).measure()


def reservoir(rank):
    x, y = data()
    part = torch.arange(0, 60) if rank == 0 else torch.arange(50, N)  # 10 of them in both
    model = net()
    with Monitor(model, "head", Reservoir(200), measures=["dse", "dsmi_y"]) as monitor:
        model(x[part])
        return monitor.step(y[part], index=part)


class Reader(nn.Module):
    """Reads tokens, of which a mask says which ones are real."""

    def __init__(self):
        super().__init__()
        self.body = nn.Linear(4, 8)

    def forward(self, x, attention_mask):
        return self.body(x).tanh()


def texts():
    x = torch.randn(N, 6, 4, generator=torch.Generator().manual_seed(1))
    return x, torch.arange(6) <= torch.arange(N)[:, None] % 6


def read(index, capacity):
    """A monitor of tokens that has seen these texts."""
    torch.manual_seed(0)
    model, (x, mask) = Reader().eval(), texts()
    monitor = Monitor(model, "body", Evaluation(capacity), pooling="tokens")
    with torch.no_grad():
        for part in index.split(20):
            model(x[part], mask[part])
            monitor.collect(part % 3, part)
    return monitor


def tokens(rank, capacity):
    monitor = read(sampled(rank), capacity)
    values = monitor.step()
    return [values, monitor.counted.prompts, monitor.counted.tokens]


def tokens_of_a_probe(rank):
    torch.manual_seed(0)
    x, mask = texts()
    probe = Probe([x, mask], torch.arange(N) % 3, batch_size=16, max_points=150)
    return Monitor(Reader(), "body", probe, pooling="tokens", gather=rank < 9).measure()


def error_in_one(rank):
    model = net()
    if rank == 1:
        model.head = None
    monitor = Monitor(model, "body", probe=data(), gather=True)
    try:
        monitor.measure()
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return "no error"


def error_in_the_first(rank):
    try:
        Monitor(net(), "body", probe=data(), gather=True).measure({"dse/body": 1.0})
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return "no error"


def layer_that_one_skips(rank):
    model = net()
    model.skip_body = rank == 1
    with warnings.catch_warnings(record=True) as caught:
        values = Monitor(model, ["body", "head"], probe=data()[0], gather=True).measure()
    return [values, [str(warning.message) for warning in caught]]


def lost(rank):
    """The second process ends before it sends its rows."""
    if rank == 1:
        os._exit(0)
    return error_in_one(rank)


CASES = {
    "all": (evaluation, 500),
    "some": (evaluation, 40),
    "in order": (evaluation_in_order,),
    "shares": (probe_in_shares,),
    "one": (probe_of_one_sample,),
    "budget": (budget,),
    "first": (probe_on_the_first_rank,),
    "reservoir": (reservoir,),
    "all tokens": (tokens, 1000),
    "some tokens": (tokens, 90),
    "probed tokens": (tokens_of_a_probe,),
    "error": (error_in_one,),
    "error 0": (error_in_the_first,),
    "skipped": (layer_that_one_skips,),
    "lost": (lost,),  # the last: the group is of no use then
}


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    """What each of two processes returns, by case."""
    return processes.results(CASES, 2, tmp_path_factory.mktemp("two"), last="lost")


def alone(capacity, index=None):
    model = net()
    with Monitor(model, ["body", "head"], Evaluation(capacity)) as monitor:
        evaluate(model, monitor, torch.arange(N) if index is None else index)
        return monitor.step(values={"loss": 1.0})


@pytest.mark.parametrize(("case", "capacity"), [("all", 500), ("some", 40)])
def test_two_processes_measure_what_one_does(found, case, capacity):
    first, second = found[0][case], found[1][case]
    assert first == second
    assert first == pytest.approx(alone(capacity), abs=1e-5)


def test_samples_that_a_sampler_repeats_count_once(found):
    both = torch.cat([sampled(0), sampled(1)])
    assert len(both) == N + 1
    Z = net().body(data()[0]).detach()
    assert found[0]["all"]["dse/body"] == pytest.approx(float(eg.dse(Z)), abs=1e-5)


def test_without_numbers_samples_are_counted_in_turn(found):
    x, y = data()
    model = net().eval()
    with Monitor(model, "head", Evaluation(60)) as monitor, torch.no_grad():
        model(x[:100])
        monitor.collect(y[:100])
        expected = monitor.step()
    assert found[0]["in order"] == found[1]["in order"] == pytest.approx(expected, abs=1e-5)


def test_a_probe_is_passed_in_shares_that_differ_in_size(found):
    expected = Monitor(net(), ["body", "head"], probe=data()).measure()
    assert found[0]["shares"] == found[1]["shares"] == pytest.approx(expected, abs=1e-5)


def test_the_budget_of_the_first_process_counts_for_all(found):
    assert found[0]["budget"] == found[1]["budget"] == [True] * 3


def test_a_process_without_samples_takes_part(found):
    assert found[0]["one"] == found[1]["one"] == {"dse/head": 0.0}


def test_unless_told_otherwise_the_first_rank_measures_a_probe(found):
    assert found[0]["first"] == pytest.approx(
        Monitor(net(), "head", probe=data()).measure(), abs=1e-5
    )
    assert found[1]["first"] == {}


def test_reservoirs_are_gathered_without_what_is_in_both(found):
    x, y = data()
    Z = net()(x).detach()
    values = found[0]["reservoir"]
    assert values == found[1]["reservoir"]
    assert values["dse/head"] == pytest.approx(float(eg.dse(Z)), abs=1e-5)
    assert values["dsmi_y/head"] == pytest.approx(float(eg.dsmi(Z, y, n_null=2)), abs=1e-5)


@pytest.mark.parametrize(("case", "capacity"), [("all tokens", 1000), ("some tokens", 90)])
def test_two_processes_measure_the_tokens_that_one_does(found, case, capacity):
    (first, prompts, kept), second = found[0][case], found[1][case]
    assert second == [first, prompts, kept]
    index = torch.cat([sampled(0), sampled(1)])
    assert (prompts, kept) == (len(index), int(texts()[1][index].sum()))
    assert first == pytest.approx(read(torch.arange(N), capacity).step(), abs=1e-5)


def test_two_processes_thin_the_tokens_of_a_probe_as_one_does(found):
    first = found[0]["probed tokens"]
    assert first == found[1]["probed tokens"] == pytest.approx(tokens_of_a_probe(9), abs=1e-5)
    assert {name.partition("/")[0] for name in first} >= {"dse", "dsmi_y"}


def test_an_error_in_one_process_is_an_error_in_the_other(found):
    assert found[0]["error"].startswith("RuntimeError: ")
    assert "rank 1: TypeError: 'NoneType'" in found[0]["error"]
    assert found[1]["error"].startswith("TypeError: 'NoneType'")


def test_an_error_of_the_first_in_measuring_is_an_error_in_the_other(found):
    assert found[0]["error 0"].startswith("ValueError: values: 'dse/body'")
    assert "rank 0: ValueError: values: 'dse/body'" in found[1]["error 0"]


def test_a_layer_that_one_process_skips_has_no_values(found):
    values, messages = found[0]["skipped"]
    assert set(values) == {"dse/head"}
    assert [f"layer 'body', step 0: {INCOMPLETE}" in message for message in messages] == [True]


def test_a_process_that_is_lost_ends_the_wait_of_the_other(found):
    assert "Error" in found[0]["lost"]
    assert found[1]["lost"] is None


def test_the_chosen_samples_are_a_random_sample():
    from eigentropy.torch.monitoring.samples import Samples, priorities

    ranks = priorities(np.arange(100_000), 0)
    assert len(set(ranks.tolist())) == 100_000
    rows = {"a": np.arange(1000.0)[:, None]}
    counts = np.zeros(1000)
    for seed in range(200):
        counts[Samples(rows, np.arange(1000)).distinct(100, seed).numbers] += 1
    assert counts.sum() == 20_000
    assert np.abs(counts - 20).max() < 6 * np.sqrt(20 * 0.9)
    halves = [counts[:500].sum(), counts[::2].sum()]
    assert np.abs(np.array(halves) - 10_000).max() < 5 * np.sqrt(20_000 * 0.25)
