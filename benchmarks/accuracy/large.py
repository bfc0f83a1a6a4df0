"""Estimates without a matrix: how time grows with n, d and tol, n = 100 000, and known answers.

    python -m benchmarks.accuracy.large --output benchmarks/results/large.json

Each measurement is in a process of its own, on normal rows in float32 with alpha = 1/2 and
sigma = "auto", and d = 128 where nothing else is said. A pass computes the kernel between all rows
once; columns are those that A was multiplied with. Peak is what the process holds at most,
everything included. Seconds are from the rows to the number. Fails where time grows faster than
n^2.1, the largest case takes more than 10 minutes or 2 GB, or an entropy that is known is missed.
"""

from __future__ import annotations

import argparse
import json
import math
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.accuracy.estimates import Counted, Data, estimated, products, timed
from benchmarks.accuracy.truths import TRUTHS, agreement
from benchmarks.shared import timing
from benchmarks.shared.machine import clean_environment, describe
from benchmarks.shared.results import rounded, write

SIZES = (2500, 5000, 10000, 20000, 40000, 80000)
LARGEST = 100000
KNOWN = 50000
DIMENSIONS = 128
# So many rows of several d, and of one d where tol is what decides.
MIDDLE = 20000
SEVERAL_DIMENSIONS = (8, 32, 128, 512, 2048)
TOLERANCES = (1e-2, 3e-3, 1e-3, 3e-4, 1e-4)
DIMENSIONS_OF_TOLERANCES = 20
ALPHA = 0.5
TOL = 1e-3
# Passes that give the degrees, the trace and |A|_F^2, where alpha is not 0.
PASSES_BEFORE = 2
# Short calls are repeated until they took so long.
ENOUGH_SECONDS = 1.0
# The estimate is one draw; a level of 95 % would reject one good result in twenty.
LEVEL = 0.999

MOST_SLOPE = 2.1
MOST_SECONDS = 600.0
MOST_BYTES = 2e9


def normal_rows(n: int, d: int) -> np.ndarray:
    return np.random.default_rng(n).normal(size=(n, d)).astype(np.float32)


def one_size(n: int, d: int = DIMENSIONS, tol: float = TOL) -> dict[str, Any]:
    Z = normal_rows(n, d)

    def entropy(Z: np.ndarray) -> tuple[Counted, Any]:
        A = products(Data("", Z, "auto"), ALPHA, explicit=False)
        return A, estimated(A, [1.0], tol)

    measured, (A, found) = timing.timed((lambda: Z, entropy), ENOUGH_SECONDS)
    value, error = found.entropy(), found.standard_error()
    return {
        "n": n,
        "d": d,
        "tol": tol,
        "seconds": measured["seconds"],
        "calls": measured["calls"],
        "passes": PASSES_BEFORE + A.calls,
        "columns": A.columns,
        "probes": found.probes,
        "peak_bytes": timing.resident_bytes("VmHWM"),
        "bits": value,
        "half_width": found.quantile() * error,
        "meets_tol": found.meets(1.0),
    }


def one_truth(name: str, n: int) -> dict[str, Any]:
    truth = TRUTHS[name](n)
    seconds, found = timed(lambda: estimated(truth.operator(), list(truth.entropies), TOL))
    return {
        "name": truth.name,
        "n": found.n,
        "seconds": seconds,
        "probes": found.probes,
        "t": agreement(truth, found, TOL, LEVEL),
    }


def alone(function: str, *arguments: object) -> dict[str, Any]:
    """The function's result from a process of its own."""
    command = [sys.executable, "-m", "benchmarks.accuracy.large", "--alone"]
    command.append(json.dumps([function, *arguments]))
    output = subprocess.run(
        command, env=clean_environment(), stdout=subprocess.PIPE, text=True, check=True
    ).stdout
    result: dict[str, Any] = json.loads(output.splitlines()[-1])
    return result


def slope(n: Sequence[float], seconds: Sequence[float]) -> float:
    """Of log seconds over log n, by least squares; NaN for fewer than two sizes."""
    return float(np.polyfit(np.log(n), np.log(seconds), 1)[0]) if len(n) > 1 else math.nan


