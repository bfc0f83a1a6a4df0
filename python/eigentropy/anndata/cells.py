"""What is read of an AnnData, and what is written into it."""

from __future__ import annotations

import functools
import inspect
import math
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Concatenate, ParamSpec, TypeVar

import numpy as np

from eigentropy._backends import libraries
from eigentropy._backends.host_arrays import as_numpy
from eigentropy._support.options import integer
from eigentropy._support.signatures import arguments_called, check_options, option_names

P = ParamSpec("P")
R = TypeVar("R")

# Where principal components are.
DEFAULT_REP = "X_pca"

# The name of adata.X among representations.
X = "X"


@dataclass(frozen=True)
class Cells:
    """The cells that a function measures, and where its results go.

    Attributes
    ----------
    adata : AnnData
        The caller's, or a copy of it.
    rows : array-like of shape (n_obs, d)
    source : dict of str
        Where the rows come from, as it is written down.
    key : str
        Of what is written.
    copied : bool
        Whether `adata` is a copy, which is what the caller wants back.
    """

    adata: Any
    rows: Any
    source: dict[str, Any]
    key: str
    copied: bool

    @classmethod
    def of(
        cls,
        adata: Any,
        use_rep: str | None,
        layer: str | None,
        n_pcs: int | None,
        key: str,
        copy: bool,
    ) -> Cells:
        """The cells of the caller's AnnData.

        Raises
        ------
        TypeError
            No AnnData; a key that is no string.
        ValueError
            There is no such matrix; nothing can be written, or no file can hold the key.
        """
        if not libraries.is_anndata(adata):
            raise TypeError(f"adata must be an AnnData, got {_described(adata)}")
        _require_key(key)
        _require_writable(adata, copy)
        found, source = _matrix(adata, use_rep, layer)
        if n_pcs is not None:
            found = _first_columns(found, n_pcs, source)
        return cls(adata.copy() if copy else adata, found, source, key, copy)

    def named(self, groupby: str | None = None) -> AbstractContextManager[None]:
        """Let errors of measures name what is measured by its place in the AnnData."""
        if "layer" in self.source:
            place = f"adata.layers[{self.source['layer']!r}]"
        elif self.source["use_rep"] == X and X not in self.adata.obsm:
            place = "adata.X"
        else:
            place = f"adata.obsm[{self.source['use_rep']!r}]"
        about = {} if groupby is None else {"Y": f"adata.obs[{groupby!r}]"}
        return arguments_called(Z=place, **about)

    def returned(self, result: Any, found: dict[str, Any], asked: dict[str, Any]) -> Any:
        """Write what was found, and with which parameters, into `.uns`.

        Numbers that there are not, None and NaN, are left out, and so are parameters that are None.

        Returns
        -------
        What the caller gets: the result, or the copy with it.
        """
        params = {**self.source, **asked}
        self.adata.uns[self.key] = {
            **{name: value for name, value in found.items() if _is_there(value)},
            "params": {
                name: _written(value) for name, value in params.items() if value is not None
            },
        }
        return self.adata if self.copied else result


# Options of every function: `source` and the key of the results remember them.
_OF_CELLS = frozenset({"adata", "groupby", "use_rep", "layer", "n_pcs", "key_added", "copy"})


def remembering(function: Callable[Concatenate[dict[str, Any], P], R]) -> Callable[P, R]:
    """Decorate a function of cells: its first argument becomes a dict of the options passed.

    The function can then tell these options from its defaults.
    """

    @functools.wraps(function)
    def called(*args: P.args, **options: P.kwargs) -> R:
        asked = {name: value for name, value in options.items() if name not in _OF_CELLS}
        return function(asked, *args, **options)

    signature = inspect.signature(function)
    parameters = list(signature.parameters.values())[1:]
    called.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
    return called


def check_measure_options(
    function: Callable[..., Any], given: Iterable[str], passed_on: Iterable[str]
) -> None:
    """Refuse options that neither a function of cells has nor the measure that it calls.

    Parameters
    ----------
    function : callable
        Of cells.
    given : iterable of str
        The options that it is to pass on.
    passed_on : iterable of str
        The options of the measure.
    """
    own = option_names(function) - {"adata"}
    check_options(function.__name__, given, own | (frozenset(passed_on) - {"Z", "Y"}))


