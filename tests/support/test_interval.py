"""Student's quantiles at every level and number of degrees; intervals that say what they are."""

from __future__ import annotations

import copy
import math
import pickle

import numpy as np
import pytest

from eigentropy._support.interval import (
    Interval,
    checked_level,
    combined,
    student_p_value,
    student_quantile,
)
from messages import names, naming

NEXT_TO_1 = float(np.nextafter(1.0, 0.0))


@pytest.mark.parametrize("degrees", [1, 1.3, 2, 3.7, 8, 31, 200, 10_000, math.inf])
@pytest.mark.parametrize("level", [1e-3, 0.3, 0.5, 0.68, 0.95, 0.999, 1 - 1e-9, NEXT_TO_1])
def test_the_quantile_is_student_s(level, degrees):
    stats = pytest.importorskip("scipy.stats")
    assert student_quantile(level, degrees) == pytest.approx(
        stats.t.isf(0.5 * (1.0 - level), degrees), rel=1e-8
    )


@pytest.mark.parametrize("level", [5e-324, 1e-300, 1e-17])
def test_a_level_next_to_0_has_nearly_no_width(level):
    assert 0.0 <= student_quantile(level, 1.0) < 1e-16


@pytest.mark.parametrize(
    ("level", "error"),
    [
        (1, ValueError),
        (1.0 - 1e-17, ValueError),  # which is 1.0
        (np.float32(1.0), ValueError),
        (0, ValueError),
        (-0.5, ValueError),
        (95, ValueError),
        (math.nan, ValueError),
        ("0.95", TypeError),
    ],
)
def test_a_level_is_between_0_and_1(level, error):
    with pytest.raises(error, match=naming("level")):
        checked_level(level)
    assert checked_level(NEXT_TO_1) == NEXT_TO_1
    assert checked_level(5e-324) == 5e-324


def test_an_interval_is_a_pair_that_says_what_it_is():
    interval = Interval(1.0, 2.5, 0.95, "20 random partitions")
    low, high = interval
    assert (low, high) == (1.0, 2.5) == interval
    assert (interval.low, interval.high, interval.level) == (1.0, 2.5, 0.95)
    assert names(repr(interval), "1.0", "2.5", "95 %", "20 random partitions", "other samples")
    assert names(repr(Interval(1.0, 1.0, 1.0, "rounding")), "certain", "rounding")


@pytest.mark.parametrize(
    "copied", [copy.copy, copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))]
)
def test_a_copy_of_an_interval_still_says_it(copied):
    interval = Interval(1.0, 2.5, 0.9, "rounding")
    assert copied(interval) == interval
    assert repr(copied(interval)) == repr(interval)


def test_errors_combine_as_welch_and_satterthwaite_say():
    assert combined([(3.0, 7.0)]) == (3.0, pytest.approx(7.0))
    assert combined([(3.0, 7.0), (0.0, math.inf)]) == (3.0, pytest.approx(7.0))
    assert combined([]) == (0.0, math.inf)
    error, degrees = combined([(3.0, 10.0), (4.0, 20.0)])
    assert error == 5.0
    assert degrees == pytest.approx(5.0**4 / (3.0**4 / 10 + 4.0**4 / 20))
    assert combined([(3e-100, 10.0), (4e-100, 20.0)])[1] == pytest.approx(degrees)


@pytest.mark.parametrize("degrees", [1, 1.3, 2, 3.7, 8, 31, 200, 10_000, math.inf])
@pytest.mark.parametrize("t", [0.0, 1e-9, 0.3, 1.0, 2.0, -2.0, 4.0, 30.0, 1e6])
def test_the_p_value_is_student_s(t, degrees):
    stats = pytest.importorskip("scipy.stats")
    expected = 2.0 * stats.t.sf(abs(t), degrees)
    assert student_p_value(t, degrees) == pytest.approx(expected, rel=1e-9, abs=1e-300)


@pytest.mark.parametrize("t", [1e100, 1e200, math.inf])
def test_a_t_without_limit_has_no_probability_left(t):
    assert 0.0 <= student_p_value(t, 1.0) < 1e-99
    assert student_p_value(t, 5.0) == student_p_value(t, math.inf) == 0.0


def test_by_hand_with_one_degree():
    """Cauchy's distribution: 1 - 2/pi atan t."""
    assert student_p_value(1.0, 1.0) == pytest.approx(0.5)
    assert student_p_value(math.sqrt(3.0), 1.0) == pytest.approx(1.0 / 3.0)
    assert student_p_value(0.0, 7.0) == 1.0


def test_an_interval_over_other_samples_does_not_deny_it():
    text = repr(Interval(1.0, 2.0, 0.95, "other samples of the data"))
    assert names(text, "other samples of the data")
    assert not names(text, "not")
