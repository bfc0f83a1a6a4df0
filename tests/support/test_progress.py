"""What is said of a long call while it lasts, by a clock that the tests set."""

from __future__ import annotations

import io
import re
import sys
import time
import types
import warnings

import numpy as np
import pytest

import eigentropy as eg
from eigentropy._measures.measurement import MeasurementSettings, Variable, measure
from eigentropy._support import progress
from eigentropy._support.progress import Meter, Shares, duration, lines, part, reporter, stage
from eigentropy.io.snapshots import track

hypothesis = pytest.importorskip("hypothesis")
from hypothesis import given, settings
from hypothesis import strategies as st


class Clock:
    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now


def told(pace, seconds, step=0.05):
    """(elapsed, remaining) of a meter after each step, for shares `pace(seconds)`."""
    clock = Clock()
    meter, known = Meter("work", clock), []
    for now in np.arange(step, seconds, step):
        clock.now = 1000.0 + now
        meter.update(pace(now))
        known.append((now, meter.remaining()))
    return known


def test_no_time_is_shown_until_it_means_something():
    known = told(lambda now: now / 100.0, 100.0)
    assert all(left is None for now, left in known if now < 2.0)
    for now, left in known:
        if now > 4.1:
            assert left == pytest.approx(100.0 - now, rel=0.02)


def test_a_slow_second_half_is_not_promised_away():
    """8 s were said where 80 s were taken: a fast start is taken back as soon as it is over."""
    fast, slow = 8.0, 72.0

    def share(now):
        return 0.5 * now / fast if now < fast else 0.5 + 0.5 * (now - fast) / slow

    for now, left in told(share, fast + slow):
        if left is not None and now > fast + 2.0:
            assert left == pytest.approx(fast + slow - now, rel=0.35)
        assert left is not None or now < 2.5 * fast


@settings(deadline=None)
@given(st.lists(st.floats(1.0, 2.0), min_size=20, max_size=200), st.floats(2.0, 600.0))
def test_where_the_pace_changes_by_a_factor_of_two_the_time_is_right_within_two(paces, seconds):
    ends = np.cumsum([0.0, *paces])
    ends *= seconds / ends[-1]
    clock = Clock()
    meter = Meter("work", clock)
    for number, end in enumerate(ends[1:], 1):
        clock.now = 1000.0 + end
        meter.update(number / len(paces))
        left = meter.remaining()
        if left is not None:
            assert 0.49 * (seconds - end) <= left + 1e-6 <= 2.05 * (seconds - end) + 1e-5


@settings(deadline=None)
@given(st.lists(st.tuples(st.floats(0.0, 30.0), st.floats(0.0, 1.0)), max_size=50))
def test_whatever_is_reported_there_is_a_line(reports):
    clock = Clock()
    meter = Meter("work", clock)
    for seconds, share in reports:
        clock.now += seconds
        meter.update(share)
        left = meter.remaining()
        assert left is None or (np.isfinite(left) and left >= 0.0)
        assert str(meter)


def at_an_even_pace(name, clock, seconds, of):
    """A meter that has been told of each of these seconds."""
    meter = Meter(name, clock)
    for now in range(1, seconds + 1):
        clock.now = 1000.0 + now
        meter.update(now / of)
    return meter


def test_a_pause_takes_the_time_back():
    clock = Clock()
    meter = at_an_even_pace("work", clock, seconds=10, of=20)
    assert meter.remaining() == pytest.approx(10.0, rel=0.1)
    clock.now += 60.0
    assert meter.remaining() is None


def test_a_line_has_what_how_much_and_how_long():
    meter = at_an_even_pace("12 snapshots", Clock(), seconds=75, of=150)
    assert str(meter) == "12 snapshots: 50 %, 1:15, 1:15 left"


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.2, "0:00"), (59.7, "1:00"), (75, "1:15"), (3601, "1:00:01")]
)
def test_durations(seconds, text):
    assert duration(seconds) == text


def test_parts_fill_the_whole():
    seen = []
    for start, stop in ((0.0, 0.3), (0.3, 1.0)):
        inner = part(part(seen.append, start, stop), 0.0, 1.0)
        for share in (0.0, 0.5, 1.0):
            inner(share)
    assert seen == pytest.approx([0.0, 0.15, 0.3, 0.3, 0.65, 1.0])
    assert seen[-1] == 1.0
    assert part(None, 0.0, 0.5) is None


# Where it is shown


