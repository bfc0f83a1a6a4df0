"""The documents name every extra, and those that errors name."""

from __future__ import annotations

import re

from house import PACKAGE, ROOT


def extras():
    text = (ROOT / "pyproject.toml").read_text()
    section = text.split("[project.optional-dependencies]")[1].split("[project.scripts]")[0]
    return set(re.findall(r"(?m)^([a-z0-9]+) = ", section))


def test_the_page_of_the_installation_has_every_extra():
    rows = re.findall(r"(?m)^\| ((?:`[a-z0-9]+`(?:, )?)+) \|", page("install"))
    assert set(re.findall(r"`([a-z0-9]+)`", " ".join(rows))) == extras()


def test_the_page_of_the_errors_has_every_extra_that_an_error_names():
    sources = "".join(path.read_text() for path in PACKAGE.rglob("*.py"))
    named = set(re.findall(r"pip install (?:--upgrade )?'eigentropy\[([a-z0-9]+)\]'", sources))
    assert named <= extras()
    section = page("errors").split("### ImportError")[1].split("\n### ")[0]
    assert {f"[{extra}]" for extra in named} <= set(re.findall(r"\[[a-z0-9]+\]", section))


def page(name):
    return (ROOT / "docs" / "how_to" / f"{name}.md").read_text()
