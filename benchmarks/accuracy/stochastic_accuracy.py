"""How far estimates are from the exact entropy, and how often their intervals contain it.

    OPENBLAS_NUM_THREADS=1 python -m benchmarks.accuracy.stochastic_accuracy \
        --output benchmarks/results/stochastic_accuracy.json

With `--effort few-columns`, or `few-passes`, as estimates of many rows go, which stop where tol is
met; the results are then in benchmarks/results/stochastic_accuracy.few_columns.json.

Errors: for each data set, alpha and t, the relative error of S over a few seeds at tol = 1e-3, as
`eg.dse(Z, t=t, method="stochastic")` gives it, and the work. Coverage: at fewer rows and
alpha = 1/2, the share of many seeds whose 95 % interval contains the exact value. The exact values
are from all eigenvalues in float64. sigma is "auto" for the Gaussian data and the blobs.

Fails where a median is above tol, or a share is not within 90 to 99 %; shares of fewer than 100
seeds say too little and do not count.
"""

from __future__ import annotations

import argparse
import warnings
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

import eigentropy as eg
from benchmarks.accuracy.estimates import Counted, Data, data_sets, estimated, products
from benchmarks.shared.machine import describe
from benchmarks.shared.results import rounded, to_columns, write
from eigentropy._spectra.stochastic import FEW_COLUMNS, FEW_PASSES, THOROUGH, Effort

TOL = 1e-3
AIM = 5e-4
TIMES = (1.0, 2.0, 3.5)
ALPHAS = (0.0, 0.5, 1.0)
LEVEL = 0.95
COVERAGE = (0.90, 0.99)
COVERAGE_AIM = (0.93, 0.97)
EFFORTS = {"thorough": THOROUGH, "few-columns": FEW_COLUMNS, "few-passes": FEW_PASSES}
FEWEST_SEEDS = 100  # the standard error of a share of 0.95 is then 0.02


def exact_entropies(data: Data, alpha: float) -> dict[float, float]:
    """In bits."""
    spectrum = eg.DiffusionOperator(data.Z, sigma=data.sigma, alpha=alpha).eigenvalues()
    return {t: eg.spectral_entropy(spectrum, t) for t in TIMES}


def measure(
    data: Data, alpha: float, seeds: int, tol: float = TOL, effort: Effort = THOROUGH
) -> Iterator[dict[str, Any]]:
    """One row for each t: errors, coverage and work over the seeds."""
    A = products(data, alpha, explicit=True)
    for t, exact in exact_entropies(data, alpha).items():
        runs = [one_estimate(A, t, exact, seed, tol, effort) for seed in range(seeds)]
        yield {
            "data": data.name,
            "n": A.n,
            "alpha": alpha,
            "t": t,
            "bits": exact,
            "seeds": seeds,
            **summary(runs),
        }


def one_estimate(
    A: Counted, t: float, exact: float, seed: int, tol: float, effort: Effort
) -> dict[str, float]:
    calls, columns = A.calls, A.columns
    found = estimated(A, [t], tol, seed, effort)
    value, error = found.entropy(t), found.standard_error(t)
    low, high = found.interval(t, level=LEVEL)
    return {
        "relative_error": abs(value / exact - 1.0),
        "stated": found.quantile(LEVEL) * error / exact,
        "covered": low <= exact <= high,
        "met": found.meets(t),
        "probes": found.probes,
        "products": A.calls - calls,
        "columns": A.columns - columns,
    }


def summary(runs: list[dict[str, float]]) -> dict[str, float]:
    """Over the seeds of one data set, alpha and t."""

    def of(name: str) -> np.ndarray:
        return np.array([float(run[name]) for run in runs])

    return {
        "median_relative_error": float(np.median(of("relative_error"))),
        "largest_relative_error": float(of("relative_error").max()),
        "median_half_width": float(np.median(of("stated"))),
        "covered": float(of("covered").mean()),
        "met": float(of("met").mean()),
        **{
            f"median_{name}": float(np.median(of(name)))
            for name in ("probes", "products", "columns")
        },
    }


def inexact(rows: Iterable[dict[str, Any]], limit: float = TOL) -> list[str]:
    """Rows whose median is above the limit, or NaN."""
    return [label(row) for row in rows if not row["median_relative_error"] <= limit]


def badly_covered(
    rows: Iterable[dict[str, Any]], limits: tuple[float, float] = COVERAGE
) -> list[str]:
    """Rows whose share of intervals is outside of the limits."""
    low, high = limits
    return [
        label(row)
        for row in rows
        if row["seeds"] >= FEWEST_SEEDS and not low <= row["covered"] <= high
    ]


def label(row: dict[str, Any]) -> str:
    return f"{row['data']}, n={row['n']}, alpha={row['alpha']:g}, t={row['t']:g}"


def line(row: dict[str, Any]) -> str:
    return (
        f"{label(row):50s} error {row['median_relative_error']:.1e} "
        f"(stated {row['median_half_width']:.1e}, most {row['largest_relative_error']:.1e}) "
        f"covered {100 * row['covered']:.1f} % met {100 * row['met']:.0f} % "
        f"{row['median_probes']:.0f} probes {row['median_products']:.0f} products "
        f"{row['median_columns']:.0f} columns"
    )


def overall(errors: list[dict[str, Any]], coverage: list[dict[str, Any]]) -> dict[str, Any]:
    shares = [row["covered"] for row in coverage]
    return {
        "tol": TOL,
        "largest_median_relative_error": max(row["median_relative_error"] for row in errors),
        "share_of_medians_within_aim": 1.0 - len(inexact(errors, AIM)) / len(errors),
        "above_tol": inexact(errors),
        "covered": float(np.mean(shares)),
        "covered_least": min(shares),
        "covered_most": max(shares),
        "outside_of_aim": badly_covered(coverage, COVERAGE_AIM),
        "badly_covered": badly_covered(coverage),
    }


def measured(n: int, alphas: Iterable[float], seeds: int, effort: Effort) -> list[dict[str, Any]]:
    rows = []
    for data in data_sets(n):
        for alpha in alphas:
            for row in measure(data, alpha, seeds, effort=effort):
                rows.append(row)
                print(line(row), flush=True)
    return rows


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path)
    parser.add_argument("--n", type=int, default=3000)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--coverage-n", type=int, default=1000)
    parser.add_argument("--coverage-seeds", type=int, default=200)
    parser.add_argument("--effort", choices=EFFORTS, default="thorough")
    options = parser.parse_args(arguments)
    effort = EFFORTS[options.effort]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", eg.SaturationWarning)
        errors = measured(options.n, ALPHAS, options.seeds, effort)
        coverage = measured(options.coverage_n, [0.5], options.coverage_seeds, effort)
    found = overall(errors, coverage)
    rows = [{"part": "errors", **row} for row in errors]
    rows += [{"part": "coverage", **row} for row in coverage]
    results = {
        "machine": describe(),
        "effort": options.effort,
        **found,
        "rows": to_columns(rounded(rows, 3)),
    }
    for name, value in found.items():
        print(f"{name}: {value}")
    if options.output:
        write(options.output, results)
    if found["above_tol"] or found["badly_covered"]:
        raise SystemExit(
            "an error is above tol, or intervals contain the entropy too rarely or too often"
        )


if __name__ == "__main__":
    main()
