"""The example of the page about clusters does what the page says."""

from __future__ import annotations

import re
from pathlib import Path
from types import SimpleNamespace

import engine_tasks
import house

PAGE = house.ROOT / "docs" / "how_to" / "cluster.md"


def test_the_page_runs_tasks_of_a_module(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    example = re.search(r"^```python\n(.*?)^```", PAGE.read_text(), re.DOTALL | re.MULTILINE)[1]
    names = {"scores": SimpleNamespace(of_model=engine_tasks.number)}
    exec(compile(example, PAGE.name, "exec"), names)
    assert names["outcome"].done["resnet50"] == Path("results/resnet50.json")
    assert names["outcome"].failed == {}
