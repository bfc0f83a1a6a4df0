"""The folders of csrc/ know those on their left, and one file knows the systems."""

from __future__ import annotations

import subprocess

import pytest

import house

FOLDERS = ("base", "cpu", "cuda", "bindings/common", "bindings/cpu", "bindings/cuda")


def complaints(tmp_path, name, line):
    for folder in FOLDERS:
        (tmp_path / folder).mkdir(parents=True, exist_ok=True)
        (tmp_path / folder / "good.cpp").write_text('#include "base/good.hpp"\n#include <vector>\n')
    (tmp_path / name).write_text(line + "\n")
    done = subprocess.run(
        ["bash", str(house.ROOT / "scripts/check_includes.sh"), str(tmp_path)],
        capture_output=True,
        text=True,
    )
    assert (done.returncode == 0) == (done.stderr == "")
    return done.stderr


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("base/platform.cpp", "#include <sys/mman.h>"),
        ("base/platform.cpp", "#include <windows.h>"),
        ("cpu/a.cpp", '#include "cpu/b.hpp"'),
        ("cpu/a.cpp", "#include <signals_of_mine.hpp>"),
    ],
)
def test_what_belongs_there_passes(tmp_path, name, line):
    assert complaints(tmp_path, name, line) == ""


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("base/a.hpp", "#include <sys/mman.h>"),
        ("cpu/a.cpp", "#include <unistd.h>"),
        ("bindings/common/a.cpp", "#include <pthread.h>"),
        ("cuda/a.cu", "#include <windows.h>"),
        ("base/a.hpp", '#include "cpu/b.hpp"'),
        ("cpu/a.hpp", '#include "cuda/b.hpp"'),
    ],
)
def test_what_does_not_is_named(tmp_path, name, line):
    assert name in complaints(tmp_path, name, line)
