"""What travels to a machine with a GPU is small enough, and runs there."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import house
from eigentropy import _core

SCRIPT = "scripts/prepare_device_check.sh"

pytestmark = pytest.mark.skipif(
    not all(map(shutil.which, ("objdump", "git"))), reason="objdump or git is missing"
)


@pytest.fixture
def checkout(tmp_path):
    """One with the script and a carried program, which is Python's."""
    (tmp_path / "scripts").mkdir()
    shutil.copy(house.ROOT / SCRIPT, tmp_path / SCRIPT)
    (tmp_path / ".gitignore").write_text("/build/\n")
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
    (tmp_path / "build/carried/bin").mkdir(parents=True)
    (tmp_path / "build/carried/wheels").mkdir()
    carry(tmp_path, Path(shutil.which("git")).resolve())
    return tmp_path


def carry(checkout, program):
    return shutil.copy(program, checkout / "build/carried/bin")


def checked(checkout, **settings):
    return subprocess.run(
        ["bash", SCRIPT, "--check"],
        cwd=checkout,
        env={**os.environ, "MOST_GLIBC": "9.9", "MOST_GLIBCXX": "9.9", **settings},
        capture_output=True,
        text=True,
    )


def test_what_fits_and_runs_is_told_with_its_size(checkout):
    found = checked(checkout)
    assert found.returncode == 0, found.stderr
    assert "of 64 MiB" in found.stdout


def test_more_than_may_travel_is_an_error_that_names_the_largest_file(checkout):
    (checkout / "build/carried/wheels/large.whl").write_bytes(bytes(65 << 20))
    found = checked(checkout)
    assert found.returncode == 1
    assert "wheels/large.whl" in found.stderr
    assert checked(checkout, MOST_BYTES=str(100 << 20)).returncode == 0


def test_the_checkout_counts_but_not_what_git_ignores(checkout):
    (checkout / "build/ignored").write_bytes(bytes(70 << 20))
    assert checked(checkout).returncode == 0
    (checkout / "untracked").write_bytes(bytes(65 << 20))
    assert checked(checkout).returncode == 1


def test_a_program_for_a_newer_glibc_is_refused(checkout):
    found = checked(checkout, MOST_GLIBC="2.1")
    assert found.returncode == 1
    assert "needs GLIBC" in found.stderr


@pytest.mark.skipif(sys.platform != "linux", reason="the core of another system")
def test_a_program_for_a_newer_libstdcxx_is_refused(checkout):
    carry(checkout, _core.__file__)
    found = checked(checkout, MOST_GLIBCXX="3.4.1")
    assert found.returncode == 1
    assert "needs GLIBCXX" in found.stderr
    assert checked(checkout, MOST_GLIBCXX="9.9").returncode == 0
