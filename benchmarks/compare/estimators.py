"""The paper's Fig. 4: `make bench-estimators`, or

    PYTHONPATH=path/to/NPEET python -m benchmarks.compare.estimators --output benchmarks/results

Time, value and memory of DSMI and of the estimators that it replaces, on the same data: three
Gaussian blobs of unit variance, in float32, with their true labels; the truth is log2(3) bits. The
rows are in a file in a temporary folder, which ours map. All estimators take turns on one file,
each measurement in a process of its own, and round r is of the data of seed r. Who took longer than
SHORT_SECONDS takes part in one round.

Smaller cells come first. Who is predicted, from their times and memory in smaller cells, to be
above the limit is not run, and the result says so; DSMI itself always runs. Memory is the largest
anonymous memory of the process, which a mapped file is not part of, sampled every POLL_SECONDS,
less what it held before the data. Run it alone on the machine.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import math
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.accuracy.dependence import dependence
from benchmarks.compare.estimator_peers import ESTIMATORS, Estimator, labels_of
from benchmarks.compare.requirements import known_seconds, requirements
from benchmarks.compare.rounds import Settings
from benchmarks.shared.machine import describe
from benchmarks.shared.results import RESULTS, rounded, to_columns, write
from eigentropy import _core
from eigentropy._support.memory import available
from eigentropy.studies.corruption import MINE_FULL, MINE_QUICK

DIMENSIONS = (200, 1000, 5000, 20_000, 100_000, 500_000)
SIZES = (500, 1000, 2000, 5000)
QUICK_DIMENSIONS = (200, 1000, 5000)
QUICK_SIZES = (500, 1000)

# Of the blobs' centres, as in the paper: uniform in [-BOX, BOX]^d.
BOX = 10.0
# The file is written in blocks of so many entries: 64 MiB.
BLOCK_ENTRIES = 2**24

ROUNDS = 3
SHORT_SECONDS = 10.0
POLL_SECONDS = 0.01
# An estimator that was predicted to be within the limit may take so much longer before it is ended.
PATIENCE = 2.0
# Powers of n and d with which time grows where a single smaller cell is known, and the largest that
# is believed where two are.
USUAL_POWER = {"n": 2.0, "d": 1.0}
LARGEST_POWER = {"n": 3.0, "d": 2.0}
# Of the free memory.
SHARE_OF_MEMORY = 0.9


@dataclass(frozen=True)
class Options:
    rounds: int
    limit: float
    deadline: float
    scratch: Path | None
    estimators: Mapping[str, Estimator]
    # What an estimator needs to know besides the data.
    options: dict[str, Any] = field(default_factory=dict)
    settings: Settings = field(default_factory=Settings)
    # Bytes that are free in memory, and in a folder.
    memory: Callable[[], float] = available
    room: Callable[[Path], int] = lambda folder: shutil.disk_usage(folder).free
    # What measures an estimator of the rows in a file; None: `alone`.
    measure: Callable[[str, Path, int, int, Options], dict[str, Any]] | None = None

    def late(self) -> bool:
        return time.monotonic() > self.deadline


def write_blobs(path: Path, n: int, d: int, seed: int, block_entries: int = BLOCK_ENTRIES) -> None:
    """The blobs of the studies, in float32 and written in blocks of rows."""
    rng = np.random.default_rng([seed, 1])
    centers = rng.uniform(-BOX, BOX, size=(3, d)).astype(np.float32)
    labels = labels_of(n, seed)
    Z = np.lib.format.open_memmap(path, mode="w+", dtype=np.float32, shape=(n, d))
    at_a_time = max(1, block_entries // d)
    for begin in range(0, n, at_a_time):
        rows = labels[begin : begin + at_a_time]
        noise = rng.standard_normal((len(rows), d), dtype=np.float32)
        Z[begin : begin + at_a_time] = noise + centers[rows]
    Z.flush()


def growth(at: dict[int, float], size: int, axis: str) -> float | None:
    """What grew like a power over smaller sizes, at this one; None if there are none."""
    known = sorted(smaller for smaller in at if smaller < size)
    if not known:
        return None
    last, power = known[-1], USUAL_POWER[axis]
    if len(known) > 1:
        before = known[-2]
        found = math.log(at[last] / at[before]) / math.log(last / before)
        power = min(LARGEST_POWER[axis], max(0.0, found))
    return at[last] * (size / last) ** power


def predicted(known: dict[tuple[int, int], float], n: int, d: int) -> float | None:
    """From the cells with fewer rows or fewer columns: the geometric mean of the two growths."""
    along = [
        growth({m: value for (m, e), value in known.items() if e == d}, n, "n"),
        growth({e: value for (m, e), value in known.items() if m == n}, d, "d"),
    ]
    found = [value for value in along if value is not None]
    return statistics.geometric_mean(found) if found else None


def known_bytes(cells: list[dict[str, Any]], name: str) -> float:
    """Bytes for each entry of Z that the largest measured cell took."""
    measured = [cell for cell in cells if name in cell["runs"]]
    if not measured:
        return 0.0
    cell = max(measured, key=lambda cell: cell["n"] * cell["d"])
    most = max(cell["runs"][name]["bytes"])
    return float(most / (cell["n"] * cell["d"]))


def reason_not_to_run(
    name: str, n: int, d: int, cells: list[dict[str, Any]], options: Options
) -> dict[str, Any] | None:
    """Why an estimator does not take part in a cell, with the figures; None if it does."""
    estimator = options.estimators[name]
    missing = [module for module in estimator.needs if not importlib.util.find_spec(module)]
    if missing:
        return {"reason": f"not installed: {', '.join(missing)}"}
    if not estimator.limited:
        return None
    seconds = predicted(known_seconds(cells, name), n, d)
    if seconds is not None and seconds > options.limit:
        return {"reason": f"not run: predicted {seconds:.0f} s", "predicted_seconds": seconds}
    needed = known_bytes(cells, name) * n * d
    if needed > SHARE_OF_MEMORY * options.memory():
        reason = f"not run: predicted {needed / 1e9:.0f} GB of memory"
        return {"reason": reason, "predicted_bytes": needed}
    if options.late():
        return {"reason": "not run: no time left"}
    return None


def specification(name: str, path: Path, n: int, seed: int, options: Options) -> dict[str, Any]:
    """What `estimator_peers` wants to know."""
    return {
        "estimator": name,
        "n": n,
        "seed": seed,
        "input": str(path),
        "options": options.options,
        "enough_seconds": options.settings.enough_seconds,
    }


def alone(name: str, path: Path, n: int, seed: int, options: Options) -> dict[str, Any]:
    """One measurement in a process of its own, whose anonymous memory is watched from here."""
    spec = specification(name, path, n, seed, options)
    limit = PATIENCE * options.limit if options.estimators[name].limited else math.inf
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as errors:
        child = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.compare.estimator_peers"],
            env=options.settings.environment(),
            stdin=subprocess.PIPE,
            stdout=out,
            stderr=errors,
            text=True,
        )
        assert child.stdin is not None
        child.stdin.write(json.dumps(spec))
        child.stdin.close()
        start, peak = time.monotonic(), 0
        while child.poll() is None:
            peak = max(peak, anonymous_bytes(child.pid))
            if time.monotonic() - start > limit:
                child.kill()
                child.wait()
                return {"reason": f"stopped after {limit:.0f} s", "predicted_seconds": limit}
            time.sleep(POLL_SECONDS)
        if child.returncode != 0:
            errors.seek(0)
            status = f"exit status {child.returncode}"
            return {"reason": f"failed: {(errors.read().strip().splitlines() or [status])[-1]}"}
        out.seek(0)
        measured: dict[str, Any] = json.loads(out.read().splitlines()[-1])
    measured["bytes"] = max(0, peak - measured.pop("bytes_before"))
    return measured


def anonymous_bytes(pid: int) -> int:
    """What the process holds that is of no file; 0 when it has ended."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return next((1024 * int(line.split()[1]) for line in lines if line.startswith("RssAnon")), 0)


