"""What documents show of benchmarks/results/estimators.json."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from typing import Any

from benchmarks.compare.requirements import Cell, requirements
from benchmarks.shared.markdown_tables import table, time

Results = dict[str, dict[str, Any]]  # by suite
Runs = dict[str, list[float]]  # of one estimator, round by round


def names(result: dict[str, Any]) -> list[str]:
    """Estimators that were measured somewhere, in the order of the program."""
    return list(dict.fromkeys(name for cell in result["cells"] for name in cell["runs"]))


def _by_cell(show: Callable[[Runs], str]) -> Callable[[Results], str]:
    """A row for each d and n, a column for each estimator."""

    def render(results: Results) -> str:
        result = results["estimators"]
        shown = names(result)
        rows = [
            [
                str(cell["d"]),
                str(cell["n"]),
                *[
                    show(cell["runs"][name]) if name in cell["runs"] else _why_not(cell, name)
                    for name in shown
                ],
            ]
            for cell in sorted(result["cells"], key=lambda cell: (cell["d"], cell["n"]))
        ]
        return table(["d", "n", *shown], rows)

    return render


def _why_not(cell: Cell, name: str) -> str:
    return str(cell["not_run"].get(name, {"reason": ""})["reason"])


def _seconds(runs: Runs) -> str:
    return time(statistics.median(runs["seconds"]))


def _value(runs: Runs) -> str:
    """The mean over the rounds; a value of rounding alone is 0."""
    return f"{statistics.mean(runs['value']) + 0.0:.3f}".replace("-0.000", "0.000")


def _megabytes(runs: Runs) -> str:
    return f"{max(runs['bytes']) / 1e6:.0f}"


def required(results: Results) -> str:
    verdicts = {True: "yes", False: "**no**", None: "not measured"}
    rows = [
        [one["claim"], one["measured"], verdicts[one["holds"]]]
        for one in requirements(results["estimators"])
    ]
    return table(["aim", "measured", "holds"], rows)


def depends(results: Results) -> str:
    """DSE, DSMI(Z; Z) and DSMI(Z; Y) of one sample, as one setting after the other changes."""
    columns = ("dse", "dsmi_z_z", "dsmi", "adjusted")
    rows = [
        [row["data"], row["setting"], *[f"{row[column]:.3f}" for column in columns]]
        for row in results["estimators"]["dependence"]
    ]
    return table(["data", "setting", "DSE(Z)", "DSMI(Z; Z)", "DSMI(Z; Y)", "adjusted"], rows)


def figure(_: Results) -> str:
    return (
        "![Seconds and bits over d, for DSMI and for the estimators that it is compared with]"
        "(../figures/estimators.svg)\n"
    )


# What a block needs, and who writes it.
BLOCKS: dict[str, tuple[tuple[str, ...], Callable[[Results], str]]] = {
    "estimators": (("estimators",), required),
    "estimators figure": (("estimators",), figure),  # drawn by plot_estimators.py
    "estimators seconds": (("estimators",), _by_cell(_seconds)),
    "estimators values": (("estimators",), _by_cell(_value)),
    "estimators memory": (("estimators",), _by_cell(_megabytes)),
    "dependence": (("estimators",), depends),
}
