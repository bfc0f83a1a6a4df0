"""A difference, its interval and its p-value say the same, whatever the numbers."""

from __future__ import annotations

import math

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from eigentropy._measures.comparison.difference import Difference

VALUES = st.floats(-1e3, 1e3)
ERRORS = st.one_of(st.just(0.0), st.floats(1e-9, 1e3))
DEGREES = st.one_of(st.just(math.inf), st.floats(1.0, 1e4))
LEVELS = st.floats(0.01, 0.999)


def difference(value, error, degrees, rounding=0.0):
    return Difference(
        value=value,
        standard_error=error,
        degrees=degrees,
        a=0.0,
        b=value,
        measure="dse",
        base=2.0,
        paired=True,
        n=(10, 10),
        rounding=rounding,
    )


@given(VALUES, ERRORS, DEGREES, st.sampled_from([0.0, 0.5]), LEVELS)
def test_0_is_outside_exactly_where_p_is_small(value, error, degrees, rounding, level):
    one = difference(value, error, degrees, rounding)
    low, high = one.interval(level)
    assume(abs(one.p_value - (1.0 - level)) > 1e-7)
    assert (one.p_value < 1.0 - level) == (not low <= 0.0 <= high)


@given(VALUES, ERRORS, DEGREES)
def test_the_negative_has_the_same_p_value(value, error, degrees):
    there, back = difference(value, error, degrees), difference(-value, error, degrees)
    assert there.p_value == back.p_value
    assert there.interval() == tuple(-end for end in reversed(back.interval()))


@given(VALUES, ERRORS, DEGREES, LEVELS)
def test_the_p_value_is_a_probability_and_the_interval_has_the_value(value, error, degrees, level):
    one = difference(value, error, degrees)
    assert 0.0 <= one.p_value <= 1.0
    assert one.interval(level).low <= value <= one.interval(level).high


@given(ERRORS, DEGREES, st.floats(0.0, 1.0))
def test_what_rounding_may_have_made_is_no_difference(error, degrees, share):
    assert difference(share * 0.3, error, degrees, rounding=0.3).p_value == 1.0


@pytest.mark.parametrize(("value", "p"), [(0.0, 1.0), (1e-9, 0.0)])
def test_without_an_error_only_equal_values_do_not_differ(value, p):
    assert difference(value, 0.0, math.inf).p_value == p
