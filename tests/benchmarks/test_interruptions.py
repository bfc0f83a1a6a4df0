"""The measurement of kills says what is wrong, and finds the processes that are left."""

from __future__ import annotations

import os
import subprocess
import sys

from benchmarks.accuracy import interruptions
from messages import names

RIGHT = {
    "engine": "ray", "finished_tables": 5, "equal_tables": 5, "results_lost": 0,
    "processes_left": 0,
}  # fmt: skip


def test_every_fault_is_named():
    assert interruptions.faults(RIGHT) == []
    wrong = {"equal_tables": 3, "results_lost": 7, "processes_left": 1}
    for (name, value), count in zip(wrong.items(), (2, 7, 1), strict=True):
        (fault,) = interruptions.faults({**RIGHT, name: value})
        assert names(fault, "ray", count)


def test_a_process_that_is_left_is_found(monkeypatch):
    monkeypatch.setattr(interruptions, "PATIENCE", 0.1)
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    assert process.pid in interruptions.children(os.getpid())
    assert interruptions.left([process.pid]) == [process.pid]
    process.communicate(b"\n")
    assert interruptions.left([process.pid]) == []
