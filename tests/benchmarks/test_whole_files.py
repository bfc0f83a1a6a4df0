"""A file of results is whole, whenever its program ends."""

from __future__ import annotations

import json
import sys

import pytest

from benchmarks.shared.results import write


def test_a_file_that_cannot_be_replaced_stays_as_it_was(tmp_path, full_disk):
    file = tmp_path / "result.json"
    write(file, {"cases": [1]})
    with full_disk(100), pytest.raises(OSError, match="large"):
        write(file, {"cases": list(range(1000))})
    assert json.loads(file.read_text()) == {"cases": [1]}


def test_gradients_that_were_measured_are_kept_when_the_program_is_stopped(tmp_path, monkeypatch):
    pytest.importorskip("torch")
    from benchmarks.compare import torch_gradient

    def case(measure, n, d, dtype, device, rounds):
        if n > 128:
            raise KeyboardInterrupt
        return {"n": n}

    file = tmp_path / "gradients.json"
    monkeypatch.setattr(torch_gradient, "case", case)
    monkeypatch.setattr(sys, "argv", ["torch_gradient", "--output", str(file)])
    with pytest.raises(KeyboardInterrupt):
        torch_gradient.main()
    assert [one["n"] for one in json.loads(file.read_text())["cases"]] == [128, 128]
