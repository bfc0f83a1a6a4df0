"""Measuring beside the training: the same values, in order, nothing lost, and errors told."""

from __future__ import annotations

import contextlib
import copy
import csv
import gc
import os
import pickle
import signal
import subprocess
import sys
import textwrap
import threading
import warnings
import weakref

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="eigentropy.torch needs PyTorch")

import device_arrays
import eigentropy as eg
from eigentropy._support.warnings import CollectedWarnings
from eigentropy.torch import CollapseAlarm, CollapseError, Evaluation, Monitor, Probe, Reservoir
from eigentropy.torch.monitoring import transfer
from eigentropy.torch.monitoring.background import Background, BackgroundError
from eigentropy.torch.monitoring.notices import Notices
from messages import naming

nn = torch.nn


@pytest.fixture
def net():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 8), nn.ReLU(inplace=True), nn.Linear(8, 3))


def blobs(n=60):
    y = torch.arange(n) % 3
    return torch.randn(n, 4, generator=torch.Generator().manual_seed(1)) + 3 * torch.eye(4)[y], y


class Gate:
    """A logger that waits until it may go on, on a thread that is not the caller's."""

    def __init__(self):
        self.opened, self.entered, self.steps = threading.Event(), threading.Event(), []

    def __call__(self, values, step):
        assert threading.current_thread() is not threading.main_thread()
        self.entered.set()
        assert self.opened.wait(60)
        self.steps.append(step)


@pytest.fixture
def gate():
    one = Gate()
    yield one
    one.opened.set()


@pytest.fixture
def waits(monkeypatch):
    """Called in place of the next wait of a caller: `waits.append(function)`; counts the waits."""
    functions, wait_for = [], Background._wait_for

    def waited(background, most):
        if background.under_way > most and functions:
            functions.pop(0)()
        wait_for(background, most)

    monkeypatch.setattr(Background, "_wait_for", waited)
    return functions


# ---- The same values ----------------------------------------------------------------------------


def trained(net, source, **options):
    """The history of a training, and what a logger got."""
    net, logged = copy.deepcopy(net), []
    optimizer = torch.optim.SGD(net.parameters(), lr=0.5)
    x, y = blobs()
    log = lambda values, step: logged.append((step, values))  # noqa: E731
    with Monitor(net, "**", source(x, y), log=log, **options) as monitor:
        CollapseAlarm(monitor, reference=None, floor={"entropy": 0.1, "scale": 0.01})
        for _ in range(5):
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(net(x), y)
            loss.backward()
            optimizer.step()
            if source is evaluation:
                net.eval()
                with torch.no_grad():
                    net(x)
                monitor.collect(y)
                net.train()
            found = monitor.step(y if source is reservoir else None, values={"loss": loss.item()})
            assert (found is None) == bool(options)
    return list(monitor.history), logged, monitor.counted


def probe(x, y):
    return Probe(x, y, batch_size=32)


def evaluation(x, y):
    return Evaluation(50)


def reservoir(x, y):
    return Reservoir(40)


@pytest.mark.parametrize("source", [probe, evaluation, reservoir])
def test_the_values_are_those_of_the_foreground_bit_for_bit(net, source):
    history, logged, counted = trained(net, source)
    assert len(history) == 5
    assert trained(net, source, background=True) == (history, logged, counted)
    assert trained(net, source, background=1) == (history, logged, counted)


def test_what_the_training_changes_meanwhile_does_not_count(net, gate):
    expected = Monitor(copy.deepcopy(net), "2", probe=blobs()).measure()
    with Monitor(net, "2", probe=blobs(), log=gate, background=2) as monitor:
        monitor.step()
        assert gate.entered.wait(60)
        monitor.step()
        with torch.no_grad():
            net[2].weight.zero_()
        gate.opened.set()
    for row in monitor.history:
        assert {key: value for key, value in row.items() if key != "step"} == expected


def test_files_recordings_and_states_are_complete(net, tmp_path):
    options = {"log": tmp_path / "run.csv", "record": tmp_path / "run", "background": True}
    with Monitor(net, "2", probe=blobs(), **options) as monitor:
        for number in range(3):
            monitor.step()
            assert len(monitor.state_dict()["history"]) == number + 1
        assert monitor.profile().n == 60
    with (tmp_path / "run.csv").open() as file:
        assert [row["step"] for row in csv.DictReader(file)] == ["1", "2", "3"]
    assert len((tmp_path / "run" / "spectra.jsonl").read_text().splitlines()) == 3


