"""The information bottleneck of a tree of eight symbols, and of one with a jump.

python -m benchmarks.documents.bottleneck --output docs/figures/bottleneck.svg

Left: the information curve of a channel along a tree, whose clusters split from 1 to 2, 4 and 8.
Middle: the number of clusters over beta; dotted lines are the critical betas that follow from the
symmetry of the tree. Right: eight symbols that are all alike. One cluster stays stable up to the
dotted line, but eight clusters are better before.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import matplotlib as mpl
import numpy as np

mpl.use("Agg")
mpl.rcParams["svg.hashsalt"] = "eigentropy"  # the same file for the same results

import matplotlib.pyplot as plt  # noqa: E402

from eigentropy import bottleneck  # noqa: E402
from eigentropy.plot import style  # noqa: E402

FLIPS = (0.05, 0.15, 0.3)
BETAS = np.geomspace(1.1, 60.0, 60)
ALIKE, SEEN = 8, 0.4


def tree() -> np.ndarray:
    """p(x, y) of eight leaves: y takes a wrong turn at each level by chance, then fair turns."""
    size = 2 ** len(FLIPS)
    P = np.ones((size, size))
    for x in range(size):
        for y in range(size):
            for level, flip in enumerate(FLIPS):
                above = len(FLIPS) - level
                together = x >> above == y >> above
                turned = x >> above - 1 != y >> above - 1
                P[x, y] *= (flip if turned else 1 - flip) if together else 0.5
    return P / size


def alike() -> np.ndarray:
    """p(x, y) of eight symbols: y is x with some probability, and any symbol otherwise."""
    return (SEEN * np.eye(ALIKE) + (1 - SEEN) / ALIKE) / ALIKE


def draw_clusters(axes: plt.Axes, curve: bottleneck.InformationCurve) -> None:
    """The number of clusters of each branch over beta."""
    for number, way in enumerate(("up", "down")):
        points = [p for p in curve.points if p.direction == way]
        betas = [p.solution.beta for p in points]
        counts = [p.solution.n_clusters for p in points]
        look = {**style.curve(number), "label": f"followed {way}"}
        style.draw_curve(axes, betas, counts, look)
    for found in curve.bifurcations:
        style.mark(axes, found.beta, color=style.QUIET, linestyle=":", linewidth=1.0)
    style.dress(axes)
    axes.set(
        xscale="log", yscale="log", xlabel="beta", ylabel="clusters", yticks=(1, 2, 4, 8),
        yticklabels=("1", "2", "4", "8"),
    )  # fmt: skip
    axes.minorticks_off()
    axes.legend(frameon=False, fontsize="small", loc="upper left")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--output", type=Path, required=True)
    options = parser.parse_args()
    of_tree = bottleneck.curve(tree(), BETAS)
    of_alike = bottleneck.curve(alike(), np.geomspace(2.0, 9.0, 40))
    figure, (plane, splits, jump) = plt.subplots(1, 3, figsize=(11, 3.4), layout="constrained")
    of_tree.plot(ax=plane)
    plane.set_title("A tree of 8 symbols", fontsize="medium")
    draw_clusters(splits, of_tree)
    splits.set_title("The same tree", fontsize="medium")
    draw_clusters(jump, of_alike)
    jump.set(xscale="linear")
    jump.set_title("8 symbols that are all alike", fontsize="medium")
    figure.savefig(options.output, metadata={"Date": None})
    for name, curve in (("tree", of_tree), ("alike", of_alike)):
        for found in curve.bifurcations:
            print(name, found)


if __name__ == "__main__":
    main()
