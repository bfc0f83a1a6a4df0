"""How exact the bottleneck's curves and critical betas are, and how long a large one takes.

    python -m benchmarks.accuracy.bottleneck --output benchmarks/results/bottleneck.json

Three distributions have a closed form: the binary symmetric channel, Gaussian variables on a grid
of values, and a channel along a tree, whose splits follow from its symmetry. The large one has 2000
x 100 symbols, mixtures of 20 topics. Its seconds are those of the processor, on one thread: other
programs that run at the same time do not count, and two cores are not needed.
"""

from __future__ import annotations

import argparse
import os
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np

from benchmarks.documents.bottleneck import tree
from benchmarks.shared.machine import describe
from benchmarks.shared.results import rounded, write
from eigentropy import bottleneck

CROSSOVERS = (0.02, 0.1, 0.3)
CORRELATIONS = (0.9, 0.6)
# By their derivation in tests/equipment/channels.py.
TREE_SPLITS = (1.2345679012345676, 2.1486639463011628, 7.740119853657464)


def binary_symmetric() -> list[dict[str, float]]:
    """The largest difference in bits from Mrs. Gerber's lemma over 50 betas."""
    rows = []
    for p in CROSSOVERS:
        betas = np.geomspace(0.7, 60.0, 50) / (1.0 - 2.0 * p) ** 2
        found = bottleneck.curve(0.5 * np.array([[1 - p, p], [p, 1 - p]]), betas)
        closed = bottleneck.binary_symmetric_curve(p, betas)
        pairs = ("information_x", "information_y")
        error = max(np.abs(getattr(found, f) - getattr(closed, f)).max() for f in pairs)
        rows.append({"p": p, "betas": 50, "error_bits": float(error), "defect": found.defect})
    return rows


def gaussian() -> list[dict[str, float]]:
    """The relative error of the first critical beta on a grid of 45 x 45 values."""
    rows = []
    grid = np.linspace(-5.0, 5.0, 45)
    x, y = np.meshgrid(grid, grid, indexing="ij")
    for rho in CORRELATIONS:
        density = np.exp(-(x**2 - 2 * rho * x * y + y**2) / (2 * (1 - rho**2)))
        critical = 1.0 / rho**2
        found = bottleneck.curve(
            density / density.sum(), critical * np.array([0.9, 1.05]), direction="up", n_clusters=2
        )
        error = abs(found.bifurcations[0].beta / critical - 1.0)
        rows.append({"correlation": rho, "critical": critical, "relative_error": error})
    return rows


def hierarchy() -> list[dict[str, Any]]:
    """The relative errors of the critical betas of a tree of eight symbols."""
    found = [
        b for b in bottleneck.curve(tree(), np.geomspace(1.1, 60, 40)).bifurcations if b.optimal
    ]
    return [
        {
            "n_before": b.n_before, "n_after": b.n_after, "beta": b.beta,
            "relative_error": abs(b.beta / right - 1.0),
        }
        for b, right in zip(found, TREE_SPLITS, strict=True)
    ]  # fmt: skip


def topics(n_x: int = 2000, n_y: int = 100, count: int = 20) -> np.ndarray:
    """p(x, y) of documents x and words y that are mixtures of topics."""
    rng = np.random.default_rng(0)
    words = rng.dirichlet(np.full(n_y, 0.1), size=count)
    p = rng.dirichlet(np.full(count, 0.1), size=n_x) @ words
    p *= rng.dirichlet(np.full(n_x, 2.0))[:, None]
    return p / p.sum()


def large(**options: Any) -> dict[str, Any]:
    """Seconds of the processor for 100 betas."""
    p, betas = topics(), np.geomspace(1.05, 100.0, 100)
    started, wall = time.process_time(), time.perf_counter()
    curve = bottleneck.curve(p, betas, **options)
    seconds = time.process_time() - started
    return {
        "n_x": 2000, "n_y": 100, "betas": 100, **options, "processor_seconds": seconds,
        "wall_seconds": time.perf_counter() - wall, "load": os.getloadavg()[0],
        "most_clusters": int(curve.n_clusters.max()), "defect_bits": curve.defect,
        "largest_residual": max(p.solution.residual for p in curve.points),
        "share_kept": float(curve.information_y[-1] / curve.information_xy),
        "bifurcations": sum(b.optimal for b in curve.bifurcations),
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--output", type=Path, required=True)
    options = parser.parse_args()
    result = {
        "machine": describe(),
        "binary_symmetric": binary_symmetric(),
        "gaussian": gaussian(),
        "tree": hierarchy(),
        "large": [large(n_clusters=20)],
    }
    write(options.output, rounded(result))


if __name__ == "__main__":
    main()
