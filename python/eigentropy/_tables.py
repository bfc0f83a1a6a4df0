"""Tables (CSV, TSV, Parquet) through pyarrow, which is imported only here."""

from __future__ import annotations

import csv
from itertools import islice
from pathlib import Path
from types import ModuleType
from typing import Any
from warnings import warn

import numpy as np
import numpy.typing as npt

from eigentropy.files import FileError, listed, shown

Array = npt.NDArray[Any]

_DELIMITERS = {".csv": ",", ".tsv": "\t"}


class Table:
    """The columns of a table by their names; a row number that pandas wrote is left out."""

    def __init__(self, path: Path) -> None:
        self._file = shown(path)
        self._arrow = _pyarrow(self._file)
        if path.suffix.lower() == ".parquet":
            import pyarrow.parquet

            table = pyarrow.parquet.read_table(path, partitioning=None)
        else:
            table = _read_text(path, _DELIMITERS[path.suffix.lower()])
        if table.num_rows == 0:
            raise FileError(f"{self._file} has no rows, only the columns {_names(table)}")
        self._table = self._without_row_numbers(table)

    def matrix(self, key: str | None, without: str | None = None) -> Array:
        """Return all columns but `without`, or the one called `key`, as a matrix."""
        names = list(self._table.column_names)
        if key is not None:
            chosen = [self._index(key)]
        else:
            chosen = [i for i, name in enumerate(names) if name != without]
        if not chosen:
            raise FileError(f"{self._file} has no column besides the labels {without!r}")
        columns = [self._table.column(i) for i in chosen]
        self._require_numbers([names[i] for i in chosen], columns)
        blocks = [self._numbers(names[i], c) for i, c in zip(chosen, columns, strict=True)]
        return _side_by_side(blocks)

    def labels(self, key: str | None) -> Array:
        """Return the column `key`, or the only one."""
        names = list(self._table.column_names)
        if key is None and len(names) != 1:
            raise FileError(
                f"{self._file} has {len(names)} columns ({listed(names)}); choose the one that "
                "holds the labels, as FILE:COLUMN"
            )
        index = 0 if key is None else self._index(key)
        column = self._table.column(index)
        self._require_complete(names[index], column)
        if self._arrow.types.is_dictionary(column.type):  # categoricals
            column = column.cast(column.type.value_type)
        if self._is_number(column.type):
            return np.asarray(column.to_numpy())
        return np.array(column.to_pylist())

    def _index(self, name: str) -> int:
        names = list(self._table.column_names)
        if name not in names:
            raise FileError(f"{self._file} has no column {name!r}; it has {listed(names)}")
        if names.count(name) > 1:
            raise FileError(f"{self._file} has {names.count(name)} columns called {name!r}")
        return names.index(name)

    def _without_row_numbers(self, table: Any) -> Any:
        """Drop the index that pandas writes: 0 .. n - 1 in a first column without a name."""
        names = table.column_names
        for i, name in enumerate(names):
            index = name.startswith("__index_level_") or (i == 0 and name in ("", "Unnamed: 0"))
            if not index or len(names) == 1:
                continue
            values = table.column(i)
            if name.startswith("__index") or _counts_rows(values.to_pylist()):
                warn(
                    f"{self._file}: column {i + 1} ({name!r}) is the row number that pandas "
                    "writes, and is left out",
                    stacklevel=2,
                )
                return self._without_row_numbers(table.remove_column(i))
        return table

    def _require_numbers(self, names: list[str], columns: list[Any]) -> None:
        wrong = [
            f"{name!r} ({column.type})"
            for name, column in zip(names, columns, strict=True)
            if not self._is_number(self._item_type(column.type))
        ]
        if wrong:
            some = ", ".join(wrong[:10]) + (f" and {len(wrong) - 10} more" if wrong[10:] else "")
            raise FileError(
                f"{self._file} has columns that are not numbers: {some}; take them out of the "
                "file, or name the one that holds the labels"
            )

    def _require_complete(self, name: str, column: Any) -> None:
        if column.null_count:
            first = column.is_null().to_pylist().index(True)
            raise FileError(
                f"{self._file}: column {name!r} has no value in {column.null_count} of "
                f"{len(column)} rows; the first is row {first}"
            )

    def _numbers(self, name: str, column: Any) -> Array:
        """Return the column as an array (n,), or (n, m) for lists of length m."""
        self._require_complete(name, column)
        if not self._is_list(column.type):
            return _as_floats(column)
        lists = column.combine_chunks()
        lengths = np.unique(self._arrow.compute.list_value_length(lists).to_numpy())
        if len(lengths) != 1:
            raise FileError(
                f"{self._file}: the lists in column {name!r} have {lengths.min()} to "
                f"{lengths.max()} entries; every row needs the same number"
            )
        values = lists.flatten()
        self._require_complete(name, values)
        return _as_floats(values).reshape(len(lists), -1)

    def _item_type(self, kind: Any) -> Any:
        return kind.value_type if self._is_list(kind) else kind

    def _is_list(self, kind: Any) -> bool:
        types = self._arrow.types
        tests = types.is_list, types.is_large_list, types.is_fixed_size_list
        return any(test(kind) for test in tests)

    def _is_number(self, kind: Any) -> bool:
        types = self._arrow.types
        tests = types.is_integer, types.is_floating, types.is_boolean, types.is_decimal
        # A column without a single value has the type null, and its own message.
        return any(test(kind) for test in (*tests, types.is_null))


