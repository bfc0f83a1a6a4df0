"""The program that says where the time of a monitor's step goes, at sizes that take no time."""

from __future__ import annotations

import json

import numpy as np
import pytest

pytest.importorskip("torch", reason="eigentropy.torch needs PyTorch")
pytest.importorskip("sklearn", reason="the digits are scikit-learn's")

from benchmarks.compare import monitor_step
from eigentropy import _core


def test_the_parts_of_a_step_add_up(tmp_path, capsys):
    file = tmp_path / "step.json"
    monitor_step.main(["--samples", "60", "--rounds", "1", "--output", str(file)])
    cases = json.loads(file.read_text())["cases"]
    assert [one["layers"] for one in cases] == [1, 4]
    for one in cases:
        parts = one["forward"] + one["python"] + one["core"]
        assert parts == pytest.approx(one["step"], rel=1e-4)
        assert one["first"] > 0.0
    assert "4 layers, 60 samples" in capsys.readouterr().out


def test_the_core_gives_back_what_it_has_computed_and_is_itself_again(rng):
    replay, own = monitor_step.Replay(), _core.spectrum
    Z = rng.normal(size=(20, 3))
    with replay.installed():
        computed = _core.spectrum(Z, 1.0, 0.5, "float64")
        replay.gives_back = True
        kept = _core.spectrum(0.0 * Z, 1.0, 0.5, "float64")
        kept[0][:] = 0.0  # the caller may write to it
        again = _core.spectrum(0.0 * Z, 1.0, 0.5, "float64")
    assert np.array_equal(again[0], computed[0])
    assert again[1:] == computed[1:]
    assert _core.spectrum is own
