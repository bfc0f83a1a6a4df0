"""The conda recipe asks for what pyproject.toml asks for."""

from __future__ import annotations

import re

import pytest

import house

yaml = pytest.importorskip("yaml")


def entries(heading):
    """The strings of a list of pyproject.toml."""
    text = (house.ROOT / "pyproject.toml").read_text()
    found = re.search(rf"^{heading} = \[(.*?)\]", text, re.MULTILINE | re.DOTALL).group(1)
    return {entry.replace(">=", " >=") for entry in re.findall(r'"(.*?)"', found)}


def requirements(part):
    recipe = yaml.safe_load((house.ROOT / "packaging/conda/recipe.yaml").read_text())
    return {entry for entry in recipe["requirements"][part] if isinstance(entry, str)}


def test_it_runs_with_the_dependencies_of_the_package():
    assert requirements("run") == entries("dependencies") | {"python"}


def test_it_builds_with_the_build_requirements():
    taken_from_elsewhere = {"scipy-openblas32 >=0.3.31"}  # the script of the recipe says how
    assert requirements("host") == entries("requires") - taken_from_elsewhere | {"python", "pip"}
