"""Entropies and informations of the cells of an AnnData."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from eigentropy._measures.entropy import diffusion_spectral_entropy
from eigentropy._measures.information import diffusion_spectral_mutual_information
from eigentropy._measures.kernel_entropy import kernel_entropy as entropy_of_kernel
from eigentropy._measures.kernel_information import kernel_information as information_of_kernel
from eigentropy._support.signatures import option_names
from eigentropy.anndata.cells import Cells, check_measure_options, labels_of


def dse(
    adata: Any,
    *,
    use_rep: str | None = None,
    layer: str | None = None,
    n_pcs: int | None = None,
    key_added: str = "dse",
    copy: bool = False,
    **options: Any,
) -> Any:
    """Diffusion spectral entropy of the cells.

    Parameters
    ----------
    adata : AnnData
        In memory, a view, or backed by a file. What is written into a view makes it a copy of its
        own, with anndata's `ImplicitModificationWarning`.
    use_rep : str, optional
        The key in ``adata.obsm`` of what is measured; "X_pca" by default. "X" takes ``adata.X``.
    layer : str, optional
        A key of ``adata.layers``, in place of `use_rep`. A sparse layer or X becomes a dense copy,
        in a temporary file where memory is too small. Distances between cells over thousands of
        genes are mostly noise: principal components are the better choice.
    n_pcs : int, optional
        Take the first columns only.
    key_added : str
        Where the results are written, in ``adata.uns``. Under "params" is where the cells were
        taken from, and the options that were passed.
    copy : bool
        Write into a copy of `adata`, and return it.
    **options
        Of `eigentropy.dse`.

    Returns
    -------
    DiffusionEntropy, or AnnData if `copy`

    Raises
    ------
    TypeError
        `adata` is no AnnData; a key that is no string; an option that neither this function nor
        `eigentropy.dse` has.
    ValueError
        There is no such key, and the message lists those there are; a view of a file, or a copy of
        one; a `key_added` that no file can hold, such as one with "/"; NaN.

    Warns
    -----
    SaturationWarning, PrecisionWarning
        As `eigentropy.dse`.
    """
    check_measure_options(dse, options, option_names(diffusion_spectral_entropy))
    cells = Cells.of(adata, use_rep, layer, n_pcs, key_added, copy)
    return _measured(cells, diffusion_spectral_entropy, _of_entropy, options)


def kernel_entropy(
    adata: Any,
    *,
    use_rep: str | None = None,
    layer: str | None = None,
    n_pcs: int | None = None,
    key_added: str = "kernel_entropy",
    copy: bool = False,
    **options: Any,
) -> Any:
    """Kernel entropy of the cells, and their Vendi score, the effective number of different cells.

    Parameters
    ----------
    adata, use_rep, layer, n_pcs, key_added, copy
        As in `dse`.
    **options
        Of `eigentropy.kernel_entropy`.

    Returns
    -------
    KernelEntropy, or AnnData if `copy`

    Raises
    ------
    TypeError, ValueError
        As `dse`.
    """
    check_measure_options(kernel_entropy, options, option_names(entropy_of_kernel))
    cells = Cells.of(adata, use_rep, layer, n_pcs, key_added, copy)
    return _measured(cells, entropy_of_kernel, _of_kernel_entropy, options)


def dsmi(
    adata: Any,
    groupby: str,
    *,
    use_rep: str | None = None,
    layer: str | None = None,
    n_pcs: int | None = None,
    key_added: str = "dsmi",
    copy: bool = False,
    **options: Any,
) -> Any:
    """Diffusion spectral mutual information between the cells and a column of ``adata.obs``.

    What it says of clusters that were found in the same representation is how well they are found,
    and nothing of biology.

    Parameters
    ----------
    adata, use_rep, layer, n_pcs, key_added, copy
        As in `dse`.
    groupby : str
        The column of ``adata.obs``: labels, or real numbers, which are cut into bins.
    **options
        Of `eigentropy.dsmi`.

    Returns
    -------
    DiffusionInformation, or AnnData if `copy`
        Its `adjusted` value, which takes the entropy of all cells besides, is written, too.

    Raises
    ------
    TypeError, ValueError
        As `dse`; `groupby` is not the name of a column, and the message lists those there are;
        cells without a label.
    """
    measure = diffusion_spectral_mutual_information
    check_measure_options(dsmi, options, option_names(measure))
    cells = Cells.of(adata, use_rep, layer, n_pcs, key_added, copy)
    return _measured(cells, measure, _of_information, options, groupby)


def kernel_information(
    adata: Any,
    groupby: str,
    *,
    use_rep: str | None = None,
    layer: str | None = None,
    n_pcs: int | None = None,
    key_added: str = "kernel_information",
    copy: bool = False,
    **options: Any,
) -> Any:
    """Kernel information between the cells and a column of ``adata.obs``: it reads as bits.

    Parameters
    ----------
    adata, use_rep, layer, n_pcs, key_added, copy
        As in `dse`.
    groupby : str
        The column of ``adata.obs``: labels, or real numbers, which are compared by a kernel.
    **options
        Of `eigentropy.kernel_information`. For bits pass sigma="narrow".

    Returns
    -------
    KernelInformation, or AnnData if `copy`
        Of labels, its `adjusted` value and its `bits` are written, too.

    Raises
    ------
    TypeError, ValueError
        As `dsmi`.
    """
    check_measure_options(kernel_information, options, option_names(information_of_kernel))
    cells = Cells.of(adata, use_rep, layer, n_pcs, key_added, copy)
    return _measured(cells, information_of_kernel, _of_kernel_information, options, groupby)


def _measured(
    cells: Cells,
    measure: Callable[..., Any],
    numbers: Callable[[Any], dict[str, Any]],
    options: dict[str, Any],
    groupby: str | None = None,
) -> Any:
    """Measure the cells, about this column where there is one, and write the result's numbers."""
    about = {} if groupby is None else {"groupby": groupby}
    labels = [labels_of(cells.adata, column) for column in about.values()]
    with cells.named(groupby):
        result = measure(cells.rows, *labels, **options)
    return cells.returned(result, numbers(result), {**about, **options})


def _of_entropy(S: Any) -> dict[str, Any]:
    return {**_of_both(S), "sampled_from": S.sampled_from}


def _of_kernel_entropy(S: Any) -> dict[str, Any]:
    return {**_of_entropy(S), "vendi": S.vendi}


def _of_information(found: Any) -> dict[str, Any]:
    return {
        **_of_both(found),
        "adjusted": found.adjusted(),
        "p_value": found.p_value,
        "p_value_from": found.p_value_from,
        "null": np.array(found.null),
        "group_sizes": np.array(found.group_sizes),
        "label_entropy": found.label_entropy,
    }


def _of_kernel_information(found: Any) -> dict[str, Any]:
    own = {"bits": found.bits()} if found.kind == "labels" else {}
    return {**_of_information(found), **own}


def _of_both(result: Any) -> dict[str, Any]:
    """What of a result says how it was found."""
    names = ("value", "standard_error", "error_bound", "n", "sigma", "base", "seed", "method")
    return {**{name: getattr(result, name) for name in names}, **result.settings}
