"""One measurement, in a process of its own: a specification on stdin, a result on stdout."""

from __future__ import annotations

import json
import statistics
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.compare.peers import READY, Ready
from benchmarks.shared.machine import describe

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


def measured(spec: dict[str, Any]) -> dict[str, Any]:
    """Times and memory; the answer is saved where the specification wants it.

    The task `machine` is to describe it.
    """
    if spec["task"] == "machine":
        return describe()
    result, answer = timed(READY[spec["task"]](spec), spec["enough_seconds"])
    if spec["answer"] is not None:
        np.save(spec["answer"], np.asarray(answer))
    return result


def main() -> None:
    print(json.dumps(measured(json.load(sys.stdin))))


if __name__ == "__main__":
    main()
