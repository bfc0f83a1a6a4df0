"""Tables of pandas, polars and Arrow, and AnnData: the values of their arrays, or a refusal."""

from __future__ import annotations

import sys
from types import SimpleNamespace

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import scipy.sparse
from hypothesis import given
from hypothesis import strategies as st

import eigentropy as eg
from eigentropy._backends.host_arrays import as_matrix
from eigentropy.baselines import spectral
from messages import naming

NAMES = ["a", "b", "c", "d"]

TABLES = {
    "pandas": lambda columns: pd.DataFrame(columns),
    "pandas, nullable": lambda columns: pd.DataFrame(columns).convert_dtypes(),
    "pandas, Arrow": lambda columns: pd.DataFrame(columns).convert_dtypes(dtype_backend="pyarrow"),
    "polars": lambda columns: pl.DataFrame(columns),
    "Arrow": lambda columns: pa.table(columns),
    "Arrow batch": lambda columns: pa.RecordBatch.from_pydict(columns),
}

COLUMNS = {
    "columns": lambda values: pd.Series(values),
    "index": lambda values: pd.Index(values),
    "nullable": lambda values: pd.Series(values).convert_dtypes(),
    "nullable array": lambda values: pd.array(values),
    "polars": lambda values: pl.Series(values),
    "Arrow": lambda values: pa.array(values),
    "Arrow chunks": lambda values: pa.chunked_array([values[:5], values[5:]]),
}

pytestmark = pytest.mark.filterwarnings("ignore:.*groups of Y")


@pytest.fixture
def Z(rng):
    return rng.normal(size=(30, 4))


def columns_of(Z):
    return {name: np.ascontiguousarray(Z[:, j]) for j, name in enumerate(NAMES)}


@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize("dtype", ["f4", "f8", "i8", "u1", "?"])
def test_a_table_of_numbers_has_the_value_of_its_array(Z, table, dtype):
    Z = (10 * Z).round().astype("i1").astype(dtype) if dtype != "f8" else Z
    frame = TABLES[table](columns_of(Z))
    np.testing.assert_array_equal(as_matrix(frame), Z)
    assert float(eg.dse(frame)) == float(eg.dse(Z))
    assert float(eg.dse(frame, max_points=9)) == float(eg.dse(Z, max_points=9))
    assert float(spectral.effective_rank(frame)) == float(spectral.effective_rank(Z))
    labels = np.arange(30) % 3
    assert float(eg.dsmi(frame, labels, n_null=3)) == float(eg.dsmi(Z, labels, n_null=3))
    vectors = {"n_null": 3, "clusters": "kmeans", "n_clusters": 2, "kind": "vectors"}
    assert float(eg.dsmi(Z, frame, **vectors)) == float(eg.dsmi(Z, Z, **vectors))


@pytest.mark.parametrize("table", TABLES)
@given(
    kinds=st.lists(st.sampled_from(["f4", "f8", "i2", "i8", "?"]), min_size=4, max_size=4),
    seed=st.integers(0, 9),
)
def test_columns_of_several_types_become_one_array(table, kinds, seed):
    values = np.random.default_rng(seed).integers(-9, 9, size=(7, 4))
    columns = {name: values[:, j].astype(kinds[j]) for j, name in enumerate(NAMES)}
    matrix = as_matrix(TABLES[table](columns))
    np.testing.assert_array_equal(matrix, np.column_stack(list(columns.values())))


def test_a_table_of_one_type_is_read_in_place(Z):
    frame = pd.DataFrame(Z)
    assert np.shares_memory(as_matrix(frame), frame.to_numpy())


@pytest.mark.parametrize("table", TABLES)
@given(missing=st.sets(st.tuples(st.integers(0, 8), st.integers(0, 3)), max_size=5))
def test_missing_entries_of_a_table_are_refused_with_their_rows_and_columns(table, missing):
    values = [[float(row + column * column) for row in range(9)] for column in range(4)]
    for row, column in missing:
        values[column][row] = None
    frame = TABLES[table](dict(zip(NAMES, values, strict=True)))
    rows = sorted({row for row, _ in missing})
    if not rows:
        assert as_matrix(frame).shape == (9, 4)
        return
    words = ["Z", f"{len(rows)} of its 9", f"row {rows[0]}"]
    if table != "pandas":  # where they are NaN
        words += [repr(NAMES[column]) for _, column in missing]
    for door in (eg.dse, eg.bandwidth, spectral.effective_rank):
        with pytest.raises(ValueError, match=naming(*words)):
            door(frame)