def test_measure_returns_at_once_and_wait_waits(net, gate):
    with Monitor(net, "2", probe=blobs(), log=gate, background=True) as monitor:
        assert monitor.measure() == {}
        assert gate.entered.wait(60)
        assert gate.steps == []
        gate.opened.set()
        monitor.wait()
        assert gate.steps == [0]
        assert not [t for t in threading.enumerate() if t.name == "eigentropy monitor"]


# ---- The bound ----------------------------------------------------------------------------------


@pytest.mark.parametrize("most", [1, 2, 3])
def test_a_step_waits_where_as_many_are_under_way(net, gate, waits, most):
    with Monitor(net, "2", probe=blobs(), log=gate, background=most) as monitor:
        waits.append(gate.opened.set)
        for _ in range(most):
            monitor.step()
        assert waits  # no step has waited
        monitor.step()
        assert not waits
    assert gate.steps == list(range(1, most + 2))


@pytest.mark.parametrize("most", [0, -1])
def test_no_measurement_at_all_is_refused(net, most):
    with pytest.raises(ValueError, match=naming("background", most)):
        Monitor(net, "2", probe=blobs(), background=most)


@pytest.mark.parametrize("most", [1.5, "yes", None])
def test_the_bound_is_a_number(net, most):
    with pytest.raises(TypeError, match=naming("background")):
        Monitor(net, "2", probe=blobs(), background=most)


def test_a_budget_counts_what_the_step_waits_for(net, gate):
    """And not what is measured beside it."""
    with Monitor(net, "2", probe=blobs(), log=gate, budget=0.5, background=True) as monitor:
        monitor.step()
        assert gate.entered.wait(60)
        assert 0.0 < monitor._budget.cost < 30.0
        gate.opened.set()


# ---- Nothing is lost ----------------------------------------------------------------------------


def test_a_monitor_that_is_let_go_is_measured_to_the_end(net, gate):
    monitor = Monitor(net, "2", probe=blobs(), log=gate, background=2)
    monitor.step()
    monitor.step()
    gone = weakref.ref(monitor)
    del monitor
    gate.opened.set()
    for thread in threading.enumerate():
        if thread.name == "eigentropy monitor":
            thread.join(60)
    assert gate.steps == [1, 2]
    gc.collect()
    assert gone() is None


def test_what_nobody_asked_for_is_warned_about_when_the_monitor_goes(net):
    monitor = Monitor(net, "2", probe=blobs(), background=True)
    monitor.step(values={"dse/2": 1.0})  # a key of the monitor's own
    monitor._wait()
    held = [monitor]
    del monitor

    def let_go():
        held.clear()
        gc.collect()

    with pytest.warns(UserWarning, match=naming("step 1", "background", "dse/2")):
        let_go()


SCRIPT = """
    import sys, time, torch
    from eigentropy.torch import Monitor
    torch.manual_seed(0)
    net = torch.nn.Sequential(torch.nn.Linear(4, 3))
    def slow(values, step):
        time.sleep(0.2)
        print(step, flush=True)
    monitor = Monitor(net, "0", probe=torch.randn(30, 4), log=slow, background=3)
    for _ in range(3):
        monitor.step()
"""


def run(*more):
    code = textwrap.dedent(SCRIPT) + "\n".join(more)
    command = [sys.executable, "-c", code]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)


def test_a_process_that_ends_measures_to_the_end():
    ended = run()
    assert (ended.returncode, ended.stdout.split()) == (0, ["1", "2", "3"])


def test_a_process_that_an_error_ends_measures_to_the_end():
    ended = run("raise ValueError('of the training')")
    assert (ended.returncode, ended.stdout.split()) == (1, ["1", "2", "3"])
    assert "of the training" in ended.stderr


def test_errors_that_nobody_asked_for_are_said_at_the_end():
    ended = run("monitor.step(values={'dse/0': 1.0})")
    assert ended.returncode == 0
    assert "step 4 could not be measured" in ended.stderr


