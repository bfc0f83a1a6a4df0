"""Student's quantiles: closed forms, and the order of levels and degrees."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eigentropy._support.interval import student_p_value, student_quantile

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
