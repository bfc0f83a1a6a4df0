"""What weighing by mass changes: an entropy and an information, each by both families.

python -m benchmarks.documents.mass --output docs/figures/mass.svg

Left: two clusters of equal rows, of which the smaller one has a growing share. Right: three blobs
whose labels are drawn anew for a growing share of the rows, beside the Shannon information of true
and drawn labels.
"""

from __future__ import annotations

import argparse
import math
import warnings
from pathlib import Path

import matplotlib as mpl
import numpy as np

mpl.use("Agg")
mpl.rcParams["svg.hashsalt"] = "eigentropy"  # the same file for the same results

import matplotlib.pyplot as plt  # noqa: E402

import eigentropy as eg  # noqa: E402

N = 600
SHARES_OF_CLUSTER = (0, 1, 3, 10, 30, 60, 120, 180, 240, 300)
SHARES_REDRAWN = (0.0, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1.0)
SEEDS = 5


def cluster_entropies() -> tuple[np.ndarray, np.ndarray]:
    """Share of the smaller cluster, and (DSE, kernel entropy), shape (shares, 2)."""
    values = []
    warnings.simplefilter("ignore", eg.SaturationWarning)  # a cluster of one row is no accident
    for size in SHARES_OF_CLUSTER:
        Z = np.zeros((N, 1))
        Z[:size] = 100.0
        values.append([float(f(Z, sigma=1.0)) for f in (eg.dse, eg.kernel_entropy)])
    return np.array(SHARES_OF_CLUSTER) / N, np.array(values)


def shannon(a: np.ndarray, b: np.ndarray) -> float:
    """Mutual information of two label vectors in bits."""
    joint = np.zeros((3, 3))
    np.add.at(joint, (a, b), 1.0 / len(a))
    independent = joint.sum(1, keepdims=True) * joint.sum(0)
    seen = joint > 0.0
    return float((joint[seen] * np.log2(joint[seen] / independent[seen])).sum())


def information_of_corrupted_labels() -> np.ndarray:
    """(truth, kernel, DSMI) as shares of H(Y), shape (seeds, shares, 3)."""
    found = np.zeros((SEEDS, len(SHARES_REDRAWN), 3))
    for seed in range(SEEDS):
        rng = np.random.default_rng(seed)
        true = np.arange(N) % 3
        Z = rng.normal(size=(N, 20)) + rng.uniform(-10, 10, size=(3, 20))[true]
        for column, share in enumerate(SHARES_REDRAWN):
            drawn = np.where(rng.random(N) < share, rng.integers(0, 3, N), true)
            kernel = eg.kernel_information(Z, drawn, n_null=20, seed=seed)
            most = kernel.label_entropy
            dsmi = eg.dsmi(Z, drawn, n_null=20, seed=seed).adjusted()
            found[seed, column] = shannon(true, drawn) / most, kernel.bits() / most, dsmi
    return found


def draw(output: Path) -> None:
    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.4), layout="constrained")
    shares, entropies = cluster_entropies()
    p = np.linspace(1e-6, 0.5, 200)
    left.plot(p, -(p * np.log2(p) + (1 - p) * np.log2(1 - p)), color="0.6", lw=5, alpha=0.5)
    left.plot(shares, entropies[:, 0], "o-", label="DSE: counts")
    left.plot(shares, entropies[:, 1], "s", label="kernel entropy: weighs")
    left.set(xlabel="share of the smaller of two clusters", ylabel="entropy (bits)", ylim=(0, 1.1))
    found = information_of_corrupted_labels()
    mean, error = found.mean(axis=0), found.std(axis=0, ddof=1) / math.sqrt(SEEDS)
    right.plot(SHARES_REDRAWN, mean[:, 0], color="0.6", lw=5, alpha=0.5, label="Shannon")
    right.errorbar(SHARES_REDRAWN, mean[:, 2], error[:, 2], fmt="o-", label="adjusted DSMI")
    right.errorbar(SHARES_REDRAWN, mean[:, 1], error[:, 1], fmt="s", label="kernel information")
    right.set(xlabel="share of labels drawn anew", ylabel="share of H(Y)")
    for axes in (left, right):
        axes.grid(alpha=0.3)
        axes.legend(frameon=False)
    figure.savefig(output, metadata={"Date": None} if output.suffix == ".svg" else None)
    for column, share in enumerate(SHARES_REDRAWN):
        print(f"{share:4.0%}: Shannon, kernel, DSMI", *(f"{value:.2f}" for value in mean[column]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, required=True)
    draw(parser.parse_args().output)


if __name__ == "__main__":
    main()
