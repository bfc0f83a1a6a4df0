"""benchmarks/compare/projection.py runs, and writes what it prints. Not its figures."""

from __future__ import annotations

import json

import pytest

from benchmarks.compare import projection


def test_it_runs(tmp_path, capsys):
    pytest.importorskip("sklearn")
    pytest.importorskip("PIL")
    file = tmp_path / "projection.json"
    projection.main(
        ["--output", str(file), "--rows", "40", "30", "--columns", "60", "--rounds", "1"]
    )
    found = json.loads(file.read_text())
    assert found == json.loads(capsys.readouterr().out)
    assert [one["n"] for one in found["sizes"]] == [40, 30]
    assert {case["k"] for case in found["sizes"][0]["cases"]} == {5, 40}
    for one in found["sizes"]:
        assert one["sampling error"] > 0.0
        assert {case["kind"] for case in one["cases"]} == set(projection.KINDS)
        assert all(case["times as fast"] > 0.0 for case in one["cases"])
        assert all(case["error"] > 0.0 for case in one["cases"])
