"""`eigentropy info`: where the package runs, and what it found there."""

from __future__ import annotations

import importlib.metadata
import os
import platform
from typing import Any, NamedTuple

import numpy as np

from eigentropy import _core
from eigentropy._backends import plugin
from eigentropy._support import memory
from eigentropy._support.lifetime import version
from eigentropy.cli import console, options


class Optional(NamedTuple):
    """A distribution that some part of the package uses.

    Attributes
    ----------
    purpose : str
    extra : str
        Of pyproject.toml, which installs it.
    others : tuple of str
        Distributions that have the same module.
    """

    purpose: str
    extra: str
    others: tuple[str, ...] = ()


# All that the extras name but the plug-in, which is a device here.
OPTIONAL = {
    "scikit-learn": Optional("clusters of vectors, linear_accuracy, eigentropy.sklearn", "sklearn"),
    "scipy": Optional("estimators to compare with, kernel='knn'", "baselines"),
    "faiss-cpu": Optional("kernel='knn' of many rows", "neighbours", ("faiss-gpu", "faiss")),
    "pyarrow": Optional(".csv, .tsv and .parquet files", "tables"),
    "zarr": Optional("Zarr arrays", "zarr"),
    "matplotlib": Optional("figures", "plot"),
    "anndata": Optional("cells, for eigentropy.anndata", "anndata"),
    "phate": Optional("PHATE and M-PHATE", "embed"),
    "graphtools": Optional("PHATE and M-PHATE", "embed"),
    "torch": Optional(".pt and .pth files, tensors, MINE, networks of studies", "torch"),
    "torchvision": Optional("models and pictures", "vision"),
    "timm": Optional("models of pictures", "features"),
    "transformers": Optional("models of Hugging Face", "features"),
    "onnxruntime": Optional("models in ONNX files", "features", ("onnxruntime-gpu",)),
    "onnx": Optional("layers of models in ONNX files", "features"),
    "pillow": Optional("pictures", "features"),
    "safetensors": Optional("weights of models", "features"),
    "ray": Optional("tasks on a cluster", "ray"),
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
        "simd_note": simd_note(
            _core.instruction_set(), _core.instruction_sets(), os.environ.get("EIGENTROPY_SIMD")
        ),
        "blas": {"configuration": _core.blas_configuration(), "core": _core.blas_core()},
        "threads": _core.thread_count(),
        "memory_available": int(memory.available()),
        "devices": [
            {"name": "cpu", "available": True, "note": ""},
            _cuda_devices(),
        ],
        "optional": {
            name: {
                "version": _installed(name, *optional.others),
                "purpose": optional.purpose,
                "extra": optional.extra,
            }
            for name, optional in OPTIONAL.items()
        },
    }


def simd_note(used: str, available: list[str], asked: str | None) -> str:
    """Say why a narrow instruction set is used, or that another one was asked for in vain.

    Nothing where it is the usual one. `asked` is the value of EIGENTROPY_SIMD.
    """
    best = available[0]
    if asked and asked != used:
        return (
            f"EIGENTROPY_SIMD={asked!r} is ignored: this processor and this build have "
            f"{', '.join(available)}"
        )
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


def _installed(*distributions: str) -> str | None:
    """Read the version of the first that is there from its metadata: imports would take seconds."""
    for name in distributions:
        try:
            return importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return None
