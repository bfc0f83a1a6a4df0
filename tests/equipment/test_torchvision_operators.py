"""The stand-in for torchvision's operators: what imports torchvision works beside any PyTorch."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import torchvision_operators

IMPORT = "import torchvision, timm; from torchvision.transforms import v2; print('imported')"


def alone(code):
    """The output of a process that has only the equipment."""
    code = f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r}); {code}"
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)


def test_timm_and_torchvision_are_imported():
    for name in ("timm", "torchvision"):
        pytest.importorskip(name, reason=f"{name} is not installed")
    found = alone(f"import torchvision_operators as t; t.install(); t.install(); {IMPORT}")
    assert found.stdout == "imported\n", found.stderr


def test_it_waits_at_most_once():
    before = list(sys.meta_path)
    torchvision_operators.install()
    assert sys.meta_path == before