@pytest.mark.parametrize("table", TABLES)
def test_columns_of_text_are_refused_by_their_names(Z, table):
    columns = {**columns_of(Z), "cell type": ["x", "y"] * 15}
    for door in (eg.dse, eg.DiffusionOperator, spectral.effective_rank):
        with pytest.raises(TypeError, match=naming("Z", "'cell type'")):
            door(TABLES[table](columns))
    with pytest.raises(TypeError, match=naming("Y", "'cell type'")):
        eg.dsmi(Z, TABLES[table](columns))
    with pytest.raises(TypeError, match=naming("Z", "'only'")):
        eg.dse(TABLES[table]({"only": ["x", "y"] * 15}))


def test_categories_and_dates_are_no_numbers_even_where_they_hold_some(Z):
    frame = pd.DataFrame(Z)
    frame["level"] = pd.Categorical(np.arange(30) % 3)
    frame["day"] = pd.date_range("2026-01-01", periods=30)
    with pytest.raises(TypeError, match=naming("Z", "'level'", "'day'")):
        eg.dse(frame)


def test_many_columns_of_text_are_counted():
    with pytest.raises(TypeError, match=naming("'0'", "12 more")):
        eg.dse(pd.DataFrame({str(j): ["x", "y"] for j in range(20)}))


def test_rows_are_taken_as_they_stand_whatever_the_index(rng, Z):
    expected = float(eg.dse(Z))
    for index in (np.arange(1, 31), rng.permutation(30), ["same"] * 30):
        assert float(eg.dse(pd.DataFrame(Z, index=index))) == expected
    twice = pd.DataFrame(np.hstack([Z, Z]), columns=NAMES * 2).astype({"a": "Float64"})
    np.testing.assert_array_equal(as_matrix(twice), np.hstack([Z, Z]))


def test_a_column_of_vectors_of_one_length_is_its_columns(Z):
    vectors = pl.Series("embedding", Z, dtype=pl.Array(pl.Float64, 4))
    for value in (vectors, pl.DataFrame([vectors])):
        np.testing.assert_array_equal(as_matrix(value), Z)
        assert len(eg.dsmi(Z, value, clusters="kmeans", n_clusters=2, n_null=2).group_sizes) == 2
    beside = pl.DataFrame([vectors, pl.Series("one", Z[:, 0])])
    np.testing.assert_array_equal(as_matrix(beside), np.column_stack([Z, Z[:, 0]]))


def test_a_table_without_columns_is_empty():
    with pytest.raises(ValueError, match=naming("Z", "(5, 0)")):
        eg.dse(pd.DataFrame(index=range(5)))


def test_a_query_is_asked_to_be_computed(Z):
    with pytest.raises(TypeError, match=naming("Z.collect")):
        eg.dse(pl.DataFrame(columns_of(Z)).lazy())


@pytest.mark.parametrize("value", [{"a": np.eye(3), "b": 2}, {}])
def test_a_collection_is_asked_for_one_of_its_arrays(value):
    with pytest.raises(TypeError, match=naming("Z", "dict", *map(repr, value))):
        eg.dse(value)


# Labels.


@pytest.mark.parametrize("column", COLUMNS)
@pytest.mark.parametrize("values", [["x", "y", "z"], [2, 7, 5], [True, False, True], [0.5, 1.5, 9]])
def test_a_column_of_labels_has_the_groups_of_its_values(Z, column, values):
    labels = COLUMNS[column](values * 10)
    expected = eg.dsmi(Z, np.array(values * 10), n_null=3)
    found = eg.dsmi(Z, labels, n_null=3)
    assert float(found) == float(expected)
    np.testing.assert_array_equal(found.clusters, expected.clusters)


@pytest.mark.parametrize("column", COLUMNS)
@pytest.mark.parametrize("value", ["x", 3, True, 1.5])
@given(missing=st.sets(st.integers(0, 11), max_size=4))
def test_missing_labels_of_a_column_are_refused(column, value, missing):
    values = [None if row in missing else value for row in range(12)]
    rows = np.random.default_rng(0).normal(size=(12, 3))
    if missing:
        words = ["Y", f"{len(missing)} of its 12", f"row {min(missing)}"]
        with pytest.raises(ValueError, match=naming(*words)):
            eg.dsmi(rows, COLUMNS[column](values))


