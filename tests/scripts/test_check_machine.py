"""What a machine lacks for a build is said before anything is compiled."""

from __future__ import annotations

import subprocess
import sys

import house


def messages(python, **environment):
    return subprocess.run(
        ["bash", str(house.ROOT / "scripts/check_machine.sh"), str(python)],
        env={"PATH": "/usr/local/bin:/usr/bin:/bin", **environment},
        capture_output=True,
        text=True,
    )


def program(tmp_path, body):
    path = tmp_path / "python"
    path.write_text(f"#!/bin/bash\n{body}\n")
    path.chmod(0o755)
    return path


def test_this_machine_lacks_nothing():
    done = messages(sys.executable)
    assert (done.returncode, done.stderr) == (0, "")


def test_an_old_python_is_named_with_its_version_and_the_one_that_is_needed(tmp_path):
    old = program(tmp_path, 'case $1 in --version) echo "Python 3.9.2" ;; *) exit 1 ;; esac')
    done = messages(old)
    assert done.returncode == 1
    (line, advice) = done.stderr.splitlines()
    assert "3.9.2" in line
    assert "3.10" in line
    assert "PYTHON=" in advice


def test_a_missing_python_and_a_missing_compiler_are_named_together(tmp_path):
    done = messages(tmp_path / "nowhere", CXX=str(tmp_path / "no-compiler"))
    assert done.returncode == 1
    assert "Python >= 3.10" in done.stderr
    assert "C++ compiler" in done.stderr
