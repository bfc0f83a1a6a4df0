"""Layers side by side: in order, each on its share of the threads, and told of in order."""

from __future__ import annotations

import threading
import time
import warnings

import pytest

torch = pytest.importorskip("torch", reason="eigentropy.torch needs PyTorch")

from eigentropy import _core
from eigentropy._support.warnings import warn
from eigentropy.torch import Monitor, Probe
from eigentropy.torch.monitoring import measuring, parallel
from eigentropy.torch.monitoring.notices import Notices
from eigentropy.torch.monitoring.parallel import in_parallel
from messages import names

nn = torch.nn
LAYERS = ("0", "2", "4", "6")


@pytest.fixture
def three_threads():
    before = _core.thread_count()
    _core.set_thread_count(3)
    yield 3
    _core.set_thread_count(before)


def network():
    torch.manual_seed(0)
    parts = [part for _ in LAYERS for part in (nn.Linear(6, 6), nn.Tanh())]
    return nn.Sequential(*parts).eval()


def data(n=90):
    y = torch.arange(n) % 3
    x = torch.randn(n, 6, generator=torch.Generator().manual_seed(1))
    return x + 3.0 * torch.eye(6)[y], y


def test_results_come_in_order_and_every_thread_has_its_share(three_threads):
    together = threading.Barrier(3, timeout=30.0)

    def work(number):
        if number < 3:
            together.wait()  # all three are under way at the same time
        return number, threading.get_ident(), _core.thread_limit()

    found = in_parallel([lambda number=number: work(number) for number in range(7)])
    assert [number for number, *_ in found] == [*range(7)]
    assert len({thread for _, thread, _ in found}) == 3
    assert {limit for *_, limit in found} == {1}
    assert _core.thread_limit() == 0  # of the caller, who has done some of it


def test_two_pieces_of_work_share_five_threads():
    before = _core.thread_count()
    _core.set_thread_count(5)
    try:
        assert in_parallel([_core.thread_limit] * 2) == [2, 2]
        assert in_parallel([_core.thread_limit]) == [0]  # one has all of them
    finally:
        _core.set_thread_count(before)


def test_the_first_error_is_raised_and_no_thread_is_left(three_threads):
    begun = []

    def work(number):
        begun.append(number)
        time.sleep(0.01)
        raise ValueError(f"number {number}")

    threads = threading.active_count()
    with pytest.raises(ValueError, match="number 0"):
        in_parallel([lambda number=number: work(number) for number in range(50)])
    assert len(begun) <= 3  # the others have not begun
    assert threading.active_count() == threads
    assert _core.thread_limit() == 0


def test_an_interrupt_ends_all(three_threads):
    def interrupted():
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        in_parallel([interrupted] * 9)
    assert _core.thread_limit() == 0


def test_an_interrupt_is_not_hidden_by_an_error(three_threads):
    together = threading.Barrier(2, timeout=30.0)

    def failing(error):
        together.wait()
        raise error

    with pytest.raises(KeyboardInterrupt):
        in_parallel([lambda e=error: failing(e) for error in (ValueError, KeyboardInterrupt)])


def test_an_interrupt_between_two_pieces_leaves_out_the_rest(three_threads, monkeypatch):
    begun, go = [], threading.Event()

    def work(number):
        begun.append(number)
        go.wait(30.0)

    class Interrupted(parallel.deque):
        def popleft(self):
            if threading.current_thread() is threading.main_thread():
                while len(begun) < 2:  # until both other threads are under way
                    time.sleep(0.001)
                raise KeyboardInterrupt
            return super().popleft()

        def clear(self):
            super().clear()
            go.set()

    monkeypatch.setattr(parallel, "deque", Interrupted)
    with pytest.raises(KeyboardInterrupt):
        in_parallel([lambda number=number: work(number) for number in range(50)])
    assert len(begun) == 2


def test_without_further_threads_the_caller_does_all(three_threads, monkeypatch):
    def none(self):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(parallel.threading.Thread, "start", none)
    assert in_parallel([lambda k=k: k for k in range(4)]) == [0, 1, 2, 3]


def measured(layers=LAYERS, **options):
    with Monitor(network(), layers, Probe(*data()), **options) as monitor:
        return [monitor.step() for _ in range(2)]


@pytest.mark.parametrize("measures", [["dse", "dsmi_y"], ["dse", "dsmi_y", "kernel", "kernel_y"]])
def test_values_do_not_depend_on_how_many_layers_are_measured_at_a_time(three_threads, measures):
    together = measured(measures=measures)
    _core.set_thread_count(1)
    assert measured(measures=measures) == together
    alone = [measured(layer, measures=measures) for layer in LAYERS]
    for step, values in enumerate(together):
        assert values == {key: one for of in alone for key, one in of[step].items()}


def test_layers_are_measured_on_several_threads_and_shown_on_the_callers(
    three_threads, monkeypatch
):
    together, plain, on = threading.Barrier(3, timeout=30.0), measuring.measure, set()

    def measure(*arguments, name, **options):
        if name != LAYERS[-1]:
            together.wait()
        on.add(threading.get_ident())
        return plain(*arguments, name=name, **options)

    monkeypatch.setattr(measuring, "measure", measure)
    measures = ["dse", "kernel"]  # numbers alone are not shown
    with Monitor(network(), LAYERS, Probe(*data()), measures=measures) as monitor:
        seen, see = [], monitor._outputs.see
        monkeypatch.setattr(
            monitor._outputs,
            "see",
            lambda name, *rest: seen.append((name, threading.get_ident())) or see(name, *rest),
        )
        monitor.step()
    assert len(on) == 3
    assert seen == [(name, threading.get_ident()) for name in LAYERS]


@pytest.mark.parametrize(
    "options",
    [
        {"sampling": True},
        {"measures": ["dse", "kernel_previous"]},
        {"measures": ["dse", "kernel_x"]},
    ],
)
def test_what_layers_have_in_common_is_measured_one_after_the_other(
    options, three_threads, monkeypatch
):
    on, plain = set(), measuring.measure

    def measure(*arguments, **named):
        on.add(threading.get_ident())
        return plain(*arguments, **named)

    monkeypatch.setattr(measuring, "measure", measure)
    measured(**options)
    assert on == {threading.get_ident()}


def test_many_rows_are_measured_one_layer_after_the_other(three_threads, monkeypatch):
    monkeypatch.setattr(measuring, "FEW_ROWS", 89)
    monkeypatch.setattr(measuring, "in_parallel", None)  # calling it would fail
    assert len(measured()) == 2


def test_warnings_name_their_layers_in_order_and_once(three_threads, monkeypatch):
    plain = measuring.measure

    def measure(*arguments, name, **options):
        time.sleep(0.02 * (4 - LAYERS.index(name)))  # the last one is ready first
        warn(f"odd rows of {name}")
        return plain(*arguments, name=name, **options)

    monkeypatch.setattr(measuring, "measure", measure)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        measured(measures=["dse", "kernel"])
    assert len(caught) == len(LAYERS)
    for one, name in zip(caught, LAYERS, strict=True):
        assert names(str(one.message), "layer", repr(name), "step", 1, f"odd rows of {name}")
    assert {one.filename for one in caught} == {__file__}


def test_notices_of_two_monitors_are_kept_apart():
    one, other = Notices(), Notices()
    with one.withheld() as kept:
        one.about_layer("a", "said later")
        with pytest.warns(UserWarning, match="said at once"):
            other.about_layer("b", "said at once")
    assert [notice.layer for notice in kept] == ["a"]
    with pytest.warns(UserWarning, match="said later"):
        one.say(kept)
