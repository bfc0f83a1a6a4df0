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
    whole, *parts = "brief_entropies", "median_distance", "spectrum", "subset_spectra"
    assert set(case["parts"]) == {"network", whole, *parts}
    assert 0.0 < case["least_outside"] <= case["outside"]
    assert case["least_seconds"] <= case["seconds"]
    assert all(seconds > 0.0 for seconds in case["parts"].values())
    assert set(case["at_product_rate"]) <= set(case["parts"])
    flops = case["at_product_rate"]["spectrum"] * case["product_flops"]["float64"]
    assert flops == pytest.approx(4.0 / 3.0 * 200**3, rel=1e-4)
    lines = 4 + len(case["parts"]) + len(case["at_product_rate"])
    assert len(capsys.readouterr().out.splitlines()) == lines


def test_the_operations_are_those_of_the_rows_and_of_the_groups_of_three_partitions():
    found = monitor_parts.at_product_rate(1000, 8, 100, {"float32": 1.0, "float64": 2.0})
    products_of_groups, eigenvalues_of_groups = 300 * 10 * 10 * 8, 300 * 4.0 / 3.0 * 10**3
    assert found["network"] == 2 * 1000 * 8 * 64 + 2 * 1000 * 8 * 100
    assert found["kept_distances"] == 2 * 8 * 1000 * 1000 / 2
    assert found["spectrum"] == pytest.approx(4.0 / 3.0 * 1000**3)
    assert found["subset_spectra"] == pytest.approx(
        (products_of_groups + eigenvalues_of_groups) / 2.0
    )


def test_the_table_has_the_parts_and_what_they_add_up_to():
    alone = {"kept_distances": 0.004, "spectrum": 0.016, "subset_spectra": 0.032}
    parts = {"network": 0.003, "brief_entropies": 0.053, **alone}
    known = {"n": 1000, "parts": parts, "outside": 0.001, "seconds": 0.057}
    limits = {
        "network": 0.0005,
        "kept_distances": 0.00025,
        "spectrum": 0.007,
        "subset_spectra": 0.002,
    }
    case = {**known, "at_product_rate": limits}
    found = tables.render("monitor parts", {"monitor_parts": {"cases": [case]}}).splitlines()
    shown = [[cell.strip() for cell in line.split("|")[3:5]] for line in found[2:]]
    assert [time for time, _ in shown] == [
        "3 ms", "53 ms", "4 ms", "16 ms", "32 ms", "1 ms", "57 ms",
    ]  # fmt: skip
    assert [least for _, least in shown] == [
        "0.5 ms", "", "0.25 ms", "7 ms", "2 ms", "", "9.75 ms",
    ]  # fmt: skip
