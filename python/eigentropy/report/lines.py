"""The files of a run or a log, read line by line: sizes first, then JSON or CSV, then shapes."""

from __future__ import annotations

import csv
import itertools
import json
import stat
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from eigentropy._support import memory
from eigentropy.io.paths import FileError, named_errors, shown
from eigentropy.report.schema import stepped
from eigentropy.report.shapes import Shape, ShapeError

Line = dict[str, Any]

# A recording of more bytes makes a page that no browser opens.
LARGEST_RECORDING = 2**30

# A line has the numbers of one measurement: 100 layers take some 100 kB.
LONGEST_LINE = 2**25

# What the numbers of a byte of JSON or CSV take in memory at most: "0," becomes a float in a dict.
BYTES_PER_BYTE = 40

REMEDY = "measure less often (every=...) or fewer layers, or keep a part of its lines"

LEFT_OUT = "the last line was torn by an interruption, and is left out"


def require_size(paths: Iterable[Path], name: Path) -> None:
    """Refuse files that cannot be read whole, before anything is read.

    Raises
    ------
    FileError
        One is no file, or they are too large for a page.
    MemoryError
        They do not fit into memory.
    """
    size = 0
    for path in paths:
        with named_errors(path):
            status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise FileError(f"{shown(path)} is no regular file; one with lines of values is wanted")
        size += status.st_size
    if size > LARGEST_RECORDING:
        raise FileError(
            f"{shown(name)} has {size} bytes, and a page takes at most {LARGEST_RECORDING}: "
            f"{REMEDY}"
        )
    memory.require(BYTES_PER_BYTE * size, f"{shown(name)} of {size} bytes", REMEDY)


def json_lines(path: Path, shape: Shape, notes: list[str]) -> list[Any]:
    """The line of each measurement in its shape. A torn last one is left out, with a note."""
    rows: list[Any] = []
    torn: str | None = None
    for number, line in enumerate(_raw_lines(path), 1):
        if not line.strip():
            continue
        if torn is not None:  # not the last line
            raise FileError(torn)
        document, reason = _parsed(line)
        if reason:
            torn = f"{shown(path)}, line {number} is no JSON: {reason}"
        else:
            rows.append(shaped(document, shape, f"{shown(path)}, line {number}"))
    if torn is not None:
        notes.append(f"{LEFT_OUT}: {torn}")
    return rows


def measurements(path: Path) -> list[Line]:
    """The lines that were written to their end, as they are; each has a step."""
    if not path.exists():
        return []
    require_size([path], path)
    return json_lines(path, stepped, [])


def json_object(path: Path) -> Any:
    """The document in a file."""
    document, reason = _parsed(b"".join(_raw_lines(path)))
    if reason:
        raise FileError(f"{shown(path)} is no JSON: {reason}")
    return document


def table_lines(path: Path, shape_of: Callable[[list[str]], Shape], notes: list[str]) -> list[Any]:
    """The rows of a CSV file in the shape that goes with its header; empty cells are left out.

    A torn last row is left out, with a note.
    """
    lines = list(_raw_lines(path))
    try:
        return list(_table(path, shape_of, lines))
    except FileError as error:
        if len(lines) < 2 or lines[-1].endswith(b"\n"):
            raise
        rows = list(_table(path, shape_of, lines[:-1]))
        notes.append(f"{LEFT_OUT}: {error}")
        return rows


def _raw_lines(path: Path) -> Iterator[bytes]:
    with named_errors(path), path.open("rb") as file:
        for number in itertools.count(1):
            line = file.readline(LONGEST_LINE + 1)
            if len(line) > LONGEST_LINE:
                raise FileError(
                    f"{shown(path)}, line {number} has more than {LONGEST_LINE} bytes; a line "
                    "holds the numbers of one measurement"
                )
            if not line:
                return
            yield line


def _parsed(line: bytes) -> tuple[Any, str]:
    """The document, or why there is none."""
    try:
        return json.loads(line.decode("utf-8-sig")), ""
    except RecursionError:
        return None, "lists or objects are nested too deeply"
    except ValueError as error:  # of JSON, of UTF-8, of a number with thousands of digits
        return None, str(error)


def shaped(document: Any, shape: Shape, where: str) -> Any:
    """The document in its shape, or a FileError that says where it has another."""
    try:
        return shape(document)
    except ShapeError as error:
        raise FileError(f"{where}: {error}") from None


def _table(
    path: Path, shape_of: Callable[[list[str]], Shape], lines: Sequence[bytes]
) -> Iterator[Any]:
    rows = csv.reader((line.decode("utf-8-sig") for line in lines), strict=True)
    try:
        header = next(rows, [])
        repeated = [name for name in dict.fromkeys(header) if name and header.count(name) > 1]
        if repeated:
            raise FileError(f"{shown(path)}, line 1: the column {repeated[0]!r} is there twice")
        shape = shape_of(header)
        for row in filter(None, rows):
            where = f"{shown(path)}, line {rows.line_num}"
            if len(row) != len(header):
                raise FileError(f"{where}: {len(row)} cells; {len(header)} are wanted")
            cells = {k: v for k, v in zip(header, row, strict=True) if k and v.strip()}
            yield shaped(cells, shape, where)
    except (csv.Error, UnicodeDecodeError) as error:
        raise FileError(f"{shown(path)}, line {rows.line_num + 1}: no CSV: {error}") from error
