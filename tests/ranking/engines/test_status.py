"""What a reader sees of tasks: at a terminal, in a file, and in words."""

from __future__ import annotations

import time

import pytest

from eigentropy.ranking.engines import RunningTask, TaskStatus
from eigentropy.ranking.engines.pool import ProcessPlace
from eigentropy.ranking.engines.status import reported
from messages import names

RUNNING = {"timm/vit": RunningTask(ProcessPlace("node3", 4123), since=0.0)}


def test_a_status_counts_what_there_is(monkeypatch):
    monkeypatch.setattr(time, "monotonic", lambda: 62.0)
    status = TaskStatus(total=40, done=12, failed=1, lost=2, running=RUNNING)
    assert names(str(status), "12 of 40", "1 failed", "2")
    assert not names(str(TaskStatus(40, 12, 0, 0)), "failed")
    assert names(status.lines()[0], "timm/vit", "node3", "4123", "1:02")


def test_a_name_stays_on_its_line():
    status = TaskStatus(1, 0, 0, 0, {"a\n\x1b[2J": RUNNING["timm/vit"]})
    assert status.lines()[0].isprintable()


@pytest.mark.parametrize(("total", "share"), [(0, 1.0), (4, 0.75)])
def test_the_share_has_the_failed_ones_too(total, share):
    assert TaskStatus(total, min(2, total), min(1, total), 0).share == share


def test_a_file_gets_the_last_status(capsys):
    with reported(True) as report:
        report(TaskStatus(2, 1, 0, 0, RUNNING))
        report(TaskStatus(2, 2, 0, 0))
    output, errors = capsys.readouterr()
    assert output == ""
    assert names(errors, "2 of 2 done")
    assert not names(errors, "1 of 2")  # seconds after the start


def test_a_terminal_shows_what_is_running(capsys, monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    with reported(True) as report:
        report(TaskStatus(2, 1, 0, 0, RUNNING))
    output, errors = capsys.readouterr()
    assert output == ""
    assert names(errors, "timm/vit", "node3", 4123)


def test_nothing_is_shown_unless_asked_for(capsys):
    with reported(False) as report:
        report(TaskStatus(1, 1, 0, 0))
    assert capsys.readouterr() == ("", "")
