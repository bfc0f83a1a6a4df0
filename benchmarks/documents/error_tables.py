"""The table of sampling errors over blocks of rows, beside what new blocks change."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from benchmarks.shared.markdown_tables import table

MEASURES = {
    "dse": "diffusion entropy",
    "kernel_entropy": "kernel entropy",
    "kernel_information": "kernel information",
}
WAYS = {"entropies": "`eg.entropies`", "tokens": "`profile`, tokens"}


def block_errors(results: dict[str, dict[str, Any]]) -> str:
    """The stated error over the true one, with its interval."""
    header = ["by", "blocks", "rows of each", "d", "width", "stand for all", "samples"]
    rows = [
        [
            WAYS[case["way"]],
            *[str(case[name]) for name in ("blocks", "rows", "d", "width", "used", "samples")],
            *[_share(case["shares"].get(name)) for name in MEASURES],
        ]
        for case in results["block_errors"]["cases"]
    ]
    return table([*header, *MEASURES.values()], rows)


def _share(found: Mapping[str, float] | None) -> str:
    if found is None:
        return ""
    shown = f"{found['share']:.2f} ({found['low']:.2f} to {found['high']:.2f})"
    without = found["without_error"]
    return f"{shown}, {without} without" if without else shown


BLOCKS: dict[str, tuple[tuple[str, ...], Callable[[dict[str, dict[str, Any]]], str]]] = {
    "block errors": (("block_errors",), block_errors),
}