def labels_of(adata: Any, groupby: str) -> Any:
    """The labels of the cells, or a number for each, none of which is missing."""
    _require_name(groupby, "groupby", "the name of a column of adata.obs")
    if groupby not in adata.obs.columns:
        raise ValueError(
            f"adata.obs has no column {groupby!r}; it has {_listed(adata.obs.columns)}"
        )
    labels = adata.obs[groupby]
    missing = int(np.asarray(labels.isna()).sum())
    if missing:
        raise ValueError(
            f"{missing} of {len(labels)} cells have no value (NaN) in adata.obs[{groupby!r}]: "
            f"leave them out, as by adata[adata.obs[{groupby!r}].notna()].copy()"
        )
    return labels


def _require_name(value: Any, argument: str, meaning: str) -> None:
    if not isinstance(value, str):
        raise TypeError(f"{argument} must be {meaning}, got {_described(value)}")


def _require_key(key: Any) -> None:
    """Refuse a key that no file can hold: names in HDF5 and Zarr are paths."""
    _require_name(key, "key_added", "a string")
    if key in ("", ".", "..") or "/" in key or "\0" in key:
        raise ValueError(f"key_added={key!r}: no file can hold it; pass a name without '/'")


def require_column(adata: Any, key: str) -> None:
    """Refuse a key that no file can hold beside the names of the cells."""
    if key in ("_index", adata.obs.index.name):
        raise ValueError(f"key_added={key!r}: adata.obs has its index under this name in a file")


def _require_writable(adata: Any, copy: bool) -> None:
    if not adata.isbacked:
        return
    if copy:
        raise ValueError(
            "copy=True: adata lies in a file, and anndata copies that to another file only; pass "
            "adata.to_memory()"
        )
    if adata.is_view:
        raise ValueError(
            "adata is a view of an AnnData that lies in a file, and nothing can be written into "
            "it; pass adata.to_memory()"
        )


def _matrix(adata: Any, use_rep: str | None, layer: str | None) -> tuple[Any, dict[str, Any]]:
    """The matrix that is measured, and where it was found."""
    if layer is not None:
        _require_name(layer, "layer", "a key of adata.layers")
        if use_rep is not None:
            raise ValueError(f"use_rep={use_rep!r} and layer={layer!r}: pass one of them")
        if layer not in adata.layers:
            raise ValueError(f"adata.layers has no {layer!r}; it has {_listed(adata.layers)}")
        return adata.layers[layer], {"layer": layer}
    name = DEFAULT_REP if use_rep is None else use_rep
    _require_name(name, "use_rep", "a key of adata.obsm")
    if name == X and X not in adata.obsm:
        if adata.X is None:
            raise ValueError(f"use_rep='X': adata has no X; adata.obsm has {_listed(adata.obsm)}")
        return adata.X, {"use_rep": X}
    if name not in adata.obsm:
        made = " scanpy.pp.pca(adata) makes it." if name == DEFAULT_REP else ""
        raise ValueError(
            f"adata.obsm has no {name!r}.{made} It has {_listed(adata.obsm)} (use_rep=); "
            f"adata.layers has {_listed(adata.layers)} (layer=); use_rep='X' takes adata.X"
        )
    return adata.obsm[name], {"use_rep": name}


def _first_columns(matrix: Any, n_pcs: int, source: dict[str, Any]) -> Any:
    where = next(iter(source.values()))
    columns = integer(n_pcs, "n_pcs", at_least=1)
    if columns > matrix.shape[1]:
        raise ValueError(f"n_pcs={columns}, but {where!r} has {matrix.shape[1]} columns")
    source["n_pcs"] = columns
    if libraries.is_pandas_frame(matrix):
        return matrix.iloc[:, :columns]
    return matrix[:, :columns]


def _is_there(value: Any) -> bool:
    return value is not None and not (isinstance(value, float) and math.isnan(value))


def _written(value: Any) -> Any:
    """A parameter as a file of AnnData can hold it: types and functions by their names."""
    if isinstance(value, (str, bool, int, float, np.bool_, np.integer, np.floating)):
        return value
    if isinstance(value, (type, np.dtype)) or not hasattr(value, "__len__"):
        return getattr(value, "__qualname__", str(value))
    array = as_numpy(value, "a parameter")
    return array if array.dtype.kind in "biuf" else array.astype(str).astype(object)


def _described(value: Any) -> str:
    shape = getattr(value, "shape", None)
    return type(value).__name__ + ("" if shape is None else f" of shape {tuple(shape)}")


def _listed(names: Any) -> str:
    """The names without None, which stands for adata.X among the layers of anndata."""
    return ", ".join(repr(str(name)) for name in names if name is not None) or "none"
