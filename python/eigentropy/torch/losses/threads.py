"""The core's loops on the threads that PyTorch has already.

PyTorch's OpenMP threads spin for a while after each of its operations, in the hope of a next
one. Threads of the core's own would share the cores with them, and what is brief, such as a
gradient in a training loop, would take much longer.
"""

from __future__ import annotations

import ctypes
import sys
from pathlib import Path

import torch

from eigentropy import _core

# Where Linux tells which files are mapped into this process.
MAPPED_FILES = Path("/proc/self/maps")


def borrow() -> bool:
    """Let brief computations of the core run on PyTorch's threads; False if it cannot be done."""
    address = entry_of_openmp()
    _core.lend_threads(address)
    return address != 0


def entry_of_openmp() -> int:
    """The address of the function that PyTorch's parallel loops call, 0 if there is none.

    Looked up through PyTorch's own library: a process may have several OpenMP runtimes.
    """
    if "ATen parallel backend: OpenMP" not in torch.__config__.parallel_info():
        return 0
    try:
        library = ctypes.CDLL(_path_of("libtorch_cpu.so"))
        function = library.GOMP_parallel
    except (OSError, AttributeError):
        return 0
    return ctypes.cast(function, ctypes.c_void_p).value or 0


def _path_of(library: str) -> str:
    """Of a library that is loaded, or its name."""
    with MAPPED_FILES.open(encoding=sys.getfilesystemencoding(), errors="surrogateescape") as files:
        paths = (line.rstrip("\n").partition("/") for line in files)
        known = (f"/{rest}" for _, slash, rest in paths if slash)
        return next((path for path in known if path.endswith(f"/{library}")), library)
