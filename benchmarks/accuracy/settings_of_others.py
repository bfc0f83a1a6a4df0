"""What other projects compute under the names of these entropies, restated, beside ours.

    results=benchmarks/results/settings_of_others.json
    python -m benchmarks.accuracy.settings_of_others --output $results

Each setting is written anew here in NumPy, from what the projects' sources say in November 2026
(latent-reasoning-works/manylatents, KrishnaswamyLab/LM-Dispersion): nothing of them runs. Three
sets: five blobs of 50 to 150 rows, the same times 10, and 500 of scikit-learn's digits. Where a
call of ours has the same setting, its value stands beside; the program fails where they differ.
"""

from __future__ import annotations

import argparse
import math
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.datasets import load_digits

import eigentropy as eg
from benchmarks.shared.machine import describe
from benchmarks.shared.results import rounded, text, write
from eigentropy import reference
from eigentropy.baselines import spectral

SIZES = (150, 50, 100, 80, 120)
NEIGHBOURS, FLOOR = 15, 1e-6

# Between a restatement and a call of ours; they add 2e-16 to each share of the spectrum.
TOLERANCE = 1e-9

Values = np.ndarray


def blobs() -> np.ndarray:
    rng = np.random.default_rng(0)
    centers = rng.uniform(-10.0, 10.0, size=(len(SIZES), 10))
    labels = np.repeat(np.arange(len(SIZES)), SIZES)
    return centers[labels] + rng.standard_normal((len(labels), 10))


def digits() -> np.ndarray:
    X = load_digits().data / 16.0
    rows: np.ndarray = X[np.random.default_rng(0).permutation(len(X))[:500]]
    return rows


def normalised(G: np.ndarray, alpha: float) -> np.ndarray:
    """The symmetric operator of a kernel: degrees to the power alpha, then square roots."""
    q = G.sum(axis=1) ** alpha
    K = G / np.outer(q, q)
    root = np.sqrt(K.sum(axis=1))
    A: np.ndarray = K / np.outer(root, root)
    return A


def gaussian(Z: np.ndarray, sigma: float) -> np.ndarray:
    G: np.ndarray = np.exp(-reference.squared_distances(Z) / (2.0 * sigma**2))
    return G


def knn_kernel(Z: np.ndarray, k: int = NEIGHBOURS) -> np.ndarray:
    """exp(-r^2 / (s_i s_j)) of the pairs of which one is among the k nearest of the other."""
    squared = reference.squared_distances(Z)
    np.fill_diagonal(squared, -1.0)  # the row itself comes first
    order = np.argsort(squared, axis=1)[:, 1 : k + 1]
    np.fill_diagonal(squared, 0.0)
    reach = np.sqrt(np.take_along_axis(squared, order[:, -1:], axis=1))
    G = np.zeros_like(squared)
    np.put_along_axis(G, order, 1.0, axis=1)
    G = np.maximum(G, G.T) * np.exp(-squared / (reach * reach.T))
    np.fill_diagonal(G, 1.0)
    return G


def magnitudes(A: np.ndarray, t: float) -> Values:
    values: Values = np.abs(np.linalg.eigvalsh(A)) ** t
    return values


def entropy(values: Values) -> float:
    p = values / values.sum() + np.finfo(float).eps
    return -float(p @ np.log2(p))


def count(A: np.ndarray, t: float) -> float:
    return float((magnitudes(A, t) > FLOOR).sum())


def directions(Z: np.ndarray) -> np.ndarray:
    rows: np.ndarray = Z / np.maximum(np.linalg.norm(Z, axis=1, keepdims=True), 1e-3)
    return rows


def of_cosines(Z: np.ndarray) -> float:
    values = np.linalg.eigvalsh(np.clip(directions(Z) @ directions(Z).T, -1.0, 1.0))
    return entropy(values[values > 0.0])


def of_singular_values(Z: np.ndarray) -> float:
    return entropy(np.linalg.svd(Z, compute_uv=False))


def ours(**options: Any) -> Callable[[np.ndarray], float]:
    return lambda Z: eg.dse(Z, method="exact", **options).value


Measure = Callable[[np.ndarray], float]

# The project, its setting, the restatement, and our call with this setting, where there is one.
SETTINGS: tuple[tuple[str, str, Measure, Measure | None], ...] = (
    ("eigentropy", "`eg.dse(Z)`", ours(), None),
    ("eigentropy", "`eg.dse(Z, t=3)`", ours(t=3.0), None),
    (
        "manylatents", "default: kNN kernel, k = 15, alpha = 1, t = 3",
        lambda Z: entropy(magnitudes(normalised(knn_kernel(Z), 1.0), 3.0)), None,
    ),
    (
        "manylatents", "kNN kernel, count at t = 100",
        lambda Z: count(normalised(knn_kernel(Z), 1.0), 100.0), None,
    ),
    (
        "manylatents", "`dense`: sigma = 10, alpha = 1, t = 3",
        lambda Z: entropy(magnitudes(normalised(gaussian(Z, 10.0), 1.0), 3.0)),
        ours(sigma=10.0, alpha=1.0, t=3.0),
    ),
    (
        "manylatents", "`dense`, count at t = 100",
        lambda Z: count(normalised(gaussian(Z, 10.0), 1.0), 100.0), None,
    ),
    *(
        (
            "LM-Dispersion", f"sigma = {sigma:g}, alpha = 0, t = 1",
            lambda Z, sigma=sigma: entropy(magnitudes(normalised(gaussian(Z, sigma), 0.0), 1.0)),
            ours(sigma=sigma, alpha=0.0),
        )
        for sigma in (1.0, 5.0, 10.0)
    ),
    (
        "LM-Dispersion", "rows of length 1, sigma = 1, alpha = 0, t = 1",
        lambda Z: entropy(magnitudes(normalised(gaussian(directions(Z), 1.0), 0.0), 1.0)),
        lambda Z: eg.dse(directions(Z), sigma=1.0, alpha=0.0, method="exact").value,
    ),
    (
        "LM-Dispersion", "von Neumann entropy of the cosines", of_cosines,
        lambda Z: math.log2(spectral.vendi_score(Z, kernel="cosine")),
    ),
    (
        "LM-Dispersion", "entropy of the singular values", of_singular_values,
        lambda Z: math.log2(spectral.effective_rank(Z)),
    ),
)  # fmt: skip


def sets() -> dict[str, np.ndarray]:
    Z = blobs()
    return {"five blobs": Z, "times 10": 10.0 * Z, "digits": digits()}


def measured(data: dict[str, np.ndarray]) -> list[dict[str, Any]]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", eg.SaturationWarning)
        return [
            {
                "project": project,
                "setting": setting,
                "values": {name: restated(Z) for name, Z in data.items()},
                "ours": {name: call(Z) for name, Z in data.items()} if call else None,
            }
            for project, setting, restated, call in SETTINGS
        ]


def faults(rows: list[dict[str, Any]]) -> list[str]:
    """Where our call has the same setting and another value."""
    return [
        f"{row['project']}, {row['setting']}, {name}: {value} and {row['ours'][name]}"
        for row in rows
        if row["ours"]
        for name, value in row["values"].items()
        if not abs(value - row["ours"][name]) <= TOLERANCE * max(1.0, abs(value))
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()
    rows = measured(sets())
    wrong = faults(rows)
    results = rounded({"machine": describe(), "faults": wrong, "rows": rows})
    print(text(results))
    if options.output:
        write(options.output, results)
    if wrong:
        raise SystemExit("\n".join(wrong))


if __name__ == "__main__":
    main()
