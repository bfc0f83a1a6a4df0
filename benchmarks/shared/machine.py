"""What a result file says about where it was measured."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import shutil
import subprocess
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import numpy as np

import eigentropy
from benchmarks.shared.results import ROOT
from eigentropy import _core

# The machine's own settings would decide the result for us or for a peer: both run without them.
BLAS_VARIABLES = ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE")


def clean_environment() -> dict[str, str]:
    """For a program of ours in a process of its own: without what steers BLAS."""
    return {name: value for name, value in environment().items() if name not in BLAS_VARIABLES}


def environment() -> dict[str, str]:
    """That of this process, with which Python finds `benchmarks` from any folder."""
    path = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(path)}


def _git(*arguments: str) -> str:
    if shutil.which("git") is None:
        return ""
    result = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True)
    return result.stdout.strip()


# What is measured; a run writes its results while it measures the next suite.
CODE = ("--", "csrc", "python", "benchmarks/**/*.py", "benchmarks/cpp", "CMakeLists.txt", "cmake")


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor()


# Whose versions are recorded where they are installed.
PEERS = ("numpy", "scipy", "torch", "mkl", "scipy-openblas32", "dse-dsmi")


def _versions() -> dict[str, str]:
    found = {}
    for name in PEERS:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def describe() -> dict[str, Any]:
    """Machine, versions and commit."""
    return {
        "date": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "commit": _git("rev-parse", "HEAD"),
        "uncommitted_changes": bool(_git("status", "--porcelain", "--untracked-files=no", *CODE)),
        "processor": _processor(),
        "threads": _core.thread_count(),
        "instruction_set": _core.instruction_set(),
        "python": platform.python_version(),
        "numpy": np.__version__,
        "eigentropy": eigentropy.__version__,
        "blas": _core.blas_configuration(),
        "blas_core": _core.blas_core(),
        "peers": _versions(),
    }
