"""The program that compares where a monitor measures, at sizes that take no time."""

from __future__ import annotations

import json

import pytest

pytest.importorskip("torch", reason="eigentropy.torch needs PyTorch")

from benchmarks.compare import monitor_devices

pytestmark = [
    pytest.mark.usefixtures("cuda_core"),
    pytest.mark.filterwarnings("ignore::eigentropy.SaturationWarning"),
]


def test_every_way_is_measured_and_agrees_with_the_host(tmp_path, capsys):
    file = tmp_path / "monitor.json"
    sizes = ["--samples", "30", "--width", "8", "--pause", "0", "--rounds", "1", "--steps", "4"]
    assert monitor_devices.main([*sizes, "--emulated", "30", "--output", str(file)]) == 0
    found = json.loads(file.read_text())
    ways = {way for one in found["cases"] for way in one["share"]}
    assert ways == {"host", "background", "gpu"}
    assert found["faults"] == []
    assert found["cases"][0]["differs"]["background"] == 0.0
    seconds = [value for one in found["cases"] for value in one["seconds_a_step"].values()]
    assert all(value > 0.0 for value in seconds)
    assert "background" in capsys.readouterr().out


def test_values_that_differ_are_faults():
    one = {"samples": 9, "differs": {"background": 1e-6, "gpu": 1e-6}}
    assert len(monitor_devices.faults([one])) == 1
    assert len(monitor_devices.faults([{**one, "differs": {"gpu": float("nan")}}])) == 1
    assert monitor_devices.faults([{**one, "differs": {"gpu": 1e-6}}]) == []
