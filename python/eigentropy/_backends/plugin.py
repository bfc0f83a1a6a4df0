"""The plug-in that computes on CUDA devices: loaded on first use, or a message that says why not.

It is the extension module of the distribution eigentropy-cuda13. Nothing here is imported, loaded
or asked for until a device of CUDA is named, or an array that lies on one is passed.
"""

from __future__ import annotations

import importlib
import os
import re
from typing import Any

from eigentropy._support.lifetime import version

PACKAGE = "eigentropy_cuda13"
DISTRIBUTION = "eigentropy-cuda13"
INSTALL = "build it in a checkout by `make wheel-cuda` and pip install the wheel in dist/"

# NVIDIA's libraries that the plug-in is linked with, in the order in which they need each other:
# the name that cuda-pathfinder has for each, how its file begins, and the wheel that it is in.
LIBRARIES = (
    ("nvJitLink", "libnvJitLink.so", "nvidia-nvjitlink"),
    ("cublasLt", "libcublasLt.so", "nvidia-cublas"),
    ("cublas", "libcublas.so", "nvidia-cublas"),
    ("cusparse", "libcusparse.so", "nvidia-cusparse"),
    ("cusolver", "libcusolver.so", "nvidia-cusolver"),
)

# The oldest driver for CUDA 13, as NVIDIA numbers them.
OLDEST_DRIVER = "580"

# Of the GPUs that CUDA 13 compiles for: Turing, of 2018.
OLDEST_CAPABILITY = (7, 5)


class DeviceError(RuntimeError):
    """CUDA cannot be used here: no driver or device, one that is too old, or after a fork.

    The message says what to do. Errors of CUDA itself during a computation are
    ``eigentropy_cuda13.DeviceError``, a `RuntimeError` as this one is.
    """


_core: Any = None
_devices: list[dict[str, Any]] = []
_process = 0  # that has used CUDA


def core() -> Any:
    """The plug-in's module, in a process where it works.

    Raises
    ------
    ImportError
        It is not installed, is of another version, or a library of NVIDIA is missing.
    DeviceError
        No driver, one that is too old, no device, or CUDA was used before this process was forked.
    """
    global _core, _process
    if _core is None:
        module = imported()
        _devices[:] = _listed_devices(module)
        _core, _process = module, os.getpid()
    if _process != os.getpid():
        raise DeviceError(
            "CUDA was used before this process was forked, and does not work in the child: start "
            "processes with multiprocessing.get_context('spawn'), or use CUDA only in the children"
        )
    return _core


def devices() -> list[dict[str, Any]]:
    """What is known of each device."""
    core()
    return _devices


def require_device(index: int) -> None:
    """Refuse the number of a device that is not there, or that is too old."""
    found = devices()
    if not 0 <= index < len(found):
        names = ", ".join(f"cuda:{i} ({one['name']})" for i, one in enumerate(found))
        raise DeviceError(f"device='cuda:{index}' is not there; CUDA shows {names}{_visible()}")
    capability = found[index]["compute_capability"]
    if tuple(int(part) for part in capability.split(".")) < OLDEST_CAPABILITY:
        needed = ".".join(map(str, OLDEST_CAPABILITY))
        raise DeviceError(
            f"cuda:{index} ({found[index]['name']}) has compute capability {capability}, and "
            f"{DISTRIBUTION} needs {needed} or newer: choose another device, or pass device='cpu'"
        )


def imported() -> Any:
    """The plug-in's module, whether there is a device or not."""
    try:
        package = importlib.import_module(PACKAGE)
    except ModuleNotFoundError as error:
        if error.name == PACKAGE:
            raise ImportError(f"computing on a GPU needs {DISTRIBUTION}: {INSTALL}") from error
        raise _broken(error) from error
    except ImportError as first:
        _preload()
        try:
            package = importlib.import_module(PACKAGE)
        except ImportError as error:
            raise _broken(error) from first
    if package.__version__ != version():
        raise ImportError(
            f"{DISTRIBUTION} {package.__version__} is installed, which does not belong to "
            f"eigentropy {version()}: pip install '{DISTRIBUTION}=={version()}'"
        )
    return package._core


def plugin_errors() -> tuple[type[Exception], ...]:
    """What the plug-in raises for errors of CUDA; nothing while it is not loaded."""
    return () if _core is None else (_core.DeviceError,)


def shown_version(number: int) -> str:
    """CUDA's version from its number: 13.0 for 13000."""
    return f"{number // 1000}.{number % 1000 // 10}"


def _preload() -> None:
    """Load NVIDIA's libraries from where cuda-pathfinder, if it is installed, finds them."""
    try:
        pathfinder: Any = importlib.import_module("cuda.pathfinder")
    except ImportError:
        return
    for name, _, _ in LIBRARIES:
        try:
            pathfinder.load_nvidia_dynamic_lib(name)
        except Exception:
            continue  # the import that follows says which one is missing


def _broken(error: ImportError) -> ImportError:
    """What to do about a plug-in that is installed and cannot be imported."""
    missing = re.search(r"(lib\w+\.so[.\d]*): cannot open shared object file", str(error))
    if missing:
        file = missing.group(1)
        for _, beginning, wheel in LIBRARIES:
            if file.startswith(beginning):
                return ImportError(
                    f"{DISTRIBUTION} needs {file}, which was not found: pip install {wheel}, or "
                    "put the folder of a CUDA toolkit that has it into LD_LIBRARY_PATH"
                )
    return ImportError(
        f"{DISTRIBUTION} is installed but cannot be loaded ({error}): "
        f"pip install --force-reinstall '{DISTRIBUTION}=={version()}'"
    )


def _listed_devices(module: Any) -> list[dict[str, Any]]:
    driver = module.driver_version()
    if driver == 0:
        raise DeviceError(
            "there is no NVIDIA driver, which computing on a GPU needs: install one (version "
            f"{OLDEST_DRIVER} or newer; `nvidia-smi` then shows it), or pass device='cpu'"
        )
    # A driver for 13.0 runs what is built with 13.1, but nothing that is built with 14.0.
    needed = module.runtime_version // 1000 * 1000
    if driver < needed:
        raise DeviceError(
            f"the NVIDIA driver is for CUDA up to {shown_version(driver)}, and {DISTRIBUTION} "
            f"needs {shown_version(needed)}: install driver {OLDEST_DRIVER} or "
            "newer, or pass device='cpu'"
        )
    try:
        found: list[dict[str, Any]] = module.devices()
    except module.DeviceError as error:
        raise DeviceError(_no_device(str(error))) from error
    if not found:
        raise DeviceError(_no_device("none was found"))
    return found


def _no_device(reason: str) -> str:
    return (
        f"there is no CUDA device: {reason}{_visible()}; `nvidia-smi` shows those that the driver "
        "knows; pass device='cpu' to compute without one"
    )


def _visible() -> str:
    """What hides devices, and gives others their numbers; empty where nothing does."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    return "" if visible is None else f" (CUDA_VISIBLE_DEVICES is {visible!r})"
