"""benchmarks/accuracy/convergence.py counts rightly, and runs. Not its figures."""

from __future__ import annotations

import json

import numpy as np
import pytest

from benchmarks.accuracy import convergence
from eigentropy._measures.convergence.result import Convergence

PLANE = "Gaussian, d = 2"


@pytest.fixture
def few(monkeypatch):
    """Fewer rows, and one set of data."""
    monkeypatch.setattr(convergence, "FROM", 400)
    monkeypatch.setattr(convergence, "TO", 500)
    monkeypatch.setattr(convergence, "DATA", {PLANE: convergence.DATA[PLANE]})


@pytest.mark.parametrize("name", convergence.DATA)
def test_each_sample_has_rows_of_its_own(name):
    first, again, other = (
        convergence.DATA[name](30, np.random.default_rng(seed)) for seed in (1, 1, 2)
    )
    assert len(first) == 30
    assert (first == again).all()
    assert not (first == other).all(axis=1).any()


@pytest.mark.parametrize(("ends", "covered"), [((-1e9, 1e9), 2), ((1e9, 1e9), 0)])
def test_the_intervals_that_hold_the_value_are_counted(few, monkeypatch, ends, covered):
    monkeypatch.setattr(Convergence, "predicted_interval", lambda self, n: ends)
    found = convergence.predicted(convergence.DATA[PLANE], "kernel_entropy", 2)
    assert found["covered"] == covered
    assert sum(found["tendencies"].values()) == 2


def test_it_runs(few, tmp_path, capsys):
    file = tmp_path / "convergence.json"
    convergence.main(["--output", str(file)], count=1)
    found = json.loads(file.read_text())
    assert found == json.loads(capsys.readouterr().out)
    assert set(found["predicted"]) == {f"{PLANE}, {one}" for one in ("dse", "kernel_entropy")}
    assert all(0 <= one["covered"] <= one["limits"] for one in found["known limits"].values())
