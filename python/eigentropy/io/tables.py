"""Tables (CSV, TSV, Parquet) through pyarrow, which is imported only here."""

from __future__ import annotations

import csv
import warnings
from itertools import islice
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt

from eigentropy.io.paths import FileError, listed, shown

Array = npt.NDArray[Any]

_DELIMITERS = {".csv": ",", ".tsv": "\t"}


class Table:
    """The columns of a table by their names. Row numbers that pandas wrote are no features."""

    def __init__(self, path: Path) -> None:
        self._file = shown(path)
        self._arrow = _pyarrow(self._file)
        if path.suffix.lower() == ".parquet":
            import pyarrow.parquet

            self._table = pyarrow.parquet.read_table(path, partitioning=None)
        else:
            self._table = _read_text(path, _DELIMITERS[path.suffix.lower()])
        self._names: list[str] = list(self._table.column_names)
        if self._table.num_rows == 0:
            columns = listed(self._names)
            raise FileError(f"{self._file} has no rows, only the columns {columns}")
        self._row_numbers = _row_numbers(self._table)

    def matrix(self, key: str | None, without: str | None = None) -> Array:
        """All columns but `without`, or the one called `key`, as a matrix."""
        if key is not None:
            chosen = [self._index(key)]
        else:
            self._warn_of_row_numbers(without)
            chosen = [i for i in self._features() if self._names[i] != without]
        if not chosen:
            other = "its index" if without is None else f"the labels {without!r}"
            raise FileError(f"{self._file} has no column besides {other}")
        self._require_numbers(chosen)
        return _side_by_side([self._numbers(i) for i in chosen])

    def labels(self, key: str | None) -> Array:
        """The column `key`, or the only one."""
        features = self._features()
        if key is None and len(features) != 1:
            raise FileError(
                f"{self._file} has {len(features)} columns ({listed(self._names)}); choose the "
                "one that holds the labels, as FILE:COLUMN"
            )
        index = features[0] if key is None else self._index(key)
        column = self._table.column(index)
        self._require_complete(index, column)
        if self._arrow.types.is_dictionary(column.type):  # categoricals
            column = column.cast(column.type.value_type)
        if self._is_number(column.type):
            return np.asarray(column)
        return np.array(column.to_pylist())

    def _features(self) -> list[int]:
        return [i for i in range(len(self._names)) if i not in self._row_numbers]

    def _index(self, name: str) -> int:
        count = self._names.count(name)
        if count == 0:
            raise FileError(f"{self._file} has no column {name!r}; it has {listed(self._names)}")
        if count > 1:
            raise FileError(f"{self._file} has {count} columns called {name!r}")
        return self._names.index(name)

    def _warn_of_row_numbers(self, without: str | None) -> None:
        left_out = [self._names[i] for i in self._row_numbers if self._names[i] != without]
        for name in left_out:
            warnings.warn(
                f"{self._file}: column {name!r} is the index that pandas writes, and is no feature",
                stacklevel=2,
            )

    def _require_numbers(self, chosen: list[int]) -> None:
        types = [(self._names[i], self._table.column(i).type) for i in chosen]
        wrong = [
            f"{name!r} ({kind})"
            for name, kind in types
            if not self._is_number(self._item_type(kind))
        ]
        if wrong:
            some = ", ".join(wrong[:10]) + (f" and {len(wrong) - 10} more" if wrong[10:] else "")
            raise FileError(
                f"{self._file} has columns that are not numbers: {some}; take them out of the "
                "file, or name the one that holds the labels"
            )

    def _require_complete(self, index: int, values: Any) -> None:
        if values.null_count:
            first = values.is_null().to_pylist().index(True)
            raise FileError(
                f"{self._file}: column {self._names[index]!r} has no value in "
                f"{values.null_count} of {len(values)} rows; the first is row {first}"
            )

    def _numbers(self, index: int) -> Array:
        """The column as an array (n,), or (n, m) for lists of length m."""
        column = self._table.column(index)
        self._require_complete(index, column)
        if not self._is_list(column.type):
            return _as_floats(column)
        lists = column.combine_chunks()
        lengths = np.unique(self._arrow.compute.list_value_length(lists).to_numpy())
        name = self._names[index]
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


def _row_numbers(table: Any) -> list[int]:
    """Positions of the columns that pandas wrote as the index of a table.

    Parquet files say so. In text it is a first column without a name that counts 0 .. n - 1.
    """
    names = table.column_names
    if len(names) == 1:
        return []
    metadata = table.schema.pandas_metadata
    if metadata is not None:
        return [i for i, name in enumerate(names) if name in metadata["index_columns"]]
    counts = names[0] in ("", "Unnamed: 0") and (
        table.column(0).to_pylist() == list(range(table.num_rows))
    )
    return [0] if counts else []


def _as_floats(column: Any) -> Array:
    values = np.asarray(column)
    return values if values.dtype.kind == "f" else values.astype(np.float64)


def _side_by_side(blocks: list[Array]) -> Array:
    """Columns (n,) and groups of columns (n, m) as one matrix, in the widest of their types."""
    widths = [1 if block.ndim == 1 else block.shape[1] for block in blocks]
    dtype = np.result_type(*blocks)
    matrix = np.empty((len(blocks[0]), sum(widths)), dtype)
    for block, width, end in zip(blocks, widths, np.cumsum(widths), strict=True):
        matrix[:, end - width : end] = block.reshape(len(block), width)
    return matrix
