"""Time and values of eigentropy.compat.npeet beside NPEET itself, A B A B on the same noise.

    PYTHONPATH=path/to/NPEET python -m benchmarks.compare.npeet --output FILE

Each round seeds NumPy's global state for either, so that both add the same noise. Beside the time
that passes there is that of the processor, of all threads together, which counts where the machine
is busy with something else. The correction takes NPEET minutes with many rows.
"""

from __future__ import annotations

import argparse
import importlib
from pathlib import Path
from statistics import median
from time import perf_counter, process_time
from typing import Any

import numpy as np

from benchmarks.shared.machine import describe
from benchmarks.shared.results import rounded, text, write

SIZES, ROUNDS = (1000, 10_000), 5
MOST_FOR_THE_CORRECTION = 1000
D = 3
CONTINUOUS = ("entropy", "tc", "mi", "mi alpha", "cmi", "corex", "kldiv")
DISCRETE = ("entropyd", "midd", "cmidd", "tcd", "corexd")
MIXED = ("micd", "centropycd", "corexdc")


def arguments(name: str, n: int) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Gaussians in D columns that depend on each other, and labels of 4 values."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n, D))
    Y, Z = X + rng.normal(size=(n, D)), rng.normal(size=(n, 1))
    labels = rng.integers(0, 4, size=(n, D))
    groups = (labels[:, :1] + rng.integers(0, 2, size=(n, 1))) % 4
    by_name: dict[str, tuple[Any, ...]] = {
        "entropy": (X,), "tc": (X,), "mi": (X, Y), "mi alpha": (X[:, :1], Y[:, :1]),
        "cmi": (X, Y, Z), "corex": (X, Y), "kldiv": (X, Y), "entropyd": (labels,),
        "midd": (labels, groups), "cmidd": (labels, groups, labels[:, :1]), "tcd": (labels,),
        "corexd": (labels, groups), "micd": (X, groups), "centropycd": (X, groups),
        "corexdc": (labels[:, :2], X),
    }  # fmt: skip
    return by_name[name], {"alpha": 0.25} if name == "mi alpha" else {}


def beside(name: str, n: int, modules: dict[str, Any], rounds: int) -> dict[str, Any]:
    """Seconds of each round, passed and of the processor, and the largest difference of values."""
    samples, options = arguments(name, n)
    seconds: dict[str, list[float]] = {which: [] for which in modules}
    processor: dict[str, list[float]] = {which: [] for which in modules}
    difference = 0.0
    for number in range(rounds + 1):
        values = []
        for which, module in modules.items():
            np.random.seed(number)  # noqa: NPY002  # NPEET's noise
            start, begun = perf_counter(), process_time()
            values.append(float(getattr(module, name.split()[0])(*samples, **options)))
            if number > 0:  # the first call imports and allocates
                seconds[which].append(perf_counter() - start)
                processor[which].append(process_time() - begun)
        difference = max(difference, abs(values[0] - values[-1]))
    ours, theirs = (processor[which] for which in modules)
    return {
        "n": n,
        "function": name,
        "seconds": seconds,
        "processor_seconds": processor,
        "median_seconds": {which: median(found) for which, found in seconds.items()},
        "median_processor_seconds": {which: median(found) for which, found in processor.items()},
        "times_as_fast": median(b / a for a, b in zip(ours, theirs, strict=True)),
        "difference": difference,
    }


def main(given: list[str] | None = None, peer: Any = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path)
    parser.add_argument("--rows", type=int, nargs="+", default=SIZES)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    options = parser.parse_args(given)
    modules = {
        "eigentropy": importlib.import_module("eigentropy.compat.npeet"),
        "NPEET": peer or importlib.import_module("npeet.entropy_estimators"),
    }
    cases = [
        beside(name, n, modules, options.rounds)
        for n in options.rows
        for name in (*CONTINUOUS, *DISCRETE, *MIXED)
        if name != "mi alpha" or n <= MOST_FOR_THE_CORRECTION
    ]
    result = rounded({"machine": describe(), "d": D, "cases": cases}, 4)
    print(text(result))
    if options.output:
        write(options.output, result)


if __name__ == "__main__":
    main()
