"""Whether method="auto" predicts well which way to the entropy is the fastest.

    python -m benchmarks.accuracy.approaches --output benchmarks/results/approaches.json

Three ways take turns on one input: all eigenvalues in float32, an estimate that keeps the matrix,
an estimate without it; normal rows, alpha = 1/2, sigma and tol by default. For each n and d:
seconds, the costs that _spectra/plan.py predicts, what the rule takes, and how much longer
that is than the fastest. A prediction is the ratio of two costs; its error is by what factor it
differs from the ratio of the seconds. Fails where an error is above the factor that the rule allows
for before it takes an estimate (`CPU_COSTS.preference`), from the size on where the rule asks.
"""

from __future__ import annotations

import argparse
import math
import statistics
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np

import eigentropy as eg
from benchmarks.accuracy.estimates import DTYPE, Data, estimated, products, timed
from benchmarks.shared.machine import describe
from benchmarks.shared.results import rounded, write
from eigentropy._backends.costs import CPU_COSTS
from eigentropy._spectra.plan import SpectrumPlan, estimate_cost, exact_cost

SIZES = (1000, 2000, 3000, 5000, 7000, 10000)
DIMENSIONS = (20, 512)
ALPHA = 0.5
REPETITIONS = 3
EXACT, EXPLICIT, MATRIX_FREE = "exact", "explicit", "matrix-free"


def ways(Z: np.ndarray) -> dict[str, Callable[[], float]]:
    def estimate(explicit: bool) -> float:
        A = products(Data("", Z, "auto"), ALPHA, explicit=explicit)
        return estimated(A, [1.0]).entropy()

    return {
        EXACT: lambda: float(eg.dse(Z, alpha=ALPHA, method="exact", dtype=DTYPE)),
        EXPLICIT: lambda: estimate(True),
        MATRIX_FREE: lambda: estimate(False),
    }


def predictions(n: int, d: int) -> dict[str, float]:
    return {
        EXACT: exact_cost(n, d, DTYPE),
        EXPLICIT: estimate_cost(n, d, ALPHA, DTYPE, explicit=True),
        MATRIX_FREE: estimate_cost(n, d, ALPHA, DTYPE, explicit=False),
    }


def chosen(n: int, d: int) -> str:
    """What method="auto" takes with the memory that is free now, if no low rank does."""
    approach = SpectrumPlan()
    if not approach.estimates(n, d, ALPHA):
        return EXACT
    return EXPLICIT if approach.has_room(n) else MATRIX_FREE


def measure(n: int, d: int, repetitions: int) -> dict[str, Any]:
    Z = np.random.default_rng(n + d).normal(size=(n, d)).astype(DTYPE)
    runs: dict[str, list[float]] = {name: [] for name in ways(Z)}
    values = {}
    for _ in range(repetitions):
        for name, way in ways(Z).items():
            seconds, values[name] = timed(way)
            runs[name].append(seconds)
    return {
        "n": n,
        "d": d,
        "bits": values,
        **compared(
            {name: statistics.median(times) for name, times in runs.items()},
            predictions(n, d),
            chosen(n, d),
        ),
    }


def compared(seconds: dict[str, float], costs: dict[str, float], choice: str) -> dict[str, Any]:
    """Predicted over measured ratios of exact to estimated, and what the choice loses."""
    fastest = min(seconds, key=seconds.__getitem__)
    return {
        "seconds": seconds,
        "costs": costs,
        "predicted_over_measured": {
            name: (costs[EXACT] / costs[name]) / (seconds[EXACT] / seconds[name])
            for name in (EXPLICIT, MATRIX_FREE)
        },
        "fastest": fastest,
        "chosen": choice,
        "chosen_over_fastest": seconds[choice] / seconds[fastest],
    }


def wrong_predictions(
    rows: Iterable[dict[str, Any]], allowed: float = CPU_COSTS.preference
) -> list[str]:
    """Those that are off by more than this factor, where all eigenvalues are not "soon" there."""
    return [
        f"n = {row['n']}, d = {row['d']}, {name}: {factor:.2f}"
        for row in rows
        if row["costs"][EXACT] > CPU_COSTS.soon
        for name, factor in row["predicted_over_measured"].items()
        if not abs(math.log(factor)) <= math.log(allowed)
    ]


def line(row: dict[str, Any]) -> str:
    times = ", ".join(f"{name} {seconds:.3g} s" for name, seconds in row["seconds"].items())
    factors = ", ".join(f"{factor:.2f}" for factor in row["predicted_over_measured"].values())
    return (
        f"n = {row['n']:5d}, d = {row['d']:3d}: {times}; predicted over measured {factors}; "
        f"fastest {row['fastest']}, chosen {row['chosen']} ({row['chosen_over_fastest']:.1f}x)"
    )


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path)
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES)
    parser.add_argument("--repetitions", type=int, default=REPETITIONS)
    options = parser.parse_args(arguments)
    rows = []
    for d in DIMENSIONS:
        for n in options.sizes:
            rows.append(measure(n, d, options.repetitions))
            print(line(rows[-1]), flush=True)
    wrong = wrong_predictions(rows)
    results = {"machine": describe(), "wrong_predictions": wrong, "rows": rows}
    if options.output:
        write(options.output, rounded(results))
    if wrong:
        raise SystemExit("predictions are off by too large a factor: " + "; ".join(wrong))


if __name__ == "__main__":
    main()
