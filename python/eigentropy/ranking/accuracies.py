"""A table of accuracies known from elsewhere, by the names of the models."""

from __future__ import annotations

import csv
import math
import os
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

from eigentropy._support.signatures import nearest
from eigentropy._support.warnings import warn
from eigentropy.io.dialects import MISSING, is_number, recognise
from eigentropy.io.paths import (
    TABLES,
    FileError,
    listed,
    missing_package,
    named_errors,
    require_file,
    shown,
)

# What columns are called, in lower case and without separators. Those of accuracy by preference.
NAMES = ("model", "name", "modelname", "models", "names")
ACCURACIES = ("accuracy", "top1", "acc1", "acc", "top1accuracy", "accuracytop1", "acctop1")
FAMILIES = ("family", "architecture", "group")
SIZES = ("size", "params", "paramcount", "parameters", "nparams", "numparams")

# As many names are listed in a warning.
MOST_LISTED = 8

T = TypeVar("T")


@dataclass(frozen=True)
class AccuracyTable:
    """What a table knows of the models that are ranked, by their names.

    A model that the table does not know, or of which it lacks a value, is not among the keys.

    Attributes
    ----------
    accuracy : dict of str to float
    family : dict of str to str
    size : dict of str to float
    column : str
        What the table calls the accuracy.
    """

    accuracy: dict[str, float]
    family: dict[str, str] = field(default_factory=dict)
    size: dict[str, float] = field(default_factory=dict)
    column: str = "accuracy"
    matches: _Matches | None = field(default=None, repr=False)

    def tell(self, out: Iterable[str] = ()) -> None:
        """Warn of what does not fit together; not of models that are out."""
        if self.matches is not None:
            self.matches.tell(self.accuracy, {*out})


def read_accuracies(
    path: str | os.PathLike[str],
    names: Iterable[str],
    *,
    accuracy: str | None = None,
    tells: bool = True,
) -> AccuracyTable:
    """Read the accuracies of models from a table.

    ========== ====================================================================================
    column     which one it is
    ========== ====================================================================================
    the name   called model or name; else the first column of words
    accuracy   the one that is asked for; else one called accuracy, top1 or acc; else the only
               column of numbers that is no size. One of these names must hold numbers
    family     called family, architecture or group; a table need not have it
    size       called size, params or param_count; a table need not have it
    ========== ====================================================================================

    Case and separators in the names of columns do not count. A model is found by its whole name
    first; else without what stands before a colon (``timm:vit_tiny``); else, with a warning, where
    only one of both has the tag that stands after a point in the names of timm
    (``resnet50.a1_in1k``), and no other name fits.

    Parameters
    ----------
    path : path
        .csv, .tsv or .parquet, with a header.
    names : iterable of str
        Of the models that are ranked.
    accuracy : str, optional
        Column of the accuracy.
    tells : bool
        Whether to warn. `AccuracyTable.tell` does so later, when it is known which models are out.

    Warns
    -----
    UserWarning
        Models without an accuracy, and names in the table that are no models, each with the nearest
        name that there is. Models that are found without a tag.

    Raises
    ------
    FileError
        It is no such table, lacks a header, has a name twice, or knows none of the models.
    """
    path, models = Path(path), list(names)
    table = _read(path, models)
    of_names = _column_of_names(path, table.columns)
    of_accuracy = _column_of_accuracy(path, table.columns, of_names, accuracy)
    rows = _rows_by_name(path, table, of_names)
    places = _places(models, rows)
    known = _picked(places, _numbers(path, table, of_accuracy))
    _refuse_a_table_of_others(path, models, rows, known)
    family, size = (_called(table.columns, of, of_names) for of in (FAMILIES, SIZES))
    found = AccuracyTable(
        accuracy=known,
        family=_picked(places, table.columns[family].texts) if family else {},
        size=_picked(places, _numbers(path, table, size)) if size else {},
        column=of_accuracy,
        matches=_Matches(path, models, rows, places),
    )
    if tells:
        found.tell()
    return found


def _picked(places: Mapping[str, int], values: Sequence[T | None]) -> dict[str, T]:
    """The values of the models, as far as there are any."""
    found = {name: values[place] for name, place in places.items()}
    return {name: value for name, value in found.items() if value is not None}


# ---- Reading ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Column:
    """The cells of a column, as texts and as numbers; None is a cell without a value."""

    texts: list[str | None]
    numbers: list[float | None]

    @property
    def word(self) -> int | None:
        """The row of the first cell that is no number."""
        pairs = enumerate(zip(self.texts, self.numbers, strict=True))
        return next((i for i, (text, number) in pairs if text is not None and number is None), None)

    @property
    def is_of_numbers(self) -> bool:
        """Whether it has numbers, and nothing else."""
        return self.word is None and any(number is not None for number in self.numbers)


@dataclass(frozen=True)
class _Table:
    """All columns by their names, and what a message calls each row."""

    columns: dict[str, _Column]
    rows: Sequence[str]


