"""Tables and columns of pandas, polars and Arrow as arrays, and the matrix of an AnnData."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from eigentropy._backends import libraries
from eigentropy._backends.shapes import check_present
from eigentropy._support.warnings import warn

Array = npt.NDArray[Any]

# What pandas and polars call an index that was written without a name, or made a column.
WRITTEN_INDEX = ("Unnamed: 0", "index", "level_0", "")

# A message names at most this many columns or entries.
NAMED = 8


def unpacked(value: Any, name: str) -> Any:
    """The matrix X of an AnnData; any other value as it is.

    Raises
    ------
    TypeError
        A collection of arrays, which has none that is meant by itself; a query of polars.
    ValueError
        An AnnData without X.
    """
    if libraries.is_anndata(value):
        matrix = value.X  # of a view it is a copy each time
        if matrix is None:
            raise ValueError(
                f"{name} is an AnnData without X: pass one of its other matrices, of "
                f"{name}.obsm ({_listed(value.obsm)}) or {name}.layers ({_listed(value.layers)})"
            )
        return matrix
    if libraries.is_polars_query(value):
        raise TypeError(f"{name} is a polars query (LazyFrame): pass {name}.collect()")
    if libraries.is_zarr_group(value) or _is_mapping(value):
        raise TypeError(
            f"{name} is a {type(value).__name__} of several arrays ({_listed(value)}): pass one "
            f"of them, such as {name}[{next(iter(value), 'name')!r}]"
        )
    return value


def table_array(value: Any, name: str, numbers: bool) -> Array | None:
    """A table (n, d) or a column (n,) as an array; None for what is neither.

    Rows are taken in the order in which they stand, whatever the index is.

    Parameters
    ----------
    value, name
    numbers : bool
        Refuse a table with a column of anything else. Otherwise it may be a single one, of labels.

    Raises
    ------
    TypeError
        Columns that hold no numbers; the message names them.
    ValueError
        Missing entries; the message counts them and names their columns.
    """
    columns = _columns(value)
    if columns is None:
        return _column_array(value, name) if _is_column(value) else None
    if libraries.is_pandas_frame(value) and _is_plain(value):
        array: Array = value.to_numpy()
        if numbers:
            _warn_of_row_numbers(zip(value.columns, array.T, strict=True), name)
        return array
    missing = [(label, _missing(column)) for label, column in columns]
    if any(where.any() for _, where in missing):
        labels = [label for label, where in missing if where.any()]
        rows = np.logical_or.reduce([where for _, where in missing])
        check_present(rows, name, f", of the columns {_listed(labels)}")
    arrays = [_values(column) for _, column in columns]
    if len(arrays) == 1 and not numbers:
        return arrays[0][:, None] if arrays[0].ndim == 1 else arrays[0]
    others = {
        label: column.dtype if hasattr(column, "dtype") else column.type
        for (label, column), array in zip(columns, arrays, strict=True)
        if array.dtype.kind not in "iufbc" or _is_categorical(column)
    }
    if others:
        kinds = ", ".join(sorted({str(kind) for kind in others.values()}))
        raise TypeError(
            f"{name} has columns that are not of numbers ({kinds}): {_listed(others)}; leave them "
            f"out of {name}, or convert them to numbers, such as one column for each of their "
            "values"
        )
    if numbers:
        _warn_of_row_numbers(zip([label for label, _ in columns], arrays, strict=True), name)
    return np.column_stack(arrays) if arrays else np.empty((len(value), 0))


def _warn_of_row_numbers(columns: Iterable[tuple[Any, Array]], name: str) -> None:
    """Warn of the index that pandas writes into a file and reads again as a column."""
    for label, column in columns:
        if str(label) not in WRITTEN_INDEX or column.ndim > 1 or len(column) < 3:
            continue
        if np.array_equal(np.sort(column), column.min() + np.arange(len(column))):
            warn(
                f"the column {label!r} of {name} numbers the rows, and is measured as a feature: "
                f"leave it out, by {name}.drop(columns={label!r}) or pandas.read_csv(..., "
                "index_col=0), unless that is meant"
            )


def _is_mapping(value: Any) -> bool:
    """Whether `value` has its arrays by name; a format of sparse matrices is a dictionary, too."""
    return isinstance(value, Mapping) and not libraries.is_sparse(value)


def _columns(table: Any) -> list[tuple[Any, Any]] | None:
    """Name and column, as the table's library has them; None for what is no table."""
    if libraries.is_pandas_frame(table):  # two columns may have one name
        return [(label, table.iloc[:, number]) for number, label in enumerate(table.columns)]
    if libraries.is_polars_frame(table):
        return [(column.name, column) for column in table.get_columns()]
    if libraries.is_arrow_table(table):
        return list(zip(table.schema.names, table.columns, strict=True))
    return None


def _is_plain(frame: Any) -> bool:
    """Whether all columns of a pandas table have one and the same type of NumPy, of numbers."""
    types = list(set(frame.dtypes))
    return len(types) == 1 and isinstance(types[0], np.dtype) and types[0].kind in "iufb"


def _is_column(value: Any) -> bool:
    return (
        libraries.is_pandas_column(value)
        or libraries.is_polars_column(value)
        or libraries.is_arrow_column(value)
    )


def _column_array(column: Any, name: str) -> Array:
    """A column as an array of one axis, of which nothing is missing."""
    check_present(_missing(column), name)
    return _values(column)


def _missing(column: Any) -> npt.NDArray[np.bool_]:
    if libraries.is_pandas_column(column):
        return np.asarray(column.isna())
    return np.asarray(column.is_null())


def _values(column: Any) -> Array:
    """The entries of a column without missing ones."""
    if _is_categorical(column):  # whose values may be numbers, and are labels all the same
        return np.asarray(column, dtype=object)
    nullable = getattr(getattr(column, "dtype", None), "numpy_dtype", None)
    if libraries.is_pandas_column(column) and nullable is not None and nullable.kind in "iufb":
        array: Array = column.to_numpy(dtype=nullable)  # old versions make objects of it
        return array
    return np.asarray(column)


def _is_categorical(column: Any) -> bool:
    return getattr(getattr(column, "dtype", None), "name", None) == "category"


def _listed(names: Any) -> str:
    """The first of these names, as a message shows them."""
    shown = [repr(name.item() if isinstance(name, np.generic) else name) for name in names]
    more = len(shown) - NAMED
    return ", ".join(shown[:NAMED]) + (f" and {more} more" if more > 0 else "") or "none"
