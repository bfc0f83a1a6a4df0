"""What a study measures, one row for each number, and the file that holds the rows.

The file grows by one line at a time, so that an interrupted run can be continued.
"""

from __future__ import annotations

import csv
import fcntl
import io
import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TextIO

from eigentropy.io.paths import FileError, shown

Parameter = int | float | str
Parameters = tuple[tuple[str, Parameter], ...]


@dataclass(frozen=True)
class Cell:
    """One number of a study: its data, its parameters and its estimator.

    `parameters` are sorted by name, so that equal cells are equal.
    """

    data: str
    parameters: Parameters
    estimator: str
    seed: int

    @property
    def settings(self) -> dict[str, Parameter]:
        """The parameters by name."""
        return dict(self.parameters)

    def with_parameters(self, **more: Parameter) -> Cell:
        """The same cell with further parameters."""
        return replace(self, parameters=sorted_parameters({**self.settings, **more}))


def sorted_parameters(settings: Mapping[str, Parameter]) -> Parameters:
    """The parameters sorted by name, so that equal cells compare equal."""
    return tuple(sorted(settings.items()))


@dataclass(frozen=True)
class StudyRow:
    """A cell and what was measured: the value, its standard error (NaN: not known), the time."""

    cell: Cell
    value: float
    error: float
    seconds: float

    def __getitem__(self, name: str) -> Any:
        """The parameter of this name."""
        return self.cell.settings[name]


COLUMNS = ("study", "data", "parameters", "estimator", "seed", "value", "error", "seconds")


def to_fields(study: str, row: StudyRow) -> list[str]:
    """What a line of the file holds, as texts; numbers in full precision."""
    cell = row.cell
    return [
        study,
        cell.data,
        json.dumps(cell.settings),
        cell.estimator,
        str(cell.seed),
        str(float(row.value)),
        str(float(row.error)),
        f"{row.seconds:.4g}",
    ]


def to_line(study: str, row: StudyRow) -> str:
    """One line of CSV."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(to_fields(study, row))
    return text.getvalue()


def from_fields(study: str, texts: Sequence[str]) -> StudyRow:
    """The row in a line of the file.

    Raises
    ------
    ValueError
        The line is no row, or a row of another study.
    """
    name, data, parameters, estimator, seed, value, error, seconds = texts
    if name != study:
        raise ValueError(f"it is of the study {name!r}")
    cell = Cell(data, sorted_parameters(json.loads(parameters)), estimator, int(seed))
    return StudyRow(cell, float(value), float(error), float(seconds))


class StudyTable:
    """The rows of a study in a CSV file that is open for further rows."""

    def __init__(
        self, study: str, file: TextIO, rows: dict[Cell, StudyRow], notes: list[str]
    ) -> None:
        self.study = study
        self.rows = rows
        self.notes = notes
        self._file = file

    def add(self, row: StudyRow) -> None:
        """Write the row to the file at once."""
        self._file.write(to_line(self.study, row))
        self._file.flush()
        self.rows[row.cell] = row

    def of(self, cells: Iterable[Cell]) -> list[StudyRow]:
        """The rows of those cells that have been measured."""
        return [self.rows[cell] for cell in cells if cell in self.rows]


@contextmanager
def opened(study: str, path: Path) -> Iterator[StudyTable]:
    """Open the file of a study, new or of an earlier run.

    A last line without an end was torn when a run was killed: it is dropped, and `notes` says so.

    Raises
    ------
    FileError
        The file cannot be written, is no table of this study, or another run writes to it.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.open("a+", newline="", encoding="utf-8")
    except OSError as error:
        raise FileError(f"{shown(path)} cannot be written: {error.strerror or error}") from error
    with file:
        _lock(file, path)
        notes = _drop_torn_line(file, path)
        rows = _read(study, file, path)
        if os.fstat(file.fileno()).st_size == 0:
            file.write(",".join(COLUMNS) + "\n")
            file.flush()
        yield StudyTable(study, file, rows, notes)


def read(study: str, path: Path) -> list[StudyRow]:
    """The rows in a file, also a compressed one, .csv.xz, in the order of measurement."""
    with _text_of(path) as file:
        return list(_read(study, file, path).values())


def _text_of(path: Path) -> TextIO:
    if path.suffix != ".xz":
        return path.open(newline="", encoding="utf-8")
    import lzma  # a Python may be built without it

    return lzma.open(path, "rt", newline="", encoding="utf-8")


def _lock(file: TextIO, path: Path) -> None:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise FileError(f"{shown(path)} is being written by another run") from error
    except OSError:  # a network's file system without locks: two runs are up to the user
        return


def _drop_torn_line(file: TextIO, path: Path) -> list[str]:
    file.seek(0)
    text = file.read()
    whole = text[: text.rfind("\n") + 1]
    if whole == text:
        return []
    file.truncate(len(whole.encode()))
    return [f"{shown(path)}: the last line was torn and is measured again"]


def _read(study: str, file: TextIO, path: Path) -> dict[Cell, StudyRow]:
    file.seek(0)
    lines = csv.reader(file)
    if next(lines, list(COLUMNS)) != list(COLUMNS):
        raise FileError(f"{shown(path)} is not the table of a study; choose another directory")
    rows = {}
    for texts in lines:
        try:
            row = from_fields(study, texts)
        except (ValueError, AttributeError) as error:
            raise FileError(
                f"{shown(path)}, line {lines.line_num}, is not a row of {study}: {error}"
            ) from error
        rows[row.cell] = row
    return rows
