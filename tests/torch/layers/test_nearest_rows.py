"""How many rows have their nearest other row in the same prompt."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

pytest.importorskip("torch")

from eigentropy.torch.layers.nearest_rows import share_by_chance, share_of_same


def one_by_one(rows, prompts):
    """By differences, which have no rounding for whole numbers; ties count as their share."""
    found = 0.0
    for i, row in enumerate(rows):
        squared = ((rows - row) ** 2).sum(axis=1)
        squared[i] = math.inf
        found += np.mean(prompts[squared == squared.min()] == prompts[i])
    return found / len(rows)


@given(
    arrays.arrays(
        np.int64, st.tuples(st.integers(2, 24), st.integers(1, 4)), elements=st.integers(-5, 5)
    ),
    st.integers(1, 4),
    st.sampled_from([0.0, 10.0, 1e4, 1e8, 1e12]),
)
@settings(deadline=None)
def test_the_share_is_that_of_pairs_whatever_other_rows_are_as_large_as(rows, prompts, outlier):
    rows = rows.astype(np.float64)
    numbers = np.arange(len(rows)) % prompts
    if outlier:  # of a prompt of its own, and next to nobody
        rows = np.vstack([rows, np.full(rows.shape[1], outlier)])
        numbers = np.append(numbers, prompts)
    if len(rows) > 2 or not outlier:
        assert share_of_same(rows, numbers) == pytest.approx(one_by_one(rows, numbers))


@pytest.mark.parametrize("offset", [0.0, 1e3])
def test_a_large_row_does_not_make_ties_of_others(offset):
    rng = np.random.default_rng(0)
    prompts = np.repeat(np.arange(10), 4)
    rows = offset + 5.0 * rng.normal(size=(10, 6))[prompts] + rng.normal(size=(40, 6))
    rows[0] = 1e8
    expected = one_by_one(rows, prompts)
    assert expected > 0.8
    # To the large row itself all others are as near.
    assert share_of_same(rows.astype(np.float32), prompts) == pytest.approx(expected, abs=1 / 40)


def test_equal_rows_are_ties():
    rows = np.repeat(np.random.default_rng(0).normal(size=(1, 8)), 6, axis=0)
    prompts = np.repeat(np.arange(2), 3)
    assert share_of_same(rows, prompts) == pytest.approx(0.4)
    assert share_by_chance(prompts) == pytest.approx(0.4)
    assert math.isnan(share_of_same(rows[:1], prompts[:1]))
