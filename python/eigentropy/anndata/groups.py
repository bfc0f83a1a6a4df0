"""The entropy within each group of cells, for equal numbers of cells."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import numpy as np

from eigentropy._backends.rows import Rows
from eigentropy._kernels.bandwidth import resolve_sigma
from eigentropy._kernels.groups import label_codes
from eigentropy._measures.entropy import diffusion_spectral_entropy
from eigentropy._support.options import integer, random_seed
from eigentropy._support.warnings import warn
from eigentropy.anndata.cells import Cells, check_measure_options, labels_of, remembering

# `sigma` is chosen on all cells, and each draw is exact: what remains is what the entropy is of.
OPTIONS = frozenset({"t", "alpha", "base"})


@remembering
def group_dse(
    asked: dict[str, Any],
    /,
    adata: Any,
    groupby: str,
    *,
    n_cells: int = 30,
    n_draws: int = 20,
    sigma: float | str = "auto",
    use_rep: str | None = None,
    layer: str | None = None,
    n_pcs: int | None = None,
    key_added: str = "group_dse",
    copy: bool = False,
    seed: int = 0,
    **options: Any,
) -> Any:
    """How diverse the cells of each group are: the entropy of equally many cells of each.

    Entropy depends on the number of cells, so as many are drawn of each group, several times. It
    depends on sigma, so that of all cells serves every group.

    Where it is weak: draws from one group share cells. Their standard deviation says how much the
    draw matters, and less than other samples or donors would. It is 0 for a group that has just
    `n_cells` cells. `eigentropy.compare` says whether two groups differ.

    Parameters
    ----------
    adata, use_rep, layer, n_pcs, copy
        As in `dse`.
    groupby : str
        The column of ``adata.obs``.
    n_cells : int
        Cells that are drawn of each group, at least 2. Groups of fewer cells have NaN.
    n_draws : int
    sigma : float or str
        Kernel width, or the rule of `eigentropy.bandwidth` by which all cells choose it.
    key_added : str
        Where the table is written as arrays, in ``adata.uns``, with the parameters.
    seed : int
        Of the draws.
    **options
        `t`, `alpha` and `base` of `eigentropy.dse`.

    Returns
    -------
    pandas.DataFrame, or AnnData if `copy`
        One row for each group: "cells", how many it has; "dse", the mean entropy over the draws;
        "sd", its standard deviation over them.

    Raises
    ------
    TypeError, ValueError
        As `dsmi`; no group has `n_cells` cells.

    Warns
    -----
    UserWarning
        Some groups have fewer than `n_cells` cells.
    """
    check_measure_options(group_dse, options, OPTIONS)
    n_cells = integer(n_cells, "n_cells", at_least=2)
    n_draws = integer(n_draws, "n_draws", at_least=1)
    cells = Cells.of(adata, use_rep, layer, n_pcs, key_added, copy)
    labels = np.asarray(labels_of(adata, groupby), dtype=object)
    with cells.named():
        rows = Rows.of(cells.rows)
        width = resolve_sigma(sigma, rows, random_seed(seed))
    codes = label_codes(labels, rows.n, f"adata.obs[{groupby!r}]")
    names, sizes = labels[np.unique(codes, return_index=True)[1]], np.bincount(codes)
    _require_cells(names, sizes, n_cells, groupby)
    rng, Z = np.random.default_rng(seed), rows.on_host()
    found = np.full((len(names), n_draws), np.nan)
    for group in np.flatnonzero(sizes >= n_cells):
        members = np.flatnonzero(codes == group)
        for draw in range(n_draws):
            chosen = rng.choice(members, n_cells, replace=False)
            found[group, draw] = diffusion_spectral_entropy(Z[chosen], sigma=width, **options)
    spread = found.std(axis=1, ddof=1) if n_draws > 1 else np.full(len(names), np.nan)
    columns = {"cells": sizes, "dse": found.mean(axis=1), "sd": spread}
    listed = np.array([str(name) for name in names], dtype=object)
    table = import_module("pandas").DataFrame(columns, index=listed).rename_axis(groupby)
    drawn = {"n_cells": n_cells, "n_draws": n_draws, "seed": seed}
    known = {"groups": listed, **columns, "sigma": width, **drawn}
    return cells.returned(table, known, {"groupby": groupby, **asked})


def _require_cells(names: Any, sizes: Any, n_cells: int, groupby: str) -> None:
    few = [f"{name!s} ({size})" for name, size in zip(names, sizes, strict=True) if size < n_cells]
    if len(few) == len(names):
        raise ValueError(
            f"n_cells={n_cells}, and no group of adata.obs[{groupby!r}] has as many cells: the "
            f"largest has {sizes.max()}"
        )
    if few:
        warn(
            f"groups with fewer than n_cells={n_cells} cells have no entropy here: {', '.join(few)}"
        )
