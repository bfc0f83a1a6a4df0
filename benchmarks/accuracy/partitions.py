"""How often the intervals of n_null="auto" cover, and how often its p-values are small by chance.

    python -m benchmarks.accuracy.partitions --output benchmarks/results/partitions.json

The rule was chosen on the first data sets; the others were kept apart from that. Each is measured
with other seeds, and with tolerances between those that 4 partitions meet and those that 20 do not.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from sklearn.datasets import load_digits, load_wine

import eigentropy as eg
from benchmarks.shared.machine import describe
from benchmarks.shared.results import rounded, text, write

EXACT: dict[str, Any] = {"method": "exact", "dtype": "float64"}
# The 95 % interval of 4 partitions, in units of the tolerance.
SHARES = (0.5, 0.9, 1.3, 2.0, 4.0)
LEVELS = (0.05, 0.01, 0.001)
# Partitions that stand for all.
TRUTH = 30
QUANTILE = 3.182  # of Student's t with 3 degrees of freedom


class Data(NamedTuple):
    """Rows with labels; whether the rule was chosen without them."""

    name: str
    kept_apart: bool
    Z: np.ndarray
    y: np.ndarray


def data_sets() -> Iterator[Data]:
    def rng() -> np.random.Generator:
        return np.random.default_rng(len(made))

    made: list[str] = []
    for name, n, groups, d, apart in (
        ("normal", 60, 10, 20, 0.5),
        ("normal", 200, 5, 50, 0.5),
        ("normal", 300, 2, 10, 0.5),
        ("blobs", 150, 2, 2, 10.0),
        ("blobs", 150, 10, 5, 10.0),
        ("blobs", 200, 20, 3, 10.0),
    ):
        own = rng()
        y = own.integers(0, groups, n)
        Z = own.normal(size=(n, d)) + apart * own.normal(size=(groups, d))[y]
        made.append(name)
        yield Data(f"{name} {n} x {d}, {groups} classes", False, Z, y)
    for name, n, groups, d in (
        ("heavy tails", 100, 3, 4),
        ("heavy tails", 200, 10, 20),
        ("a line", 150, 2, 5),
        ("a line", 200, 8, 30),
        ("unequal classes", 200, 8, 6),
    ):
        own = rng()
        y = own.integers(0, groups, n)
        if name == "heavy tails":
            Z = own.standard_t(2, size=(n, d)) + own.normal(size=(groups, d))[y]
        elif name == "a line":
            Z = np.outer(own.exponential(size=n), own.normal(size=d)) + 0.05 * own.normal(
                size=(n, d)
            )
        else:
            y = np.minimum(own.geometric(0.4, n) - 1, groups - 1)
            Z = own.normal(size=(n, d)) + own.normal(size=(groups, d))[y]
        made.append(name)
        yield Data(f"{name} {n} x {d}, {groups} classes", True, Z, y)
    for name, load in (("digits", load_digits), ("wine", load_wine)):
        Z, y = load(return_X_y=True)
        chosen = rng().permutation(len(y))[:200]
        yield Data(f"{name} {len(chosen)} x {Z.shape[1]}", True, Z[chosen], y[chosen])


def coverage(data: Data, seeds: int) -> Iterator[dict[str, Any]]:
    """How often the interval has the value of many partitions, for each tolerance."""
    many = eg.dsmi(data.Z, data.y, n_null=TRUTH * seeds, seed=seeds, **EXACT)
    left = many.null.std(ddof=1) / np.sqrt(many.n_null)
    baseline = many.value + many.conditional_entropy
    of_four = QUANTILE * _spread(many) / 2.0
    for share in SHARES:
        tol = float(of_four / share / baseline)
        found = [eg.dsmi(data.Z, data.y, tol=tol, seed=seed, **EXACT) for seed in range(seeds)]
        inside = [abs(one.value - many.value) <= one.interval().high - one.value for one in found]
        yield {
            "data": data.name,
            "kept_apart": data.kept_apart,
            "tol": tol,
            "partitions": float(np.mean([one.n_null for one in found])),
            "seeds": seeds,
            "covered": float(np.mean(inside)),
            "error_of_truth": float(left / baseline),
        }


def _spread(many: eg.DiffusionInformation) -> float:
    """What the rule takes for the standard deviation of the baseline's parts."""
    groups: Any = many._source
    entropies = groups.groups.entropies(many.which, many.base)[1:]
    return float(np.sqrt(entropies.var(axis=0, ddof=1) @ groups.groups.partitions.shares**2))


def small_p_values(data: Data, count: int) -> dict[str, Any]:
    """How often p is below levels, of labels in random orders."""
    rng = np.random.default_rng(0)
    found = np.array([
        eg.dsmi(data.Z, rng.permutation(data.y), tol=0.1, seed=seed, **EXACT).p_value
        for seed in range(count)
    ])  # fmt: skip
    shares = {f"{level:g}": float(np.mean(found <= level)) for level in LEVELS}
    return {"data": data.name, "orders": count, **shares}


def main(arguments: list[str] | None = None, seeds: int = 400) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=seeds)
    parser.add_argument("--output", type=Path)
    options = parser.parse_args(arguments)
    sets = [*data_sets()]
    cells = [cell for data in sets for cell in coverage(data, options.seeds)]
    apart = [cell["covered"] for cell in cells if cell["kept_apart"]]
    result = {
        "machine": describe(),
        "kept_apart": {"mean": float(np.mean(apart)), "least": min(apart), "cells": len(apart)},
        "coverage": cells,
        "p_values": [small_p_values(data, 5 * options.seeds) for data in sets if data.kept_apart],
    }
    found = rounded(result, 4)
    print(text(found))
    if options.output:
        write(options.output, found)


if __name__ == "__main__":
    main()
