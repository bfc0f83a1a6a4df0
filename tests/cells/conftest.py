"""An AnnData of cells, in memory and in a file."""

from __future__ import annotations

import numpy as np
import pytest


@pytest.fixture
def adata(rng):
    """90 cells of three types: sparse counts, layers, components, and a column with holes."""
    anndata = pytest.importorskip("anndata", reason="anndata is not installed")
    pandas = pytest.importorskip("pandas")
    sparse = pytest.importorskip("scipy.sparse")
    types = np.arange(90) % 3
    counts = rng.poisson(1.0 + 6.0 * np.eye(3)[types].repeat(4, axis=1)).astype("f4")
    obs = pandas.DataFrame(
        {
            "cell_type": pandas.Categorical.from_codes(types, ["B", "NK", "T", "never"]),
            "batch": np.array(["a", "b"], dtype=object)[np.arange(90) // 45],
            "depth": counts.sum(axis=1),
            "cluster": types,
            "holes": pandas.Categorical.from_codes(np.where(types == 1, -1, types), list("xyz")),
        },
        index=[f"cell {i}" for i in range(90)],
    )
    cells = anndata.AnnData(sparse.csr_matrix(counts), obs=obs)
    cells.layers["counts"] = sparse.csr_matrix(counts)
    cells.layers["by column"] = sparse.csc_matrix(counts)
    cells.obsm["X_pca"] = rng.normal(size=(90, 6)) + 5.0 * np.eye(6)[types]
    cells.obsm["X_umap"] = cells.obsm["X_pca"][:, :2].astype("f4")
    return cells


@pytest.fixture
def written():
    """Writes cells into a file, with strings as pandas 3 has them, which anndata has to be told."""
    import anndata

    def to_file(adata, path):
        strings = "allow_write_nullable_strings"
        known = {strings: True} if strings in dir(anndata.settings) else {}
        with anndata.settings.override(**known):
            adata.write_h5ad(path)
        return path

    return to_file


@pytest.fixture
def in_file(adata, written, tmp_path):
    """The same cells, backed by a file."""
    import anndata

    opened = anndata.read_h5ad(written(adata, tmp_path / "cells.h5ad"), backed="r")
    yield opened
    opened.file.close()
