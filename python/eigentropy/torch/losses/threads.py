"""The core's loops on PyTorch's threads.

After each operation PyTorch's OpenMP threads spin for a while and wait for the next one. Threads of
the core's own would compete with them for the processors, and a brief computation, such as a
gradient in a training loop, would take much longer.
"""

from __future__ import annotations

import ctypes
import sys
from pathlib import Path

import torch

from eigentropy import _core

LIBRARY = "libtorch_cpu.so"

# On Linux: the files that are mapped into this process.
MAPPED_FILES = Path("/proc/self/maps")


def borrow(library: str | None = LIBRARY) -> bool:
    """Let brief computations of the core run on PyTorch's threads; False if that is impossible.

    `library` is the file that has PyTorch's parallel loops; None is this program itself.
    """
    address = entry_of_openmp(library)
    _core.lend_threads(address)
    return address != 0


def entry_of_openmp(library: str | None = LIBRARY) -> int:
    """The address of the function that PyTorch's parallel loops call, 0 if there is none.

    It is looked up in PyTorch's own library, since a process may have several OpenMP runtimes.
    """
    if "ATen parallel backend: OpenMP" not in torch.__config__.parallel_info():
        return 0
    try:
        loaded = ctypes.CDLL(None if library is None else path_of(library))
        function = loaded.GOMP_parallel
    except (OSError, AttributeError):
        return 0
    return ctypes.cast(function, ctypes.c_void_p).value or 0


def path_of(library: str, mapped: Path = MAPPED_FILES) -> str:
    """The path of a library that is loaded; of another one, its name."""
    with mapped.open(encoding=sys.getfilesystemencoding(), errors="surrogateescape") as files:
        paths = (line.rstrip("\n").partition("/") for line in files)
        known = (f"/{rest}" for _, slash, rest in paths if slash)
        return next((path for path in known if path.endswith(f"/{library}")), library)
