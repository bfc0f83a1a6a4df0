"""A file of results is whole, whenever its program ends."""

from __future__ import annotations

import json
import os
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from benchmarks.shared.results import write


def test_a_file_that_cannot_be_replaced_stays_as_it_was(tmp_path, full_disk):
    file = tmp_path / "result.json"
    write(file, {"cases": [1]})
    with full_disk(100), pytest.raises(OSError, match="large"):
        write(file, {"cases": list(range(1000))})
    assert json.loads(file.read_text()) == {"cases": [1]}


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs pipes with names")
def test_a_pipe_is_written_to_and_not_replaced(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with ThreadPoolExecutor() as pool:
        read = pool.submit(pipe.read_text)
        write(pipe, {"cases": [1]})
        assert json.loads(read.result(timeout=60)) == {"cases": [1]}
    assert pipe.is_fifo()


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
