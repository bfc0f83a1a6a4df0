"""Fixtures of the tests of the programs that measure."""

from __future__ import annotations

import pytest


@pytest.fixture
def written(tmp_path, monkeypatch):
    """Where the steps write: not the folder of a real check."""
    folder = tmp_path / "files"
    folder.mkdir()
    monkeypatch.setattr("benchmarks.device_check.place.FILES", folder)
    monkeypatch.setattr("benchmarks.device_check.__main__.FILES", folder)
    return folder