def faults(
    growth: float, largest: dict[str, Any] | None, known: Sequence[dict[str, Any]]
) -> list[str]:
    """What is not as it must be."""
    found = []
    if growth > MOST_SLOPE:
        found.append(f"time grows as n^{growth:.2f}")
    if largest is not None:
        if not largest["seconds"] <= MOST_SECONDS:
            found.append(f"n = {largest['n']} takes {largest['seconds']:.0f} s")
        if not largest["peak_bytes"] <= MOST_BYTES:
            found.append(f"n = {largest['n']} takes {largest['peak_bytes'] / 1e9:.2f} GB")
        if not largest["meets_tol"]:
            found.append(f"n = {largest['n']} does not meet tol")
    for row in known:
        for t, at in row["t"].items():
            if not at["agrees"]:
                found.append(f"{row['name']}, n = {row['n']}, t = {t}: {at}")
    return found


def size_line(row: dict[str, Any]) -> str:
    return (
        f"n = {row['n']:6d}, d = {row['d']:4d}, tol = {row['tol']:.0e}: {row['seconds']:8.2f} s, "
        f"{row['passes']} passes, {row['columns']} columns, peak {row['peak_bytes'] / 1e9:.2f} GB, "
        f"{row['bits']:.4f} +- {row['half_width']:.4f} bits"
    )


def truth_line(row: dict[str, Any]) -> str:
    parts = [f"t={t}: {at['relative_difference']:+.1e}" for t, at in row["t"].items()]
    return f"n = {row['n']:6d}: {row['seconds']:8.2f} s, {row['name']}, {', '.join(parts)}"


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path)
    parser.add_argument("--sizes", type=int, nargs="*", default=SIZES)
    parser.add_argument("--middle", type=int, default=MIDDLE, help="n of several d; 0: none")
    parser.add_argument("--largest", type=int, default=LARGEST, help="0: none")
    parser.add_argument("--known", type=int, default=KNOWN, help="n of the truths; 0: none")
    parser.add_argument("--alone", help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.alone:
        function, *values = json.loads(options.alone)
        print(json.dumps({"one_size": one_size, "one_truth": one_truth}[function](*values)))
        return
    sizes = [shown(size_line, alone("one_size", n)) for n in options.sizes]
    n, seconds = ([row[name] for row in sizes] for name in ("n", "seconds"))
    growth = slope(n, seconds)
    growth_of_a_pass = slope(n, [row["seconds"] / row["passes"] for row in sizes])
    print(f"time grows as n^{growth:.2f}, that of a pass as n^{growth_of_a_pass:.2f}")
    dimensions, tolerances = several(options.middle) if options.middle else ([], [])
    largest = shown(size_line, alone("one_size", options.largest)) if options.largest else None
    names = TRUTHS if options.known else ()
    known = [shown(truth_line, alone("one_truth", name, options.known)) for name in names]
    wrong = faults(growth, largest, known)
    results = {
        "machine": describe(),
        "tol": TOL,
        "slope": growth,
        "slope_of_a_pass": growth_of_a_pass,
        "sizes": sizes,
        "dimensions": dimensions,
        "tolerances": tolerances,
        "largest": largest,
        "known": known,
        "faults": wrong,
    }
    if options.output:
        write(options.output, rounded(results))
    if wrong:
        raise SystemExit("\n".join(wrong))


def several(n: int) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Rows of several d, and of one d with several tol."""
    dimensions = [shown(size_line, alone("one_size", n, d)) for d in SEVERAL_DIMENSIONS]
    tolerances = [
        shown(size_line, alone("one_size", n, DIMENSIONS_OF_TOLERANCES, tol)) for tol in TOLERANCES
    ]
    return dimensions, tolerances


def shown(line: Callable[[dict[str, Any]], str], row: dict[str, Any]) -> dict[str, Any]:
    print(line(row), flush=True)
    return row


if __name__ == "__main__":
    main()
