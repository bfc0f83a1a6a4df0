"""Diffusion coordinates of cells."""

from __future__ import annotations

from typing import Any

import numpy as np

from eigentropy._backends.host_arrays import as_numpy
from eigentropy._measures.operator import DiffusionOperator
from eigentropy._support.options import integer, positive
from eigentropy._support.signatures import option_names
from eigentropy.anndata.cells import Cells, check_measure_options, remembering


@remembering
def diffusion_map(
    asked: dict[str, Any],
    /,
    adata: Any,
    *,
    n_comps: int = 15,
    t: float = 1.0,
    use_rep: str | None = None,
    layer: str | None = None,
    n_pcs: int | None = None,
    key_added: str = "diffusion_map",
    copy: bool = False,
    **options: Any,
) -> Any:
    r"""Diffusion coordinates :math:`\lambda_j^t \psi_j` of the cells.

    As of `eigentropy.DiffusionOperator.diffusion_map`, and without the constant first coordinate,
    which scanpy's "X_diffmap" has. The default kernel takes a matrix n x n; kernel="knn" is sparse,
    for many cells.

    Parameters
    ----------
    adata, use_rep, layer, n_pcs, copy
        As in `dse`.
    n_comps : int
        Number of coordinates, below the number of cells.
    t : float
        Diffusion time, > 0.
    key_added : str
        Coordinates are in ``adata.obsm["X_" + key_added]``, eigenvalues and parameters in
        ``adata.uns[key_added]``.
    **options
        Of `eigentropy.DiffusionOperator`, such as `sigma`, `alpha` and `kernel`.

    Returns
    -------
    array of shape (n_obs, n_comps), or AnnData if `copy`

    Raises
    ------
    TypeError, ValueError
        As `dse`; n_comps not below the number of cells.
    MemoryError
        The matrix does not fit.
    """
    k, t = integer(n_comps, "n_comps", at_least=1), positive(t, "t")
    check_measure_options(diffusion_map, options, option_names(DiffusionOperator.__init__))
    cells = Cells.of(adata, use_rep, layer, n_pcs, key_added, copy)
    with cells.named():
        operator = DiffusionOperator(cells.rows, **options)
    if k >= operator.n:
        raise ValueError(f"n_comps={k} must be below the number of cells, {operator.n}")
    values, psi = operator.right_eigenpairs(k)
    coordinates = np.asarray(as_numpy(psi, "psi") * values**t, dtype=operator.dtype)
    cells.adata.obsm[f"X_{key_added}"] = coordinates
    known = {
        "eigenvalues": np.array(values, dtype=np.float64),
        "alpha": operator.alpha,
        "sigma": operator.sigma,
        "n_neighbors": operator.n_neighbors,
        "t": t,
    }
    return cells.returned(coordinates, known, asked)
