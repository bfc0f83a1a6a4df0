"""The program that says where the time of a step of a monitor goes, at a size that takes none."""

from __future__ import annotations

import json

import pytest

pytest.importorskip("torch", reason="eigentropy.torch needs PyTorch")

from benchmarks.compare import monitor_parts


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
