"""Student's quantiles: closed forms, and the order of levels and degrees."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eigentropy._support.interval import student_interval, student_p_value, student_quantile

NEXT_TO_1 = float(np.nextafter(1.0, 0.0))
LEVELS = st.floats(1e-12, NEXT_TO_1)
DEGREES = st.floats(1.0, 1e5)


@given(level=LEVELS)
def test_one_and_two_degrees_have_closed_forms(level):
    outside = 1.0 - level
    one = math.tan(0.5 * math.pi * level) if level < 0.5 else 1 / math.tan(0.5 * math.pi * outside)
    two = level * math.sqrt(2.0 / (outside * (1.0 + level)))
    assert student_quantile(level, 1.0) == pytest.approx(one, rel=1e-9)
    assert student_quantile(level, 2.0) == pytest.approx(two, rel=1e-9)


@given(levels=st.tuples(LEVELS, LEVELS), degrees=st.tuples(DEGREES, DEGREES))
def test_the_quantile_grows_with_the_level_and_falls_with_the_degrees(levels, degrees):
    (low, high), (few, many) = sorted(levels), sorted(degrees)
    slack = 1.0 + 1e-9
    assert 0.0 < student_quantile(low, few) <= student_quantile(high, few) * slack
    assert student_quantile(low, many) <= student_quantile(low, few) * slack
    assert student_quantile(low, math.inf) <= student_quantile(low, many) * slack


@given(level=st.floats(1e-9, 1.0 - 1e-9), degrees=DEGREES)
def test_the_p_value_of_the_quantile_is_what_is_outside(level, degrees):
    found = student_p_value(student_quantile(level, degrees), degrees)
    assert found == pytest.approx(1.0 - level, rel=1e-6, abs=1e-9)


@given(t=st.tuples(st.floats(-1e6, 1e6), st.floats(-1e6, 1e6)), degrees=DEGREES)
def test_the_p_value_falls_with_the_distance_from_0(t, degrees):
    near, far = sorted(t, key=abs)
    assert 0.0 <= student_p_value(far, degrees) <= student_p_value(near, degrees) * (1.0 + 1e-9)
    assert student_p_value(-far, degrees) == student_p_value(far, degrees) <= 1.0


@given(
    value=st.floats(-1e3, 1e3),
    error=st.floats(1e-6, 1e3),
    degrees=DEGREES,
    rounding=st.floats(0.0, 10.0),
)
def test_the_interval_of_an_error_reaches_its_quantile_and_the_rounding(
    value, error, degrees, rounding
):
    found = student_interval(value, error, degrees, 0.9, "samples", rounding=rounding)
    half = student_quantile(0.9, degrees) * error + rounding
    assert (found.level, found.over) == (0.9, "samples")
    assert found == pytest.approx((value - half, value + half), abs=1e-9)


@given(value=st.floats(-1e3, 1e3), degrees=st.sampled_from([math.nan, 0.0, math.inf]))
def test_without_an_error_there_is_no_width_and_without_a_known_one_no_interval(value, degrees):
    assert student_interval(value, 0.0, degrees, 0.9, "samples") == (value, value)
    assert all(map(math.isnan, student_interval(value, math.nan, degrees, 0.9, "samples")))
