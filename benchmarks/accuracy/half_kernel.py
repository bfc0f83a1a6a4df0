"""What keeping the kernel in half precision does to entropies, and what the rule for it says.

    python -m benchmarks.accuracy.half_kernel --output benchmarks/results/half_kernel.json

For each data set and t: the relative change of the exact S(t) when all G_ij are rounded to float16
(degrees, tr A and |A|_F^2 being those of the exact G), that of an estimate with the same probes,
and the bound that the estimate gives, by which _spectra/half_precision.py decides. NumPy does the
rounding, on the CPU. Fails where a change that the rule allows is beyond its share of the
tolerance.
"""

from __future__ import annotations

import argparse
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import eigentropy as eg
from benchmarks.accuracy.estimates import Data, data_sets
from benchmarks.shared.machine import describe
from benchmarks.shared.results import rounded, to_columns, write
from eigentropy import reference
from eigentropy._spectra import half_precision
from eigentropy._spectra.estimated import EstimatedSpectrum
from eigentropy._spectra.stochastic import estimate_spectrum

TIMES = (0.5, 1.0, 2.0, 5.0)
TOL = 1e-3


class Kept:
    """A by products with a G that is kept, exact or rounded, and what is known of the exact one."""

    def __init__(self, Z: np.ndarray, sigma: float) -> None:
        G = np.exp(-reference.squared_distances(np.asarray(Z, np.float64)) / (2 * sigma**2))
        np.fill_diagonal(G, 1.0)
        q = G.sum(axis=1)
        self.degrees = (G / np.sqrt(np.outer(q, q))).sum(axis=1)
        self.scaling = 1.0 / np.sqrt(q * self.degrees)
        self.n, self.G = len(G), G
        A = self.matrix()
        self.trace, self.frobenius2 = float(np.trace(A)), float((A**2).sum())

    def matrix(self) -> np.ndarray:
        A: np.ndarray = self.scaling[:, None] * self.G * self.scaling
        return A

    def round(self) -> None:
        self.G = self.G.astype(np.float16).astype(np.float64)

    def matmul(self, V: np.ndarray, progress: object = None) -> np.ndarray:
        product: np.ndarray = self.scaling[:, None] * (self.G @ (self.scaling[:, None] * V))
        return product.astype(V.dtype)


def entropy(A: Kept, t: float) -> float:
    """S(t) in nats from all eigenvalues, with tr A^t known for t = 1 and 2 as in an estimate."""
    values = np.clip(np.linalg.eigvalsh(A.matrix()), 0.0, 1.0)
    values = values[values > 0.0]
    T = {1.0: A.trace, 2.0: A.frobenius2}.get(t, float((values**t).sum()))
    return float(np.log(T) - t * (values**t * np.log(values)).sum() / T)


def measured(data: Data) -> dict[str, Any]:
    A = Kept(data.Z, eg.DiffusionOperator(data.Z, sigma=data.sigma).sigma)
    exact = [entropy(A, t) for t in TIMES]
    expected = estimate_spectrum(A, TIMES[1:2], TOL)
    A.round()
    found, width = estimate_spectrum(A, TIMES[1:2], TOL), half_precision.noise(A)
    tried = half_precision.may_be_tried(A)
    return {
        "data": data.name,
        "n": A.n,
        "trace": A.trace,
        "noise": width,
        "t": {
            f"{t:g}": {
                "exact": abs(entropy(A, t) / wanted - 1.0),
                "estimate": abs(found.at(t).value / expected.at(t).value - 1.0),
                "bound": found.blurred(t, width) / found.at(t).value,
                "allowed": tried and half_precision.is_good_enough(found, [t], width, TOL),
                "from_tol": from_tol(found, t, width) if tried else None,
            }
            for t, wanted in zip(TIMES, exact, strict=True)
        },
    }


def from_tol(found: EstimatedSpectrum, t: float, width: float) -> float:
    """The smallest tolerance for which the rule allows half precision."""
    return max(
        half_precision.SMALLEST_TOL,
        found.blurred(t, width) / found.at(t).value / half_precision.SHARE,
    )


def faults(rows: list[dict[str, Any]]) -> list[str]:
    """Where the rule allows what changes an entropy by more than its share of the tolerance."""
    return [
        f"{row['data']}, n = {row['n']}, t = {t}: changes by {entry[kind]:.1e}"
        for row in rows
        for t, entry in row["t"].items()
        for kind in ("exact", "estimate")
        if entry["allowed"] and not entry[kind] <= half_precision.SHARE * TOL
    ]


def line(row: dict[str, Any]) -> str:
    parts = [
        f"t={t}: {entry['exact']:.0e} {entry['estimate']:.0e} <= {entry['bound']:.0e} "
        f"{'half' if entry['allowed'] else 'refused'}"
        for t, entry in row["t"].items()
    ]
    return "  ".join([f"{row['n']:5d} {row['data']:20s} tr A = {row['trace']:6.1f}", *parts])


def main(arguments: list[str] | None = None, data: Callable[[int], list[Data]] = data_sets) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path)
    parser.add_argument("--sizes", type=int, nargs="+", default=[500, 1500, 5000])
    options = parser.parse_args(arguments)
    rows = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", eg.SaturationWarning)
        for n in options.sizes:
            for one in data(n):
                rows.append(measured(one))
                print(line(rows[-1]), flush=True)
    wrong = faults(rows)
    if options.output:
        results = {"machine": describe(), "tol": TOL, "faults": wrong}
        write(options.output, rounded({**results, "rows": to_columns(rows)}, 3))
    if wrong:
        raise SystemExit("\n".join(wrong))


if __name__ == "__main__":
    main()
