"""What is read of an AnnData, and what is written into it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from eigentropy._backends import libraries
from eigentropy._support.options import integer

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
    copied : bool
        Whether `adata` is a copy, which is what the caller wants back.
    """

    adata: Any
    rows: Any
    source: dict[str, Any]
    copied: bool

    @classmethod
    def of(
        cls, adata: Any, use_rep: str | None, layer: str | None, n_pcs: int | None, copy: bool
    ) -> Cells:
        """The cells of the caller's AnnData.

        Raises
        ------
        TypeError
            No AnnData.
        ValueError
            There is no such matrix; or nothing can be written.
        """
        if not libraries.is_anndata(adata):
            raise TypeError(f"adata must be an AnnData, got {_described(adata)}")
        _require_writable(adata, copy)
        found, source = _matrix(adata, use_rep, layer)
        if n_pcs is not None:
            found = _first_columns(found, n_pcs, source)
        return cls(adata.copy() if copy else adata, found, source, copy)

    def returned(
        self, result: Any, key: str, found: dict[str, Any], options: dict[str, Any]
    ) -> Any:
        """Write what was found, and with which parameters, into `.uns[key]`.

        Numbers that there are not, None and NaN, are left out, and so are parameters that a file
        cannot hold.

        Returns
        -------
        What the caller gets: the result, or the copy with it.
        """
        params = {**self.source, **options}
        self.adata.uns[key] = {
            **{name: value for name, value in found.items() if _is_there(value)},
            "params": {name: value for name, value in params.items() if _is_plain(value)},
        }
        return self.adata if self.copied else result


def labels_of(adata: Any, groupby: str) -> Any:
    """The labels of the cells, or a number for each, none of which is missing."""
    if not isinstance(groupby, str) or groupby not in adata.obs.columns:
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
        if use_rep is not None:
            raise ValueError(f"use_rep={use_rep!r} and layer={layer!r}: pass one of them")
        if layer not in adata.layers:
            raise ValueError(f"adata.layers has no {layer!r}; it has {_listed(adata.layers)}")
        return adata.layers[layer], {"layer": layer}
    name = DEFAULT_REP if use_rep is None else use_rep
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


def _is_plain(value: Any) -> bool:
    """Whether a file of AnnData can hold it as a parameter."""
    return isinstance(value, (str, bool, int, float, np.integer, np.floating))


def _described(value: Any) -> str:
    shape = getattr(value, "shape", None)
    return f"a {type(value).__name__}" + ("" if shape is None else f" of shape {tuple(shape)}")


def _listed(names: Any) -> str:
    return ", ".join(repr(str(name)) for name in names) or "none"