@pytest.mark.parametrize("values", [["x", "y", "z"], [2, 7, 5], [0.5, 1.5, 9.0]])
def test_categories_are_labels_whatever_their_values(Z, values):
    expected = eg.dsmi(Z, np.arange(30) % 3, n_null=3)
    order = np.argsort(np.argsort(values))
    categorical = pd.Categorical(values * 10)
    for labels in (categorical, pd.Series(categorical), pd.DataFrame({"l": categorical})):
        found = eg.dsmi(Z, labels, n_null=3)
        np.testing.assert_array_equal(found.clusters, order[np.arange(30) % 3])
        assert float(found) == pytest.approx(float(expected), abs=1e-12)
    some = pd.Categorical([*values * 9, values[0], None, None])
    with pytest.raises(ValueError, match=naming("Y", "2 of its 30", "row 28")):
        eg.dsmi(Z, some)


def test_categories_of_polars_and_arrow_are_labels(Z):
    expected = eg.dsmi(Z, ["x", "y", "z"] * 10, n_null=3)
    for labels in (
        pl.Series(["x", "y", "z"] * 10, dtype=pl.Categorical),
        pl.Series(["x", "y", "z"] * 10, dtype=pl.Enum(["z", "y", "x"])),
        pa.array(["x", "y", "z"] * 10).dictionary_encode(),
    ):
        assert float(eg.dsmi(Z, labels, n_null=3)) == float(expected)


# AnnData: with a module that has its names, since the package keeps pandas back. The tutorial of
# cells, which `make docs` runs, measures a real one.


@pytest.fixture
def anndata(monkeypatch):
    class AnnData:
        def __init__(self, X, obsm=None, layers=None):
            self.X, self.obsm, self.layers = X, obsm or {}, layers or {}

    monkeypatch.setitem(sys.modules, "anndata", SimpleNamespace(AnnData=AnnData))
    return AnnData


@pytest.mark.parametrize(
    "kind", [np.asarray, scipy.sparse.csr_matrix, scipy.sparse.csc_array, np.asfortranarray]
)
def test_the_matrix_of_an_anndata_is_measured(rng, anndata, kind):
    counts = rng.poisson(0.5, size=(30, 8)).astype("f4")
    annotated = anndata(kind(counts), obsm={"X_pca": counts[:, :3]})
    labels = pd.Categorical(np.arange(30) % 3)
    assert float(eg.dse(annotated)) == float(eg.dse(counts))
    assert float(eg.dse(annotated, max_points=9)) == float(eg.dse(counts, max_points=9))
    assert float(eg.dsmi(annotated, labels)) == float(eg.dsmi(counts, labels))
    assert eg.bandwidth(annotated) == eg.bandwidth(counts)
    assert float(eg.dse(annotated.obsm["X_pca"])) == float(eg.dse(counts[:, :3]))


def test_an_anndata_without_a_matrix_names_its_others(anndata, Z):
    annotated = anndata(None, obsm={"X_pca": Z})
    masked = anndata(np.ma.array(Z, mask=Z > 1.0))
    if np.ma.is_masked(masked.X):
        for door in (eg.dse, lambda Y: eg.dsmi(Z, Y, kind="vectors")):
            with pytest.raises(ValueError, match=naming("masked")):
                door(masked)
    with pytest.raises(ValueError, match=naming("Z", "Z.obsm", "'X_pca'", "Z.layers")):
        eg.dse(annotated)
    with pytest.raises(TypeError, match=naming("Z", "'X_pca'")):
        eg.dse(annotated.obsm)


@pytest.mark.parametrize("name", ["Unnamed: 0", "index"])
@pytest.mark.parametrize("start", [0, 1])
def test_an_index_that_was_read_as_a_column_is_named(rng, name, start):
    Z = pd.DataFrame(rng.normal(size=(30, 3)), columns=list("abc"))
    numbered = Z.assign(**{name: rng.permutation(30) + start})
    for frame in (numbered, numbered.convert_dtypes()):
        with pytest.warns(UserWarning, match=naming("Z", name, "index_col")):
            eg.dse(frame)
    eg.dse(Z.assign(**{name: rng.integers(0, 9, 30)}))  # no numbers of rows, and no warning
    eg.dse(Z.assign(age=np.arange(30)))
