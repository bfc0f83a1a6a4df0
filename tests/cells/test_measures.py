"""Measures of an AnnData are those of its matrices, and are written with their parameters."""

from __future__ import annotations

import numpy as np
import pytest

anndata = pytest.importorskip("anndata", reason="anndata is not installed")

import pandas as pd

import eigentropy as eg
import eigentropy.anndata as ea
from messages import names, naming

# Options of pandas that anndata asks for.
pytestmark = pytest.mark.filterwarnings("ignore:The '.*' option is deprecated")

ENTROPIES = {"dse": eg.dse, "kernel_entropy": eg.kernel_entropy}
INFORMATIONS = {"dsmi": eg.dsmi, "kernel_information": eg.kernel_information}
FUNCTIONS = [*ENTROPIES, *INFORMATIONS]


def measured(name, adata, **options):
    """The function of this name, about the types of the cells where it is about labels."""
    about = ("cell_type",) if name in INFORMATIONS else ()
    return getattr(ea, name)(adata, *about, **options)


def expected(name, Z, adata, **options):
    if name in INFORMATIONS:
        return float(INFORMATIONS[name](Z, adata.obs["cell_type"], **options))
    return float(ENTROPIES[name](Z, **options))


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize(
    ("options", "matrix"),
    [
        ({}, lambda a: a.obsm["X_pca"]),
        ({"n_pcs": 3}, lambda a: a.obsm["X_pca"][:, :3]),
        ({"use_rep": "X_umap"}, lambda a: a.obsm["X_umap"]),
        ({"use_rep": "X"}, lambda a: a.X.toarray()),
        ({"layer": "counts"}, lambda a: a.layers["counts"].toarray()),
        ({"layer": "by column", "n_pcs": 5}, lambda a: a.layers["by column"].toarray()[:, :5]),
    ],
)
def test_the_value_is_that_of_the_matrix(adata, name, options, matrix):
    result = measured(name, adata, sigma="knn", seed=3, **options)
    assert float(result) == expected(name, matrix(adata), adata, sigma="knn", seed=3)
    written = adata.uns[name]
    assert written["value"] == float(result)
    assert written["sigma"] == result.sigma
    where = {key: value for key, value in options.items() if key != "use_rep"}
    if "layer" not in options:
        where["use_rep"] = options.get("use_rep", "X_pca")
    about = {"groupby": "cell_type"} if name in INFORMATIONS else {}
    assert written["params"] == {**where, **about, "sigma": "knn", "seed": 3}


def test_a_table_of_components_is_its_columns(adata):
    Z = adata.obsm["X_pca"]
    adata.obsm["table"] = pd.DataFrame(Z, index=adata.obs_names, columns=list("abcdef"))
    assert float(ea.dse(adata, use_rep="table")) == float(eg.dse(Z))
    assert float(ea.dse(adata, use_rep="table", n_pcs=2)) == float(eg.dse(Z[:, :2]))


def test_what_is_written_of_an_information_is_that_of_the_result(adata):
    found = ea.kernel_information(adata, "cell_type", sigma="narrow")
    written = adata.uns["kernel_information"]
    assert (written["adjusted"], written["bits"]) == (found.adjusted(), found.bits())
    np.testing.assert_array_equal(written["null"], found.null)
    np.testing.assert_array_equal(written["group_sizes"], [30, 30, 30])
    assert (written["p_value"], written["p_value_from"]) == (found.p_value, "student")
    assert found.bits() == pytest.approx(np.log2(3), rel=0.1)  # three types far apart


@pytest.mark.parametrize("column", ["cell_type", "batch", "cluster", "depth"])
@pytest.mark.filterwarnings("ignore:.*groups of Y")
def test_labels_and_numbers_are_told_by_their_type(adata, column):
    Z, Y = adata.obsm["X_pca"], adata.obs[column]
    assert float(ea.dsmi(adata, column)) == float(eg.dsmi(Z, Y))
    found = ea.kernel_information(adata, column)
    assert found.kind == ("scalars" if column == "depth" else "labels")
    assert ("bits" in adata.uns["kernel_information"]) == (column != "depth")


