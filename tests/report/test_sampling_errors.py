"""Sampling errors and alarms of a run: read back, told apart, and handed to the page."""

from __future__ import annotations

import json
import re

import pytest

from eigentropy import report
from eigentropy._support.interval import LEVEL, student_quantile
from eigentropy.report import page, read_run
from eigentropy.report.measures import KINDS, NULL_ERRORS, SAMPLING_ERRORS
from messages import names
from recorded_runs import LAYERS, add_profile, record, write


def further(step, layer):
    """Errors of both kinds, and an alarm of the second layer from the second step on."""
    is_raised = layer == "second" and step > 1
    return {
        "dse_sampling_se": 0.01 * step, "dsmi_y_null_se": 0.02, "dsmi_y_sampling_se": 0.05,
        "dsmi_x": 0.123456789, "dsmi_x_null_se": 0.04,
        "alarm": float(is_raised), "alarm_evidence": 0.5 * step,
    }  # fmt: skip


@pytest.fixture
def run(tmp_path):
    return read_run(record(tmp_path / "a", further=further))


def shown(run):
    """What the page's JavaScript reads of the run."""
    text = re.search(r'id="data">(.*?)</script>', page([run]), re.DOTALL).group(1)
    return json.loads(text)["runs"][0]


def test_every_measure_has_a_sampling_error():
    assert set(SAMPLING_ERRORS) == {f"{kind}_sampling_se" for kind in KINDS}
    assert not {*SAMPLING_ERRORS} & {*NULL_ERRORS, *KINDS}


def test_bands_are_over_samples_where_that_error_is_known(run):
    assert run.bands("dse") == ("samples", {layer: [0.01, 0.02, 0.03] for layer in LAYERS})
    assert run.bands("dsmi_y") == ("samples", {layer: [0.05] * 3 for layer in LAYERS})
    assert run.bands("dsmi_x") == ("partitions", {layer: [0.04] * 3 for layer in LAYERS})
    assert run.bands("kernel") == ("partitions", {})


def test_the_page_has_the_errors_and_says_what_they_are_over(run):
    bands = shown(run)["bands"]
    assert {kind: over for kind, (over, _) in bands.items()} == {
        "dse": "samples", "dsmi_y": "samples", "dsmi_x": "partitions",
    }  # fmt: skip
    assert bands["dse"][1] == [[0.01, 0.02, 0.03]] * 2


def test_an_error_is_not_a_value_of_the_caller(run):
    assert set(run.scalars()) == {"loss", "alarm_evidence/first", "alarm_evidence/second"}


def test_values_that_are_compared_have_more_digits(run):
    known = shown(run)
    exact = run.values["dse/first"]
    assert known["series"]["dse"][0] == [round(v, 6) for v in exact] != [round(v, 4) for v in exact]
    assert known["series"]["dsmi_x"][0] == [0.1235] * 3


def test_the_level_of_the_bands_is_that_of_intervals(run):
    text = page([run])
    found = re.search(r'"level":([\d.]+),"quantile":([\d.]+)', text).groups()
    assert [*map(float, found)] == [LEVEL, student_quantile(LEVEL, float("inf"))]


def test_the_table_of_track_may_have_sampling_errors(tmp_path):
    text = "snapshot,n,dse,dse_sampling_error,dsmi_labels_adjusted_sampling_error\na,9,2,0.5,0.25\n"
    known = read_run(write(tmp_path / "track.csv", text))
    assert known.values["dse_sampling_se/track"] == [0.5]
    assert known.values["dsmi_y_adjusted_sampling_se/track"] == [0.25]


def test_an_alarm_is_at_the_step_where_it_was_raised(run):
    assert run.alarm_names() == ["alarm"]
    assert run.alarms() == {2: [("alarm", "second", 1.0)]}
    assert shown(run)["alarms"] == [[1, [["alarm", 1, 1.0]]]]


