"""What benchmarks/results/estimators.json must show."""

from __future__ import annotations

import statistics
from typing import Any

from benchmarks.shared.markdown_tables import times
from benchmarks.shared.summary import speedup

Cell = dict[str, Any]

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