def measure_cell(n: int, d: int, cells: list[dict[str, Any]], options: Options) -> dict[str, Any]:
    """All estimators in turn, round after round."""
    absent = {name: reason_not_to_run(name, n, d, cells, options) for name in options.estimators}
    not_run = {name: reason for name, reason in absent.items() if reason is not None}
    runs: dict[str, list[dict[str, Any]]] = {}
    present = [name for name in options.estimators if name not in not_run]
    for seed in range(options.rounds):
        if not present or (seed > 0 and options.late()):
            break
        with tempfile.TemporaryDirectory(dir=options.scratch) as folder:
            room = options.room(Path(folder))
            if 4 * n * d > SHARE_OF_MEMORY * room:
                reason = f"not run: {4 * n * d / 1e9:.0f} GB on disk, {room / 1e9:.0f} GB are free"
                not_run.update({name: {"reason": reason} for name in present})
                break
            path = Path(folder) / "z.npy"
            write_blobs(path, n, d, seed)
            for name in present:
                measured = (options.measure or alone)(name, path, n, seed, options)
                if "reason" in measured:
                    not_run[name] = measured
                else:
                    runs.setdefault(name, []).append(measured)
        present = [
            name
            for name in present
            if name not in not_run and runs[name][-1]["seconds"] <= SHORT_SECONDS
        ]
    columns = {name: to_columns(measured) for name, measured in runs.items()}
    return {"n": n, "d": d, "runs": columns, "not_run": not_run}


