"""benchmarks/compare/sampling_cost.py runs, and writes what it prints. Not its figures."""

from __future__ import annotations

import json

from benchmarks.compare import sampling_cost


def test_it_runs(tmp_path, capsys):
    file = tmp_path / "cost.json"
    sampling_cost.main(["--output", str(file), "--rows", "60", "--rounds", "2"])
    found = json.loads(file.read_text())
    assert found == json.loads(capsys.readouterr().out)
    costs = found["rows"]["60"]
    assert set(costs) == {"dse", "kernel_entropy", "dsmi", "kernel_information"}
    assert all(one["seconds"] > 0.0 and one["ratio"] > 0.0 for one in costs.values())
