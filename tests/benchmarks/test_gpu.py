"""The program that compares a GPU with torch, at sizes that take no time on an emulated device."""

from __future__ import annotations

import json

import pytest

from benchmarks.gpu import beside_torch as gpu

pytestmark = pytest.mark.usefixtures("cuda_core")


@pytest.mark.filterwarnings("ignore::eigentropy.SaturationWarning")  # of a few rows, at sigma 10
def test_every_case_is_measured_and_agrees_with_the_cpu(tmp_path, capsys):
    sizes = ["--entropies", "70", "--informations", "120", "--estimates", "300"]
    file = tmp_path / "gpu.json"
    once = ["--agreement", "64", "--rounds", "1", "--costs", "260"]
    gpu.main([*sizes, *once, "--output", str(file)], gpu.Device())
    found = json.loads(file.read_text())
    assert [case["case"] for case in found["cases"]] == [
        "dse float64",
        "dse float32",
        "dsmi",
        "stochastic",
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

    case = gpu.Case("dse", {"us": too_large}, 1.0, {"n": 9, "d": 2})
    found = gpu.attempted(gpu.Device(), case, rounds=1)
    assert found == {"case": "dse", "n": 9, "d": 2, "left_out": "the matrix needs 80 GB"}
    assert "the matrix needs 80 GB" in gpu.line(found)
    assert gpu.faults([found], []) == []


def test_answers_that_differ_are_faults():
    case = {"case": "dse", "n": 9, "differs": {"torch": 0.2}, "tol": 0.1}
    row = {"data": "blobs", "dtype": "float64", "relative_difference": 1e-9}
    assert len(gpu.faults([case], [row])) == 2
    nan = {**row, "relative_difference": float("nan")}
    assert len(gpu.faults([{**case, "tol": 0.3}], [nan])) == 1
    assert gpu.faults([{**case, "tol": 0.3}], [{**row, "dtype": "float32"}]) == []
