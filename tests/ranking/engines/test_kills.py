"""A program that is killed at any point and called again finishes as if it had not been."""

from __future__ import annotations

import random

import pytest

import engine_tasks


def test_the_table_of_a_killed_program_is_that_of_one_that_was_not(tmp_path):
    whole = engine_tasks.finished(engine_tasks.driver(tmp_path / "whole", tmp_path / "log", 12))
    directory, log = tmp_path / "results", tmp_path / "calls"
    assert engine_tasks.killed_and_resumed(directory, log, random.Random(5), 4) == whole


def test_a_leftover_process_would_be_seen():
    """The check above can fail."""
    process = engine_tasks.program("import time; time.sleep(60)")
    try:
        assert engine_tasks.ended([process.pid], patience=0.2) == [process.pid]
        with pytest.raises(AssertionError):
            engine_tasks.check_calls([(0, 0)], [engine_tasks.EQUIPMENT / "family%2Fmodel%200.json"])
    finally:
        process.kill()
        process.communicate()
