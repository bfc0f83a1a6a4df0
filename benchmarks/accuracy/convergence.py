"""What docs/how_to/how_many_rows.md says of limits and predictions: how often they are right.

python -m benchmarks.accuracy.convergence --output benchmarks/results/convergence.json
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import eigentropy as eg
from benchmarks.shared.machine import describe
from benchmarks.shared.results import rounded, text, write

Draw = Callable[[int, np.random.Generator], np.ndarray]

# Rows that are measured, and of which the value is predicted.
FROM, TO = 500, 2000


def blobs(n: int, rng: np.random.Generator) -> np.ndarray:
    centres = np.random.default_rng(5).uniform(-10, 10, size=(3, 20))
    return centres[rng.integers(0, 3, n)] + rng.normal(size=(n, 20))


def roll(n: int, rng: np.random.Generator) -> np.ndarray:
    angle = 1.5 * np.pi * (1 + 2 * rng.uniform(size=n))
    return np.stack([angle * np.cos(angle), 21 * rng.uniform(size=n), angle * np.sin(angle)], 1)


def features(n: int, rng: np.random.Generator) -> np.ndarray:
    weights = np.random.default_rng(6).normal(size=(10, 64))
    return np.maximum(rng.normal(size=(n, 10)) @ weights + 0.1 * rng.normal(size=(n, 64)), 0.0)


DATA: dict[str, Draw] = {
    "blobs": blobs,
    "Gaussian, d = 2": lambda n, rng: rng.normal(size=(n, 2)),
    "Gaussian, d = 20": lambda n, rng: rng.normal(size=(n, 20)),
    "t3, d = 10": lambda n, rng: rng.standard_t(3, size=(n, 10)),
    "swiss roll": roll,
    "ReLU features": features,
}


def predicted(draw: Draw, measure: str, count: int) -> dict[str, Any]:
    """How often the interval that FROM rows give holds the mean value of TO rows."""
    value = {"dse": eg.dse, "kernel_entropy": eg.kernel_entropy}[measure]
    true = np.mean([float(value(draw(TO, np.random.default_rng(9000 + k)))) for k in range(count)])
    found = [
        eg.converge(draw(FROM, np.random.default_rng(300 + k)), measure=measure, seed=k)
        for k in range(count)
    ]
    intervals = [one.predicted_interval(TO) for one in found]
    return {
        "value": float(true),
        "tendencies": dict(Counter(one.tendency for one in found)),
        "growth": float(np.mean([one.growth for one in found])),
        "covered": sum(bool(low <= true <= high) for low, high in intervals),
        "half width": float(np.mean([0.5 * (high - low) for low, high in intervals])),
        "off": float(np.sqrt(np.mean([(one.predict(TO) - true) ** 2 for one in found]))),
    }


def known_limits(count: int, n: int = 1000) -> dict[str, Any]:
    """How often the interval of the limit holds a limit that is known."""
    shares = np.arange(1, 21) / np.arange(1, 21).sum()

    def drawn(rng: np.random.Generator) -> np.ndarray:
        return np.stack([rng.normal(size=n), rng.choice(20, p=shares, size=n)], axis=1)

    def plug_in(Z: np.ndarray) -> float:
        seen = np.bincount(Z[:, 1].astype(int)) / len(Z)
        return -float((seen[seen > 0] * np.log2(seen[seen > 0])).sum())

    cases: dict[str, tuple[Callable[[np.ndarray], float], float]] = {
        "mean": (lambda Z: float(Z[:, 0].mean()), 0.0),
        "variance": (lambda Z: float(Z[:, 0].var()), 1.0),
        "plug-in entropy of 20 classes": (plug_in, -float((shares * np.log2(shares)).sum())),
        "mean - 3 / root of n": (lambda Z: float(Z[:, 0].mean() - 3.0 * len(Z) ** -0.5), 0.0),
    }
    found = {}
    for name, (measure, true) in cases.items():
        several = [
            eg.converge(drawn(np.random.default_rng(k)), measure=measure, seed=k)
            for k in range(count)
        ]
        intervals = [one.limit_interval for one in several if one.limit_interval is not None]
        covered = sum(bool(low <= true <= high) for low, high in intervals)
        found[name] = {"limits": len(intervals), "covered": covered, "of": count}
    return found


def main(arguments: list[str] | None = None, count: int = 10) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path)
    options = parser.parse_args(arguments)
    found = {
        f"{name}, {measure}": predicted(draw, measure, count)
        for name, draw in DATA.items()
        for measure in ("dse", "kernel_entropy")
    }
    result = {"machine": describe(), "from": FROM, "to": TO, "count": count, "predicted": found}
    result["known limits"] = known_limits(10 * count)
    result = rounded(result, 4)
    print(text(result))
    if options.output:
        write(options.output, result)


if __name__ == "__main__":
    main()
