"""What only a GPU can settle is in the table of csrc/cuda/tuning.hpp, and nowhere else."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
CUDA = ROOT / "csrc" / "cuda"
FILES = sorted(path for path in CUDA.rglob("*") if path.suffix in {".cu", ".cpp", ".hpp", ".cuh"})
# A comment may be wrapped anywhere.
UNMEASURED = re.compile(
    r"not(?:\s|//)+(?:yet(?:\s|//)+)?measured|a(?:\s|//)+guess\b", re.IGNORECASE
)


@pytest.mark.parametrize(
    "text", ["// A guess, not measured yet", "// is not\n// measured yet.", "is a\n  // guess"]
)
def test_the_search_finds_what_is_wrapped(text):
    assert UNMEASURED.search(text)


def test_no_other_file_has_a_guess():
    found = [str(path.relative_to(ROOT)) for path in FILES if UNMEASURED.search(path.read_text())]
    assert found == []


@pytest.fixture
def table(cuda_core):
    if not hasattr(cuda_core, "tuning"):
        pytest.skip("the stand-in for the plug-in has no table")
    return cuda_core.tuning


def test_every_entry_is_used_and_every_name_is_an_entry(table):
    used = {
        name for path in FILES for name in re.findall(r'tuned\(\s*"([^"]+)"\)', path.read_text())
    }
    assert used == {entry["name"] for entry in table}


def test_a_source_is_a_guess_or_a_stored_run(table):
    for entry in table:
        stored = ROOT / "benchmarks" / "results" / entry["source"]
        assert entry["source"] == "guess" or stored.is_file(), entry["name"]
