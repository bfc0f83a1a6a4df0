"""Figures that tables, plots and reports take from a case."""

from __future__ import annotations

import statistics
from collections.abc import Iterable
from typing import Any

Case = dict[str, Any]
OURS = "eigentropy"


def median(case: Case, name: str, quantity: str = "seconds") -> float:
    """Over the repetitions."""
    return statistics.median(case["runs"][name][quantity])


def library(name: str) -> str:
    """Of a contender: "scipy evr" is one of scipy."""
    return name.replace(",", " ").split()[0]


def fastest(case: Case, names: Iterable[str]) -> str | None:
    """The name with the shortest median; None if none of them was measured."""
    measured = [name for name in names if name in case["runs"]]
    return min(measured, key=lambda name: median(case, name), default=None)


def best_peer(case: Case) -> str | None:
    return fastest(case, (name for name in case["runs"] if library(name) != OURS))


def best_of(case: Case, wanted: str) -> str | None:
    """The fastest contender of a library."""
    return fastest(case, (name for name in case["runs"] if library(name) == wanted))


def speedup(case: Case, peer: str, ours: str = OURS) -> float:
    """How many times as long the peer takes: the median over the rounds."""
    mine, theirs = (case["runs"][name]["seconds"] for name in (ours, peer))
    return statistics.median(b / a for a, b in zip(mine, theirs, strict=False))


def product_rate(result: dict[str, Any], dtype: str, run: int = 0) -> float | None:
    """The best rate of a matrix product in this run of those of a result, flops a second."""
    for case in result["cases"]:
        product = case.get("task") == "product" and case.get("run", 0) == run
        if product and case["dtype"] == dtype:
            best = fastest(case, case["runs"])
            if best is not None:
                return 2.0 * float(case["n"]) ** 3 / median(case, best)
    return None


def share_of_product(result: dict[str, Any], case: Case, name: str = OURS) -> float | None:
    """(4/3) n^3 flops at the rate of a product, over the time that the eigenvalues take."""
    rate = product_rate(result, case["dtype"], case.get("run", 0))
    if rate is None or name not in case["runs"]:
        return None
    return 4.0 / 3.0 * float(case["n"]) ** 3 / rate / median(case, name)
