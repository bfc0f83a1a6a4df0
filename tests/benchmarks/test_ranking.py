"""benchmarks/compare/ranking.py runs, and finds the study's own scores. Not its seconds."""

from __future__ import annotations

import json

import pytest

from benchmarks.compare import ranking

pytest.importorskip("sklearn")


def test_it_runs(tmp_path, capsys):
    file = tmp_path / "ranking.json"
    arguments = ["--models", "3", "--rows", "60", "--columns", "5", "--processes", "1"]
    ranking.main([*arguments, "--output", str(file)])
    found = json.loads(file.read_text())
    assert found == json.loads(capsys.readouterr().out)
    assert (found["models"], found["scores"], found["failures"]) == (3, 14, 0)
    assert all(seconds > 0.0 for seconds in found["seconds"].values())


# Of a study's value: PyTorch of another version trains the same network to other last digits, and
# null partitions are drawn by other seeds.
NEAR = {"dsmi_adjusted": 0.02, "kernel_information_adjusted": 0.02}


def test_networks_as_files_have_the_scores_of_the_study():
    pytest.importorskip("torch")
    found = ranking.beside_the_study(4, 1)
    assert found["networks"] == 4
    assert found["excluded"] == {}
    assert found["scores"].keys() == ranking.STUDY.keys()
    for name, one in found["scores"].items():
        assert one["defined"] == [4, 4]
        assert one["largest difference"] <= NEAR.get(name, 1e-2), name
