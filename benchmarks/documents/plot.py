"""Time over n, both logarithmic, of the suites `eigenvalues` and `dse`.

python -m benchmarks.documents.plot --output docs/figures/performance.svg
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import matplotlib as mpl

mpl.use("Agg")
mpl.rcParams["svg.hashsalt"] = "eigentropy"  # the same file for the same results

import matplotlib.pyplot as plt  # noqa: E402
from matplotlib.ticker import NullLocator  # noqa: E402

from benchmarks.documents.tables import COMPAT, LIBRARIES, RESULTS, load  # noqa: E402
from benchmarks.shared.summary import OURS, best_of, median  # noqa: E402

COLOURS = dict(
    zip([OURS, *LIBRARIES, "dse-dsmi", COMPAT], mpl.color_sequences["tab10"], strict=False)
)


def curve(axes: Any, cases: list[dict[str, Any]], library: str, label: str) -> None:
    """The fastest driver of a library at each n; ours are those of their own names."""

    def named(case: dict[str, Any]) -> str | None:
        if library in (OURS, COMPAT):
            return library if library in case["runs"] else None
        return best_of(case, library)

    best = {case["n"]: (case, named(case)) for case in cases}
    points = [(n, median(case, name)) for n, (case, name) in sorted(best.items()) if name]
    if points:
        weight = 2.5 if library == OURS else 1.2
        axes.plot(*zip(*points, strict=True), "o-", color=COLOURS[library], lw=weight, label=label)


def panel(axes: Any, title: str, cases: list[dict[str, Any]], labels: dict[str, str]) -> None:
    axes.set(xscale="log", yscale="log", title=title, xlabel="n", ylabel="seconds")
    axes.grid(alpha=0.3)
    if not cases:
        return
    for library, label in labels.items():
        curve(axes, cases, library, label)
    sizes = sorted({case["n"] for case in cases})
    axes.set_xticks(sizes, [str(n) for n in sizes])
    axes.xaxis.set_minor_locator(NullLocator())
    axes.legend(frameon=False)


def draw(results: dict[str, dict[str, Any]]) -> Any:
    figure, (left, middle, right) = plt.subplots(1, 3, figsize=(13, 4), layout="constrained")
    for axes, dtype in ((left, "float64"), (middle, "float32")):
        cases = [case for case in results["eigenvalues"]["cases"] if "task" not in case]
        chosen = [case for case in cases if case["dtype"] == dtype]
        panel(axes, f"all eigenvalues, {dtype}", chosen, {OURS: OURS, **LIBRARIES})
    packages = {OURS: "eg.dse(Z)", COMPAT: "eigentropy.compat", "dse-dsmi": "dse-dsmi"}
    panel(right, "DSE, d = 512", results["dse"]["cases"], packages)
    return figure


def main() -> None:
    parser = argparse.ArgumentParser(description="Figure of the benchmark results.")
    parser.add_argument("results", nargs="?", type=Path, default=RESULTS, help="folder")
    parser.add_argument("--output", type=Path, required=True)
    arguments = parser.parse_args()
    figure = draw(load(arguments.results))
    figure.savefig(arguments.output, metadata={"Date": None})


if __name__ == "__main__":
    main()
