"""What the steps have written, read so that nothing that is missing or cut ends the table."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from benchmarks.device_check.partial import completed

UNITS = {"ns": 1e-9, "us": 1e-6, "ms": 1e-3, "s": 1.0}


Files = dict[str, dict[str, Any]]


def load(folder: Path) -> Files:
    """The files of all steps by their names, also those that are still being written."""
    found = {}
    for path in sorted(folder.glob("*.json")):
        text = completed(path.read_text())
        if text is not None:
            found[path.stem] = json.loads(text)
    return found


def stored(path: Path) -> Files:
    """The same, from the one file that a call leaves."""
    files: Files = json.loads(path.read_text())["files"]
    return files


def cases(files: Files, name: str) -> list[dict[str, Any]]:
    """The cases of a program of `benchmarks` that were measured."""
    return [case for case in files.get(name, {}).get("cases", []) if "left_out" not in case]


def case(files: Files, name: str, **wanted: Any) -> dict[str, Any] | None:
    """The case whose settings are these."""
    for found in cases(files, name):
        if all(found.get(key) == value for key, value in wanted.items()):
            return found
    return None


def benchmarks(files: Files, name: str) -> list[dict[str, Any]]:
    """Google Benchmark's: `what`, the numbers of its name (n, d, m), `seconds`, the counters."""
    found = []
    for item in files.get(name, {}).get("benchmarks", []):
        if item.get("error_occurred") or item.get("run_type", "iteration") != "iteration":
            continue
        numbers = {key: int(value) for key, value in re.findall(r"/(\w+):(\d+)", item["name"])}
        what = re.split(r"/(?:\w+:\d+|manual_time|iterations)", item["name"])[0]
        counters = {k: v for k, v in item.items() if k not in ("name", "iterations")}
        seconds = item["real_time"] * UNITS[item.get("time_unit", "ns")]
        found.append({**counters, **numbers, "what": what, "seconds": seconds})
    return found