def test_a_key_names_where_the_results_go_and_a_copy_leaves_the_cells_alone(adata):
    ea.dse(adata, key_added="dse_first")
    assert list(adata.uns) == ["dse_first"]
    copied = ea.dse(adata, key_added="dse_again", t=5, copy=True)
    assert list(adata.uns) == ["dse_first"]
    assert copied.uns["dse_again"]["value"] == float(eg.dse(adata.obsm["X_pca"], t=5))
    assert copied.uns["dse_again"]["params"] == {"use_rep": "X_pca", "t": 5}


def test_a_file_holds_what_is_written(adata, written, tmp_path):
    for name in FUNCTIONS:
        measured(name, adata, progress=False, dtype=np.float64, max_points=None)
    types = adata.obs["cell_type"]
    for key, clusters in {"codes": np.arange(90) % 3, "names": types, "list": list(types)}.items():
        ea.dsmi(adata, "cell_type", key_added=key, clusters=clusters)
    ea.surprisals(adata)
    ea.diffusion_map(adata, n_comps=2)
    ea.group_dse(adata, "cell_type")
    before = {key: dict(adata.uns[key]) for key in adata.uns}
    assert len(before) == 10
    read = anndata.read_h5ad(written(adata, tmp_path / "written.h5ad"))
    for key, found in before.items():
        assert set(read.uns[key]) == set(found)
        for name, value in found.items():
            np.testing.assert_equal(read.uns[key][name], value)
    np.testing.assert_array_equal(read.obs["surprisal"], adata.obs["surprisal"])
    np.testing.assert_array_equal(read.obsm["X_diffusion_map"], adata.obsm["X_diffusion_map"])


def test_the_parameters_are_what_was_asked_for(adata):
    """No default that nobody passed, and nothing left out that was passed but None."""

    def params(function, *about, **options):
        function(adata, *about, key_added="found", **options)
        return adata.uns["found"]["params"]

    source, about = {"use_rep": "X_pca"}, {"groupby": "cell_type"}
    for name in FUNCTIONS:
        measured(name, adata, key_added="found")
        assert adata.uns["found"]["params"] == source | (about if name in INFORMATIONS else {})
    assert params(ea.surprisals) == params(ea.diffusion_map) == source
    assert params(ea.group_dse, "cell_type") == source | about
    given = {"base": np.e, "seed": 4}
    assert params(ea.surprisals, **given) == source | given
    given = {"n_draws": 3, "alpha": 1.0}
    assert params(ea.group_dse, "cell_type", n_pcs=2, **given) == source | about | given | {
        "n_pcs": 2
    }
    assert params(ea.dse, max_points=None, dtype=np.float32) == source | {"dtype": "float32"}
    found = params(ea.dsmi, "cell_type", clusters=adata.obs["batch"])
    assert found.pop("clusters").tolist() == adata.obs["batch"].tolist()
    assert found == source | about


def test_what_a_default_was_is_written_beside_the_results(adata):
    ea.group_dse(adata, "cell_type")
    ea.surprisals(adata)
    ea.diffusion_map(adata)
    drawn = [adata.uns["group_dse"][name] for name in ("n_cells", "n_draws", "seed")]
    assert drawn == [30, 20, 0]
    assert [adata.uns["surprisal"][name] for name in ("base", "seed")] == [2.0, 0]
    assert adata.uns["diffusion_map"]["t"] == 1.0


@pytest.mark.parametrize("options", [{}, {"use_rep": "X"}, {"layer": "counts"}])
def test_cells_in_a_file_are_measured_and_remembered_in_memory(adata, in_file, options):
    assert in_file.isbacked
    found = ea.dsmi(in_file, "cell_type", **options)
    assert float(found) == float(ea.dsmi(adata, "cell_type", **options))
    assert in_file.uns["dsmi"]["value"] == float(found)


