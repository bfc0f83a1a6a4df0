"""The program that compares a kernel kept in float32 with one in 16 bits, at a small size."""

from __future__ import annotations

import json

import pytest

from benchmarks.compare import kept_kernel
from benchmarks.documents import tables
from eigentropy._spectra import plan


def test_both_ways_are_timed_and_agree(tmp_path, capsys):
    file = tmp_path / "kept.json"
    sizes = ["--samples", "600", "--dimensions", "20", "--rounds", "2"]
    assert kept_kernel.main([*sizes, "--output", str(file)]) == 0
    (case,) = json.loads(file.read_text())["cases"]
    assert [len(case["seconds"][way]) for way in ("float32", "16 bits")] == [2, 2]
    assert case["bits"]["16 bits"] == pytest.approx(case["bits"]["float32"], rel=4e-3)
    assert case["times_as_fast"] > 0.0
    assert "n = 600" in capsys.readouterr().out
    assert plan.HALF_FROM == 20_000  # as it was


def test_each_way_keeps_the_kernel_as_its_name_says(monkeypatch):
    kept = []

    def noted(*arguments, **options):
        settings = plan.SpectrumPlan("stochastic", 1e-3, "float32")
        kept.append(settings.explicit(5000))
        return 1.0

    monkeypatch.setattr(kept_kernel.eg, "dse", noted)
    kept_kernel.compared(300, 5, 1e-3, rounds=1)
    assert kept == [True, False]


def test_the_table_has_medians_of_both_ways():
    seconds = {"float32": [3.0, 1.0, 2.0], "16 bits": [0.5, 4.0, 1.0]}
    case = {"n": 20000, "d": 128, "tol": 0.001, "seconds": seconds, "times_as_fast": 2.0}
    line = tables.render("kept kernel", {"kept_kernel": {"cases": [case]}}).splitlines()[2]
    assert line.strip("| ").split(" | ") == ["20000", "128", "0.001", "2 s", "1 s", "2.0x"]
