"""What an estimate of 1 000 000 rows takes on several cores, from what fewer rows take here.

    python -m benchmarks.accuracy.million_rows --output benchmarks/results/million_rows.json

Normal rows in float32, d = 128, alpha = 1/2, sigma = "auto", tol = 1e-3, and no kernel is kept.
Each size is one estimate: the seconds of the two passes that give the degrees, of each product with
the block and of the rest, and the bytes that the process holds at most. The prediction is

    seconds = (two passes + products(n) product) n^2 / cores + rest n,    bytes = a + b n

with the rates of the largest size and with products(n), a and b from straight lines, in log n and
in n. It assumes that c cores are c times as fast as one, as tiles stay in the cache of their core;
`one_thread` has what a single thread takes here. The largest size is also predicted from the
smaller ones. Fails where that is off by more than a quarter.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

import eigentropy as eg
from benchmarks.accuracy.estimates import DTYPE
from benchmarks.accuracy.large import ALPHA, DIMENSIONS, TOL, normal_rows
from benchmarks.shared import timing
from benchmarks.shared.machine import describe
from benchmarks.shared.results import rounded, write
from eigentropy import _core
from eigentropy._spectra.stochastic import FEW_COLUMNS, estimate_spectrum

SIZES = (10_000, 20_000, 40_000, 80_000)
ONE_THREAD = 20_000
WANTED = 1_000_000
CORES = (2, 16, 64)
MOST_OFF = 0.25


class Timed:
    """A, with the seconds of each product."""

    def __init__(self, products: Any) -> None:
        self._products = products
        self.seconds: list[float] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._products, name)

    def matmul(self, V: np.ndarray, progress: object = None) -> np.ndarray:
        start = time.perf_counter()
        product: np.ndarray = self._products.matmul(V, progress)
        self.seconds.append(time.perf_counter() - start)
        return product


def one_size(n: int) -> dict[str, Any]:
    Z = normal_rows(n, DIMENSIONS)
    timing.start_of_peak()
    start = time.perf_counter()
    operator = eg.DiffusionOperator(Z, alpha=ALPHA)
    operator.sigma  # noqa: B018  is found when it is first asked for
    known = time.perf_counter()
    A = Timed(operator.products(DTYPE, False, None))
    passes = time.perf_counter() - known
    found = estimate_spectrum(A, [1.0], TOL, dtype=DTYPE, effort=FEW_COLUMNS)
    seconds = time.perf_counter() - start
    return {
        "n": n,
        "threads": _core.thread_count(),
        "seconds": seconds,
        "passes_seconds": passes,
        "products": len(A.seconds),
        "product_seconds": float(np.median(A.seconds)),
        "rest_seconds": seconds - passes - sum(A.seconds),
        "peak_bytes": timing.resident_bytes("VmHWM"),
        "bits": found.entropy(),
        "half_width": found.quantile() * found.standard_error(),
    }


def line(sizes: Sequence[dict[str, Any]], what: str, of: Any, n: float) -> float:
    """At n, of the straight line through the sizes; the only value where there is one size."""
    x, y = [of(row["n"]) for row in sizes], [row[what] for row in sizes]
    degree = min(1, len(sizes) - 1)
    return float(np.polyval(np.polyfit(x, y, degree), of(n)))


def prediction(sizes: Sequence[dict[str, Any]], n: int, cores: int) -> dict[str, Any]:
    last = sizes[-1]
    products = math.ceil(line(sizes, "products", math.log, n) - 0.5)
    pairs, share = (n / last["n"]) ** 2, last["threads"] / cores
    passes, product = (pairs * share * last[of] for of in ("passes_seconds", "product_seconds"))
    rest = last["rest_seconds"] * n / last["n"]
    return {
        "n": n,
        "cores": cores,
        "products": products,
        "seconds": passes + products * product + rest,
        "peak_bytes": line(sizes, "peak_bytes", float, n),
    }


def of_one_thread(n: int) -> dict[str, Any]:
    threads = _core.thread_count()
    _core.set_thread_count(1)
    try:
        return one_size(n)
    finally:
        _core.set_thread_count(threads)


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path)
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES)
    parser.add_argument("--one-thread", type=int, default=ONE_THREAD)
    options = parser.parse_args(arguments)
    one_size(3000)  # starts threads and loads kernels
    sizes = [one_size(n) for n in options.sizes]
    last = sizes[-1]
    check = prediction(sizes[:-1] or sizes, last["n"], last["threads"])
    off = check["seconds"] / last["seconds"] - 1.0
    results: dict[str, Any] = {
        "machine": describe(),
        "d": DIMENSIONS,
        "tol": TOL,
        "sizes": sizes,
        "one_thread": of_one_thread(options.one_thread),
        "check": {**check, "off": off},
        "predicted": [prediction(sizes, WANTED, cores) for cores in CORES],
    }
    for row in [*sizes, results["one_thread"], results["check"], *results["predicted"]]:
        print(rounded(row, 4), flush=True)
    if options.output:
        write(options.output, rounded(results))
    if abs(off) > MOST_OFF:
        raise SystemExit(f"n = {last['n']} takes {last['seconds']:.1f} s, {off:+.0%} was predicted")


if __name__ == "__main__":
    main()