def test_a_view_becomes_cells_of_its_own(adata):
    view = adata[adata.obs["cell_type"] == "B"]
    with pytest.warns(anndata.ImplicitModificationWarning):
        found = ea.dse(view)
    chosen = (adata.obs["cell_type"] == "B").to_numpy()
    assert float(found) == float(eg.dse(adata.obsm["X_pca"][chosen]))
    assert view.uns["dse"]["value"] == float(found)
    assert not view.is_view
    assert "dse" not in adata.uns


# Bad input.


def call(name, adata, **options):
    """Any of the functions."""
    if name in ("surprisals", "diffusion_map"):
        return getattr(ea, name)(adata, **options)
    if name == "group_dse":
        return ea.group_dse(adata, "cell_type", **options)
    return measured(name, adata, **options)


ALL = sorted(ea.__all__)


@pytest.mark.parametrize("name", ALL)
def test_a_key_that_is_not_there_is_answered_by_those_that_are(adata, name):
    with pytest.raises(ValueError, match=naming("'X_scvi'", "'X_pca'", "'X_umap'", "'counts'")):
        call(name, adata, use_rep="X_scvi")
    with pytest.raises(ValueError, match=naming("'raw'", "'counts'", "'by column'")):
        call(name, adata, layer="raw")
    del adata.obsm["X_pca"]
    with pytest.raises(ValueError, match=naming("'X_pca'", "scanpy.pp.pca", "'X_umap'")):
        call(name, adata)
    del adata.obsm["X_umap"]
    with pytest.raises(ValueError, match=naming("'X_pca'", "none", "use_rep='X'")):
        call(name, adata)
    assert list(adata.uns) == []


def test_a_layer_without_a_name_is_none(adata, monkeypatch):
    """From 0.13 on, anndata has adata.X among the layers, as None."""
    layers = {None: adata.X, **adata.layers}
    monkeypatch.setattr(anndata.AnnData, "layers", property(lambda self: layers))
    for options in ({"layer": "raw"}, {"use_rep": "X_scvi"}):
        with pytest.raises(ValueError, match=naming("'counts'", "'by column'")) as caught:
            ea.dse(adata, **options)
        assert "None" not in str(caught.value)
    layers.clear()
    layers[None] = adata.X
    with pytest.raises(ValueError, match=naming("adata.layers", "none")):
        ea.dse(adata, layer="raw")


@pytest.mark.parametrize("name", ALL)
def test_a_key_that_no_file_can_hold_is_refused_before_anything_is_measured(adata, name):
    adata.obsm["X_pca"][0] = np.nan  # which would be found while measuring
    for key in (3, None, ("a", "b")):
        with pytest.raises(TypeError, match=naming("key_added", type(key).__name__)):
            call(name, adata, key_added=key)
    for key in ("a/b", "", ".", "..", "a\0b"):
        with pytest.raises(ValueError, match=naming("key_added", repr(key))):
            call(name, adata, key_added=key)


def test_a_column_beside_the_names_of_the_cells_has_another_name(adata):
    adata.obs.index.name = "barcode"
    for key in ("_index", "barcode"):
        with pytest.raises(ValueError, match=naming("key_added", repr(key))):
            ea.surprisals(adata, key_added=key)


@pytest.mark.parametrize("name", ALL)
def test_names_of_what_is_measured_are_strings(adata, name):
    for option in ("use_rep", "layer"):
        with pytest.raises(TypeError, match=naming(option, "ndarray", "(90, 6)")):
            call(name, adata, **{option: adata.obsm["X_pca"]})


@pytest.mark.parametrize("name", ["dsmi", "kernel_information", "group_dse"])
def test_labels_in_place_of_their_column_are_refused_without_printing_them(adata, name):
    labels = adata.obs["cell_type"].to_numpy()
    for given in (labels, list(labels), adata.obs["cell_type"]):
        with pytest.raises(TypeError, match=naming("groupby", "adata.obs")) as caught:
            getattr(ea, name)(adata, given)
        assert "NK" not in str(caught.value)