def test_a_forked_process_has_no_part_in_what_waits():
    ended = run(
        "import os, sys, threading",
        "child = os.fork()",
        "if child == 0:",
        "    monitor.wait()",
        "    print('child', len(monitor.history), threading.active_count(), flush=True)",
        "    monitor.step()",
        "    monitor.wait()",
        "    os._exit(0)",
        "assert os.waitpid(child, 0)[1] == 0",
    )
    assert ended.returncode == 0, ended.stderr
    lines = ended.stdout.splitlines()
    [child] = [line for line in lines if line.startswith("child")]
    assert int(child.split()[1]) < 3  # what was measured before the fork
    assert child.split()[2] == "1"
    lines.remove(child)
    assert sorted(lines) == ["1", "2", "3", "4"]  # each by one process


@pytest.mark.parametrize("method", ["fork", "forkserver"])  # which end without atexit
def test_a_process_of_multiprocessing_measures_to_the_end(method, tmp_path):
    program = tmp_path / "program.py"
    body = textwrap.indent(textwrap.dedent(SCRIPT), "    ")
    program.write_text(
        f"""import multiprocessing
def training():{body}
if __name__ == "__main__":
    import eigentropy.torch
    process = multiprocessing.get_context({method!r}).Process(target=training)
    process.start()
    process.join(120)
    print("ended", process.exitcode)
"""
    )
    ended = subprocess.run(
        [sys.executable, program], capture_output=True, text=True, timeout=300, check=False
    )
    assert ended.stdout.split() == ["1", "2", "3", "ended", "0"], ended.stderr


def test_after_an_error_in_the_block_what_waits_is_measured(net, gate):
    monitor = Monitor(net, "2", probe=blobs(), log=gate, background=True)

    def loop():
        with monitor:
            monitor.step()
            raise KeyError("of the loop")

    with pytest.raises(KeyError):
        loop()
    gate.opened.set()
    monitor.remove()
    assert gate.steps == [1]


def test_a_removed_monitor_measures_no_more(net):
    monitor = Monitor(net, "2", probe=blobs(), background=True)
    monitor.step()
    monitor.remove()
    assert len(monitor.history) == 1
    monitor.remove()  # once more is nothing
    for call in (monitor.measure, monitor.step, monitor.profile):
        with pytest.raises(RuntimeError, match="removed"):
            call()


# ---- Ctrl-C -------------------------------------------------------------------------------------


def test_ctrl_c_ends_the_wait_of_a_step_and_loses_nothing(net, gate, waits):
    with Monitor(net, "2", probe=blobs(), log=gate, background=1) as monitor:
        monitor.step()
        waits.append(lambda: signal.raise_signal(signal.SIGINT))
        with pytest.raises(KeyboardInterrupt):
            monitor.step()
        gate.opened.set()
        monitor.step()
    assert gate.steps == [1, 3]  # the second was never taken


def test_what_was_evaluated_before_ctrl_c_is_not_mixed_with_the_next(net, gate, waits):
    x, y = blobs()
    net.eval()

    def evaluate():
        with torch.no_grad():
            net(x)
        monitor.collect(y)

    with Monitor(net, "2", Evaluation(500), log=gate, background=1) as monitor:
        evaluate()
        monitor.step()
        evaluate()
        waits.append(lambda: signal.raise_signal(signal.SIGINT))
        with pytest.raises(KeyboardInterrupt):
            monitor.step()
        gate.opened.set()
        evaluate()
        monitor.step()
        monitor.wait()
        assert monitor.counted.prompts == 60
    assert gate.steps == [1, 3]


def test_ctrl_c_ends_the_wait_at_the_end_and_loses_nothing(net, gate, waits):
    monitor = Monitor(net, "2", probe=blobs(), log=gate, background=1)
    monitor.step()
    waits.append(lambda: signal.raise_signal(signal.SIGINT))
    with pytest.raises(KeyboardInterrupt):
        monitor.remove()
    gate.opened.set()
    monitor.remove()
    assert gate.steps == [1]


def test_a_real_wait_can_be_interrupted(net, gate):
    with Monitor(net, "2", probe=blobs(), log=gate, background=1) as monitor:
        monitor.step()
        assert gate.entered.wait(60)
        interrupt = threading.Timer(0.2, os.kill, [os.getpid(), signal.SIGINT])
        interrupt.start()
        with pytest.raises(KeyboardInterrupt):
            monitor.wait()
        gate.opened.set()


# ---- Errors, warnings, alarms -------------------------------------------------------------------


