"""Where the parts of the check lie on this machine, and the environment of its programs."""

from __future__ import annotations

import importlib.util
import os
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
# What scripts/prepare_device_check.sh makes, and what is built from it on the machine with the GPU.
CARRIED = ROOT / "build" / "carried"
BUILT = ROOT / "build" / "device"
# What the steps write.
FILES = BUILT / "files"
# Of the emulated device, by the preset `release`.
EMULATED = ROOT / "build" / "release"


@dataclass(frozen=True)
class Place:
    """A machine with a GPU, or this one with the device that the tests emulate.

    Attributes
    ----------
    emulated : bool
        Whether there is no GPU: sizes are small, and what needs a real one is left out.
    python : str
    """

    emulated: bool = False
    python: str = sys.executable

    @property
    def programs(self) -> Path:
        """The folder of the test program and of the microbenchmarks."""
        return EMULATED if self.emulated else BUILT / "programs"

    def file(self, step: str) -> Path:
        """What a step writes. All of these become one file of results."""
        return FILES / f"{step}.json"

    def rows(self, n: int) -> int:
        """So many rows, or few of them on the emulated device."""
        return min(n, 60 + n // 5000) if self.emulated else n

    @property
    def tests(self) -> str:
        name = "eigentropy_cuda_tests"
        return str(self.programs / ("tests/cpp/cuda/" if self.emulated else "") / name)

    @property
    def microbenchmarks(self) -> str:
        name = "eigentropy_cuda_benchmarks"
        return str(self.programs / ("benchmarks/cuda/" if self.emulated else "") / name)

    def has(self, need: str) -> bool:
        """Whether a program is on the PATH, or a module can be imported."""
        return shutil.which(need, path=self.environment()["PATH"]) is not None or (
            need.isidentifier() and importlib.util.find_spec(need) is not None
        )

    def environment(self) -> dict[str, str]:
        before = dict(os.environ)
        packages = [ROOT / "python", EMULATED / "python"] if self.emulated else [BUILT / "site"]
        libraries = [] if self.emulated else cuda_libraries()
        return {
            **before,
            "CUDA": "EMULATED" if self.emulated else "ON",
            "PYTHON": self.python,
            "PYTHONUNBUFFERED": "1",
            "PYTHONDONTWRITEBYTECODE": "1",
            "PATH": joined([before.get("PATH", os.defpath), "/usr/local/cuda/bin"]),
            "PYTHONPATH": joined([ROOT, *packages, before.get("PYTHONPATH")]),
            "LD_LIBRARY_PATH": joined(
                [BUILT / "site/scipy_openblas32/lib", *libraries, before.get("LD_LIBRARY_PATH")]
            ),
        }


def joined(folders: list[object]) -> str:
    return os.pathsep.join(str(folder) for folder in folders if folder)


def cuda_libraries() -> list[Path]:
    """Folders with cuBLAS and cuSOLVER of CUDA 13: NVIDIA's wheels first, then the toolkit."""
    spec = importlib.util.find_spec("nvidia")
    places = (spec.submodule_search_locations or []) if spec else []
    wheels = [Path(found) / "cu13" / "lib" for found in places]
    toolkit = Path("/usr/local/cuda")
    folders = [*wheels, toolkit / "lib64", toolkit / "targets/x86_64-linux/lib"]
    return [folder for folder in folders if (folder / "libcusolver.so.12").exists()]
