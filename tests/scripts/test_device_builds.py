"""What was carried is used where it runs, and built anew where it does not."""

from __future__ import annotations

import os
import shutil
import subprocess

import pytest

import house

SCRIPT = "scripts/device_builds.sh"
PROGRAMS = ("eigentropy_cuda_tests", "eigentropy_cuda_benchmarks")


def program(path, body):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/bash\n{body}\n")
    path.chmod(0o755)


@pytest.fixture
def checkout(tmp_path):
    """One whose pip, CMake and programs are stand-ins that note how they were called."""
    (tmp_path / "scripts").mkdir()
    shutil.copy(house.ROOT / SCRIPT, tmp_path / SCRIPT)
    program(tmp_path / "tools/python", 'echo "python $*" >>calls')
    built = "\n".join(
        f"to=build/device/cpp/{folder}/cuda; mkdir -p $to; cp tools/good $to/{name}"
        for folder, name in zip(("tests/cpp", "benchmarks"), PROGRAMS, strict=True)
    )
    program(tmp_path / "tools/cmake", f'echo "cmake $*" >>calls\n{built}')
    program(tmp_path / "tools/good", "exit 0")
    for name in PROGRAMS:
        program(tmp_path / "build/carried/bin" / name, "exit 0")
    (tmp_path / "build/carried/wheels").mkdir()
    return tmp_path


def run(checkout, verb):
    environment = {
        **os.environ,
        "PATH": f"{checkout / 'tools'}:{os.environ['PATH']}",
        "PYTHON": str(checkout / "tools/python"),
        "CUDA": "ON",
    }
    done = subprocess.run(["bash", SCRIPT, verb], cwd=checkout, env=environment, text=True)
    calls = checkout / "calls"
    found = calls.read_text() if calls.exists() else ""
    calls.unlink(missing_ok=True)
    return done.returncode, found


def test_programs_that_run_are_taken_as_they_are(checkout):
    status, calls = run(checkout, "programs")
    assert status == 0
    assert "cmake" not in calls
    assert {path.name for path in (checkout / "build/device/programs").iterdir()} == set(PROGRAMS)


def test_programs_that_do_not_run_are_built(checkout):
    program(checkout / "build/carried/bin" / PROGRAMS[1], "exit 127")
    status, calls = run(checkout, "programs")
    assert status == 0
    assert f"--target {' '.join(PROGRAMS)}" in calls
    for name in PROGRAMS:
        assert (checkout / "build/device/programs" / name).read_text().endswith("exit 0\n")


def test_the_second_call_unpacks_and_builds_nothing(checkout):
    program(checkout / "build/carried/bin" / PROGRAMS[0], "exit 127")
    assert "pip install" in run(checkout, "programs")[1]
    assert run(checkout, "programs") == (0, "")


def test_packages_are_linked_with_the_libraries_that_were_carried(checkout):
    """Both, each in a folder of its own; only where they are not there already."""
    program(
        checkout / "tools/python",
        'echo "$CMAKE_ARGS python $*" >>calls\n'
        "case $* in\n"
        "  *import*) [ -e build/device/site/eigentropy ] ;;\n"
        "  *core*) mkdir -p build/device/core; touch build/device/core/eigentropy ;;\n"
        "  *plugin*) mkdir -p build/device/{plugin,site}; touch build/device/plugin/module ;;\n"
        "esac",
    )
    status, calls = run(checkout, "packages")
    assert status == 0
    installed = [line for line in calls.splitlines() if "--no-build-isolation" in line]
    assert len(installed) == 2
    assert all(f"-DEIGENTROPY_PREBUILT={checkout}/build/carried/lib" in line for line in installed)
    status, calls = run(checkout, "packages")
    assert status == 0
    assert "pip install" not in calls


def test_packages_that_cannot_be_built_are_an_error(checkout):
    program(checkout / "tools/python", "case $* in *--no-build-isolation*|*import*) exit 1 ;; esac")
    assert run(checkout, "packages")[0] != 0