def _read(path: Path, models: Sequence[str]) -> _Table:
    if path.suffix.lower() not in TABLES:
        raise FileError(
            f"{shown(path)} is no table of accuracies: a file that ends in {', '.join(TABLES)} is "
            "wanted, with a column of names and one of accuracies"
        )
    require_file(path)
    with named_errors(path):
        is_text = path.suffix.lower() != ".parquet"
        names, columns, rows = _text(path) if is_text else _parquet(path)
    if is_text:
        _require_header(path, names, models)
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise FileError(f"{shown(path)} has more than one column called {listed(twice)}")
    if not columns:
        raise FileError(f"{shown(path)} has no rows, only the columns {listed(names)}")
    return _Table(dict(zip(names, columns, strict=True)), rows)


def _require_header(path: Path, first: Sequence[str], models: Sequence[str]) -> None:
    """Refuse a first line that is one of the rows: with a number, or a model, and no usual name."""
    if any(_plain(cell) in (*NAMES, *ACCURACIES) for cell in first):
        return
    known = {name for model in models for name in (model, _without_source(model))}
    cell = next((one for one in first if one in known or is_number(one)), None)
    if cell is not None:
        what = "a number" if is_number(cell) else "one of the models"
        raise FileError(
            f"{shown(path)} has no header: {cell!r} in its first line is {what}. Write the names "
            "of the columns into a line above it, such as model,accuracy"
        )


def _text(path: Path) -> tuple[list[str], list[_Column], list[str]]:
    dialect = recognise(path, "\t" if path.suffix.lower() == ".tsv" else ",", header=True)
    is_spaced = dialect.separator == " "
    with path.open(encoding=dialect.encoding, newline="") as file:
        body = islice(file, dialect.skipped, None)
        read = csv.reader(body, delimiter=dialect.separator, skipinitialspace=is_spaced)
        numbered = [(read.line_num, row) for row in read if any(map(str.strip, row))]
    rows = [[cell.strip() for cell in row] for _, row in numbered]
    lines = [f"line {dialect.skipped + number}" for number, _ in numbered]
    for line, row in zip(lines, rows, strict=True):
        if len(row) != len(dialect.names):
            raise FileError(
                f"{shown(path)}: {line} has {len(row)} cell{'s' * (len(row) != 1)}, and the header "
                f"has {len(dialect.names)}"
            )
    number_of = partial(_number, decimal_comma=dialect.decimal_comma)
    return (
        dialect.names,
        [
            _Column(
                [None if cell in MISSING else cell for cell in column], [*map(number_of, column)]
            )
            for column in zip(*rows, strict=True)
        ],
        lines,
    )


def _number(cell: str, decimal_comma: bool) -> float | None:
    """A finite number. timm writes millions of parameters as 1,014.45."""
    if decimal_comma and cell.count(",") == 1:
        cell = cell.replace(",", ".")
    elif re.fullmatch(r"[+-]?\d{1,3}(,\d{3})+(\.\d*)?", cell):
        cell = cell.replace(",", "")
    return _finite(float(cell)) if is_number(cell) else None


def _finite(number: float) -> float | None:
    return number if math.isfinite(number) else None


def _parquet(path: Path) -> tuple[list[str], list[_Column], list[str]]:
    try:
        import pyarrow.parquet
    except ImportError as error:
        raise missing_package(path, "tables", "pyarrow", "'eigentropy[tables]'", ".csv") from error
    table = pyarrow.parquet.ParquetFile(path).read()
    columns = [_of_values(column.to_pylist()) for column in table.columns if table.num_rows]
    rows = [f"row {place}" for place in range(table.num_rows)]
    return [str(name) for name in table.column_names], columns, rows


def _of_values(values: list[Any]) -> _Column:
    is_number = [isinstance(value, (int, float, Decimal)) for value in values]
    numbers = [_finite(float(v)) if one else None for v, one in zip(values, is_number, strict=True)]
    is_missing = [
        value is None or (one and number is None)
        for value, one, number in zip(values, is_number, numbers, strict=True)
    ]
    texts = [None if none else str(value) for value, none in zip(values, is_missing, strict=True)]
    return _Column(texts, numbers)


# ---- Which column is what -----------------------------------------------------------------------


def _plain(name: str) -> str:
    return re.sub(r"[\W_]", "", name.lower())


def _called(columns: Iterable[str], wanted: Sequence[str], *besides: str) -> str | None:
    """The first column with one of these names, by their order."""
    by_name = {_plain(name): name for name in columns if name not in besides}
    return next((by_name[one] for one in wanted if one in by_name), None)


def _column_of_names(path: Path, columns: dict[str, _Column]) -> str:
    words = [name for name, column in columns.items() if column.word is not None]
    found = _called(columns, NAMES) or next((o for o in words if _plain(o) not in FAMILIES), None)
    if found is None:
        raise FileError(
            f"{shown(path)} has no column of the models' names; it has {listed([*columns])}. Call "
            "one of them 'model'"
        )
    return found


