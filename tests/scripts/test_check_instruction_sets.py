"""AVX code outside its objects is named, and what the linker could take from the wrong object."""

from __future__ import annotations

import platform
import subprocess

import pytest

import house
from messages import names

pytestmark = pytest.mark.skipif(
    platform.machine() != "x86_64", reason="the script checks libraries for x86-64"
)

OBJECTS = "product_kernels_baseline.cpp.o\nproduct_kernels_avx2.cpp.o\nthreads.cpp.o\n"
CODE = """
product_kernels_baseline.cpp.o:     file format elf64-x86-64
   0:	mulpd  %xmm0,%xmm1
product_kernels_avx2.cpp.o:     file format elf64-x86-64
   0:	vmulpd %ymm0,%ymm1,%ymm2
threads.cpp.o:     file format elf64-x86-64
   0:	ret
"""
SYMBOLS = """
library.a:product_kernels_baseline.cpp.o:00 W Kernels<double>::baseline()
library.a:product_kernels_baseline.cpp.o:00 W void simd::baseline::pack<double>(double*)
library.a:product_kernels_avx2.cpp.o:00 W Kernels<double>::avx2()
library.a:product_kernels_avx2.cpp.o:00 r square(double)
library.a:tile_kernels_avx2.cpp.o:00 V simd::avx2::of_tiles<double>
library.a:threads.cpp.o:00 W square(double)
"""


def run(tmp_path, code=CODE, symbols=SYMBOLS):
    for name, printed in {"ar": OBJECTS, "objdump": code, "nm": symbols}.items():
        program = tmp_path / name
        program.write_text(f"#!/bin/bash\ncat <<'END'\n{printed}\nEND\n")
        program.chmod(0o755)
    return subprocess.run(
        ["bash", str(house.ROOT / "scripts/check_instruction_sets.sh"), "library.a"],
        env={"PATH": f"{tmp_path}:/usr/bin:/bin"},
        capture_output=True,
        text=True,
    )


def test_a_library_whose_objects_keep_to_themselves_passes(tmp_path):
    done = run(tmp_path)
    assert done.returncode == 0, done.stderr
    assert names(done.stdout, "product_kernels_avx2")


@pytest.mark.parametrize(
    ("before", "after", "object_file"),
    [
        ("\tret", "\tvzeroupper", "threads.cpp.o"),
        ("\tvmulpd %ymm0,%ymm1,%ymm2", "\tmulpd %xmm0,%xmm1", "product_kernels_avx2.cpp.o"),
    ],
)
def test_code_in_the_wrong_object_is_an_error(tmp_path, before, after, object_file):
    done = run(tmp_path, code=CODE.replace(before, after))
    assert done.returncode == 1
    assert object_file in done.stderr


# A function that several sets define could be the copy of AVX for every machine. Two tables of one
# name in families of one set are of different types: all calls would go through one of them.
@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("r square(double)", "W square(double)"),
        ("avx2.cpp.o:00 W Kernels<double>::avx2()", "avx2.cpp.o:00 W simd::baseline::pack()"),
        ("r square(double)", "V simd::avx2::of_tiles<double>"),
    ],
)
def test_a_name_that_the_linker_may_take_elsewhere_is_an_error(tmp_path, before, after):
    assert before in SYMBOLS
    done = run(tmp_path, symbols=SYMBOLS.replace(before, after))
    assert done.returncode == 1
    assert after.rpartition(" ")[2].partition(".")[0] in done.stderr
