"""What docs/how_to/choosing.md shows: what sigma does to DSMI, and how good the bound is.

python -m benchmarks.accuracy.choosing_sigma --output benchmarks/results/choosing_sigma.json
"""

from __future__ import annotations

import argparse
import math
import warnings
from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits, make_blobs

import eigentropy as eg
from benchmarks.shared.machine import describe
from benchmarks.shared.results import rounded, text, write
from eigentropy._kernels.bandwidth import MEDIAN_FACTOR

MULTIPLES = (0.1, 0.2, 0.35, 0.5, 1.0, 2.0)
DIMENSIONS = (20, 200, 2000, 20000)


def information(Z, labels, sigma) -> dict[str, float]:
    result = eg.dsmi(Z, labels, sigma=sigma, n_null=20)
    return {"sigma": result.sigma, "matched": result.value, "adjusted": result.adjusted()}


def median_distance(Z) -> float:
    return eg.bandwidth(Z, "median") / MEDIAN_FACTOR


def blobs() -> dict[str, object]:
    """Three blobs, H(Y) = 1.585 bits, at growing dimension."""
    table = {}
    for d in DIMENSIONS:
        Z, labels = make_blobs(600, d, centers=3, random_state=0)
        scale = median_distance(Z)
        row = {f"{m} medians": information(Z, labels, m * scale) for m in MULTIPLES}
        for rule in ("knn", "max-slope", "sqrt-d"):
            row[rule] = information(Z, labels, rule)
        table[f"d={d}"] = row
    return table


def digits() -> dict[str, object]:
    """Handwritten digits, H(Y) = 3.32 bits, with a share of the labels permuted."""
    Z, labels = load_digits(return_X_y=True)
    scale = median_distance(Z)
    table = {}
    for share in (0.0, 0.25, 0.5, 0.75, 1.0):
        rng = np.random.default_rng(0)
        chosen = rng.permutation(len(labels))[: int(share * len(labels))]
        corrupted = labels.copy()
        corrupted[chosen] = labels[rng.permutation(chosen)]
        row = {f"{m} medians": information(Z, corrupted, m * scale) for m in MULTIPLES}
        for rule in ("knn", "max-slope", "sqrt-d"):
            row[rule] = information(Z, corrupted, rule)
        table[f"{share:.0%} permuted"] = row
    return table


def gaussian_rows(seed: int, d: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(1000, d))


def gaussian_bound() -> dict[str, float]:
    """Proposition 4.3 over the measured entropy, minus 1, for n = 1000."""
    excess = {}
    for d in (2, 5, 10, 20, 50, 100, 200, 512):
        for multiple in (1, 2):
            sigma = math.sqrt(multiple * d / 2)
            entropies = [
                float(eg.dse(gaussian_rows(seed, d), sigma=sigma, method="exact"))
                for seed in range(5)
            ]
            bound = eg.gaussian_entropy(1000, d, sigma)
            excess[f"d={d}, sigma_paper={multiple}d"] = bound / float(np.mean(entropies)) - 1
    return excess


def single_precision() -> dict[str, float]:
    """Relative error of float32 for three kinds of data."""
    rng = np.random.default_rng(0)
    errors = {}
    for name, Z in {
        "gaussian d=20": rng.normal(size=(2000, 20)),
        "gaussian d=512": rng.normal(size=(2000, 512)),
        "digits": load_digits().data,
    }.items():
        exact = float(eg.dse(Z, method="exact"))
        errors[name] = abs(float(eg.dse(Z, dtype="float32")) / exact - 1)
    return errors


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path)
    arguments = parser.parse_args()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", eg.SaturationWarning)
        results = {
            "machine": describe(),
            "blobs": blobs(),
            "digits": digits(),
            "gaussian_bound_excess": gaussian_bound(),
            "float32_relative_error": single_precision(),
        }
    results = rounded(results)
    print(text(results))
    if arguments.output:
        write(arguments.output, results)


if __name__ == "__main__":
    main()
