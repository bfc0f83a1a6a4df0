"""Nearest neighbours: from all distances, and by an index."""

import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eigentropy import _core
from eigentropy._kernels.neighbours import nearest_neighbours
from messages import naming


def nearest(Z, k):
    """From all distances, by distance and then by number."""
    r2 = ((Z[:, None] - Z[None]) ** 2).sum(axis=2)
    np.fill_diagonal(r2, np.inf)
    rows = np.argsort(r2, axis=1, kind="stable")[:, :k]
    return rows, np.take_along_axis(r2, rows, axis=1)


@settings(deadline=None, max_examples=50)
@given(
    n=st.integers(2, 80),
    d=st.integers(1, 5),
    k=st.integers(1, 79),
    values=st.sampled_from([3, 1000, 10**6]),
    seed=st.integers(0, 1000),
)
def test_the_core_finds_the_nearest_rows_and_the_first_of_ties(n, d, k, values, seed):
    # Whole numbers: distances are exact, and often equal.
    Z = np.random.default_rng(seed).integers(0, values, size=(n, d)).astype(float)
    k = min(k, n - 1)
    rows, r2, scale = _core.nearest_rows(Z, k)
    expected, squared = nearest(Z, k)
    np.testing.assert_array_equal(rows, expected)
    np.testing.assert_allclose(r2 * scale**2, squared, rtol=1e-12)


def test_chosen_rows_are_neighbours_among_themselves():
    Z = np.random.default_rng(0).normal(size=(100, 3))
    chosen = np.array([3, 5, 40, 41, 77, 99])
    found = nearest_neighbours(Z, 2, chosen, 0, None)
    np.testing.assert_array_equal(found.rows, nearest(Z[chosen], 2)[0])


def test_more_neighbours_than_rows_are_refused_by_the_core():
    Z = np.zeros((5, 2))
    for k in (0, 5):
        with pytest.raises(ValueError, match=naming("k")):
            _core.nearest_rows(Z, k)


def test_progress_ends_at_one():
    told = []
    nearest_neighbours(np.random.default_rng(0).normal(size=(700, 3)), 5, None, 0, told.append)
    assert told == sorted(told)
    assert not told or told[-1] <= 1.0


def curve(n, d=16):
    """Rows on a surface: an index finds their neighbours in few of its cells."""
    random = np.random.default_rng(1)
    surface = random.uniform(-3.0, 3.0, size=(n, 2)) @ random.normal(size=(2, d))
    return np.tanh(surface) * 1e4 + 1e6


def test_an_index_finds_nearly_all_neighbours():
    pytest.importorskip("faiss")
    Z = curve(20_000)
    exact = nearest_neighbours(Z, 10, None, 0, None)
    found = nearest_neighbours(Z, 10, None, 0, None, exact_rows=100)
    shared = [
        len(np.intersect1d(one, other)) for one, other in zip(exact.rows, found.rows, strict=True)
    ]
    assert np.mean(shared) >= 9.7
    own = np.arange(len(Z))[:, None]
    assert (found.rows != own).all()
    assert (np.diff(found.squared, axis=1) >= 0.0).all()
    difference = Z[found.rows[:, 0]] - Z
    unit = (difference**2).sum(axis=1) / found.squared[:, 0]
    np.testing.assert_allclose(unit, unit[0], rtol=1e-9)
    again = nearest_neighbours(Z, 10, None, 0, None, exact_rows=100)
    np.testing.assert_array_equal(found.rows, again.rows)
    told = []
    nearest_neighbours(Z, 10, None, 0, told.append, exact_rows=100)
    assert told == sorted(told)
    assert told[-1] == 1.0


def test_an_index_that_would_search_most_cells_is_not_used():
    pytest.importorskip("faiss")
    Z = np.random.default_rng(0).normal(size=(1500, 60))
    exact = nearest_neighbours(Z, 10, None, 0, None)
    found = nearest_neighbours(Z, 10, None, 0, None, exact_rows=100)
    np.testing.assert_array_equal(found.rows, exact.rows)
    np.testing.assert_array_equal(found.squared, exact.squared)


def test_copies_of_a_row_are_its_neighbours_in_an_index():
    pytest.importorskip("faiss")
    Z = np.repeat(curve(4000), 6, axis=0)
    found = nearest_neighbours(Z, 5, None, 0, None, exact_rows=100)
    assert (found.squared == 0.0).mean() > 0.97


def test_faiss_is_asked_for_by_name(monkeypatch):
    monkeypatch.setitem(sys.modules, "faiss", None)
    with pytest.raises(ImportError, match=naming("faiss", 300, "eigentropy[neighbours]")):
        nearest_neighbours(np.zeros((300, 2)), 5, None, 0, None, exact_rows=200)