def _pyarrow(file: str) -> ModuleType:
    try:
        import pyarrow
        import pyarrow.compute
    except ImportError as error:
        raise FileError(
            f"{file}: reading tables needs pyarrow; pip install 'eigentropy[tables]', or save the "
            "matrix as .npy"
        ) from error
    module: ModuleType = pyarrow
    return module


def _read_text(path: Path, delimiter: str) -> Any:
    header = _has_header(path, delimiter)
    table = _parse(path, delimiter, header)
    if header and table.num_columns == 1 and table.num_rows:
        # Labels without a header: its first one, taken for a name, occurs again below.
        name = table.column_names[0]
        if name in table.column(0).to_pylist():
            return _parse(path, delimiter, header=False)
    return table


def _parse(path: Path, delimiter: str, header: bool) -> Any:
    import pyarrow.csv

    return pyarrow.csv.read_csv(
        path,
        read_options=pyarrow.csv.ReadOptions(autogenerate_column_names=not header),
        parse_options=pyarrow.csv.ParseOptions(delimiter=delimiter),
    )


def _has_header(path: Path, delimiter: str) -> bool:
    """Whether the first line holds names: it is not all numbers, or counts 0, 1, 2, ...

    The second is how pandas names columns; it counts as a header where a line of other than whole
    numbers follows.
    """
    with path.open(encoding="utf-8-sig", errors="replace", newline="") as file:
        lines = list(islice((row for row in csv.reader(file, delimiter=delimiter) if row), 2))
    if not lines or not all(_is_float(field) for field in lines[0]):
        return True
    counts = lines[0] == [str(i) for i in range(len(lines[0]))] and len(lines[0]) > 1
    return counts and len(lines) > 1 and not all(_is_whole(field) for field in lines[1])


def _is_float(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _is_whole(text: str) -> bool:
    return text.strip().lstrip("+-").isdigit()


def _counts_rows(values: list[Any]) -> bool:
    return values == list(range(len(values)))


def _names(table: Any) -> str:
    return listed(list(table.column_names))


def _as_floats(column: Any) -> Array:
    values = column.to_numpy(zero_copy_only=False)
    if values.dtype.kind == "f":
        return np.asarray(values)
    return np.asarray(values, dtype=np.float64)  # integers, booleans, decimals


def _side_by_side(blocks: list[Array]) -> Array:
    """Columns (n,) and groups of columns (n, m) as one matrix, in the widest of their types."""
    widths = [1 if block.ndim == 1 else block.shape[1] for block in blocks]
    dtype = np.result_type(*blocks)
    matrix = np.empty((len(blocks[0]), sum(widths)), dtype)
    for block, width, end in zip(blocks, widths, np.cumsum(widths), strict=True):
        matrix[:, end - width : end] = block.reshape(len(block), width)
    return matrix
