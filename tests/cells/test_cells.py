"""What is written for each cell, and for each group of cells."""

from __future__ import annotations

import numpy as np
import pytest

anndata = pytest.importorskip("anndata", reason="anndata is not installed")

import eigentropy as eg
import eigentropy.anndata as ea
from messages import naming

# Options of pandas that anndata asks for.
pytestmark = pytest.mark.filterwarnings("ignore:The '.*' option is deprecated")


# Surprisals.


def test_surprisals_are_those_of_the_kernel_entropy(adata):
    found = ea.surprisals(adata, key_added="unlike", sigma="knn")
    S = eg.kernel_entropy(adata.obsm["X_pca"], sigma="knn")
    np.testing.assert_allclose(adata.obs["unlike"], S.surprisals(), rtol=1e-9)
    np.testing.assert_array_equal(adata.obs["unlike"], found)
    assert adata.uns["unlike"]["mean"] == pytest.approx(float(S), rel=1e-9)
    assert adata.uns["unlike"]["params"]["sigma"] == "knn"


def test_a_cell_like_no_other_one_has_the_largest(adata):
    adata.obsm["X_pca"][17] += 100.0
    nats = ea.surprisals(adata, base=np.e)
    assert int(np.argmax(nats)) == 17
    assert adata.obs["surprisal"].iloc[17] == pytest.approx(np.log(90), rel=1e-6)


def test_bad_options_of_surprisals_are_named(adata):
    with pytest.raises(ValueError, match=naming("method", "lowrank", "exact")):
        ea.surprisals(adata, method="lowrank")
    with pytest.raises(ValueError, match=naming("base", "1")):
        ea.surprisals(adata, base=1.0)
    with pytest.raises(TypeError, match=naming("surprisals", "order")):
        ea.surprisals(adata, order=2)


# Diffusion coordinates.


@pytest.mark.parametrize("options", [{}, {"kernel": "knn"}, {"sigma": 2.0, "alpha": 1.0}])
def test_coordinates_are_those_of_the_operator(adata, options):
    found = ea.diffusion_map(adata, n_comps=4, t=2.0, **options)
    operator = eg.DiffusionOperator(adata.obsm["X_pca"], **options)
    np.testing.assert_allclose(found, operator.diffusion_map(4, 2.0), rtol=1e-9, atol=1e-12)
    np.testing.assert_array_equal(adata.obsm["X_diffusion_map"], found)
    written = adata.uns["diffusion_map"]
    if "kernel" not in options:
        np.testing.assert_allclose(written["eigenvalues"], operator.eigenvalues()[1:5], rtol=1e-9)
    assert ("sigma" in written) == ("kernel" not in options)
    assert written["params"] == {"use_rep": "X_pca", "n_comps": 4, "t": 2.0, **options}


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"n_comps": 90}, ["n_comps=90", "90"]),
        ({"n_comps": 0}, ["n_comps", "0"]),
        ({"t": 0.0}, ["t", "0.0"]),
    ],
)
def test_bad_options_of_a_map_are_named(adata, options, words):
    with pytest.raises(ValueError, match=naming(*words)):
        ea.diffusion_map(adata, **options)
    assert "X_diffusion_map" not in adata.obsm


# Groups of cells.


def test_a_group_of_just_as_many_cells_has_its_own_entropy(adata):
    table = ea.group_dse(adata, "cell_type", n_cells=30, n_draws=3)
    Z, sigma = adata.obsm["X_pca"], eg.bandwidth(adata.obsm["X_pca"])
    assert table.index.tolist() == ["B", "NK", "T"]  # and not the category without cells
    assert table["cells"].tolist() == [30, 30, 30]
    own = [float(eg.dse(Z[adata.obs["cluster"] == group], sigma=sigma)) for group in range(3)]
    np.testing.assert_allclose(table["dse"], own, rtol=1e-9)
    np.testing.assert_allclose(table["sd"], 0.0, atol=1e-9)
    written = adata.uns["group_dse"]
    assert written["groups"].tolist() == table.index.tolist()
    np.testing.assert_array_equal(written["dse"], table["dse"])
    assert written["sigma"] == sigma
    assert written["params"]["groupby"] == "cell_type"


def test_draws_are_equally_large_whatever_the_groups(adata):
    """Two clusters of the same width, one of which is seen nine times as often."""
    rng = np.random.default_rng(0)
    adata.obs["seen"] = np.where(np.arange(90) < 81, "often", "seldom")
    adata.obsm["X_pca"] = rng.normal(size=(90, 2))
    table = ea.group_dse(adata, "seen", n_cells=9, n_draws=200, sigma=0.7)
    difference = table.loc["often", "dse"] - table.loc["seldom", "dse"]
    assert abs(difference) < 3.0 * table.loc["often", "sd"]
    Z = adata.obsm["X_pca"]
    whole = [float(eg.dse(Z[part], sigma=0.7)) for part in (slice(81), slice(81, 90))]
    assert whole[0] - whole[1] > 1.0  # of all cells, it is that there are more of them
    assert table.loc["often", "sd"] > 0.0


@pytest.mark.filterwarnings("ignore::eigentropy.SaturationWarning")
def test_cells_that_are_all_alike_have_no_entropy_and_cells_far_apart_all_of_it(adata):
    Z = np.zeros((90, 3))
    Z[30:60] = 1e3 * np.arange(1, 31)[:, None]
    Z[60:] = -5.0
    adata.obsm["X_pca"] = Z
    adata.obs["part"] = np.repeat([3, 1, 2], 30)  # in the order of the labels, not of the cells
    table = ea.group_dse(adata, "part", n_cells=16, n_draws=2, sigma=1.0)
    np.testing.assert_allclose(table["dse"], [4.0, 0.0, 0.0], atol=1e-6)
    nats = ea.group_dse(adata, "part", n_cells=16, n_draws=2, sigma=1.0, base=np.e)
    assert nats["dse"].iloc[0] == pytest.approx(np.log(16))


def test_small_groups_have_no_number_and_a_warning_names_them(adata):
    adata.obs["rare"] = np.where(np.arange(90) < 5, "few", "many")
    with pytest.warns(UserWarning, match=naming("few", "5", "n_cells=30")):
        table = ea.group_dse(adata, "rare", n_draws=1)
    assert np.isnan(table.loc["few", "dse"])
    assert np.isfinite(table.loc["many", "dse"])
    with pytest.raises(ValueError, match=naming("n_cells=86", "'rare'", "85")):
        ea.group_dse(adata, "rare", n_cells=86)


def test_bad_options_of_groups_are_named(adata):
    for options in ({"n_cells": 1}, {"n_draws": 0}, {"seed": -1}, {"sigma": "wide"}):
        (name,) = options
        with pytest.raises(ValueError, match=naming(name)):
            ea.group_dse(adata, "cell_type", **options)
    with pytest.raises(TypeError, match=naming("group_dse", "n_cell", "'n_cells'")):
        ea.group_dse(adata, "cell_type", n_cell=5)


def test_groups_can_be_copied(adata):
    copied = ea.group_dse(adata, "cell_type", copy=True)
    assert "group_dse" in copied.uns
    assert "group_dse" not in adata.uns
