"""What docs/how_to/uncertainty.md says of errors, intervals and p-values.

python -m benchmarks.accuracy.uncertainty --output benchmarks/results/uncertainty.json
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits

import eigentropy as eg
from benchmarks.shared.machine import describe
from benchmarks.shared.results import rounded, text, write
from eigentropy._support.interval import combined, student_quantile

LEVEL, N_NULL = 0.95, 20


def sampling_error(samples: list[tuple[np.ndarray, np.ndarray]]) -> dict[str, float]:
    """The spread of the information over samples, beside its null standard error."""
    found = [eg.dsmi(Z, labels, n_null=N_NULL) for Z, labels in samples]
    spread = float(np.std([one.value for one in found], ddof=1))
    null_se = float(np.mean([one.standard_error for one in found]))
    return {"spread": spread, "null_se": null_se, "times": spread / null_se}


def of_readme(count: int) -> list[tuple[np.ndarray, np.ndarray]]:
    labels = np.arange(500) % 3
    centers = 6 * np.eye(20)[labels]
    return [
        (np.random.default_rng(seed).normal(size=(500, 20)) + centers, labels)
        for seed in range(count)
    ]


def of_digits(count: int, n: int = 300) -> list[tuple[np.ndarray, np.ndarray]]:
    """Samples of n digits: as many as do not overlap, of one order after the other."""
    Z, y = load_digits(return_X_y=True)
    orders = (np.random.default_rng(seed).permutation(len(Z)) for seed in range(count))
    parts = [part[:n] for order in orders for part in np.array_split(order, len(Z) // n)]
    return [(Z[part], y[part]) for part in parts[:count]]


def bootstrap(count: int, n: int = 500, d: int = 20) -> dict[str, float]:
    """Mean entropy of new samples of normal rows, and of resampled rows."""
    Z = np.random.default_rng(0).normal(size=(n, d))
    draws = [np.random.default_rng(seed) for seed in range(1, count + 1)]
    return {
        "resampled": float(np.mean([float(eg.dse(Z[rng.integers(0, n, n)])) for rng in draws])),
        "new": float(np.mean([float(eg.dse(rng.normal(size=(n, d)))) for rng in draws])),
    }


def widths(count: int) -> dict[str, float]:
    """Median width of the interval of the same rows, for two and five partitions."""
    (Z, labels), *_ = of_readme(1)
    return {
        str(n_null): float(
            np.median(
                [np.ptp(eg.dsmi(Z, labels, n_null=n_null, seed=seed).interval())
                 for seed in range(count)]
            )
        )
        for n_null in (2, 5)
    }  # fmt: skip


def subjects(seed: int, count: int = 40, rows: int = 10) -> tuple[np.ndarray, np.ndarray]:
    """Rows of subjects, shape (count, rows, 8), and labels of subjects that mean nothing."""
    rng = np.random.default_rng(seed)
    own = rng.normal(size=(count, 1, 8))
    return own + 0.5 * rng.normal(size=(count, rows, 8)), rng.integers(0, 2, count)


def all_rows(seed: int) -> float:
    Z, y = subjects(seed)
    return eg.dsmi(
        Z.reshape(-1, Z.shape[-1]), np.repeat(y, Z.shape[1]), n_null=N_NULL, seed=seed
    ).p_value


def mean_rows(seed: int) -> float:
    Z, y = subjects(seed)
    return eg.dsmi(Z.mean(axis=1), y, n_null=N_NULL, seed=seed).p_value


def first_rows(seed: int) -> float:
    Z, y = subjects(seed)
    return eg.dsmi(Z[:, 0], y, n_null=N_NULL, seed=seed).p_value


def walk(seed: int) -> float:
    Z = np.cumsum(np.random.default_rng(seed).normal(size=(400, 5)), axis=0)
    return eg.dsmi(Z, np.arange(400) // 100, n_null=N_NULL, seed=seed).p_value


def smallest(p_value: Callable[[int], float], count: int) -> int:
    """How often p is the smallest value of 20 partitions, 1/21."""
    return sum(p_value(seed) < 1.5 / 21 for seed in range(count))


def welch(draws: int) -> float:
    """Least share that an interval by Welch's and Satterthwaite's degrees covers, n_null = 2.

    Of estimates with 31 degrees whose error is a share of that of a single partition.
    """
    covered = []
    for share in (0.1, 0.2, 0.3, 0.5):
        rng = np.random.default_rng(0)
        null, other = rng.normal(size=(draws, 2)), share * rng.normal(size=draws)
        errors = share * np.sqrt(rng.chisquare(31, size=draws) / 31)
        inside = 0
        for pair, off, error in zip(null, other, errors, strict=True):
            se, degrees = combined([(pair.std(ddof=1) / math.sqrt(2.0), 1.0), (error, 31.0)])
            inside += abs(pair.mean() + off) <= student_quantile(LEVEL, round(degrees, 6)) * se
        covered.append(inside / draws)
    return min(covered)


def main(arguments: list[str] | None = None, count: int = 200) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path)
    options = parser.parse_args(arguments)
    few = max(2, count // 5)
    found = {
        "sampling_error": {
            "README": sampling_error(of_readme(few)),
            "digits": sampling_error(of_digits(few)),
        },
        "bootstrap": bootstrap(max(2, count // 20)),
        "width": widths(max(2, count // 3)),
        "smallest_p": {
            "data sets": count,
            "subjects, all rows": smallest(all_rows, count),
            "subjects, mean rows": smallest(mean_rows, count),
            "subjects, first rows": smallest(first_rows, count),
            "walks": smallest(walk, count),
        },
        "welch": welch(20 * count),
    }
    result = rounded({"machine": describe(), **found}, 4)
    print(text(result))
    if options.output:
        write(options.output, result)


if __name__ == "__main__":
    main()
