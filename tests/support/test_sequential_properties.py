"""What holds for the evidence against a floor, whatever the values are."""

from __future__ import annotations

import copy

import pytest

pytest.importorskip("hypothesis")
from hypothesis import given
from hypothesis import strategies as st

from eigentropy._support.sequential import CAP, FloorTest, best_stake

VALUES = st.lists(st.floats(0.0, 2.0), max_size=25)


def after(values):
    test = FloorTest(1.0)
    for x in values:
        test.look(x)
    return test


@given(VALUES, st.floats(0.0, 1.0))
def test_the_mean_of_the_next_evidence_is_what_there_is(values, low):
    """Of two values whose mean is the floor: a martingale, so that Ville's inequality holds."""
    now, fallen, risen = after(values), after(values), after(values)
    chance = (CAP - 1.0) / (CAP - low)  # of the low one
    mean = chance * fallen.look(low) + (1.0 - chance) * risen.look(CAP)
    assert mean == pytest.approx(now.evidence, rel=1e-9)


@given(VALUES, st.floats(0.0, 2.0), st.floats(0.0, 2.0))
def test_a_lower_value_is_no_less_evidence(values, one, other):
    low, high = sorted((one, other))
    assert after([*values, low]).evidence >= after([*values, high]).evidence * (1.0 - 1e-12)


@given(VALUES)
def test_evidence_is_never_negative_and_values_beyond_the_cap_count_as_it(values):
    test, capped = after(values), after([min(x, CAP) for x in values])
    assert test.evidence >= 0.0
    assert capped.evidence == test.evidence


@given(st.lists(st.floats(-1.0, 10.0), max_size=20))
def test_a_stake_is_a_share_that_is_never_all(shortfalls):
    assert 0.0 <= best_stake(shortfalls) < 1.0


@given(VALUES, VALUES)
def test_a_state_has_all_that_comes_after_depends_on(values, more):
    test, loaded = after(values), FloorTest(1.0)
    loaded.load_state_dict(copy.deepcopy(test.state_dict()))
    for x in more:
        assert test.look(x) == loaded.look(x)
