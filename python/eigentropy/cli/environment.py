"""`eigentropy info`: where the package runs, and what it found there."""

from __future__ import annotations

import importlib.metadata
import platform
from typing import Any

import numpy as np

from eigentropy import _core
from eigentropy._backends import plugin
from eigentropy._support import memory
from eigentropy._support.lifetime import version
from eigentropy.cli import console, options

# Distributions that parts of the package use, and for what.
_OPTIONAL = {
    "scikit-learn": "clusters of vectors",
    "pyarrow": ".csv, .tsv and .parquet files",
    "matplotlib": "figures",
    "torch": ".pt and .pth files, tensors, MINE, networks of studies",
    "zarr": "Zarr arrays",
}


def info_command(as_json: options.Json = False) -> None:
    """Version, instruction set, BLAS, threads, memory, devices and optional packages."""
    if as_json:
        console.print_json(environment())
    else:
        console.print_environment(environment())


def environment() -> dict[str, Any]:
    """Gather versions, instruction set, BLAS, threads, memory, devices, optional packages."""
    return {
        "eigentropy": version(),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "numpy": np.__version__,
        "built_with": _core.built_with(),
        "simd": _core.instruction_set(),
        "simd_note": simd_note(_core.instruction_set(), _core.instruction_sets()),
        "blas": {"configuration": _core.blas_configuration(), "core": _core.blas_core()},
        "threads": _core.thread_count(),
        "memory_available": int(memory.available()),
        "devices": [
            {"name": "cpu", "available": True, "note": ""},
            _cuda_devices(),
        ],
        "optional": {
            name: {"version": _installed(name), "purpose": purpose}
            for name, purpose in _OPTIONAL.items()
        },
    }


def simd_note(used: str, available: list[str]) -> str:
    """Say why a narrow instruction set is used; nothing where it is the usual one."""
    best = available[0]
    if used != best:
        return f"EIGENTROPY_SIMD asks for it; this processor has {best}"
    if used == "baseline" and platform.machine() in ("x86_64", "AMD64"):
        return "this processor has no AVX2: vectors have 16 bytes"
    return ""


def _cuda_devices() -> dict[str, Any]:
    """Describe the plug-in, the driver and the devices, as far as they can be reached."""
    entry: dict[str, Any] = {"name": "cuda", "available": False, "note": ""}
    try:
        module = plugin.imported()
        driver = module.driver_version()
        entry |= {
            "plugin": version(),  # `imported` accepts no other
            "runtime": plugin.shown_version(module.runtime_version),
            "driver": plugin.shown_version(driver) if driver else None,
            "emulated": bool(module.emulated),
        }
        entry["devices"] = plugin.devices()
    except (ImportError, plugin.DeviceError) as error:
        return {**entry, "note": str(error)}
    return {**entry, "available": True}


def _installed(distribution: str) -> str | None:
    """Read the version from the metadata: importing torch would take seconds."""
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return None
