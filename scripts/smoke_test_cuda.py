"""Is the installed plug-in whole? Runs with the Python of the environment that it is installed in.

python -I scripts/smoke_test_cuda.py        (build_cuda_wheel.sh does so for every wheel)

Without a GPU, the message that says so is what is tested: to get there, the plug-in has been loaded
with NVIDIA's libraries. With one, an entropy is.
"""

from __future__ import annotations

import math
import sys
from pathlib import Path

import numpy as np

import eigentropy as eg
from eigentropy._backends import plugin


def expect(condition: bool, message: str) -> None:
    """Ends the test, where `assert` would be lost under -O."""
    if not condition:
        sys.exit(f"smoke test failed: {message}")


def check_libraries() -> None:
    """NVIDIA's libraries are those of the wheels in this environment."""
    module = plugin.imported()
    expect(not module.emulated, "this is the build for the emulated device")
    maps = Path("/proc/self/maps").read_text(encoding="utf-8").splitlines()
    paths = {Path(line.split(maxsplit=5)[5]) for line in maps if "/libcu" in line}
    mapped = [path for path in paths if not path.name.startswith("libcuda.so")]  # the driver's
    outside = [path for path in mapped if Path(sys.prefix) not in path.parents]
    expect(len(mapped) >= 2, f"cuBLAS and cuSOLVER are not loaded, only {mapped or 'nothing'}")
    expect(not outside, f"libraries from outside are loaded: {outside}")


def main() -> None:
    """Runs every check."""
    check_libraries()
    clusters = np.repeat(100.0 * np.eye(4), 8, axis=0)
    try:
        entropy = float(eg.dse(clusters, sigma=1.0, t=1000.0, device="cuda"))
    except eg.DeviceError as error:
        message = str(error)
        expect("NVIDIA driver" in message or "no CUDA device" in message, message)
        print(f"smoke test passed as far as it goes without a GPU: {message}")
        return
    expect(math.isclose(entropy, 2.0, abs_tol=1e-9), f"entropy of 4 far clusters is {entropy}")
    print(f"smoke test passed on {plugin.devices()[0]['name']}")


if __name__ == "__main__":
    main()
