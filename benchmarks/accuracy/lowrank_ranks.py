"""Which rank a guaranteed entropy takes, how good its bound is, and what it costs.

    python -m benchmarks.accuracy.lowrank_ranks --output benchmarks/results/lowrank.json

For each data set, kernel width and tolerance: the rank, the bound and the true error relative to
S, the inequality of Fannes and Audenaert for the same residual, the rank that the best
approximation would take to leave that residual, what the first block of pivots predicts for it,
and processor time of the factorisation, degrees not included, over that of all eigenvalues in
float64. Fails where the entropy is outside of its interval, or an eigenvalue of A - F^T F is below
0 by more than is allowed for rounding.
"""

from __future__ import annotations

import argparse
import math
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits, make_blobs, make_swiss_roll

import eigentropy as eg
from benchmarks.accuracy.float32_accuracy import Case
from benchmarks.shared.machine import describe
from benchmarks.shared.results import rounded, to_columns, write
from eigentropy import _core
from eigentropy._backends.devices import HOST
from eigentropy._backends.rows import Rows
from eigentropy._spectra.cholesky import BLOCK, PartialCholesky
from eigentropy._spectra.enclosure import (
    EPS,
    ROUNDING,
    predicted_rank,
)
from eigentropy._spectra.low_rank import LowRankSpectrum, low_rank_spectrum

TOLERANCES = (1e-2, 1e-3, 1e-4)
ALPHA = 0.5
REPETITIONS = 3


def cases(n: int) -> Iterator[Case]:
    rng = np.random.default_rng(0)
    yield Case("swiss roll", make_swiss_roll(n, random_state=2)[0], (10.0, "auto", 1.0))
    for d, sigmas in ((2, ("auto", 1.0, 10.0)), (20, ("auto", 10.0)), (512, ("auto", 100.0))):
        yield Case(f"gaussian d={d}", rng.normal(size=(n, d)), sigmas)
    for d, sigma in ((20, 10.0), (100, 100.0)):
        Z = make_blobs(n, d, centers=3, random_state=1)[0]
        yield Case(f"three blobs d={d}", Z, (sigma,))
    yield Case("digits", load_digits().data[:n], (20.0, 60.0))
    centers = 1e3 * rng.normal(size=(500, 5))
    yield Case("500 far points, repeated", centers[np.arange(n) % 500], (1.0,))
    yield Case("pairs in a wide cloud", pairs(1e4 * rng.normal(size=(n // 2, 3))), (100.0,))


def pairs(ends: np.ndarray) -> np.ndarray:
    return np.concatenate([ends, ends + np.array([1.0, 0.0, 0.0])])


def measure(case: Case, sigma: float | str) -> Iterator[dict[str, object]]:
    exact_seconds, exact = timed(lambda: solved(case.Z, sigma))
    S = float(exact.entropy(base=math.e))
    scaling = exact.products("float64", False, None).scaling
    lowest = lowest_eigenvalue(case.Z, exact.sigma, scaling)
    allowed = ROUNDING + EPS * HOST.reach(case.Z, exact.sigma)
    for tol in TOLERANCES:
        seconds, found = timed(
            lambda tol=tol: low_rank_spectrum(Rows(case.Z), exact.sigma, scaling, tol, seed=0)
        )
        value, bound = found.entropy(base=math.e), found.bound(base=math.e)
        yield {
            "data": case.name,
            "n": exact.n,
            "d": case.Z.shape[1],
            "sigma": sigma,
            "trace": found.trace,
            "nats": S,
            "tol": tol,
            "converged": found.converged,
            "rank": found.rank,
            "best_rank": best_rank(exact.eigenvalues(), found.residual),
            "predicted_rank": prediction(found),
            "residual": found.residual / found.trace,
            "relative_bound": bound / S,
            "relative_error": abs(value - S) / S,
            "relative_fannes": fannes(found) / S,
            "within": bool(found.ends()[0] <= S <= found.ends()[1]),
            "time_over_exact": seconds / exact_seconds,
            "lowest_over_rounding": lowest / allowed,
        }


def solved(Z: np.ndarray, sigma: float | str) -> eg.DiffusionOperator:
    operator = eg.DiffusionOperator(Z, sigma=sigma, alpha=ALPHA)
    operator.eigenvalues()
    return operator


def timed(call: Callable[[], object]) -> tuple[float, object]:
    """Processor time of all threads, the shortest of some."""
    shortest = math.inf
    for _ in range(REPETITIONS):
        start = time.process_time()
        result = call()
        shortest = min(shortest, time.process_time() - start)
    return shortest, result


def lowest_eigenvalue(Z: np.ndarray, sigma: float, scaling: np.ndarray) -> float:
    """By how much A - F^T F leaves the positive semidefinite matrices, for F of some ranks."""
    A, *_ = _core.matrix(Z, sigma, ALPHA, "float64")
    factor = PartialCholesky(Z, sigma, scaling, len(Z))
    generator, lowest = np.random.default_rng(0), 0.0
    for rank in (1, 200, len(Z) // 2):
        while factor.rank < rank and not factor.exhausted:
            factor.extend(generator)
        R = A - factor.factor.T @ factor.factor
        lowest = max(lowest, -float(eg.eigvalsh(R, overwrite=True)[-1]))
    return lowest


def best_rank(eigenvalues: np.ndarray, residual: float) -> int:
    """How many of the largest eigenvalues leave no more than the residual."""
    tails = np.append(eigenvalues[::-1].cumsum()[::-1], 0.0)
    return int(np.argmax(tails <= max(residual, 1e-12)))


def prediction(found: LowRankSpectrum) -> float | None:
    """The rank of this residual, by the first block of pivots; None where it would never end."""
    predicted = predicted_rank(found.residuals[: BLOCK + 1], found.residual)
    return predicted if math.isfinite(predicted) else None


def fannes(found: LowRankSpectrum) -> float:
    """eps log(n - 1) + h(eps), eps the residual trace over the trace."""
    eps = found.residual / found.trace
    if eps == 0.0:
        return 0.0
    if eps >= 1.0 - 1.0 / found.n:
        return math.log(found.n)
    h = -eps * math.log(eps) - (1.0 - eps) * math.log1p(-eps)
    return eps * math.log(found.n - 1) + h


def line(row: dict[str, object]) -> str:
    return (
        f"{row['data']:26s} sigma={row['sigma']!s:5s} tol={row['tol']:g}: rank {row['rank']:5d} "
        f"{'' if row['converged'] else 'NOT CONVERGED '}best {row['best_rank']} "
        f"predicted {row['predicted_rank'] or math.inf:.0f} error {row['relative_error']:.0e} "
        f"<= {row['relative_bound']:.0e} (Fannes {row['relative_fannes']:.0e}) "
        f"time {row['time_over_exact']:.2f} lowest {row['lowest_over_rounding']:.2f}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path)
    parser.add_argument("--n", type=int, default=3000)
    arguments = parser.parse_args()
    rows = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", eg.SaturationWarning)
        for case in cases(arguments.n):
            for sigma in case.sigmas:
                for row in measure(case, sigma):
                    rows.append(row)
                    print(line(row), flush=True)
    results = {
        "machine": describe(),
        "largest_share_of_rounding": max(row["lowest_over_rounding"] for row in rows),
        "rows": rows,
    }
    if arguments.output:
        write(arguments.output, {**results, "rows": to_columns(rounded(rows, 3))})
    if not all(row["within"] and row["lowest_over_rounding"] <= 1 for row in rows):
        raise SystemExit("a bound does not hold")


if __name__ == "__main__":
    main()
