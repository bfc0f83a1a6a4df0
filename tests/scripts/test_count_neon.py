"""A family of kernels without vectors is named."""

from __future__ import annotations

import subprocess

import pytest

import house
from messages import names

GOOD = """
product_kernels_baseline.cpp.o:     file format elf64-littleaarch64

0000000000000000 <f>:
   0:	fmla	v0.2d, v1.2d, v2.2d
   4:	fadd	v0.4s, v1.4s, v2.4s
sturm_kernels_baseline.cpp.o:     file format elf64-littleaarch64
   0:	fdiv	v0.2d, v1.2d, v2.2d
threads.cpp.o:     file format elf64-littleaarch64
   0:	fmul	d0, d1, d2
"""


def run(tmp_path, disassembly):
    program = tmp_path / "objdump"
    program.write_text(f"#!/bin/bash\ncat <<'END'\n{disassembly}\nEND\n")
    program.chmod(0o755)
    return subprocess.run(
        ["bash", str(house.ROOT / "scripts/count_neon.sh"), "library.a"],
        env={"OBJDUMP": str(program), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
    )


def test_vectors_are_counted(tmp_path):
    done = run(tmp_path, GOOD)
    assert done.returncode == 0, done.stderr
    product, sturm = done.stdout.splitlines()
    assert names(product, "product_kernels", 1, 2)
    assert names(sturm, "sturm_kernels", 0, 1)


@pytest.mark.parametrize(
    ("before", "after", "family"),
    [
        ("fmla\tv0.2d, v1.2d, v2.2d", "fmadd\td0, d1, d2, d3", "product_kernels"),
        ("fdiv\tv0.2d, v1.2d, v2.2d", "fdiv\td0, d1, d2", "sturm_kernels"),
    ],
)
def test_a_family_of_scalars_is_an_error(tmp_path, before, after, family):
    done = run(tmp_path, GOOD.replace(before, after))
    assert done.returncode == 1
    assert family in done.stderr


def test_a_library_without_kernels_is_an_error(tmp_path):
    assert run(tmp_path, "threads.cpp.o:     file format elf64-littleaarch64").returncode == 1
