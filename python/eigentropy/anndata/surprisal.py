"""How unlike all others each cell is."""

from __future__ import annotations

from typing import Any

import numpy as np

from eigentropy._kernels.density import DensityMatrix
from eigentropy._measures.surprisals import surprisals_of
from eigentropy._spectra.plan import SpectrumPlan
from eigentropy._support.options import logarithm_base
from eigentropy._support.progress import Callback
from eigentropy._support.signatures import named_options
from eigentropy.anndata.cells import Cells, remembering, require_column


@named_options()
@remembering
def surprisals(
    asked: dict[str, Any],
    /,
    adata: Any,
    *,
    use_rep: str | None = None,
    layer: str | None = None,
    n_pcs: int | None = None,
    key_added: str = "surprisal",
    copy: bool = False,
    sigma: float | str = "auto",
    base: float = 2.0,
    method: str = "auto",
    seed: int = 0,
    progress: bool | Callback = False,
) -> Any:
    r"""The surprisal of each cell, whose mean is the kernel entropy.

    .. math:: s_i = n\,(-\rho \log \rho)_{ii}, \qquad \rho = G / n

    A cell among many like it has a small one, and a cell like no other one log n: rare states, and
    doublets, stand out. It follows the density of cells, and so the way in which they were sampled.

    Parameters
    ----------
    adata, use_rep, layer, n_pcs, copy
        As in `dse`.
    key_added : str
        The column of ``adata.obs``, and the key in ``adata.uns`` of the parameters.
    sigma, base, seed, progress
        As in `eigentropy.kernel_entropy`.
    method : {"auto", "exact", "stochastic"}
        As in `eigentropy.KernelEntropy.surprisals`: exact up to 2000 cells, an estimate beyond.

    Returns
    -------
    Surprisals, or AnnData if `copy`

    Raises
    ------
    TypeError, ValueError
        As `dse`; too few cells for an estimate.
    MemoryError
        The eigenvectors do not fit.
    """
    base = logarithm_base(base)
    cells = Cells.of(adata, use_rep, layer, n_pcs, key_added, copy)
    require_column(adata, key_added)
    with cells.named():
        matrix = DensityMatrix(cells.rows, sigma=sigma, seed=seed, progress=progress)
        found = surprisals_of(matrix, SpectrumPlan(), method, base)
    cells.adata.obs[key_added] = np.array(found)
    known = {
        "sigma": matrix.sigma,
        "mean": float(found.mean()),
        "method": found.method,
        "base": base,
        "seed": seed,
    }
    return cells.returned(found, known, asked)
