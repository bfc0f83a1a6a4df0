"""How many points are in a box around each: against all distances."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eigentropy.baselines import _boxes
from eigentropy.baselines._neighbours import kth_smallest

# A few points a set, a few boxes at a time.
SMALL = _boxes.Sets(points=10, boxes=7)


def all_distances(values, rows):
    return np.abs(values[rows, None] - values).max(axis=2)


@given(st.integers(0, 2**32), st.integers(1, 150), st.integers(1, 4), st.booleans())
@settings(deadline=None)
def test_as_many_points_are_within_reach_as_have_so_small_a_distance(seed, n, d, tied):
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(n, d)) * 10.0 ** rng.integers(-12, 12)
    if tied:
        values = rng.integers(-2, 3, size=(n, d)) * 0.1
    rows = np.flatnonzero(rng.random(n) < 0.7)
    distances = all_distances(values, rows)
    reach = distances[np.arange(len(rows)), rng.integers(0, n, size=len(rows))]
    for some in (reach, np.nextafter(reach, 0.0), np.nextafter(reach, np.inf), 0.0 * reach):
        expected = (distances <= some[:, None]).sum(axis=1)
        for sets in (SMALL, _boxes.SETS):
            assert (_boxes.within(values, rows, some, sets) == expected).all()


def test_nothing_is_within_less_than_no_distance(rng):
    values = rng.normal(size=(40, 3))
    counts = _boxes.within(values, np.arange(40), np.full(40, -1e-15), SMALL)
    assert (counts == 0).all()


@pytest.mark.parametrize("n", [63, 64, 65, 2048, 2049])
def test_words_and_sets_may_be_full_or_not(rng, n):
    values = rng.normal(size=(n, 2))
    reach = np.full(n, 0.3)
    expected = (all_distances(values, np.arange(n)) <= 0.3).sum(axis=1)
    assert (_boxes.within(values, np.arange(n), reach) == expected).all()


def test_bits_are_counted_by_bytes_where_numpy_does_not_count_them(rng):
    words = rng.integers(0, 2**64, size=(5, 3), dtype=np.uint64)
    expected = [sum(int(word).bit_count() for word in row) for row in words]
    assert _boxes.ones(words).tolist() == expected
    assert _boxes.ones(words, _boxes.ones_of_bytes).tolist() == expected


@given(st.integers(0, 2**32), st.integers(1, 5), st.integers(1, 600), st.booleans())
@settings(deadline=None)
def test_the_smallest_of_groups_lead_to_the_smallest_of_all(seed, rows, n, tied):
    rng = np.random.default_rng(seed)
    distances = rng.integers(0, 4, size=(rows, n)) * 1.0 if tied else rng.random((rows, n))
    distances[rng.random((rows, n)) < 0.1] = np.inf
    for k in {0, 3 % n, n - 1}:
        assert (kth_smallest(distances, k) == np.sort(distances, axis=1)[:, k]).all()
