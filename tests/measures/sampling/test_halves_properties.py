"""What holds for the sampling error of any value, whatever it is on the subsets."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from eigentropy._measures.sampling.halves import divisions, halves_of

SETS = 32
numbers = st.integers(16, 400)
seeds = st.integers(0, 2**32 - 1)
scales = st.floats(1e-3, 1e3)


def found(n, seed, values):
    return halves_of(0.0, lambda sets: values, n, seed)


@st.composite
def values(draw):
    """On each subset, twice; with a part of its own each time or without."""
    generator = np.random.default_rng(draw(seeds))
    drawn = generator.normal(size=(SETS, 1)) * draw(scales)
    return drawn + draw(st.sampled_from([0.0, 0.1, 3.0])) * generator.normal(size=(SETS, 2))


@settings(max_examples=50, deadline=None)
@given(numbers, seeds)
def test_subsets_are_ascending_rows_of_the_right_numbers(n, seed):
    for one in divisions(n, seed):
        sizes = [(len(rows), n // 2) for rows in one.halves]
        sizes += [(len(rows), n - n // 4) for rows in one.rests]
        assert all(length == wanted for length, wanted in sizes)
        for rows in (*one.halves, *one.rests):
            assert (np.diff(rows) > 0).all()
            assert rows[0] >= 0
            assert rows[-1] < n
        assert not np.intersect1d(*one.halves).size
        assert len(np.union1d(*one.rests)) == n


@settings(max_examples=50, deadline=None)
@given(st.integers(17, 400), seeds, st.integers(16, 399))
def test_of_more_rows_than_are_used_the_same_ones_are_divided_each_time(n, seed, most):
    assume(most < n)
    of_all = [np.union1d(*one.rests) for one in divisions(n, seed, most=most)]
    assert all(np.array_equal(rows, of_all[0]) for rows in of_all)
    assert len(of_all[0]) == most


@settings(max_examples=50, deadline=None)
@given(numbers, seeds, values())
def test_it_is_a_number_with_degrees(n, seed, drawn):
    one = found(n, seed, drawn)
    if math.isnan(one.standard_error):  # chance hides it
        assert one.note
        return
    assert one.standard_error >= 0.0
    assert one.degrees >= 1.0


@settings(max_examples=50, deadline=None)
@given(numbers, seeds, values(), scales, st.floats(-1e3, 1e3))
def test_a_constant_does_not_count_and_a_factor_does(n, seed, drawn, factor, constant):
    one, other = found(n, seed, drawn), found(n, seed, factor * drawn + constant)
    size = factor * max(1.0, float(np.abs(drawn).max()), abs(constant) / factor)
    assert other.standard_error == pytest.approx(
        factor * one.standard_error, rel=1e-6, abs=1e-6 * size, nan_ok=True
    )


@settings(max_examples=50, deadline=None)
@given(numbers, seeds, values(), values())
def test_a_difference_varies_as_the_opposite_one(n, seed, drawn, others):
    a, b = found(n, seed, drawn), found(n, seed, others)
    there, back = a.minus(b).standard_error, b.minus(a).standard_error
    assert there == pytest.approx(back, rel=0.0, abs=0.0, nan_ok=True)
    assert a.minus(a).standard_error == 0.0


@settings(max_examples=50, deadline=None)
@given(numbers, seeds, values())
def test_the_order_of_the_two_times_does_not_count(n, seed, drawn):
    one, other = found(n, seed, drawn), found(n, seed, drawn[:, ::-1])
    assert one.standard_error == pytest.approx(other.standard_error, rel=1e-9, nan_ok=True)


@settings(max_examples=50, deadline=None)
@given(seeds, values(), st.integers(0, SETS - 1))
def test_a_missing_value_leaves_its_division_out(seed, drawn, missing):
    drawn[:, 1] = drawn[:, 0]  # nothing that chance could hide
    drawn[missing, 0] = math.nan
    one = found(64, seed, drawn)
    assert one.note.startswith("1 of 8")
    assert not math.isnan(one.standard_error)