@pytest.mark.parametrize(
    ("flags", "steps"),
    [
        ([0, 0, 0, 0], []),
        ([1, 1, 1, 1], [1]),
        ([0, 1, 0, 1], [2, 4]),
        ([0, 1, None, 1], [2]),
        ([None, None, 1, 0], [3]),
    ],
)
def test_an_alarm_that_stays_is_one(flags, steps):
    values = {"dse/a": [5.0] * 4, "watch/a": flags, "watch_evidence/a": [0.1, 0.2, None, 0.4]}
    run = report.Run("a", "a", ("a",), [1, 2, 3, 4], values)
    evidence = dict(zip(run.steps, values["watch_evidence/a"], strict=True))
    assert run.alarms() == {step: [("watch", "a", evidence[step])] for step in steps}
    assert len(report.remarks(run)) == bool(steps)


def test_an_alarm_is_remarked_on(run):
    (said,) = (text for text in report.remarks(run) if names(text, "second", "alarm", 2))
    first, then, _ = run.values["dse/second"]
    assert names(said, "dse", f"{first:.4g}", f"{then:.4g}")


def test_what_an_alarm_watches_is_told_as_it_was_when_it_was_raised():
    values = {
        "alarm/a": [0.0, None, 1.0], "alarm_evidence/a": [0.0, 0.2, 1.1],
        "spread/a": [None, 0.75, 0.25], "scale/a": [8.0, 4.0, None], "loss/a": [3.5, 2.5, 1.5],
    }  # fmt: skip
    (said,) = report.remarks(report.Run("run", "run", ("a",), [1, 2, 3], values))
    assert names(said, "a", 3, "spread", 0.25, 0.75)
    assert not any(names(said, word) for word in ("scale", "loss"))


def test_of_many_alarms_some_are_told_and_all_are_counted():
    layers = tuple(f"layer{k}" for k in range(11))
    flags = {f"alarm{of}/{layer}": [1.0] for layer in layers for of in ("", "_evidence")}
    said = report.remarks(report.Run("run", "run", layers, [1], flags))
    assert [layer for layer in layers if any(names(text, layer) for text in said)] == [*layers[:8]]
    assert names(said[-1], 3)


def test_a_value_without_evidence_is_no_alarm():
    values = {"dse/a": [5.0], "alarm/a": [1.0], "alarm": [1.0]}
    run = report.Run("a", "a", ("a",), [1], values)
    assert run.alarms() == {}
    assert set(run.scalars()) == {"alarm/a", "alarm"}


NUMBERS = {"first": {"dse": [5.0, 0.1], "dsmi_x": [1.0, 0.2]}, "second": {"dse": [4.0, None]}}


def test_profiles_are_read_for_the_steps_of_the_run(tmp_path):
    path = record(tmp_path / "a")
    for step, p in ((2, 0.75), (9, 0.5), (2, 0.25)):  # the last line of a step counts
        add_profile(path, step, NUMBERS, {"dse": {"second": p}})
    known = read_run(path)
    assert list(known.profiles) == [2]
    numbers = [[[5.0, 0.1], [4.0, None]], [None, 0.25]]
    assert shown(known)["profiles"] == {
        "1": {"dse": numbers, "dsmi_x": [[[1.0, 0.2], None], [None, None]]}
    }


def test_a_profile_does_not_repeat_errors_that_the_values_have(tmp_path):
    path = record(tmp_path / "a", further=further)
    add_profile(path, 3, NUMBERS, {"dse": {"second": 0.001234}})
    assert shown(read_run(path))["profiles"]["2"]["dse"] == [None, [None, 0.0012]]


def test_a_torn_profile_is_left_out_with_a_note(tmp_path):
    path = add_profile(record(tmp_path / "a"), 1, NUMBERS, {})
    with (path / "profiles.jsonl").open("a") as file:
        file.write('{"step": 2, "lay')
    known = read_run(path)
    assert list(known.profiles) == [1]
    assert [names(note, "profiles.jsonl", 2) for note in known.notes] == [True]
