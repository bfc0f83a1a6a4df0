"""benchmarks/compare/mphate.py runs, and writes what it prints. Not its figures."""

from __future__ import annotations

import json

import pytest

pytest.importorskip("phate")

from benchmarks.compare import mphate


def test_costs_are_printed_and_written(tmp_path, capsys):
    file = tmp_path / "mphate.json"
    mphate.main(["--output", str(file), "--shape", "28", "9", "40", "--rounds", "1"])
    found = json.loads(file.read_text())
    assert json.loads(capsys.readouterr().out) == found
    assert found["shape"] == [28, 9, 40]
    for part in (found["mphate"], found["unit_entropies"], found["kernel"]["ours"]):
        assert part["seconds"] > 0.0
        assert part["processor seconds"] > 0.0
    if "m-phate" in found["kernel"]:
        assert found["kernel"]["largest difference"] < 1e-12


def test_the_picture_of_units_is_drawn(tmp_path):
    pytest.importorskip("torch")
    pytest.importorskip("matplotlib")
    from benchmarks.documents import units

    units.main([str(tmp_path / "units.png"), "--width", "12", "--epochs", "4"])
    assert (tmp_path / "units.png").read_bytes().startswith(b"\x89PNG")
