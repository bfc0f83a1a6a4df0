"""What documents show of benchmarks/results/estimators.json, and what it must show."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from typing import Any

from benchmarks.documents.markdown_tables import table, time, times
from benchmarks.shared.summary import speedup

Results = dict[str, dict[str, Any]]  # by suite
Cell = dict[str, Any]
Runs = dict[str, list[float]]  # of one estimator, round by round

PEERS = ("dse-dsmi", "dse-dsmi float32")
# Where the paper's comparison is judged, and the longest rows.
JUDGED = {"n": 2000, "d": 20_000}
LONGEST = 500_000

LEAST_OVER_NPEET = 30.0
LEAST_OVER_PEER = 3.0
MOST_BYTES = 2e9


def seconds_of(cell: Cell, name: str) -> float | None:
    """The median over the rounds."""
    runs = cell["runs"].get(name)
    return statistics.median(runs["seconds"]) if runs else None


def known_seconds(cells: list[Cell], name: str) -> dict[tuple[int, int], float]:
    """By (n, d): what was measured, and what was predicted where it was not run for that."""
    found = {}
    for cell in cells:
        seconds = seconds_of(cell, name)
        if seconds is None:
            seconds = cell["not_run"].get(name, {}).get("predicted_seconds")
        if seconds is not None:
            found[cell["n"], cell["d"]] = seconds
    return found


def times_as_fast(cell: Cell, peer: str, ours: str = "DSMI") -> float | None:
    """The median of the ratios round by round; None where one of them was not run."""
    if peer not in cell["runs"] or ours not in cell["runs"]:
        return None
    return speedup(cell, peer, ours)


def fastest_peer(cell: Cell) -> str:
    """dse-dsmi with the precision that suits it best."""
    measured = {name: seconds_of(cell, name) for name in PEERS}
    known = {name: seconds for name, seconds in measured.items() if seconds is not None}
    return min(known, key=lambda name: known[name], default=PEERS[0])


def requirements(result: dict[str, Any]) -> list[dict[str, Any]]:
    """Each with what was measured, and whether it holds; None where it was not measured."""
    cell = next(
        (c for c in result["cells"] if all(c[key] == JUDGED[key] for key in JUDGED)),
        {"runs": {}},
    )
    peer = fastest_peer(cell)
    at = "n = {n}, d = {d}: ".format(**JUDGED)
    return [
        _fast_enough(at, cell, "DSMI", "NPEET mi", LEAST_OVER_NPEET),
        _fast_enough(at, cell, "DSMI", peer, LEAST_OVER_PEER),
        _fast_enough(at, cell, "DSMI sqrt-d", peer, LEAST_OVER_PEER),
        _small_enough(result["cells"]),
    ]


def _fast_enough(at: str, cell: Cell, ours: str, peer: str, least: float) -> dict[str, Any]:
    factor = times_as_fast(cell, peer, ours)
    return {
        "claim": f"{at}{ours} is at least {least:g} times as fast as {peer}",
        "measured": "" if factor is None else times(factor),
        "holds": None if factor is None else factor >= least,
    }


def _small_enough(cells: list[Cell]) -> dict[str, Any]:
    measured = [cell for cell in cells if cell["d"] == LONGEST and "DSMI" in cell["runs"]]
    cell = max(measured, key=lambda cell: cell["n"], default=None)
    claim = f"d = {LONGEST}: DSMI takes at most {MOST_BYTES / 1e9:g} GB beside the mapped data"
    if cell is None:
        return {"claim": claim, "measured": "", "holds": None}
    most = max(cell["runs"]["DSMI"]["bytes"])
    size = 4.0 * cell["n"] * cell["d"]
    measured_as = f"{most / 1e9:.2f} GB, n = {cell['n']}, {size / 1e9:.0f} GB of data"
    return {"claim": claim, "measured": measured_as, "holds": most <= MOST_BYTES}


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
        "(figures/estimators.svg)\n"
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