def test_an_error_comes_with_the_next_call_and_the_others_are_measured(net):
    with Monitor(net, "2", probe=blobs(), background=3) as monitor:
        monitor.step()
        monitor.step(values={"dse/2": 1.0})
        monitor._wait()
        with pytest.raises(BackgroundError, match=naming("step 2", "ValueError", "dse/2")) as info:
            monitor.step()
        assert info.value.step == 2
        assert isinstance(info.value.__cause__, ValueError)
    assert [row["step"] for row in monitor.history] == [1, 3]
    copied = pickle.loads(pickle.dumps(info.value))
    assert (copied.step, str(copied)) == (2, str(info.value))


def test_an_error_comes_with_a_step_that_is_not_measured_too(net):
    with Monitor(net, "2", probe=blobs(), every=2, background=True) as monitor:
        monitor.measure({"dse/2": 1.0})
        monitor._wait()
        with pytest.raises(BackgroundError, match="step 0"):
            monitor.step()


def test_a_wrong_value_is_refused_at_once(net):
    monitor = Monitor(net, "2", probe=blobs(), background=True)
    with pytest.raises(TypeError, match=r"values\['loss'\]"):
        monitor.step(values={"loss": "high"})


def test_a_logger_that_fails_is_warned_about_once_and_stops_nothing(net):
    def broken(values, step):
        raise OSError("the disk is full")

    with Monitor(net, "2", probe=blobs(), log=broken, background=True) as monitor:
        monitor.step()
        monitor._wait()
        with pytest.warns(UserWarning, match=naming("step 1", "broken", "disk is full")):
            monitor.step()
        monitor.step()
    assert len(monitor.history) == 3


def test_a_logger_that_ends_its_thread_is_an_error_of_its_step(net):
    def leaves(values, step):
        sys.exit(3)

    monitor = Monitor(net, "2", probe=blobs(), log=leaves, background=True)
    monitor.step()
    with pytest.raises(BackgroundError, match=naming("step 1", "SystemExit")):
        monitor.wait()
    monitor.remove()


def test_warnings_come_with_the_next_call_and_point_at_it(net):
    with torch.no_grad():
        net[2].weight.zero_()
        net[2].bias.zero_()
    with Monitor(net, "2", probe=blobs(), background=True) as monitor:
        monitor.step()
        monitor._wait()
        with pytest.warns(eg.SaturationWarning, match="layer '2', step 1") as caught:
            monitor.step()
        assert {warning.filename for warning in caught} == {__file__}


def test_on_a_thread_of_its_own_no_filter_of_the_process_is_touched():
    before, notices = warnings.filters[:], Notices()
    with CollectedWarnings() as said, notices.caught("a"):
        assert warnings.filters == before
        notices.about_layer("b", "inside")
    assert [one.message for one in said] == ["layer 'a', step 0: layer 'b', step 0: inside"]


def test_an_alarm_acts_on_the_callers_thread(net):
    threads = []
    with torch.no_grad():
        net[2].weight.zero_()
        net[2].bias.zero_()
    monitor = Monitor(net, "2", probe=torch.randn(60, 4), background=True)
    alarm = CollapseAlarm(
        monitor, reference=None, floor={"scale": 0.1}, nan="collapse",
        action=[lambda event: threads.append(threading.current_thread()), "raise"],
    )  # fmt: skip

    def loop():
        for _ in range(300):
            monitor.step()

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with pytest.raises(CollapseError):
            loop()
    assert threads == [threading.main_thread()]
    assert alarm.raised
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        monitor.remove()


def collapsed(net, action, **options):
    """A monitor and its alarm, which the first measurement raises."""
    with torch.no_grad():
        net[2].weight.zero_()
        net[2].bias.zero_()
    monitor = Monitor(net, "2", probe=torch.randn(60, 4), **options)
    return monitor, CollapseAlarm(
        monitor, alpha=0.4, reference=None, floor={"scale": 0.1}, action=action
    )


@pytest.mark.filterwarnings("ignore:layer '2'")
def test_a_checkpoint_has_the_alarm_of_which_the_training_has_not_heard(net):
    states = []
    for options in ({}, {"background": True}):
        monitor, alarm = collapsed(net, "stop", **options)
        while not alarm.raised:
            monitor.step()
            monitor._wait()
        states.append(monitor.state_dict()["alarms"])
        monitor.remove()
    assert states[0]["alarm"]["should_stop"]
    assert states[1] == states[0]


