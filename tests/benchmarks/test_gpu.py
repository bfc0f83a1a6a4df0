"""The program that compares a GPU with torch, at sizes that take no time on an emulated device."""

from __future__ import annotations

import json

import pytest

from benchmarks.gpu import beside_torch, eigenvalues, measuring
from benchmarks.gpu.cases import Case
from benchmarks.gpu.devices import Device

pytestmark = pytest.mark.usefixtures("cuda_core")


@pytest.mark.filterwarnings("ignore::eigentropy.SaturationWarning")  # of a few rows, at sigma 10
def test_every_case_is_measured_and_agrees_with_the_cpu(tmp_path, capsys):
    sizes = ["--entropies", "70", "--informations", "120", "--estimates", "300"]
    file = tmp_path / "gpu.json"
    once = ["--agreement", "64", "--rounds", "1", "--costs", "260"]
    beside_torch.main([*sizes, *once, "--output", str(file)], Device())
    found = json.loads(file.read_text())
    assert [case["case"] for case in found["cases"]] == [
        "stochastic",
        "dse float64",
        "dse float32",
        "dsmi",
    ]
    assert all(case["seconds"]["eigentropy"] > 0.0 for case in found["cases"])
    assert len(found["agreement"]) == 2 * 8
    assert found["faults"] == []
    assert found["costs"]["soon"] == pytest.approx(2 * found["costs"]["units_per_second"], rel=1e-4)
    assert found["costs"]["start"] > 0.0
    printed = capsys.readouterr().out
    assert "n =      300" in printed
    assert "GPU_COSTS by this device: Costs(entry=" in printed


def test_what_does_not_fit_is_named_and_left_out():
    def too_large():
        raise MemoryError("the matrix needs 80 GB")

    case = Case("dse", {"us": too_large}, 1.0, {"n": 9, "d": 2})
    found = measuring.attempted(Device(), case, rounds=1)
    assert found == {"case": "dse", "n": 9, "d": 2, "left_out": "the matrix needs 80 GB"}
    assert "the matrix needs 80 GB" in measuring.line(found)
    assert measuring.faults([found], []) == []


def test_answers_that_differ_are_faults():
    case = {"case": "dse", "n": 9, "differs": {"torch": 0.2}, "tol": 0.1}
    row = {"data": "blobs", "dtype": "float64", "relative_difference": 1e-9}
    assert len(measuring.faults([case], [row])) == 2
    nan = {**row, "relative_difference": float("nan")}
    assert len(measuring.faults([{**case, "tol": 0.3}], [nan])) == 1
    assert measuring.faults([{**case, "tol": 0.3}], [{**row, "dtype": "float32"}]) == []


def test_eigenvalues_agree_with_those_of_torch_or_say_by_how_much_not(tmp_path, capsys):
    file = tmp_path / "eigenvalues.json"
    eigenvalues.main(["--orders", "60", "130", "--output", str(file)], Device())
    found = json.loads(file.read_text())["cases"]
    assert [(case["n"], case["dtype"]) for case in found] == [
        (60, "float32"),
        (60, "float64"),
        (130, "float32"),
        (130, "float64"),
    ]
    assert all(case["seconds"]["eigentropy"] > 0.0 for case in found)
    # The emulated device has no torch beside it: the traces are what can be compared.
    assert all(case["off_trace"] < 1e-4 for case in found)
    assert "n =      130" in capsys.readouterr().out


def test_a_file_is_whole_when_its_program_is_stopped(tmp_path, monkeypatch):
    file = tmp_path / "gpu.json"

    def stopped(*_):
        raise KeyboardInterrupt

    settings = ["--entropies", "70", "--informations", "120", "--estimates", "300", "--rounds", "1"]
    monkeypatch.setattr(beside_torch, "agreement", stopped)
    with pytest.raises(KeyboardInterrupt):
        beside_torch.main([*settings, "--costs", "0", "--output", str(file)], Device())
    assert len(json.loads(file.read_text())["cases"]) == 4
    assert list(tmp_path.iterdir()) == [file]
