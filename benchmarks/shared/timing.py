"""Time and memory of a call in this process."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

# call(fresh()) is timed, fresh() is not.
Ready = tuple[Callable[[], Any], Callable[[Any], Any]]

# The first call starts threads and loads kernels. It counts only if it alone takes this long.
LONG_SECONDS = 4.0
MOST_CALLS = 30


def timed(ready: Ready, enough_seconds: float) -> tuple[dict[str, Any], Any]:
    """The median time of the calls after the first, the memory of the first, the last answer."""
    fresh, call = ready
    seconds: list[float] = []
    memory: dict[str, int] = {}
    while True:
        argument = fresh()
        before = start_of_peak() if not seconds else 0
        start = time.perf_counter()
        answer = call(argument)
        seconds.append(time.perf_counter() - start)
        if len(seconds) == 1:
            peak = resident_bytes("VmHWM")
            memory = {"peak_bytes": peak, "extra_bytes": peak - before}
        if seconds[0] > LONG_SECONDS:
            break
        if sum(seconds[1:]) > enough_seconds or len(seconds) > MOST_CALLS:
            del seconds[0]
            break
    return {"seconds": statistics.median(seconds), "calls": len(seconds), **memory}, answer


def start_of_peak() -> int:
    """Bytes that the process holds now, above which the peak is counted from now on."""
    Path("/proc/self/clear_refs").write_text("5")
    return resident_bytes("VmRSS")


def resident_bytes(field: str) -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(field + ":"):
            return 1024 * int(line.split()[1])
    raise LookupError(f"/proc/self/status has no {field}")
