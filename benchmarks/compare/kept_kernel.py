"""Estimates with the kernel kept in 16 bits beside estimates with it in float32, by rows.

    python -m benchmarks.compare.kept_kernel --output benchmarks/results/kept_kernel.json

`HALF_FROM` of python/eigentropy/_spectra/plan.py says from how many rows on 16 bits are kept. Both
ways take turns, A B A B, in one process with the same rows and the same seed.
"""

from __future__ import annotations

import argparse
import itertools
import statistics
import sys
import time
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np

import eigentropy as eg
from benchmarks.compare.cases import rows
from benchmarks.shared.machine import describe
from benchmarks.shared.results import rounded, write
from eigentropy._spectra import plan

# The number of rows from which each way keeps the kernel in 16 bits.
WAYS: dict[str, float] = {"float32": float("inf"), "16 bits": 0}


def compared(n: int, d: int, tol: float, rounds: int) -> dict[str, Any]:
    """Seconds of both ways with each seed, for normal rows, and the last entropies in bits."""
    Z = rows(n, d).astype(np.float32)
    seconds: dict[str, list[float]] = {way: [] for way in WAYS}
    bits = {}
    for number in range(rounds):
        for way, limit in WAYS.items():
            with mock.patch.object(plan, "HALF_FROM", limit):
                start = time.perf_counter()
                found = eg.dse(Z, method="stochastic", tol=tol, seed=number)
                seconds[way].append(time.perf_counter() - start)
            bits[way] = float(found)
    return {
        "n": n,
        "d": d,
        "tol": tol,
        "seconds": seconds,
        "bits": bits,
        "times_as_fast": statistics.median(seconds["float32"])
        / statistics.median(seconds["16 bits"]),
    }


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="The kernel in 16 bits beside float32.")
    parser.add_argument(
        "--samples", type=int, nargs="+", default=[5000, 10_000, 20_000, 30_000, 40_000]
    )
    parser.add_argument("--dimensions", type=int, nargs="+", default=[20, 128])
    parser.add_argument("--tol", type=float, default=1e-3)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--output", type=Path)
    options = parser.parse_args(arguments)
    cases = []
    for d, n in itertools.product(options.dimensions, options.samples):
        case = compared(n, d, options.tol, options.rounds)
        print(f"n = {n}, d = {d}: 16 bits are {case['times_as_fast']:.2f} times as fast")
        cases.append(case)
    if options.output is not None:
        write(options.output, rounded({"machine": describe(), "cases": cases}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
