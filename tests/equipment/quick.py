"""The quick set: tests that need NumPy and pytest only, and that are not slow.

What belongs to it follows from what a file imports, not from what is installed.
"""

from __future__ import annotations

import ast
import sys
from functools import cache
from pathlib import Path

import pytest

EQUIPMENT = Path(__file__).parent
ALLOWED = {"numpy", "pytest", "_pytest", "eigentropy", "_core", *sys.stdlib_module_names}
# What imports PyTorch, and what takes its data from scikit-learn.
HEAVY = ("eigentropy.torch", "eigentropy.studies")

# What else may be imported: pytest --quick --beside scipy,sklearn.
beside = frozenset()

plain_importorskip = pytest.importorskip


@cache
def needs(path):
    """What a file imports, wherever in it, that the quick set does without.

    A test may ask for more by `pytest.importorskip`, and is skipped; a file that asks for more at
    its top level is left out.
    """
    tree = ast.parse(path.read_text())
    found = {name for node in ast.walk(tree) for name in _imported(node)}
    found |= {name for node in tree.body for name in _asked_for(node)}
    return frozenset().union(*(_beyond(name) for name in found))


def left_out(path):
    """What a file or the folders above it need beyond the quick set, in one word each."""
    shared = [folder / "conftest.py" for folder in path.parents if folder != EQUIPMENT.parent]
    shared = [file for file in shared if EQUIPMENT.parent in file.parents and file.exists()]
    return sorted(frozenset().union(*(needs(file) for file in [path, *shared])))


def importorskip(name, *arguments, **options):
    """Skip, whether the package is installed or not; those of the quick set are imported."""
    if _beyond(name):
        pytest.skip(f"{name} is not part of the quick set")
    return plain_importorskip(name, *arguments, **options)


def _imported(node):
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom):
        return [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    if isinstance(node, ast.Call) and ast.unparse(node.func) == "importlib.import_module":
        return [name.value for name in node.args if isinstance(name, ast.Constant)]
    return []


def _asked_for(statement):
    if isinstance(statement, ast.FunctionDef | ast.ClassDef):
        return []
    calls = (node for node in ast.walk(statement) if isinstance(node, ast.Call))
    return [c.args[0].value for c in calls if ast.unparse(c.func) == "pytest.importorskip"]


def _beyond(name):
    """What an import of this name brings that the quick set does without."""
    top = name.partition(".")[0]
    equipment = EQUIPMENT / f"{top}.py"
    if equipment.exists():
        return needs(equipment)
    heavy = {part for part in HEAVY if f"{name}.".startswith(f"{part}.")}
    if heavy:
        return set() if "torch" in beside and "eigentropy.studies" not in heavy else heavy
    return {top} - ALLOWED - beside