@pytest.mark.filterwarnings("ignore:layer '2'")
def test_an_alarm_of_before_is_not_one_of_the_state_that_is_loaded(net):
    monitor, alarm = collapsed(net, ["stop", "raise"], background=True)
    state = monitor.state_dict()
    while not alarm.raised:
        monitor.step()
        monitor._wait()
    with pytest.raises(CollapseError):
        monitor.load_state_dict(state)
    monitor.load_state_dict(state)
    monitor.wait()
    assert (alarm.raised, alarm.should_stop, monitor.steps) == (False, False, 0)
    monitor.remove()


def test_a_logger_may_take_the_state_of_its_monitor(net):
    """As without background: it has what is being logged."""

    def log(values, step):
        monitor.wait()
        states.append(monitor.state_dict())

    histories = []
    for options in ({}, {"background": 1}):
        states = []
        with Monitor(net, "2", probe=blobs(), log=log, **options) as monitor:
            monitor.step()
            monitor.step()
        histories.append([len(state["history"]) for state in states])
    assert histories == [[1, 2], [1, 2]]


def test_processes_that_measure_together_are_refused(net, process_group):
    net.eval()
    with Monitor(net, "2", Evaluation(50), background=True) as monitor, torch.no_grad():
        net(blobs()[0])
        monitor.collect(blobs()[1])
        with pytest.raises(RuntimeError, match=naming("background", "gather=False")):
            monitor.step()
    with Monitor(net, "2", probe=blobs(), background=True) as monitor:
        monitor.step()  # by the first process alone
        with pytest.raises(RuntimeError, match=naming("background", "alarms")):
            CollapseAlarm(monitor)


# ---- From a GPU ---------------------------------------------------------------------------------


class Streams:
    """PyTorch's streams, of which copies arrive when their event is waited for."""

    def __init__(self, monkeypatch):
        self.calls, self.pending, streams = [], [], self

        class Host(torch.Tensor):
            def copy_(self, rows, non_blocking=False):
                assert non_blocking
                plain, source = self.as_subclass(torch.Tensor), rows.as_subclass(torch.Tensor)
                streams.calls.append("copy")
                streams.pending.append(lambda: plain.copy_(source))
                return self

        class Stream:
            def __init__(self, index):
                self.cuda_stream = 7

            def wait_stream(self, other):
                streams.calls.append(f"wait for {other.cuda_stream}")

        class Event:
            def record(self, stream):
                self.copies, streams.pending = streams.pending, []

            def synchronize(self):
                assert threading.current_thread() is not threading.main_thread()
                for copy_now in self.copies:
                    copy_now()

        def pinned(rows):
            return torch.full(rows.shape, np.nan, dtype=rows.dtype).as_subclass(Host)

        monkeypatch.setattr(transfer, "pinned", pinned)
        monkeypatch.setattr(torch.cuda, "Stream", Stream)
        monkeypatch.setattr(torch.cuda, "Event", Event)
        monkeypatch.setattr(torch.cuda, "stream", lambda stream: contextlib.nullcontext())
        transfer._stream.cache_clear()
        kept = lambda rows, stream: self.calls.append(f"keep for {stream.cuda_stream}")  # noqa: E731
        monkeypatch.setattr(device_arrays.torch_on_gpu(), "record_stream", kept)
        monkeypatch.setattr(transfer, "_stream", Stream)


@pytest.mark.parametrize("source", [probe, evaluation, reservoir])
@pytest.mark.parametrize("plug_in", [True, False])
def test_rows_of_a_gpu_are_copied_beside_the_training(gpu, net, source, plug_in, monkeypatch):
    """And are measured on the host, with the plug-in or without."""
    if not plug_in:
        monkeypatch.setitem(sys.modules, device_arrays.PACKAGE, None)
    streams = None if gpu.is_real else Streams(monkeypatch)
    x, y = blobs()
    expected = one_step(copy.deepcopy(net), x, y, source)
    model, there = gpu.put(net, x)
    found = one_step(model, there, y, source, background=True)
    assert found == (pytest.approx(expected, rel=1e-4, abs=1e-4) if gpu.is_real else expected)
    assert gpu.copied == []  # by PyTorch's .cpu(), which waits
    if streams:
        assert streams.calls == ["wait for 0", "copy", "keep for 7"] * 3  # the layers


def one_step(net, x, y, source, **options):
    net.train(source is reservoir)
    with Monitor(net, "**", source(x, y), **options) as monitor:
        if source is not probe:
            with torch.set_grad_enabled(source is reservoir):
                net(x)
        if source is evaluation:
            monitor.collect(y)
        monitor.step(y if source is reservoir else None)
    return list(monitor.history)
