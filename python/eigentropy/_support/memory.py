"""Refuses, before anything is allocated, what cannot fit."""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

try:
    import resource
except ImportError:  # Windows sets no limits to a process
    resource = None  # type: ignore[assignment]

# No file of the system that is read here is longer.
MOST_BYTES = 2**16

# What is known inside `asked_once`, which is empty at first; None outside.
_known: ContextVar[list[float] | None] = ContextVar("known", default=None)


def require(needed: float, what: str, alternative: str, free: float | None = None) -> None:
    """Raise MemoryError if `needed` bytes are not free; of memory, unless `free` is given."""
    free = available() if free is None else free
    if needed > free:
        raise MemoryError(
            f"{what} needs {needed / 2**30:.1f} GiB ({needed:.0f} bytes) and "
            f"{free / 2**30:.1f} GiB ({free:.0f} bytes) are available; {alternative}"
        )


def available() -> float:
    """Bytes that this process can still allocate: of the machine and of the limits set to it."""
    known = _known.get()
    if known is None:
        return _asked()
    if not known:
        known.append(_asked())
    return known[0]


@contextmanager
def asked_once() -> Iterator[None]:
    """Ask the system once for what is available inside, where all is over in milliseconds.

    Each time takes as long as hundreds of lines of Python.
    """
    token = _known.set([])
    try:
        yield
    finally:
        _known.reset(token)


def _asked() -> float:
    return min(_machine(), _control_group(), _address_space())


def _machine() -> float:
    if sys.platform == "win32":
        return _windows()
    try:
        known = _content("/proc/meminfo").partition(b"MemAvailable:")[2].split(None, 1)
        if known:
            return float(known[0]) * 1024
    except OSError:
        pass
    return float(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))


def _windows() -> float:
    """Ask for the available memory: the third of the eight words of MEMORYSTATUSEX."""
    status = (ctypes.c_uint64 * 8)(64)  # its first word holds the size
    if not ctypes.windll.kernel32.GlobalMemoryStatusEx(ctypes.byref(status)):  # type: ignore[attr-defined]
        return float("inf")
    return float(status[2])


def _control_group() -> float:
    """What a container's limit leaves; file caches of the group count as free."""
    try:
        limit = _content("/sys/fs/cgroup/memory.max").strip()
        if limit == b"max":
            return float("inf")
        used = float(_content("/sys/fs/cgroup/memory.current"))
        lines = _content("/sys/fs/cgroup/memory.stat").splitlines()
        statistics = dict(line.split() for line in lines)
        return float(limit) - used + float(statistics.get(b"inactive_file", 0))
    except (OSError, ValueError):
        return float("inf")


def _address_space() -> float:
    """What `ulimit -v` leaves, of which mapped files take their share, too."""
    if resource is None:
        return float("inf")
    limit = resource.getrlimit(resource.RLIMIT_AS)[0]
    if limit == resource.RLIM_INFINITY:
        return float("inf")
    try:
        pages = float(_content("/proc/self/statm").split()[0])
    except (OSError, ValueError):
        pages = 0.0
    return max(0.0, limit - pages * os.sysconf("SC_PAGE_SIZE"))


def _content(name: str) -> bytes:
    """What the system writes into one of its files.

    One call reads all of it; a file that Python opens takes several.
    """
    file = os.open(name, os.O_RDONLY)
    try:
        return os.read(file, MOST_BYTES)
    finally:
        os.close(file)
