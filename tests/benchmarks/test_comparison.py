"""benchmarks/accuracy/comparison.py: its statistics are right, and it runs. Not its figures."""

from __future__ import annotations

import json

import numpy as np
import pytest

from benchmarks.accuracy import comparison


def test_kolmogorov_s_p_value():
    stats = pytest.importorskip("scipy.stats")
    p = np.random.default_rng(0).uniform(size=300)
    found = comparison.uniform(p)
    expected = stats.kstest(p, "uniform")
    assert found["distance"] == pytest.approx(expected.statistic)
    assert found["p"] == pytest.approx(expected.pvalue, abs=0.01)
    assert comparison.uniform(p**2)["p"] < 1e-6 < 0.01 < found["p"]


def test_layers_without_a_spread_have_one_distribution():
    first, second = comparison.layers(0)
    assert first.shape == second.shape == (comparison.N, comparison.D)
    assert 0.1 < np.abs(first - second).mean() < 1.0
    a, b = comparison.other_rows(0)
    assert np.abs(a - b).mean() > 1.0


def test_it_runs(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(comparison, "N", 60)
    monkeypatch.setattr(comparison, "LABELS", comparison.LABELS[:60])
    monkeypatch.setitem(comparison.MEASURES, "dsmi", {"Y": comparison.LABELS[:60]})
    file = tmp_path / "comparison.json"
    comparison.main(["--output", str(file)], count=4)
    found = json.loads(file.read_text())
    assert found == json.loads(capsys.readouterr().out)
    assert set(found["equal"]) == set(comparison.MEASURES)
    assert all(0.0 <= one["p"] <= 1.0 for one in found["equal"].values())
    assert found["power"]["dse"]["paired_error"] < found["power"]["dse"]["unpaired_error"]
