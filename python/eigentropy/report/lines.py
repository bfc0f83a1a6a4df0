"""The lines of a run or a log: read from JSON or CSV, checked, and gathered as numbers by step."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from eigentropy.io.paths import FileError, named_errors, shown

Line = dict[str, Any]


def json_lines(path: Path, notes: list[str]) -> list[Line]:
    """All lines; the last one may be torn."""
    with named_errors(path):
        lines = path.read_text(encoding="utf-8", errors="replace").split("\n")
    *whole, last = [line for line in lines if line.strip()] or [""]
    rows = [_line(text, path, number) for number, text in enumerate(whole, 1)]
    try:
        return [*rows, _line(last, path, len(lines))] if last else rows
    except FileError:
        notes.append(f"the last line of {shown(Path(path.name))} was torn, and is left out")
        return rows


def _line(text: str, path: Path, number: int) -> Line:
    try:
        row = json.loads(text)
    except json.JSONDecodeError as error:
        raise FileError(f"{shown(path)}, line {number}: no JSON: {error}") from error
    if not isinstance(row, dict):
        raise FileError(f"{shown(path)}, line {number}: no object, but {type(row).__name__}")
    return row


def by_step(rows: Iterable[Line], path: Path) -> dict[int, Line]:
    """The last measurement of each step, as numbers."""
    known: dict[int, Line] = {}
    for number, row in enumerate(rows, 1):
        try:
            step = int(row["step"])
            known[step] = {k: as_number(v) for k, v in row.items() if k != "step"}
        except KeyError:
            raise FileError(
                f"{shown(path)}: measurement {number} has no 'step'; a log of a monitor, or the "
                "table of eigentropy track, is wanted"
            ) from None
        except (TypeError, ValueError) as error:
            raise FileError(f"{shown(path)}: measurement {number}: {error}") from error
    if not known:
        raise FileError(f"{shown(path)} holds no measurement yet")
    return known


def as_number(value: Any) -> float | None:
    """The number, or None for an empty, null, NaN or infinite value."""
    if value in (None, ""):
        return None
    number = float(value)
    return number if math.isfinite(number) else None


def columns(rows: Sequence[Mapping[str, float | None]]) -> dict[str, list[float | None]]:
    """A list for each key, with None where a row lacks the key."""
    keys = dict.fromkeys(key for row in rows for key in row)
    return {key: [row.get(key) for row in rows] for key in keys}


def json_object(path: Path) -> dict[str, Any]:
    """The object in a file."""
    with named_errors(path):
        document = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(document, dict):
            raise ValueError(f"it holds {type(document).__name__}, not an object")
        return document


def table_lines(path: Path) -> list[Line]:
    """The rows of a CSV file, by the names in its header."""
    with path.open(newline="", encoding="utf-8") as file:
        return [{k: v for k, v in row.items() if k} for row in csv.DictReader(file, strict=True)]
