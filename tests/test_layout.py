"""Data moves one way: a module imports only from those to its left."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

import eigentropy

PACKAGE = Path(eigentropy.__file__).parent

ORDER = [
    "_core",
    "_options",
    "_memory",
    "_progress",
    "_warnings",
    "_lifetime",
    "_cuda",
    "_temporary",
    "_arrays",
    "_devices",
    "spectrum",
    "precision",
    "lanczos",
    "quadrature",
    "spectral_estimate",
    "half",
    "stochastic",
    "lowrank",
    "results",
    "bandwidth",
    "groups",
    "approach",
    "operator",
    "estimation",
    "entropy",
    "information",
]


def imports_of(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module == "eigentropy":
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("eigentropy."):
            yield node.module.split(".")[1]


@pytest.mark.parametrize("module", ORDER[1:])
def test_a_module_imports_only_from_its_left(module):
    allowed = ORDER[: ORDER.index(module)]
    assert set(imports_of(PACKAGE / f"{module}.py")) <= set(allowed)


def test_only_arrays_names_torch_and_cupy():
    for path in PACKAGE.glob("*.py"):
        if path.name in ("_arrays.py",) or path.name.startswith(("cli", "files", "_files")):
            continue
        names = {
            node.id for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Name)
        }
        assert not names & {"torch", "cupy"}, path.name


def test_every_public_name_is_documented():
    for name in eigentropy.__all__:
        if not name.startswith("__"):
            assert getattr(eigentropy, name).__doc__, name


def test_the_plugin_has_the_version_of_the_package():
    root = Path(__file__).parents[1]
    here = (root / "pyproject.toml").read_text()
    plugin = (root / "cuda" / "pyproject.toml").read_text()
    version = re.search('^version = "(.*)"', here, re.MULTILINE).group(1)
    assert f'\nversion = "{version}"' in plugin
    assert f"eigentropy-cuda13=={version}" in here


# Which import eigentropy.torch where they measure, and nothing of it before.
OF_TRAINING = ("initialization.py", "regularization.py")


def test_nothing_imports_the_folder_torch_but_the_studies_of_training():
    for path in PACKAGE.rglob("*.py"):
        in_studies = path.parent.name == "studies" and path.name in OF_TRAINING
        if path.parent.name in ("torch", "vision") or in_studies:
            continue
        assert "torch" not in set(imports_of(path)), path.name


def test_the_studies_are_known_without_torch():
    code = "import sys; sys.modules['torch'] = None; import eigentropy.studies"
    subprocess.run([sys.executable, "-c", code], check=True)
