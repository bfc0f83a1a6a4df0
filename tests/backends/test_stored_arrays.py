"""HDF5 data sets and sparse matrices: the values of their rows, of which only some are read."""

from __future__ import annotations

import tempfile

import h5py
import numpy as np
import pytest
import scipy.sparse
from hypothesis import given, settings
from hypothesis import strategies as st

import eigentropy as eg
from eigentropy._backends.host_arrays import as_matrix
from eigentropy._backends.stored_arrays import stored_array
from eigentropy._support import mapped_files, memory
from eigentropy.baselines import ksg, spectral
from messages import naming

FORMATS = ["csr", "csc", "coo", "lil", "dok", "bsr", "dia"]

pytestmark = pytest.mark.filterwarnings("ignore::eigentropy.SaturationWarning")


@pytest.fixture
def temporary(tmp_path, monkeypatch):
    """Nothing fits into memory."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(mapped_files, "COPIED_AT_A_TIME", 1000)
    monkeypatch.setattr("eigentropy._backends.host_arrays.fits_in_memory", lambda size: False)


@pytest.fixture
def file(tmp_path):
    with h5py.File(tmp_path / "z.h5", "w") as opened:
        yield opened


@pytest.fixture
def Z(rng):
    return rng.normal(size=(60, 12))


@pytest.fixture
def counts(rng):
    return rng.poisson(0.4, size=(60, 12)).astype(float)


def same_values(stored, Z):
    """Whether every measure gives bit for bit what it gives for the array."""
    labels = np.arange(len(Z)) % 3
    assert float(eg.dse(stored)) == float(eg.dse(Z))
    assert float(eg.dse(stored, max_points=20, seed=3)) == float(eg.dse(Z, max_points=20, seed=3))
    assert eg.bandwidth(stored) == eg.bandwidth(Z)
    assert float(eg.dsmi(stored, labels)) == float(eg.dsmi(Z, labels))
    sampled = {"max_points": 30, "n_null": 3}
    assert float(eg.dsmi(stored, labels, **sampled)) == float(eg.dsmi(Z, labels, **sampled))
    assert float(spectral.effective_rank(stored)) == float(spectral.effective_rank(Z))
    assert eg.dse(stored, max_points=20).sampled_from == len(Z)


# HDF5.


@pytest.mark.parametrize("fits", [True, False])
@pytest.mark.parametrize("options", [{}, {"chunks": (7, 5)}, {"compression": "gzip"}])
def test_an_hdf5_data_set_has_the_values_of_its_rows(request, file, Z, options, fits):
    if not fits:
        request.getfixturevalue("temporary")
    same_values(file.create_dataset("z", data=Z, **options), Z)


@pytest.mark.parametrize("dtype", ["f2", "f4", ">f8", "i2", "u1", "?"])
def test_an_hdf5_data_set_of_every_dtype_has_its_rows(file, temporary, Z, dtype):
    Z = (3 * Z).astype(dtype)
    matrix = as_matrix(file.create_dataset("z", data=Z, chunks=(7, 12)))
    assert isinstance(matrix, np.memmap)
    np.testing.assert_array_equal(matrix, Z.astype("f8"))


def test_an_hdf5_data_set_of_more_dimensions_is_flattened(file, temporary, Z):
    images = file.create_dataset("z", data=Z.reshape(60, 2, 3, 2), chunks=(8, 2, 2, 1))
    np.testing.assert_array_equal(as_matrix(images), Z)


def test_only_the_drawn_rows_of_an_hdf5_data_set_are_read(file, Z):
    """Every other row is damaged, and could not be read."""
    stored = file.create_dataset("z", data=Z, chunks=(1, 12), compression="gzip")
    expected = eg.dse(Z, max_points=20, seed=3)
    drawn = np.random.default_rng(3).permutation(60)[:20]
    for row in set(range(60)) - set(drawn.tolist()):
        stored.id.write_direct_chunk((row, 0), b"damaged")
    file.flush()
    file["z"].id.refresh()
    found = eg.dse(stored, max_points=20, seed=3)
    assert float(found) == float(expected)
    with pytest.raises(OSError, match="filter"):
        eg.dse(stored)


def test_labels_and_vectors_of_an_hdf5_file_are_read(file, Z):
    names = np.array(["a", "b", "c"])[np.arange(60) % 3]
    file["z"], file["y"] = Z, np.arange(60) % 3
    file.create_dataset("names", data=names.tolist())
    expected = eg.dsmi(Z, np.arange(60) % 3)
    for labels in (file["y"], file["names"]):
        assert float(eg.dsmi(file["z"], labels)) == float(expected)
        assert float(eg.dsmi(Z, clusters=labels)) == float(expected)
    assert float(ksg.entropy(file["z"])) == float(ksg.entropy(Z))


def test_hdf5_data_sets_are_checked_as_others_are(file, Z):
    with pytest.raises(ValueError, match=naming("Z", "1-d", 60)):
        eg.dse(file.create_dataset("one", data=Z[:, 0]))
    with pytest.raises(TypeError, match=naming("Z", "complex")):
        eg.dse(file.create_dataset("complex", data=Z.astype(complex)))
    with pytest.raises(TypeError, match=naming("Z", "numbers")):
        eg.dse(file.create_dataset("text", data=[["a", "b"]]))
    with pytest.raises(ValueError, match=naming("Z", "(0, 12)")):
        eg.dse(file.create_dataset("empty", data=Z[:0]))
    with pytest.raises(ValueError, match=naming("Z", "without entries")):
        eg.dse(file.create_dataset("nothing", data=h5py.Empty("f8")))
    Z[41, 3] = np.nan
    with pytest.raises(ValueError, match=naming("Z", "1 of its 60", "row 41")):
        eg.dse(file.create_dataset("nan", data=Z))


def test_a_file_is_asked_for_a_data_set_and_a_closed_one_to_be_opened(file, Z):
    file["features/z"], file["y"] = Z, np.arange(60)
    with pytest.raises(TypeError, match=naming("Z", "'features'", "'y'")):
        eg.dse(file)
    stored = file["features/z"]
    file.close()
    with pytest.raises(ValueError, match=naming("Z", "closed")):
        eg.dse(stored)


# Sparse.


@pytest.mark.parametrize("fits", [True, False])
@pytest.mark.parametrize("kind", FORMATS)
def test_a_sparse_matrix_has_the_values_of_its_rows(request, counts, kind, fits):
    if not fits:
        request.getfixturevalue("temporary")
    same_values(scipy.sparse.csr_array(counts).asformat(kind), counts)
    matrix = scipy.sparse.csr_matrix(counts).asformat(kind)
    assert float(eg.dse(matrix)) == float(eg.dse(counts))


@settings(max_examples=30)
@given(
    n=st.integers(2, 20),
    d=st.integers(1, 8),
    kind=st.sampled_from(FORMATS),
    dtype=st.sampled_from(["f4", "f8", "i4", "?"]),
    seed=st.integers(0, 99),
)
def test_sparse_rows_are_those_of_the_dense_matrix(n, d, kind, dtype, seed):
    dense = np.random.default_rng(seed).integers(0, 3, size=(n, d)).astype(dtype)
    sparse = scipy.sparse.csr_array(dense).asformat(kind)
    np.testing.assert_array_equal(as_matrix(sparse), dense)
    rows = np.arange(0, n, 2)
    np.testing.assert_array_equal(as_matrix(stored_array(sparse, "Z").chosen(rows)), dense[rows])
    region = (slice(1, n), slice(0, d))
    np.testing.assert_array_equal(stored_array(sparse, "Z")[region], dense[region])


def test_entries_that_are_given_twice_are_added():
    entries = ([1.0, 2.0, 4.0], ([0, 0, 1], [1, 1, 0]))
    np.testing.assert_array_equal(as_matrix(scipy.sparse.coo_array(entries)), [[0, 3], [4, 0]])


def test_a_sparse_matrix_becomes_dense_by_blocks_of_rows(counts, temporary, monkeypatch):
    blocks = []
    to_array = scipy.sparse.csr_array.toarray
    monkeypatch.setattr(
        scipy.sparse.csr_array,
        "toarray",
        lambda self: blocks.append(self.shape) or to_array(self),
    )
    matrix = as_matrix(scipy.sparse.csr_array(counts))
    assert isinstance(matrix, np.memmap)
    np.testing.assert_array_equal(matrix, counts)
    assert sum(rows for rows, _ in blocks) == 60
    assert max(8 * rows * d for rows, d in blocks) <= 1000


def test_a_dense_copy_that_has_no_room_is_refused_before_it_is_made(monkeypatch):
    huge = scipy.sparse.csr_array((10**6, 10**6))
    monkeypatch.setattr(memory, "available", lambda: 1e9)
    with pytest.raises(MemoryError, match=naming("Z", "8000000000000 bytes")):
        eg.dse(huge)
    with pytest.raises(MemoryError, match=naming("A", "8000000000000 bytes")):
        eg.eigvalsh(huge)
    assert float(eg.dse(huge, max_points=3)) == 0.0  # equal rows


def test_sparse_labels_vectors_and_matrices_are_taken(counts):
    labels = np.arange(60) % 3
    one_hot = scipy.sparse.csr_array(np.eye(3)[labels])
    assert float(eg.dsmi(counts, one_hot, kind="labels")) == float(eg.dsmi(counts, labels))
    operator = eg.DiffusionOperator(counts)
    V = scipy.sparse.csr_array(counts)
    np.testing.assert_array_equal(operator @ V, operator @ counts)
    A = counts.T @ counts
    np.testing.assert_array_equal(eg.eigvalsh(scipy.sparse.csc_array(A)), eg.eigvalsh(A))


def test_sparse_matrices_are_checked_as_others_are(counts):
    with pytest.raises(TypeError, match=naming("Z", "complex")):
        eg.dse(scipy.sparse.csr_array(1j * counts))
    with pytest.raises(ValueError, match=naming("Z", "(0, 12)")):
        eg.dse(scipy.sparse.csr_array(counts[:0]))
    with pytest.raises(ValueError, match=naming("Z", "(n, d)", "(12,)")):
        eg.dse(scipy.sparse.coo_array(counts[0]))
    counts[41, 3] = np.inf
    with pytest.raises(ValueError, match=naming("Z", "1 of its 60", "row 41")):
        eg.dse(scipy.sparse.csr_array(counts))
