"""Is the installed wheel whole? Runs with the Python of the environment that it is installed in.

python -I scripts/smoke_test.py        (build_wheel.sh does so for every wheel that it builds)
    --beside-compilers    where PATH has compilers, such as after an installation from source
    --emulated            under qemu, which starts no other programs: commands run in this process
    --without-avx2        on a processor without AVX2, which `eigentropy info` has to say
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import math
import platform
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np

import eigentropy as eg

COMPILERS = ("cc", "c++", "gcc", "g++", "clang", "clang++", "ld")


def expect(condition: bool, message: str) -> None:
    """Ends the test, where `assert` would be lost under -O."""
    if not condition:
        sys.exit(f"smoke test failed: {message}")


def expect_close(value: float, expected: float, what: str) -> None:
    """NaN fails."""
    expect(abs(value - expected) <= 1e-9, f"{what} is {value}, expected {expected}")


def check_environment() -> None:
    """Nothing but the wheel can have provided what is tested here."""
    package = Path(eg.__file__).resolve().parent
    site_packages = Path(sysconfig.get_path("platlib")).resolve()
    expect(package.parent == site_packages, f"imported from {package}, not from {site_packages}")


def check_compilers() -> None:
    """The wheel does without."""
    found = [compiler for compiler in COMPILERS if shutil.which(compiler)]
    expect(not found, f"PATH has a compiler: {', '.join(found)}")


def check_blas() -> None:
    """The BLAS that is mapped for us is the one inside the wheel. NumPy has one of its own."""
    if not sys.platform.startswith("linux"):
        print("not on Linux: which BLAS is loaded was not checked")
        return
    maps = Path("/proc/self/maps").read_text(encoding="utf-8").splitlines()
    mapped = {Path(line.split(maxsplit=5)[5]) for line in maps if "openblas" in line}
    ours = [path for path in mapped if "numpy" not in str(path)]
    package = Path(eg.__file__).resolve().parent
    inside = [path for path in ours if package in path.resolve().parents]
    expect(len(ours) == 1 and inside == ours, f"OpenBLAS is loaded from {ours or 'nowhere'}")


def check_closed_forms() -> None:
    """K far clusters at large t, and identical rows."""
    k = 4
    labels = np.repeat(np.arange(k), 8)
    clusters = 100.0 * np.eye(k)[labels]
    for dtype in ("float64", "float32"):
        entropy = eg.diffusion_spectral_entropy(clusters, sigma=1.0, t=1000.0, dtype=dtype)
        expect_close(float(entropy), math.log2(k), f"{dtype} entropy of {k} far clusters")
    information = eg.diffusion_spectral_mutual_information(
        clusters, labels, sigma=1.0, t=1000.0, estimator="plain"
    )
    expect_close(float(information), math.log2(k), f"information of {k} far clusters")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", eg.SaturationWarning)  # 0 is what saturation looks like
        entropy = eg.diffusion_spectral_entropy(np.ones((20, 3)), sigma=1.0)
    expect_close(float(entropy), 0.0, "entropy of identical rows")


def run_here(*arguments: str) -> str:
    """Output of the command line, in this process."""
    from eigentropy.cli.commands import app

    written = io.StringIO()
    with contextlib.redirect_stdout(written):
        app(list(arguments), standalone_mode=False)
    return written.getvalue()


def run_program(*arguments: str) -> str:
    """Output of the command line, as installed beside this Python."""
    command = [str(Path(sys.executable).parent / "eigentropy"), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    expect(done.returncode == 0, f"{' '.join(command)}: {done.stderr or done.stdout}")
    return done.stdout


def check_command_line(run: Callable[..., str]) -> None:
    """The commands that need no extras; the page is made of files beside the modules."""
    version = json.loads(run("info", "--json"))["eigentropy"]
    expect(version == eg.__version__, f"eigentropy info says version {version}")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "x.npy"
        np.save(path, np.repeat(100.0 * np.eye(2), 8, axis=0))
        document = json.loads(run("measure", str(path), "--sigma", "1", "-t", "1000", "--json"))
        log, page = path.with_name("log.csv"), path.with_name("page.html")
        log.write_text("step,dse/head\n1,5.0\n2,4.0\n")
        run("report", str(log), "-o", str(page))
        expect("</html>" in page.read_text(), "eigentropy report wrote no page")
    expect_close(document["dse"][0]["value"], 1.0, "eigentropy measure --json")


def main() -> None:
    """Runs every check."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--beside-compilers", action="store_true")
    parser.add_argument("--emulated", action="store_true")
    parser.add_argument("--without-avx2", action="store_true")
    options = parser.parse_args()
    if not options.beside_compilers:
        check_compilers()
    check_environment()
    check_closed_forms()
    check_blas()
    run = run_here if options.emulated else run_program
    check_command_line(run)
    info = json.loads(run("info", "--json"))
    if options.without_avx2:
        expect(info["simd"] == "baseline", f"without AVX2 the core uses {info['simd']}")
        expect("no AVX2" in info["simd_note"], "eigentropy info does not say that there is no AVX2")
    print(
        f"smoke test passed: eigentropy {eg.__version__}, Python {info['python']}, "
        f"{platform.machine()}, {info['simd']}"
    )


if __name__ == "__main__":
    main()
