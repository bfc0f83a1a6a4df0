"""Holm's correction: by hand, and what must hold of any p-values."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eigentropy._measures.comparison.holm import holm

P_VALUES = st.lists(st.floats(0.0, 1.0), max_size=12)


@pytest.mark.parametrize(
    ("given", "corrected"),
    [
        ([], []),
        ([0.03], [0.03]),
        ([0.01, 0.04, 0.03, 0.005], [0.03, 0.06, 0.06, 0.02]),  # 4 x .005, 3 x .01, 2 x .03, .04
        ([0.02, 0.02, 0.02], [0.06, 0.06, 0.06]),
        ([0.6, 0.5], [1.0, 1.0]),
        ([0.0, 1.0], [0.0, 1.0]),
        ([0.001, 0.4, 0.4], [0.003, 0.8, 0.8]),
    ],
)
def test_by_hand(given, corrected):
    assert holm(given) == pytest.approx(corrected)


@given(P_VALUES)
def test_each_is_between_its_own_and_bonferroni_s(p_values):
    for one, corrected in zip(p_values, holm(p_values), strict=True):
        assert one <= corrected <= min(1.0, len(p_values) * one)


@given(P_VALUES)
def test_the_order_stays(p_values):
    corrected = holm(p_values)
    for one, first in zip(p_values, corrected, strict=True):
        for other, second in zip(p_values, corrected, strict=True):
            assert first <= second or one > other


@given(P_VALUES, st.randoms(use_true_random=False))
def test_the_place_in_the_list_does_not_matter(p_values, random):
    order = list(range(len(p_values)))
    random.shuffle(order)
    corrected = holm(p_values)
    assert holm([p_values[one] for one in order]) == [corrected[one] for one in order]


@given(st.lists(st.floats(0.0, 1.0), min_size=1, max_size=12), st.floats(0.001, 0.999))
def test_it_rejects_what_stepping_down_rejects(p_values, alpha):
    """Holm's procedure as he describes it: until the first that is not below alpha / (m - i)."""
    rejected = set()
    for step, index in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        if (len(p_values) - step) * p_values[index] > alpha:
            break
        rejected.add(index)
    assert {index for index, one in enumerate(holm(p_values)) if one <= alpha} == rejected
