"""What a build of the kernels has printed: every source and architecture, and no spills."""

import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "scripts" / "check_cuda_code.sh"


def entry(name, architecture, stores=0, loads=0):
    """As `nvcc -Xptxas=-v` prints it."""
    return (
        f"ptxas info    : Compiling entry function '{name}' for '{architecture}'\n"
        f"ptxas info    : Function properties for {name}\n"
        f"    {stores + 8} bytes stack frame, {stores} bytes spill stores, "
        f"{loads} bytes spill loads\n"
        "ptxas info    : Used 255 registers, used 1 barriers, 1 bytes smem, 8 bytes cmem[0]\n"
    )


def log_of(*entries, without=""):
    """With every source but those of this name."""
    found = [one for folder in ("csrc", "benchmarks") for one in (ROOT / folder).rglob("*.cu")]
    sources = [one for one in found if one.name != without]
    assert sources
    lines = [f"[1/9] Building CUDA object csrc/cuda/x.dir/{one.name}.o\n" for one in sources]
    return "".join(lines + list(entries))


@pytest.fixture
def look(tmp_path):
    def run(log, *architectures):
        file = tmp_path / "build.log"
        file.write_text(log)
        return subprocess.run(
            [SCRIPT, "--log", file, *architectures], capture_output=True, text=True, check=False
        )

    return run


def test_kernels_without_spills_pass(look):
    found = look(
        log_of(entry("_Z5sweepPf", "sm_80"), entry("_Z5sweepPf", "sm_90a")), "80-real", "90-real"
    )
    assert found.returncode == 0, found.stderr
    assert "1 sm_80 1 sm_90a" in found.stdout


@pytest.mark.parametrize(("stores", "loads"), [(78, 112), (8, 0), (0, 4)])
def test_a_kernel_that_spills_is_named_with_its_architecture(look, stores, loads):
    log = log_of(
        entry("_Z5sweepPf", "sm_80"),
        entry("_Z5writePf", "sm_120", stores, loads),
        entry("_Z4packPf", "sm_120"),
    )
    found = look(log, "80-real", "120")
    assert found.returncode == 1
    assert f"sm_120 {stores} {loads} " in found.stderr
    assert "write" in found.stderr
    assert "sweep" not in found.stderr
    assert "pack" not in found.stderr


def test_an_architecture_without_kernels_is_an_error(look):
    """An empty log would pass anything."""
    found = look(log_of(entry("_Z5sweepPf", "sm_80")), "80-real", "100-real")
    assert found.returncode == 1
    assert "sm_100" in found.stderr
    assert look(log_of(), "80-real").returncode == 1


def test_a_source_that_was_not_compiled_is_an_error(look):
    found = look(log_of(entry("_Z5sweepPf", "sm_80"), without="block_vectors.cu"), "80-real")
    assert found.returncode == 1
    assert "block_vectors.cu" in found.stderr


def test_without_an_architecture_it_says_how_it_is_called(look):
    found = look(log_of(entry("_Z5sweepPf", "sm_80")))
    assert found.returncode == 2
    assert "--log" in found.stderr
