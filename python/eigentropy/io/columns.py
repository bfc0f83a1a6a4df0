"""The columns of a table: through pyarrow or, where they are too many for it, through NumPy."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from eigentropy._support import memory
from eigentropy.io.dialects import Dialect, is_number, recognise
from eigentropy.io.paths import FileError, missing_package, shown

Array = npt.NDArray[Any]

_USUAL = {".csv": ",", ".tsv": "\t"}

# pyarrow takes some 13 KB for each column of a text, however few rows it has.
_MOST_COLUMNS = 4096

_ALTERNATIVE = "save the matrix as .npy, which is read in place"


class Columns(Protocol):
    """What a table is asked for; columns are meant by their places."""

    names: list[str]
    has_rows: bool
    has_names: bool
    index: list[int]  # those that the file itself calls row numbers

    def text(self, place: int) -> str | None:
        """Return the type of a column that is not numbers."""

    def values(self, place: int) -> Array:
        """Return one column, of whatever type."""

    def numbers(self, places: Sequence[int]) -> list[Array]:
        """Return columns as floats (n,), or (n, m) for a column of lists, or several at once."""


def columns_of(path: Path) -> Columns:
    """Open a table by its suffix and its size."""
    if path.suffix.lower() == ".parquet":
        return _parquet(path)
    dialect = recognise(path, _USUAL[path.suffix.lower()])
    width = len(dialect.names)
    rows = path.stat().st_size / dialect.line
    memory.require(
        2 * 8 * width * rows, f"a table of {width} columns and some {rows:.0f} rows", _ALTERNATIVE
    )
    if width > _MOST_COLUMNS or dialect.separator == " ":
        return TextColumns(path, dialect)
    columns = _delimited(path, dialect)
    if dialect.has_header and width == 1 and columns.has_rows:
        # Labels without a header: its first one, taken for a name, occurs again below.
        name = dialect.names[0]
        if name in map(str, columns.values(0).tolist()):
            return _delimited(path, recognise(path, dialect.separator, header=False))
    return columns


def _delimited(path: Path, dialect: Dialect) -> ArrowColumns:
    """Read text, with the decimal mark that leaves fewer columns of words."""
    marks = (".", ",") if dialect.decimal_comma else (".",)
    read = [ArrowColumns(path, _parsed(path, dialect, marks[0]), dialect.has_header)]
    words = [read[0].text(place) for place in range(len(dialect.names))]
    if any(words) and len(marks) > 1:
        read.append(ArrowColumns(path, _parsed(path, dialect, marks[1]), dialect.has_header))
    return min(read, key=lambda one: sum(map(bool, map(one.text, range(len(one.names))))))


def _parsed(path: Path, dialect: Dialect, decimal: str) -> Any:
    _pyarrow(path)
    import pyarrow.csv

    longest = max(2**20, 16 * int(dialect.line))
    try:
        with path.open("rb") as file:  # a name that is no UTF-8 is unknown to pyarrow
            return pyarrow.csv.read_csv(
                file,
                read_options=pyarrow.csv.ReadOptions(
                    skip_rows=dialect.skipped,
                    column_names=dialect.names,
                    encoding=dialect.encoding.replace("utf-8-sig", "utf8"),  # read as it is
                    block_size=longest,
                ),
                parse_options=pyarrow.csv.ParseOptions(delimiter=dialect.separator),
                convert_options=pyarrow.csv.ConvertOptions(decimal_point=decimal),
            )
    except pyarrow.ArrowInvalid as error:
        if "straddling" not in str(error):
            raise
        raise FileError(
            f"{shown(path)} has a row of more than {longest} bytes, where its first rows have "
            f"{dialect.line:.0f}: it is no table, or a line break is missing"
        ) from None


# Values that are read between two looks at signals.
_AT_A_TIME = 2**22


def _parquet(path: Path) -> ArrowColumns:
    _pyarrow(path)
    import pyarrow.parquet

    with path.open("rb") as content:
        return _batches(path, pyarrow.parquet.ParquetFile(content))


def _batches(path: Path, file: Any) -> ArrowColumns:
    import pyarrow

    described = file.metadata
    groups = [described.row_group(i) for i in range(described.num_row_groups)]
    leaves = [group.column(i) for group in groups for i in range(group.num_columns)]
    values = sum(max(leaf.num_values, 0) for leaf in leaves)
    size = 8 * max(values, described.num_rows) + sum(group.total_byte_size for group in groups)
    memory.require(
        size, f"a table of {values} values, in {path.stat().st_size} bytes,", _ALTERNATIVE
    )
    rows = max(1, _AT_A_TIME * described.num_rows // max(1, values))
    batches = [batch for batch in file.iter_batches(rows)]  # noqa: C416  # list() sees no signal
    return ArrowColumns(path, pyarrow.Table.from_batches(batches, file.schema_arrow), True)


def _pyarrow(path: Path) -> Any:
    try:
        import pyarrow
        import pyarrow.compute
    except ImportError as error:
        raise missing_package(path, "tables", "pyarrow", "'eigentropy[tables]'", ".npy") from error
    return pyarrow


class ArrowColumns:
    """The columns of a table that pyarrow has read."""

    def __init__(self, path: Path, table: Any, has_names: bool) -> None:
        self._file, self._arrow, self._table = shown(path), _pyarrow(path), table
        self.names: list[str] = [str(name) for name in table.column_names]
        self.has_rows: bool = table.num_rows > 0
        self.has_names = has_names
        metadata = table.schema.pandas_metadata or {}
        index = metadata.get("index_columns", [])
        self.index = [place for place, name in enumerate(self.names) if name in index]

    def text(self, place: int) -> str | None:
        """Return the type of a column that is not numbers, or lists of numbers."""
        kind = self._table.column(place).type
        return None if self._is_number(kind.value_type if self._is_list(kind) else kind) else kind

    def values(self, place: int) -> Array:
        """Return one column, of whatever type; every row needs a value."""
        column = self._table.column(place)
        self._require_complete(place, column)
        if self._arrow.types.is_dictionary(column.type):  # categoricals
            column = column.cast(column.type.value_type)
        if self._is_number(column.type):
            return np.asarray(column)
        return np.array(column.to_pylist())

    def numbers(self, places: Sequence[int]) -> list[Array]:
        """Return the columns as floats (n,), or (n, m) for lists of length m."""
        return [self._numbers(place) for place in places]

    def _numbers(self, place: int) -> Array:
        column = self._table.column(place)
        self._require_complete(place, column)
        if not self._is_list(column.type):
            return _as_floats(column)
        lists = column.combine_chunks()
        lengths = np.unique(self._arrow.compute.list_value_length(lists).to_numpy())
        name = self.names[place]
        if len(lengths) != 1:
            raise FileError(
                f"{self._file}: the lists in column {name!r} have {lengths.min()} to "
                f"{lengths.max()} entries; every row needs the same number"
            )
        values = lists.flatten()
        if values.null_count:
            raise FileError(
                f"{self._file}: the lists in column {name!r} lack {values.null_count} values"
            )
        return _as_floats(values).reshape(len(lists), -1)

    def _require_complete(self, place: int, values: Any) -> None:
        if values.null_count:
            first = values.is_null().to_pylist().index(True)
            raise FileError(
                f"{self._file}: column {self.names[place]!r} has no value in "
                f"{values.null_count} of {len(values)} rows; the first is row {first}. Fill them, "
                "leave such rows out, or leave the column out by --without (in Python without=)"
            )

    def _is_list(self, kind: Any) -> bool:
        types = self._arrow.types
        tests = types.is_list, types.is_large_list, types.is_fixed_size_list
        return any(test(kind) for test in tests)

    def _is_number(self, kind: Any) -> bool:
        types = self._arrow.types
        tests = types.is_integer, types.is_floating, types.is_boolean, types.is_decimal
        # A column without a single value has the type null, and its own message.
        return any(test(kind) for test in (*tests, types.is_null))


class TextColumns:
    """The columns of a text that NumPy reads: very many, or separated by white space."""

    def __init__(self, path: Path, dialect: Dialect) -> None:
        self._path, self._dialect = path, dialect
        self.names = dialect.names
        self.has_names = dialect.has_header
        self.index: list[int] = []
        self.has_rows = bool(dialect.first)

    def text(self, place: int) -> str | None:
        """Say "string" of a column whose first value is not a number."""
        first = self._dialect.first[place]
        number = not first.strip() or is_number(first, self._dialect.decimal_comma)
        return None if number else "string"

    def values(self, place: int) -> Array:
        """Return one column: of whole numbers, of numbers, or of words."""
        words = self._read([place], str)[:, 0]
        for kind in (np.int64, np.float64):
            try:
                return words.astype(kind)
            except ValueError:
                pass
        return words

    def numbers(self, places: Sequence[int]) -> list[Array]:
        """Return the columns side by side."""
        try:
            return [self._read(places, np.float64)]
        except ValueError as error:
            found = re.search(r"(.*) at row (\d+), column (\d+)", str(error))
            if not found:
                raise
            name = self.names[int(found[3]) - 1]
            raise FileError(
                f"{shown(self._path)}: column {name!r}, row {found[2]}: {found[1]}"
            ) from error

    def _read(self, places: Sequence[int], dtype: Any) -> Array:
        dialect = self._dialect
        spaced = dialect.separator == " "
        every = len(places) == len(self.names)
        mark = _with_point if dialect.decimal_comma and not spaced and dtype is not str else None
        array: Array = np.loadtxt(
            self._path,
            dtype=dtype,
            comments="#" if spaced else None,
            delimiter=None if spaced else dialect.separator,
            converters=mark,
            skiprows=dialect.skipped,
            usecols=None if every else places,
            ndmin=2,
            encoding=dialect.encoding,
            quotechar='"',
        )
        return array


def _with_point(text: str) -> float:
    return float(text.replace(",", "."))


def _as_floats(column: Any) -> Array:
    values = np.asarray(column)
    return values if values.dtype.kind == "f" else values.astype(np.float64)
