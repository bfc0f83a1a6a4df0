"""The program that says where the time of a step of a monitor goes, at a size that takes none."""

from __future__ import annotations

import json

import pytest

pytest.importorskip("torch", reason="eigentropy.torch needs PyTorch")

from benchmarks.compare import monitor_parts
from benchmarks.documents import tables


def test_it_has_each_part_of_a_step_and_what_is_left(tmp_path, capsys):
    file = tmp_path / "parts.json"
    sizes = ["--samples", "200", "--rounds", "3"]
    assert monitor_parts.main([*sizes, "--output", str(file)]) == 0
    (case,) = json.loads(file.read_text())["cases"]
    assert {"linear", "relu", "median_distance", "spectrum", "subset_spectra"} <= set(case["parts"])
    assert 0.0 < case["least_outside"] <= case["outside"]
    assert case["least_seconds"] <= case["seconds"]
    assert all(seconds > 0.0 for seconds in case["parts"].values())
    flops = case["eigenvalues_at_product_rate"] * case["float32_product_flops"]
    assert flops == pytest.approx(4.0 / 3.0 * 200**3, rel=1e-4)
    assert len(capsys.readouterr().out.splitlines()) == 4 + len(case["parts"])


def test_the_table_has_the_parts_and_what_they_add_up_to():
    names = {"linear": 0.002, "relu": 0.001, "kept_distances": 0.004, "reach": 0.0005}
    parts = {**names, "spectrum": 0.016, "subset_spectra": 0.032, "entropy_range": 0.00025}
    known = {"n": 1000, "parts": parts, "outside": 0.001, "seconds": 0.057}
    case = {**known, "eigenvalues_at_product_rate": 0.007}
    found = tables.render("monitor parts", {"monitor_parts": {"cases": [case]}}).splitlines()
    shown = [line.strip("| ").split(" | ")[2] for line in found[2:]]
    assert shown == ["3 ms", "4 ms", "16 ms", "32 ms", "0.75 ms", "1 ms", "57 ms", "7 ms"]
