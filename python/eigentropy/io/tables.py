"""Tables (CSV, TSV, Parquet): which columns are features, and which only number the rows."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from eigentropy._support.warnings import warn
from eigentropy.io.columns import columns_of
from eigentropy.io.dialects import MISSING
from eigentropy.io.paths import FileError, listed, shown

Array = npt.NDArray[Any]

# Names, in lower case and without separators, under which programs write the number of a row.
_ROW_NAMES = {"", "index", "id", "row", "rowid", "rowname", "rownames", "rownumber", "rowindex"}

CHOOSE = "choose columns by --columns or --without (in Python columns=, without=)"


class Table:
    """The columns of a table by their names. What only numbers the rows is no feature."""

    def __init__(self, path: Path) -> None:
        self._file = shown(path)
        self._columns = columns_of(path)
        self._is_text = path.suffix.lower() != ".parquet"
        self._names = self._columns.names
        if not self._columns.has_rows:
            columns = listed(self._names)
            raise FileError(f"{self._file} has no rows, only the columns {columns}")

    def matrix(
        self,
        key: str | None,
        label: str | None = None,
        columns: Sequence[str] | None = None,
        without: Sequence[str] = (),
    ) -> Array:
        """The column `key`, or those of `columns`, or all features; never the labels `label`."""
        if key is None:
            chosen = self._chosen(label, columns, without)
        elif columns is None and not without:
            chosen = [self._index(key)]
        else:
            raise FileError(f"{self._file}: column {key!r} is chosen already; {CHOOSE}, or a key")
        self._require_numbers(chosen)
        blocks = self._columns.numbers(chosen)
        if columns is None and len(chosen) > 1:
            self._warn_of_counts(chosen, blocks)
        return _side_by_side(blocks)

    def _chosen(
        self, label: str | None, columns: Sequence[str] | None, without: Sequence[str]
    ) -> list[int]:
        """Places of the features; without `columns` these are not the numbers of the rows."""
        unwanted = {*self._matching(without), *(i for i, n in enumerate(self._names) if n == label)}
        if columns is not None:
            wanted = self._matching(columns)
        else:
            wanted = list(range(len(self._names)))
            for i in {*self._row_numbers()} - unwanted:
                self._warn(i, "is left out, since it only numbers or names the rows;")
                unwanted.add(i)
        chosen = [i for i in wanted if i not in unwanted]
        if not chosen:
            besides = listed([self._names[i] for i in sorted(unwanted)])
            raise FileError(f"{self._file} has no column besides {besides}; {CHOOSE}")
        return chosen

    def labels(self, key: str | None) -> Array:
        """The column `key`, or the only one."""
        if key is not None:
            return self._labels_at(self._index(key))
        numbers = self._row_numbers()
        features = [i for i in range(len(self._names)) if i not in numbers]
        if len(features) != 1:
            raise FileError(
                f"{self._file} has {len(features)} columns ({listed(self._names)}); choose the "
                "one that holds the labels, as FILE:COLUMN"
            )
        return self._labels_at(features[0])

    def _labels_at(self, place: int) -> Array:
        """One column; of words in a text, none may stand for a label that is missing."""
        values = self._columns.values(place)
        if not self._is_text or values.dtype.kind != "U":
            return values
        words = np.char.strip(values)
        missing = np.isin(words, MISSING)
        if missing.any():
            held = listed(np.unique(words[missing]).tolist())
            raise FileError(
                f"{self._file}: column {self._names[place]!r} has no label in {missing.sum()} of "
                f"{len(values)} rows, where its cells hold {held}; the first is row "
                f"{missing.argmax()}. Leave such rows out (of the matrix, too), or write a word in "
                "them that does not stand for a missing value, such as 'unknown'"
            )
        return values

    def _index(self, name: str) -> int:
        count = self._names.count(name)
        if count == 0:
            raise FileError(f"{self._file} has no column {name!r}; it has {listed(self._names)}")
        if count > 1:
            raise FileError(f"{self._file} has {count} columns called {name!r}")
        return self._names.index(name)

    def _matching(self, patterns: Sequence[str]) -> list[int]:
        """Places of the columns of these names; * stands for any characters."""
        places = []
        for pattern in patterns:
            exact = [i for i, name in enumerate(self._names) if name == pattern]
            found = exact or [i for i, n in enumerate(self._names) if fnmatchcase(n, pattern)]
            if not found:
                raise FileError(
                    f"{self._file} has no column {pattern!r}; it has {listed(self._names)}"
                )
            places += found
        return list(dict.fromkeys(places))

    def _row_numbers(self) -> list[int]:
        """Places of the columns that only number or name the rows.

        Parquet files say so of the index of pandas. In text it is a column without a name, or
        with a name such as ``id``, in which no two rows have the same whole number or word. Where
        no column has a name it is the first, if it counts the rows from 0 or 1 in any order.
        """
        if len(self._names) == 1:
            return []
        if not self._columns.has_names:
            return [0] if self._counts_rows(0) else []
        named = [i for i, name in enumerate(self._names) if _is_row_name(name, i)]
        return sorted({*self._columns.index, *(i for i in named if self._tells_rows_apart(i))})

    def _counts_rows(self, place: int) -> bool:
        if self._columns.text(place):
            return False
        values = self._columns.values(place)
        return values.ndim == 1 and values.min() in (0, 1) and _is_count(values)

    def _tells_rows_apart(self, place: int) -> bool:
        try:
            values = self._columns.values(place)
        except FileError:  # without a value in some row
            return False
        if values.ndim != 1 or values.dtype.kind not in "iuU":
            return False
        return len(np.unique(values)) == len(values)

    def _warn(self, place: int, what: str) -> None:
        name = self._names[place]
        called = "" if self._columns.has_names else " (columns without names are f0, f1 ...)"
        warn(f"{self._file}: column {name!r}{called} {what} {CHOOSE}")

    def _warn_of_counts(self, chosen: list[int], blocks: list[Array]) -> None:
        """Say of features that count the rows, as times may do, that they are features."""
        one_each = [block.reshape(len(block), -1) for block in blocks]
        if sum(block.shape[1] for block in one_each) != len(chosen):
            return  # columns of lists
        places = iter(chosen)
        for block in one_each:
            spans = block.max(axis=0) - block.min(axis=0)
            for column, span in zip(block.T, spans, strict=True):
                place = next(places)
                if span == len(column) - 1 and _is_count(column):
                    self._warn(place, "numbers the rows, and is measured as a feature;")

    def _require_numbers(self, chosen: list[int]) -> None:
        kinds = [(self._names[i], self._columns.text(i)) for i in chosen]
        wrong = [f"{name!r} ({kind})" for name, kind in kinds if kind]
        if wrong:
            some = ", ".join(wrong[:10]) + (f" and {len(wrong) - 10} more" if wrong[10:] else "")
            raise FileError(
                f"{self._file} has columns that are not numbers: {some}; leave them out by "
                "--without (in Python without=), or name the one that holds the labels by "
                "--labels (column=)"
            )


def _is_row_name(name: str, place: int) -> bool:
    plain = name.lower().replace("_", "").replace(" ", "").replace(".", "").replace("-", "")
    return (plain in _ROW_NAMES and (name != "" or place == 0)) or name == f"Unnamed: {place}"


def _is_count(values: Array) -> bool:
    """Whether these are consecutive whole numbers in any order; of two rows many would be."""
    if len(values) < 3 or values.dtype.kind not in "iuf":
        return False
    ordered = np.sort(values)
    return bool((np.diff(ordered) == 1).all() and ordered[0] == np.rint(ordered[0]))


def _side_by_side(blocks: list[Array]) -> Array:
    """Columns (n,) and groups of columns (n, m) as one matrix, in the widest of their types."""
    if len(blocks) == 1 and blocks[0].ndim == 2:
        return blocks[0]
    widths = [1 if block.ndim == 1 else block.shape[1] for block in blocks]
    dtype = np.result_type(*blocks)
    matrix = np.empty((len(blocks[0]), sum(widths)), dtype)
    for block, width, end in zip(blocks, widths, np.cumsum(widths), strict=True):
        matrix[:, end - width : end] = block.reshape(len(block), width)
    return matrix
