"""What a sampling error costs, beside the measure itself.

python -m benchmarks.compare.sampling_cost --output benchmarks/results/sampling_cost.json
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

import numpy as np

import eigentropy as eg
from benchmarks.shared.machine import describe
from benchmarks.shared.results import rounded, text, write

D, CLASSES, ROUNDS = 20, 10, 5


def measures(n: int) -> dict[str, Callable[[], Any]]:
    """Each measure of n rows in ten classes."""
    labels = np.arange(n) % CLASSES
    Z = np.random.default_rng(0).normal(size=(n, D)) + 3.0 * np.eye(D)[labels]
    return {
        "dse": lambda: eg.dse(Z),
        "kernel_entropy": lambda: eg.kernel_entropy(Z),
        "dsmi": lambda: eg.dsmi(Z, labels),
        "kernel_information": lambda: eg.kernel_information(Z, labels),
    }


def cost(measure: Callable[[], Any], rounds: int) -> dict[str, float]:
    """Medians of the time of a result, and of its sampling error, in turn."""
    measure()  # what is imported and allocated at first
    value, error = [], []
    for _ in range(rounds):
        start = perf_counter()
        result = measure()
        middle = perf_counter()
        _ = result.sampling_error
        value.append(middle - start)
        error.append(perf_counter() - middle)
    ratio = median(e / v for v, e in zip(value, error, strict=True))
    return {"seconds": median(value), "of the error": median(error), "ratio": ratio}


def main(arguments: list[str] | None = None) -> None:
    """Print the costs, and write them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path)
    parser.add_argument("--rows", type=int, nargs="+", default=[500, 1000, 2000, 5000])
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    options = parser.parse_args(arguments)
    found = {
        str(n): {name: cost(one, options.rounds) for name, one in measures(n).items()}
        for n in options.rows
    }
    result = rounded({"machine": describe(), "d": D, "classes": CLASSES, "rows": found}, 4)
    print(text(result))
    if options.output:
        write(options.output, result)


if __name__ == "__main__":
    main()