@pytest.mark.parametrize("name", ALL)
def test_an_unknown_option_is_answered_by_those_that_can_be_passed(adata, name):
    own = {"use_rep", "layer", "n_pcs", "key_added", "copy"}
    with pytest.raises(TypeError, match=naming(name, "foo", *own)) as caught:
        call(name, adata, foo=3)
    listed = str(caught.value).split("options are ")[1].split(", ")
    assert own < set(listed)
    assert {"Z", "Y", "asked"}.isdisjoint(listed)
    with pytest.raises(TypeError, match=naming(name, "use_reps", "'use_rep'")):
        call(name, adata, use_reps="X")


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize(
    ("options", "place"),
    [
        ({}, "adata.obsm['X_pca']"),
        ({"layer": "counts"}, "adata.layers['counts']"),
        ({"use_rep": "X"}, "adata.X"),
    ],
)
def test_errors_name_what_is_measured_by_its_place(adata, name, options, place):
    adata.obsm["X_pca"][7, 1] = np.nan
    adata.layers["counts"].data[adata.layers["counts"].indptr[7]] = np.nan
    adata.X = adata.layers["counts"]
    with pytest.raises(ValueError, match=naming(place, "row 7")) as caught:
        call(name, adata, **options)
    assert not names(str(caught.value), "Z")


@pytest.mark.parametrize("name", ALL)
def test_what_is_no_anndata_is_refused(adata, name):
    with pytest.raises(TypeError, match=naming("adata", "ndarray", "(90, 6)")):
        call(name, adata.obsm["X_pca"])
    with pytest.raises(TypeError, match=naming("adata", "str")):
        call(name, "cells.h5ad")


@pytest.mark.parametrize("name", ALL)
def test_where_nothing_can_be_written_nothing_is_measured(in_file, name):
    with pytest.raises(ValueError, match=naming("view", "to_memory()")):
        call(name, in_file[:40])
    with pytest.raises(ValueError, match=naming("copy=True", "to_memory()")):
        call(name, in_file, copy=True)


@pytest.mark.parametrize("name", ["dsmi", "kernel_information", "group_dse"])
def test_columns_that_are_not_there_or_have_holes_are_named(adata, name):
    function = getattr(ea, name)
    with pytest.raises(ValueError, match=naming("'leiden'", "'cell_type'", "'depth'")):
        function(adata, "leiden")
    with pytest.raises(ValueError, match=naming("30", "90", "'holes'", "notna()")):
        function(adata, "holes")
    adata.obs["depth"] = adata.obs["depth"].where(adata.obs["cluster"] != 2)
    with pytest.raises(ValueError, match=naming("30", "90", "'depth'")):
        function(adata, "depth")


def test_other_arguments_are_named(adata):
    with pytest.raises(ValueError, match=naming("use_rep='X_pca'", "layer='counts'")):
        ea.dse(adata, use_rep="X_pca", layer="counts")
    with pytest.raises(ValueError, match=naming("n_pcs=9", "'X_pca'", "6")):
        ea.dse(adata, n_pcs=9)
    with pytest.raises(ValueError, match=naming("n_pcs", "0")):
        ea.dse(adata, n_pcs=0)
    with pytest.raises(TypeError, match=naming("sigm", "'sigma'")):
        ea.dse(adata, sigm=1.0)
    adata.obsm["X_pca"][7, 1] = np.nan
    with pytest.raises(ValueError, match=naming("row 7")):
        ea.dse(adata)
    without = anndata.AnnData(obs=adata.obs)
    with pytest.raises(ValueError, match=naming("use_rep='X'", "none")):
        ea.dse(without, use_rep="X")


def test_a_representation_may_be_called_X(adata):
    adata.obsm["X"] = adata.obsm["X_umap"]
    assert float(ea.dse(adata, use_rep="X")) == float(eg.dse(adata.obsm["X_umap"]))


def test_the_names_are_those_of_the_module():
    assert dir(ea) == sorted(ea.__all__)
    with pytest.raises(AttributeError, match="dsme"):
        ea.dsme  # noqa: B018
