"""How measurements are stored: JSON whose short parts take one line, and tables by columns."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from eigentropy.io.writing import is_stream

ROOT = Path(__file__).resolve().parents[2]
RESULTS = ROOT / "benchmarks" / "results"
# A value that is shorter than this takes one line.
LINE = 240


def rounded(value: Any, digits: int = 6) -> Any:
    """The value with its floats rounded to so many significant digits, at any depth."""
    if isinstance(value, dict):
        return {name: rounded(item, digits) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [rounded(item, digits) for item in value]
    return float(f"{value:.{digits}g}") if isinstance(value, float) else value


def write(path: Path, result: Any) -> None:
    """The whole file or nothing of it: a program may be stopped at any time.

    A pipe, or a device such as /dev/null, is written to, and not replaced by a file.
    """
    if is_stream(path):
        path.write_text(text(result) + "\n")
        return
    part = path.with_name(f"{path.name}.part")
    try:
        part.write_text(text(result) + "\n")
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def text(value: Any, indent: int = 0) -> str:
    """JSON; a value on one line where it is short, or a list of numbers and strings."""
    line = json.dumps(value)
    if len(line) + indent <= LINE or not isinstance(value, (dict, list)):
        return line
    if isinstance(value, list) and not any(isinstance(item, (dict, list)) for item in value):
        return line
    begin, end = "{}" if isinstance(value, dict) else "[]"
    pad = " " * (indent + 1)
    if isinstance(value, dict):
        lines = [
            f"{pad}{json.dumps(name)}: {text(item, indent + 1)}" for name, item in value.items()
        ]
    else:
        lines = [pad + text(item, indent + 1) for item in value]
    return begin + "\n" + ",\n".join(lines) + "\n" + " " * indent + end


def to_columns(rows: list[Any]) -> Any:
    """Rows with the same keys as one list a key; keys whose values are rows again, the same way."""
    first = rows[0] if rows else None
    if not isinstance(first, dict) or not first:
        return rows
    if any(not isinstance(row, dict) or row.keys() != first.keys() for row in rows):
        return rows
    return {name: to_columns([row[name] for row in rows]) for name in first}


def to_rows(columns: Any) -> list[Any]:
    """What `to_columns` was given."""
    if isinstance(columns, list):
        return columns
    values = [to_rows(column) for column in columns.values()]
    return [dict(zip(columns, row, strict=True)) for row in zip(*values, strict=True)]
