"""The drawn part of an interval: within what is possible, and around its curve."""

from __future__ import annotations

import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from eigentropy.plot import style

NUMBERS = st.floats(-1e6, 1e6)


@given(
    value=NUMBERS,
    half=st.floats(0.0, 1e6),
    ends=st.tuples(NUMBERS, NUMBERS).map(sorted),
    unbounded=st.booleans(),
)
def test_an_interval_holds_its_value_and_keeps_to_what_is_possible(value, half, ends, unbounded):
    possible = (ends[0], math.inf if unbounded else ends[1])
    low, high = style.possible_ends(value, value - half, value + half, possible)
    assert value - half <= low <= value <= high <= value + half
    assert low >= min(possible[0], value)
    if value <= possible[1]:
        assert high <= possible[1]
    else:
        assert high == value + half


@given(values=st.lists(NUMBERS, min_size=1, max_size=9), half=st.floats(0.0, 1e6))
def test_arrays_are_cut_one_by_one(values, half):
    x = np.array(values)
    together = style.possible_ends(x, x - half, x + half, (0.0, 1.0))
    alone = [style.possible_ends(v, v - half, v + half, (0.0, 1.0)) for v in values]
    np.testing.assert_array_equal(together.T, alone)
