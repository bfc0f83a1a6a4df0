"""Seconds and bits over d of the estimators in benchmarks/results/estimators.json.

python -m benchmarks.documents.plot_estimators --output docs/figures/estimators.svg
"""

from __future__ import annotations

import argparse
import math
import statistics
from pathlib import Path
from typing import Any

import matplotlib as mpl

mpl.use("Agg")
mpl.rcParams["svg.hashsalt"] = "eigentropy"  # the same file for the same results

import matplotlib.pyplot as plt  # noqa: E402
from matplotlib.ticker import NullLocator  # noqa: E402

from benchmarks.compare.requirements import JUDGED, seconds_of  # noqa: E402
from benchmarks.documents.estimator_tables import names  # noqa: E402
from benchmarks.documents.tables import RESULTS, load  # noqa: E402

OURS = "DSMI"


def draw(result: dict[str, Any]) -> Any:
    """At the n of the paper's comparison, or the largest that was measured."""
    sizes = {cell["n"] for cell in result["cells"]}
    n = JUDGED["n"] if JUDGED["n"] in sizes else max(sizes)
    cells = sorted((c for c in result["cells"] if c["n"] == n), key=lambda cell: cell["d"])
    figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4), layout="constrained")
    for name, colour in zip(names(result), mpl.color_sequences["tab10"], strict=False):
        measured = [cell for cell in cells if name in cell["runs"]]
        d = [cell["d"] for cell in measured]
        style = {"color": colour, "lw": 2.5 if name == OURS else 1.2, "label": name}
        left.plot(d, [seconds_of(cell, name) for cell in measured], "o-", **style)
        values = [statistics.mean(cell["runs"][name]["value"]) for cell in measured]
        right.plot(d, values, "o-", **style)
    right.axhline(math.log2(3), color="0.6", ls=":", label="log2(3)")
    left.set(yscale="log", title=f"time, n = {n}", ylabel="seconds")
    right.set(title=f"value, n = {n}", ylabel="bits")
    dimensions = [cell["d"] for cell in cells]
    for axes in (left, right):
        axes.set(xscale="log", xlabel="d")
        axes.set_xticks(dimensions, [str(d) for d in dimensions])
        axes.xaxis.set_minor_locator(NullLocator())
        axes.grid(alpha=0.3)
    right.legend(frameon=False, loc="center left", bbox_to_anchor=(1.0, 0.5))
    return figure


def main() -> None:
    parser = argparse.ArgumentParser(description="Figure of DSMI beside other estimators.")
    parser.add_argument("results", nargs="?", type=Path, default=RESULTS, help="folder")
    parser.add_argument("--output", type=Path, required=True)
    arguments = parser.parse_args()
    figure = draw(load(arguments.results)["estimators"])
    figure.savefig(arguments.output, metadata={"Date": None})


if __name__ == "__main__":
    main()