def _column_of_accuracy(
    path: Path, columns: dict[str, _Column], of_names: str, wanted: str | None
) -> str:
    if wanted is not None:
        if wanted not in columns:
            near = nearest(wanted, columns)
            advice = f"the nearest is {near!r}; " if near else ""
            raise FileError(
                f"{shown(path)} has no column {wanted!r} of accuracies; {advice}it has "
                f"{listed([*columns])}"
            )
        return wanted
    numbers = [one for one, column in columns.items() if column.is_of_numbers and one != of_names]
    found = _called(numbers, ACCURACIES) or _called(columns, ACCURACIES, of_names)
    others = [one for one in numbers if _plain(one) not in SIZES]
    if found is None and len(others) != 1:
        what = f"{len(others)} columns of numbers ({listed(others)})" if others else "no numbers"
        raise FileError(
            f"{shown(path)} has {what} besides sizes; call the column of accuracies 'accuracy', or "
            "name it by --accuracy"
        )
    return found or others[0]


def _numbers(path: Path, table: _Table, name: str) -> list[float | None]:
    column = table.columns[name]
    if column.word is not None:
        raise FileError(
            f"{shown(path)}: column {name!r} must hold numbers; the first that is none is "
            f"{column.texts[column.word]!r}, in {table.rows[column.word]}"
        )
    return column.numbers


# ---- Which row is which model -------------------------------------------------------------------


def _rows_by_name(path: Path, table: _Table, of_names: str) -> dict[str, int]:
    rows: dict[str, int] = {}
    for place, name in enumerate(table.columns[of_names].texts):
        if name in rows:
            raise FileError(
                f"{shown(path)} names the model {name!r} twice, in {table.rows[rows[name]]} and "
                f"{table.rows[place]}; leave one of them out"
            )
        if name is not None:
            rows[name] = place
    return rows


def _places(models: Sequence[str], rows: Mapping[str, int]) -> dict[str, int]:
    """The rows of models: by whole names, or else by less of them where one fits only one."""
    places: dict[str, int] = {}
    for fits in (str.__eq__, _are_one_without_source, _are_one_without_tag):
        left = [name for name in models if name not in places]
        free = [row for row in rows if rows[row] not in places.values()]
        pairs = [(name, row) for name in left for row in free if fits(name, row)]
        for name, row in pairs:
            if sum(name == one or row == other for one, other in pairs) == 1:
                places[name] = rows[row]
    return places


def _are_one_without_source(name: str, row: str) -> bool:
    return _without_source(name) == _without_source(row)


def _are_one_without_tag(name: str, row: str) -> bool:
    """Whether one of them has a tag and the other has none: two tags are two models."""
    (one, tag), (other, other_tag) = (
        _without_source(text).partition(".")[::2] for text in (name, row)
    )
    return one == other and not (tag and other_tag)


def _without_source(name: str) -> str:
    return name.rpartition(":")[2]


def _refuse_a_table_of_others(
    path: Path, models: Sequence[str], rows: Mapping[str, int], known: Mapping[str, float]
) -> None:
    if not known:
        raise FileError(
            f"{shown(path)} has no accuracy of any of the models that are ranked: "
            f"{_with_nearest(models, [*rows])}"
        )


@dataclass(frozen=True)
class _Matches:
    """Which row is which model."""

    path: Path
    models: Sequence[str]
    rows: Mapping[str, int]
    places: Mapping[str, int]

    def tell(self, known: Mapping[str, float], out: Collection[str]) -> None:
        """Warn of models without an accuracy, of names without a model, and of other tags."""
        file = shown(self.path)
        models = [name for name in self.models if name not in out]
        without = [name for name in models if name not in known]
        by_place = {place: row for row, place in self.rows.items()}
        unused = [name for name in self.rows if self.rows[name] not in self.places.values()]
        if without:
            warn(
                f"{file} has no accuracy of {len(without)} of {_count(len(models), 'model')}; "
                f"left out of the correlations with it: {_with_nearest(without, unused)}"
            )
        pairs = [(name, by_place[self.places[name]]) for name in models if name in self.places]
        less = [f"{a!r} as {b!r}" for a, b in pairs if not _are_one_without_source(a, b)]
        if less:
            warn(f"{file} has other tags, or none, for {_count(len(less), 'model')}: {_some(less)}")
        if unused:
            warn(
                f"{file} has {_count(len(unused), 'name')} of no model that is ranked: "
                f"{_with_nearest(unused, without)}"
            )


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'s' * (number != 1)}"


def _with_nearest(names: Sequence[str], others: Sequence[str]) -> str:
    """Names for a message, each with the nearest of the others."""
    near = [(name, nearest(name, others)) for name in names[:MOST_LISTED]]
    texts = [f"{one!r} (nearest: {other!r})" if other else repr(one) for one, other in near]
    return _some([*texts, *names[MOST_LISTED:]])


def _some(texts: Sequence[str]) -> str:
    more = len(texts) - MOST_LISTED
    return ", ".join(texts[:MOST_LISTED]) + (f" and {more} more" if more > 0 else "")
