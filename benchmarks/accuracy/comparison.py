"""What docs/how_to/difference.md says of p-values and power.

python -m benchmarks.accuracy.comparison --output benchmarks/results/comparison.json
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable
from pathlib import Path
from time import process_time
from typing import Any

import numpy as np

import eigentropy as eg
from benchmarks.shared.machine import describe
from benchmarks.shared.results import rounded, text, write

LEVEL = 0.95
N, D, CLASSES = 300, 10, 3
LABELS = np.arange(N) % CLASSES
MEASURES: dict[str, dict[str, Any]] = {
    "dse": {},
    "kernel_entropy": {},
    "dsmi": {"Y": LABELS},
    "rankme": {},
}

# How far the classes are apart, and by how much more each layer moves the rows of its own.
DISTANCE, NOISE = 4.0, 0.3
# Of the noise of a layer whose measures do differ.
SPREAD = 1.65


def layers(seed: int, spread: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    """Two views of the same rows with noise of their own; `spread` scales the second one's.

    With a spread of 1 both have the same distribution, so that no measure differs.
    """
    rng = np.random.default_rng(seed)
    rows = rng.normal(size=(N, D)) + DISTANCE * np.eye(D)[LABELS]
    first, second = (NOISE * rng.normal(size=(N, D)) for _ in range(2))
    return rows + first, rows + spread * second


def other_rows(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Two samples that share no row, of one distribution."""
    return layers(2 * seed)[0], layers(2 * seed + 1)[0]


def p_values(
    pair: Callable[[int], tuple[np.ndarray, np.ndarray]], count: int, **options: Any
) -> np.ndarray:
    return np.array([eg.compare(*pair(seed), **options).p_value for seed in range(count)])


def uniform(p: np.ndarray) -> dict[str, float]:
    """Kolmogorov's and Smirnov's distance from a uniform distribution, and its p-value."""
    p, steps = np.sort(p), np.arange(len(p) + 1) / len(p)
    distance = float(max((steps[1:] - p).max(), (p - steps[:-1]).max()))
    return {
        "pairs": len(p),
        "distance": distance,
        "p": kolmogorov(distance, len(p)),
        "at_most_0.05": float((p <= 1.0 - LEVEL).mean()),
        "at_most_0.5": float((p <= 0.5).mean()),
    }


def kolmogorov(distance: float, count: int) -> float:
    """P(D > distance), by the series with Stephens' correction for the number."""
    root = math.sqrt(count)
    x = (root + 0.12 + 0.11 / root) * distance
    terms = [(-1) ** (k - 1) * math.exp(-2.0 * (k * x) ** 2) for k in range(1, 101)]
    return min(1.0, max(0.0, 2.0 * math.fsum(terms))) if x > 0.2 else 1.0


def power(measure: str, spread: float, count: int) -> dict[str, float]:
    """How often a difference is found that is there, and the errors, paired and not."""
    found: dict[str, list[Any]] = {"paired": [], "unpaired": []}
    for seed in range(count):
        pair = layers(1000 + seed, spread)
        for name, some in found.items():
            some.append(
                eg.compare(*pair, measure=measure, paired=name == "paired", **MEASURES[measure])
            )
    shares = {
        name: float(np.mean([one.p_value <= 1.0 - LEVEL for one in some]))
        for name, some in found.items()
    }
    errors = {
        f"{name}_error": float(np.median([one.standard_error for one in some]))
        for name, some in found.items()
    }
    size = float(np.mean([one.value for one in found["paired"]]))
    return {"pairs": count, "spread": spread, "difference": size, **shares, **errors}


def main(arguments: list[str] | None = None, count: int = 300) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path)
    options = parser.parse_args(arguments)
    few = max(2, count // 3)
    begun = process_time()
    found = {
        "n": N,
        "equal": {
            name: uniform(p_values(layers, count, measure=name, **known))
            for name, known in MEASURES.items()
        },
        "equal, other rows": {
            "dse, paired=False": uniform(p_values(other_rows, few, paired=False)),
            "dse, taken for pairs": uniform(p_values(other_rows, few)),
        },
        "power": {name: power(name, SPREAD, few) for name in ("dse", "kernel_entropy", "rankme")},
    }
    result = rounded(
        {"machine": describe(), **found, "processor_seconds": process_time() - begun}, 4
    )
    print(text(result))
    if options.output:
        write(options.output, result)


if __name__ == "__main__":
    main()