def test_a_stage_is_named_wherever_in_the_whole_it_is():
    meter = Meter("work")
    inner = part(part(Shares(meter.update, meter), 0.5, 1.0), 0.0, 0.5)
    stage(inner, "the second part")
    inner(1.0)
    assert meter.share == 0.75
    for word in ("work", "the second part", "75 %"):
        assert word in str(meter)
    seen = []
    stage(part(seen.append, 0.0, 1.0), "told to nobody")
    stage(None, "told to nobody")
    assert seen == []


def test_a_file_gets_a_line_every_few_seconds_also_while_nothing_is_reported():
    stream = io.StringIO()
    with lines(Meter("work"), stream, every=0.05) as report:
        report(0.25)
        while stream.getvalue().count("\n") < 3:
            time.sleep(0.01)
    written = stream.getvalue().splitlines()
    assert all(re.fullmatch(r"work: (0|25) %, 0:0\d", line) for line in written)
    time.sleep(0.1)
    assert stream.getvalue().splitlines() == written  # none after the end


def test_a_short_call_writes_nothing_to_a_file(rng, monkeypatch):
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    eg.dse(rng.normal(size=(300, 3)), progress=True)
    assert stream.getvalue() == ""


@pytest.mark.parametrize("has_stream", [False, True])
def test_a_program_without_a_reader_computes(has_stream):
    gone = io.StringIO()
    gone.close()
    with lines(Meter("work"), gone if has_stream else None, every=0.001) as report:
        report(0.5)
        time.sleep(0.02)


class Notebook:
    """What a kernel displays: the text of each output, as it was last written."""

    def __init__(self):
        self.outputs = []

    def display(self, data, raw, display_id):
        assert raw
        assert display_id
        self.outputs.append(data["text/plain"])
        number = len(self.outputs) - 1
        return types.SimpleNamespace(update=lambda data, raw: self._write(number, data))

    def _write(self, number, data):
        self.outputs[number] = data["text/plain"]


@pytest.fixture
def notebook(monkeypatch):
    found = Notebook()
    python = types.ModuleType("IPython")
    python.get_ipython = lambda: types.SimpleNamespace(kernel=object())
    shown = types.ModuleType("IPython.display")
    shown.display = found.display
    monkeypatch.setitem(sys.modules, "IPython", python)
    monkeypatch.setitem(sys.modules, "IPython.display", shown)
    monkeypatch.setitem(sys.modules, "ipywidgets", None)  # which is not installed
    return found


def test_a_notebook_has_one_line_and_needs_no_widgets(notebook, monkeypatch):
    monkeypatch.setattr(progress, "OUTPUT_EVERY", 0.01)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with reporter(True, "work") as report:
            for step in range(1, 11):
                time.sleep(0.02)
                report(step / 10)
    assert len(notebook.outputs) == 1
    assert notebook.outputs[0].startswith("work: 100 %")


def test_a_short_call_shows_nothing_in_a_notebook(notebook):
    with reporter(True, "work") as report:
        report(1.0)
    assert notebook.outputs == []


# What is reported: one share of the whole call, that never falls


@pytest.mark.parametrize("method", ["exact", "stochastic", "lowrank"])
def test_an_entropy_reports_one_share_of_the_whole(method, rng):
    seen = []
    eg.dse(rng.normal(size=(1500, 3)), sigma=1.0, method=method, tol=1e-2, progress=seen.append)
    check_rises_to_1(seen)


@pytest.mark.parametrize("estimator", ["matched", "plain"])
@pytest.mark.parametrize("method", ["exact", "stochastic"])
def test_an_information_reports_one_share_of_the_whole(estimator, method, rng):
    seen = []
    labels = np.arange(1500) % 3 > 0
    eg.dsmi(
        rng.normal(size=(1500, 3)), labels, estimator=estimator, method=method, tol=1e-2,
        n_null=2, progress=seen.append,
    )  # fmt: skip
    check_rises_to_1(seen)


def test_a_measurement_is_one_share_of_the_whole(rng):
    seen, Z = [], rng.normal(size=(900, 3))
    variables = {
        "labels": Variable("y", np.arange(900) % 3, "labels"),
        "against": Variable("x", Z, "vectors"),
    }
    measure(Z, variables, MeasurementSettings(n_null=2), seen.append)
    check_rises_to_1(seen)


def test_snapshots_report_while_they_are_measured(rng, tmp_path):
    for number in range(3):
        np.save(tmp_path / f"{number}.npy", rng.normal(size=(600, 3)))
    seen = []
    track(tmp_path, progress=seen.append)
    check_rises_to_1(seen)
    assert sum(share <= 1 / 3 for share in seen) >= 1


def check_rises_to_1(seen):
    assert seen == sorted(seen)
    assert seen[-1] == 1.0
    assert seen[0] >= 0.0