def report(cell: dict[str, Any]) -> None:
    print(f"n = {cell['n']}, d = {cell['d']}")
    for name, runs in cell["runs"].items():
        seconds, value = statistics.median(runs["seconds"]), statistics.mean(runs["value"])
        most, times = max(runs["bytes"]), len(runs["seconds"])
        print(f"  {name:18} {seconds:10.3f} s {most / 1e6:8.0f} MB {value:8.3f} bits, {times}x")
    for name, why in cell["not_run"].items():
        print(f"  {name:18} {why['reason']}")
    sys.stdout.flush()


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="DSMI beside other estimators: Fig. 4.")
    parser.add_argument("--quick", action="store_true", help="small cells, in a minute or two")
    parser.add_argument(
        "--full", action="store_true", help="up to an hour a cell; MINE as the paper"
    )
    parser.add_argument("--dimensions", type=int, nargs="+")
    parser.add_argument("--sizes", type=int, nargs="+")
    parser.add_argument("--estimators", nargs="+", choices=ESTIMATORS, default=list(ESTIMATORS))
    parser.add_argument("--rounds", type=int, help=f"default: {ROUNDS}, and 1 with --quick")
    parser.add_argument(
        "--limit",
        type=float,
        help="seconds of an estimator and cell; default 120 or 3600",
    )
    parser.add_argument(
        "--budget", type=float, help="seconds after which only DSMI starts; default 1500, or none"
    )
    parser.add_argument("--threads", type=int, default=_core.thread_count())
    parser.add_argument("--scratch", type=Path, help="folder for the temporary files of rows")
    parser.add_argument("--output", type=Path, default=RESULTS, help="folder")
    return parser.parse_args(arguments)


def options_of(given: argparse.Namespace) -> Options:
    budget = given.budget or (math.inf if given.full else 1500.0)
    return Options(
        rounds=given.rounds or (1 if given.quick else ROUNDS),
        limit=given.limit or (3600.0 if given.full else 120.0),
        deadline=time.monotonic() + budget,
        scratch=given.scratch,
        estimators={name: ESTIMATORS[name] for name in given.estimators},
        options={"mine": MINE_FULL if given.full else MINE_QUICK},
        settings=Settings(threads=given.threads),
    )


def main(
    arguments: list[str] | None = None,
    depends: Callable[[], list[dict[str, Any]]] = dependence,
    judge: Callable[[dict[str, Any]], list[dict[str, Any]]] = requirements,
) -> int:
    given = parse(arguments)
    options = options_of(given)
    dimensions = given.dimensions or (QUICK_DIMENSIONS if given.quick else DIMENSIONS)
    sizes = given.sizes or (QUICK_SIZES if given.quick else SIZES)
    given.output.mkdir(parents=True, exist_ok=True)
    file = given.output / "estimators.json"
    result: dict[str, Any] = {
        "machine": describe(),
        "threads": given.threads,
        "limit_seconds": options.limit,
        "rounds": options.rounds,
        "options": options.options,
        "cells": [],
        "dependence": depends(),
    }
    for n, d in sorted(((n, d) for n in sizes for d in dimensions), key=lambda c: c[0] ** 2 * c[1]):
        cell = measure_cell(n, d, result["cells"], options)
        result["cells"].append(cell)
        report(cell)
        write(file, rounded(result))
    found = judge(result)
    for one in found:
        verdict = {True: "pass", False: "FAIL", None: "not measured"}[one["holds"]]
        print(f"{verdict:13} {one['claim']}: {one['measured']}")
    return int(any(one["holds"] is False for one in found))


if __name__ == "__main__":
    sys.exit(main())
