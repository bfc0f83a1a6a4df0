"""How comparisons are laid out: names, aligned columns, and tables of a notebook."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

from eigentropy._support.units import unit

TITLES = {
    "dse": "DSE",
    "dsmi": "DSMI",
    "dsmi_adjusted": "adjusted DSMI",
    "kernel_entropy": "kernel entropy",
    "kernel_information": "kernel information",
    "kernel_information_adjusted": "adjusted kernel information",
    "kernel_information_bits": "bits() of the kernel information",
}

Table = list[Sequence[str]]


def title(measure: str, base: float | None) -> str:
    """What is compared, with its unit."""
    name = TITLES.get(measure, measure)
    return name if base is None else f"{name} in {unit(base)}"


def aligned(rows: Table) -> list[str]:
    """Columns of texts: names to the left, numbers to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    is_name = [rows[0][number] in ("", "group") for number in range(len(widths))]
    return [
        "  ".join(
            cell.ljust(width) if left else cell.rjust(width)
            for cell, width, left in zip(row, widths, is_name, strict=True)
        ).rstrip()
        for row in rows
    ]


def blocks(rows: Table, width: int) -> list[list[str]]:
    """Columns of texts below each other where they are wider than this, each with the names.

    The names are the first column. A block has one column more, however wide that is.
    """
    names, *columns = zip(*rows, strict=True)
    several: list[list[Sequence[str]]] = [[names]]
    for column in columns:
        wider = [*several[-1], column]
        if len(wider) > 2 and _width(wider) > width:
            wider = [names, column]
            several.append(wider)
        several[-1] = wider
    return [aligned(list(zip(*block, strict=True))) for block in several]


def _width(columns: Sequence[Sequence[str]]) -> int:
    return sum(max(map(len, column)) + 2 for column in columns) - 2


_CELL = "text-align: left; padding: 0.1em 0.9em 0.1em 0; border: none; background: none"


def html_table(rows: Iterable[Sequence[str]]) -> str:
    """The first row is the heading."""
    tag, lines = "th", []
    for row in rows:
        cells = "".join(f'<{tag} style="{_CELL}">{escape(cell)}</{tag}>' for cell in row)
        lines.append(f'<tr style="background: none">{cells}</tr>')
        tag = "td"
    style = "border-collapse: collapse; border: none; margin: 0 0 0.5em 0; color: inherit"
    return f'<table style="{style}">{"".join(lines)}</table>'
