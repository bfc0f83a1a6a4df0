"""How tables of results are written."""

from __future__ import annotations


def table(header: list[str], rows: list[list[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "".join("| " + " | ".join(line) + " |\n" for line in lines)


def time(seconds: float) -> str:
    return f"{seconds:.3g} s" if seconds >= 1.0 else f"{seconds * 1e3:.3g} ms"


def times(factor: float) -> str:
    """How many times as fast."""
    return f"{factor:.1f}x" if factor >= 0.95 else f"{factor:.2f}x"
