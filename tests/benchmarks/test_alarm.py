"""The simulated runs of the collapse alarm, and the page that quotes them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="eigentropy.torch needs PyTorch")

from benchmarks.accuracy import alarm
from benchmarks.shared.results import RESULTS

PAGE = Path(__file__).parents[2] / "docs" / "tutorials" / "collapse.md"


def stored():
    return json.loads((RESULTS / "alarm.json").read_text())


def test_few_runs_are_simulated_and_written(tmp_path, capsys):
    file = tmp_path / "alarm.json"
    alarm.main(["--output", str(file)], runs=10, of_delays=2)
    found = json.loads(file.read_text())
    assert found == json.loads(capsys.readouterr().out)
    assert len(found["false_alarms"]) == 11
    assert sum(row["runs"] for row in found["false_alarms"]) == 30
    at_once = [row for row in found["delays"] if row["left"] == 0.0]
    assert all(0 < row["median"] < 10 for row in at_once)


def test_false_alarms_are_at_most_what_is_promised():
    found = stored()
    assert found["looks"] == 200
    for setting in alarm.SETTINGS:
        rows = [row for row in found["false_alarms"] if row["setting"] == setting]
        healthy = [row for row in rows if row["process"] != "at the floor"]
        assert sum(row["runs"] for row in healthy) == 1000
        assert all(row["alarms"] <= found["alpha"] * row["runs"] for row in rows)


def test_the_page_quotes_the_stored_result():
    found, text = stored(), PAGE.read_text()
    assert alarm.updated(text, found["delays"]) == text
    assert alarm.table(found["delays"]) in text
    counts = dict.fromkeys(alarm.SETTINGS, 0)
    for row in found["false_alarms"]:
        if row["process"] == "at the floor":
            worst = row["alarms"]
        else:
            counts[row["setting"]] += row["alarms"]
    one, two = counts.values()
    words = " ".join(text.split())
    assert f"with one layer {one} raise an alarm" in words
    assert f"two layers and five classes each {two}." in words
    assert f"just the mean of the floor, {worst} do." in words
