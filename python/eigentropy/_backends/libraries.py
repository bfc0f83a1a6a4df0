"""Which library an object is of, by what `sys.modules` already holds: none is imported."""

from __future__ import annotations

import sys
from typing import Any


def is_torch(value: Any) -> bool:
    """Whether `value` is a tensor of PyTorch."""
    return _is_one_of(value, "torch", "Tensor")


def is_masked_tensor(value: Any) -> bool:
    """Whether `value` is a tensor of PyTorch with a mask."""
    return _is_one_of(value, "torch.masked", "MaskedTensor")


def is_cupy(value: Any) -> bool:
    """Whether `value` is an array of CuPy."""
    return _is_one_of(value, "cupy", "ndarray")


def is_zarr(value: Any) -> bool:
    """Whether `value` is a Zarr array, of zarr-python 2 or 3."""
    return _is_one_of(value, "zarr", "Array")


def is_zarr_group(value: Any) -> bool:
    """Whether `value` is a group of Zarr arrays."""
    return _is_one_of(value, "zarr", "Group")


def is_hdf5(value: Any) -> bool:
    """Whether `value` is a data set of an HDF5 file, as h5py has it."""
    return _is_one_of(value, "h5py", "Dataset")


def is_sparse(value: Any) -> bool:
    """Whether `value` is a sparse matrix or array of SciPy."""
    return _is_one_of(value, "scipy.sparse", "spmatrix", "sparray")


def is_sparse_file(value: Any) -> bool:
    """Whether `value` is the sparse matrix in the file behind an AnnData."""
    return _is_one_of(value, "anndata.abc", "CSRDataset", "CSCDataset")


def is_anndata(value: Any) -> bool:
    """Whether `value` is an AnnData."""
    return _is_one_of(value, "anndata", "AnnData")


def is_pandas_frame(value: Any) -> bool:
    """Whether `value` is a table of pandas."""
    return _is_one_of(value, "pandas", "DataFrame")


def is_pandas_column(value: Any) -> bool:
    """Whether `value` is a column of pandas: a series, an index or an array, such as a categorical.

    An index of several levels is none: its entries are tuples.
    """
    return _is_one_of(value, "pandas", "Series", "Index", "api.extensions.ExtensionArray") and (
        not _is_one_of(value, "pandas", "MultiIndex")
    )


def is_polars_frame(value: Any) -> bool:
    """Whether `value` is a table of polars."""
    return _is_one_of(value, "polars", "DataFrame")


def is_polars_query(value: Any) -> bool:
    """Whether `value` is a table that polars has not computed yet."""
    return _is_one_of(value, "polars", "LazyFrame")


def is_polars_column(value: Any) -> bool:
    """Whether `value` is a column of polars."""
    return _is_one_of(value, "polars", "Series")


def is_arrow_table(value: Any) -> bool:
    """Whether `value` is a table of Arrow, or a batch of its rows."""
    return _is_one_of(value, "pyarrow", "Table", "RecordBatch")


def is_arrow_column(value: Any) -> bool:
    """Whether `value` is a column of Arrow."""
    return _is_one_of(value, "pyarrow", "Array", "ChunkedArray")


def _is_one_of(value: Any, module: str, *names: str) -> bool:
    loaded = sys.modules.get(module)
    return loaded is not None and isinstance(value, tuple(_found(loaded, name) for name in names))


def _found(module: Any, name: str) -> Any:
    """The class of this name; no class where the version, or a half-imported module, has none."""
    for part in name.split("."):
        module = getattr(module, part, ())
    return module
