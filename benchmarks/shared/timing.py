"""Time and memory of a call in this process."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

# call(fresh()) is timed, fresh() is not.
Ready = tuple[Callable[[], Any], Callable[[Any], Any]]

# The first call starts threads and loads kernels. It counts only if it alone takes this long.
LONG_SECONDS = 4.0
MOST_CALLS = 30
# Threads of some libraries spin for a while after a call. A process rests once it has computed
# for less than this share of a pause; it is waited for until `MOST_PAUSES` have passed.
PAUSE_SECONDS = 0.02
BUSY_SHARE = 0.1
MOST_PAUSES = 50


@dataclass(frozen=True)
class Part:
    """What a call returns whose time is only a part of the call's: its seconds count."""

    seconds: float
    answer: Any = None


def timed(ready: Ready, enough_seconds: float) -> tuple[dict[str, Any], Any]:
    """The median time of the calls after the first, the memory of the first, the last answer."""
    first, answer = first_call(ready)
    if first["seconds"] > LONG_SECONDS:
        return first, answer
    again, answer = further_calls(ready, enough_seconds)
    return {**first, **again}, answer


def first_call(ready: Ready) -> tuple[dict[str, Any], Any]:
    """Its time, its memory and its answer."""
    fresh, call = ready
    argument = fresh()
    before = start_of_peak()
    seconds, answer = _once(call, argument)
    peak = resident_bytes("VmHWM")
    return {
        "seconds": seconds,
        "calls": 1,
        "peak_bytes": peak,
        "extra_bytes": peak - before,
    }, answer


def further_calls(ready: Ready, enough_seconds: float) -> tuple[dict[str, Any], Any]:
    """The median time of as many calls as take this long, and the last answer."""
    fresh, call = ready
    taken: list[float] = []
    answer = None
    while not taken or (sum(taken) <= enough_seconds and len(taken) < MOST_CALLS):
        seconds, answer = _once(call, fresh())
        taken.append(seconds)
    return {"seconds": statistics.median(taken), "calls": len(taken)}, answer


def _once(call: Callable[[Any], Any], argument: Any) -> tuple[float, Any]:
    start = time.perf_counter()
    answer = call(argument)
    seconds = time.perf_counter() - start
    return (answer.seconds, answer.answer) if isinstance(answer, Part) else (seconds, answer)


def rest() -> None:
    """Wait until the threads of this process have ended their spinning, for a second at most."""
    for _ in range(MOST_PAUSES):
        start = time.process_time()
        time.sleep(PAUSE_SECONDS)
        if time.process_time() - start < BUSY_SHARE * PAUSE_SECONDS:
            return


def start_of_peak() -> int:
    """Bytes that the process holds now, above which the peak is counted from now on."""
    Path("/proc/self/clear_refs").write_text("5")
    return resident_bytes("VmRSS")


def resident_bytes(field: str) -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(field + ":"):
            return 1024 * int(line.split()[1])
    raise LookupError(f"/proc/self/status has no {field}")
