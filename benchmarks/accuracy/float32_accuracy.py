"""How far float32 is from float64, and how far it may be by the bound that method="auto" goes by.

    python -m benchmarks.accuracy.float32_accuracy --output benchmarks/results/float32_accuracy.json

For each data set, kernel width and t: the relative difference of the two entropies, and the bound
that was computed from the float32 spectrum alone. Fails where a difference exceeds its bound.
"""

from __future__ import annotations

import argparse
import json
import math
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits, make_blobs, make_swiss_roll

import eigentropy as eg
from benchmarks.shared.machine import describe
from benchmarks.shared.results import rounded, to_columns, write
from eigentropy._backends.costs import SINGLE_FROM
from eigentropy._backends.devices import HOST
from eigentropy._spectra.rounding import EPS, may_use_single, within

SIZES = (30, 100, 300, 1000, 3000)
TIMES = (0.5, 1.0, 2.0, 5.0, 20.0)
DEFAULT_TOL = 1e-3
RULES = ("auto", "knn", "max-slope", "sqrt-d")


@dataclass(frozen=True)
class Case:
    name: str
    Z: np.ndarray
    sigmas: tuple[float | str, ...]


def cases(n: int) -> Iterator[Case]:
    rng = np.random.default_rng(0)
    for d in (2, 20, 512):
        yield Case(f"gaussian d={d}", rng.normal(size=(n, d)), (*RULES, 10.0))
    yield Case("three blobs d=20", make_blobs(n, 20, centers=3, random_state=1)[0], (*RULES, 10.0))
    roll = make_swiss_roll(n, random_state=2)[0]
    yield Case("swiss roll", roll, ("auto", 0.1, 1.0, 10.0))
    if n <= 1797:
        yield Case("digits", load_digits().data[:n], (*RULES, 10.0, 20.0))
    centers = rng.normal(size=(50, 5))
    yield Case("50 points, repeated", centers[np.arange(n) % 50], ("auto", 0.5))
    near = centers[np.arange(n) % 50] + 1e-3 * rng.normal(size=(n, 5))
    yield Case("50 points, nearly repeated", near, ("auto", 0.5))
    yield Case("three points, repeated", 5.0 * np.eye(3)[np.arange(n) % 3], (1.0,))
    yield Case("identical rows", np.tile([0.1, -3.7, 1e5], (n, 1)), ("auto",))
    yield Case("student t, heavy tails", rng.standard_t(1.5, size=(n, 5)), ("auto", 0.1))
    yield Case("far blobs", roll + 1e4 * np.eye(3)[np.arange(n) % 3], (1.0, 5.0))
    # Rounding a coordinate of 1e4 sigma changes the distance within a pair as much as it can.
    ends = 1e4 * rng.normal(size=(n // 2, 3))
    pairs = np.concatenate([ends, ends + np.array([1.0, 0.0, 0.0])])
    yield Case("pairs in a wide cloud", pairs, (1.0, 100.0))


def compare(case: Case, sigma: float | str) -> dict[str, object]:
    exact = eg.DiffusionOperator(case.Z, sigma=sigma)
    single = eg.DiffusionOperator(case.Z, sigma=exact.sigma, dtype="float32")
    error = np.abs(single.eigenvalues().astype(float) - exact.eigenvalues()).max()
    rounding = single.entropy().spectrum.rounding
    return {
        "data": case.name,
        "n": exact.n,
        "d": case.Z.shape[1],
        "sigma": sigma,
        "trace": exact.trace(),
        "reach": HOST.reach(case.Z, exact.sigma),
        "eigenvalue_error_eps": float(error) / EPS,
        "eigenvalue_bound_eps": rounding.delta / EPS,
        "t": {f"{t:g}": at_time(exact, single, t) for t in TIMES},
    }


def at_time(
    exact: eg.DiffusionOperator, single: eg.DiffusionOperator, t: float
) -> dict[str, object]:
    double, result = exact.entropy(t, math.e), single.entropy(t, math.e)
    difference = abs(float(result) - float(double))
    scale = max(float(double), 1e-300)
    n, d = exact.rows.shape
    together = -(-(SINGLE_FROM**3) // n**3)  # as many of a batch as are worth trying
    tried = may_use_single([n] * together, d, exact.reach, [t], DEFAULT_TOL)
    return {
        "nats": float(double),
        "relative_error": difference / scale,
        "relative_bound": result.error_bound / scale,
        "within_bound": bool(difference <= result.error_bound),
        "auto": "float32"
        if tried and within(result.error_bound, float(result), DEFAULT_TOL)
        else "float64",
    }


def summary(rows: list[dict[str, object]]) -> dict[str, object]:
    """How often the bound holds, and how often tol=1e-3 lets float32 through, for each t."""
    table = {}
    for t in TIMES:
        entries = [row["t"][f"{t:g}"] for row in rows]
        chosen = [entry for entry in entries if entry["auto"] == "float32"]
        table[f"{t:g}"] = {
            "cases": len(entries),
            "within_bound": sum(entry["within_bound"] for entry in entries),
            "auto_float32": len(chosen),
            "largest_relative_error_of_auto": max(
                (entry["relative_error"] for entry in chosen if entry["nats"] >= DEFAULT_TOL),
                default=0.0,
            ),
        }
    return table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path)
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES)
    arguments = parser.parse_args()
    rows = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", eg.SaturationWarning)
        for n in arguments.sizes:
            for case in cases(n):
                for sigma in case.sigmas:
                    rows.append(compare(case, sigma))
                    print(line(rows[-1]), flush=True)
    share = max(row["eigenvalue_error_eps"] / row["eigenvalue_bound_eps"] for row in rows)
    results = {
        "machine": describe(),
        "summary": summary(rows),
        "largest_share_of_eigenvalue_bound": share,
        "rows": rows,
    }
    print(json.dumps({name: results[name] for name in results if name != "rows"}, indent=2))
    if arguments.output:
        write(arguments.output, {**results, "rows": to_columns(rounded(rows, 3))})
    if share > 1 or any(not e["within_bound"] for row in rows for e in row["t"].values()):
        raise SystemExit("a bound does not hold")


def line(row: dict[str, object]) -> str:
    parts = [
        f"t={t}: {entry['relative_error']:.0e} <= {entry['relative_bound']:.0e} {entry['auto']}"
        for t, entry in row["t"].items()
    ]
    head = f"{row['n']:5d} {row['data']:27s} sigma={row['sigma']!s:9s}"
    errors = f"{row['eigenvalue_error_eps']:6.1f} <= {row['eigenvalue_bound_eps']:7.1f} eps"
    return "  ".join([head, errors, *parts])


if __name__ == "__main__":
    main()
