"""The sequential test of a floor: closed forms of its e-values, and how often it is wrong."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

from eigentropy._support.sequential import (
    AT_ONCE,
    CAP,
    CAUTION,
    DECAY,
    MEMORIES,
    MOST,
    Capital,
    FloorTest,
    best_stake,
    lower_limit,
)

ALPHA = 0.05


def shares(looks):
    """What is put to work at each look, from the first, with the zeta function of 1.1."""
    zeta = 10.584448464950809
    rest = [k**-DECAY * (1.0 - AT_ONCE) / (zeta - 1.0) for k in range(2, looks + 1)]
    return [AT_ONCE, *rest]


def first_at(test, values, threshold):
    """The look, from 1, at which the evidence reaches a threshold."""
    return next((k for k, x in enumerate(values, 1) if test.look(x) >= threshold), None)


def test_the_stake_after_one_shortfall_is_kelly_s_with_caution():
    for s in (0.6, 2.0, 10.0):
        assert best_stake([s]) == pytest.approx((s - CAUTION) / (s * (1.0 + CAUTION)))
    assert best_stake([]) == best_stake([-1.0]) == best_stake([CAUTION]) == 0.0


def test_the_stake_maximises_what_it_says():
    shortfalls = [3.0, -0.7, 0.2, 5.0]
    grid = np.linspace(0.0, 0.999, 5000)
    growth = np.log1p(np.outer(grid, shortfalls)).sum(axis=1) + CAUTION * np.log1p(-grid)
    assert best_stake(shortfalls) == pytest.approx(grid[growth.argmax()], abs=2e-4)


def test_values_at_the_cap_leave_the_capital_as_it_was():
    one = Capital(2.0, 2.2, 4)
    assert all(one.look(x) == pytest.approx(1.0) for x in (2.2, 9.0, math.inf, 2.2) * 50)


def test_the_capital_of_zeros_is_that_of_all_change_points():
    """After the first look every stake is the same, so that each share has grown by powers."""
    looks, ratio = 12, 1.0 / (CAP - 1.0)
    gain = 1.0 + ratio * (ratio - CAUTION) / (ratio * (1.0 + CAUTION))
    begun = shares(looks)
    grown = sum(w * gain ** (looks - max(k, 2) + 1) for k, w in enumerate(begun, 1))
    one = Capital(1.0, CAP, 1)
    for _ in range(looks):
        one.look(0.0)
    assert one.value == pytest.approx(grown + 1.0 - sum(begun), rel=1e-9)


def test_what_waits_is_what_the_shares_leave():
    one = Capital(1.0, CAP, 1)
    for looks in (1, 10, 1000):
        while one.looks < looks:
            one.look(2.0)
        assert one._waiting == pytest.approx(1.0 - sum(shares(looks)), rel=1e-9)


def test_the_evidence_is_the_mean_of_the_capitals():
    values = np.random.default_rng(0).uniform(0.5, 1.2, 30)
    test, alone = FloorTest(1.0), [Capital(1.0, CAP, memory) for memory in MEMORIES]
    for x in values:
        test.look(x)
        for one in alone:
            one.look(x)
    assert test.evidence == pytest.approx(np.mean([one.value for one in alone]))


def test_evidence_has_no_unit():
    values = np.random.default_rng(0).uniform(0.5, 1.2, 40)
    for factor in (1e-6, 3.0, 1e9):
        one, other = FloorTest(1.0), FloorTest(factor)
        for x in values:
            assert one.look(x) == pytest.approx(other.look(factor * x), rel=1e-6)


def test_evidence_stays_a_number_and_can_fall_again():
    test = FloorTest(1.0)
    for _ in range(2000):
        test.look(0.0)
    assert MOST / 10 < test.evidence <= MOST
    before = test.evidence
    test.look(2.0)
    assert test.evidence < before


def at_the_floor(rng, size):
    """0 or the cap, at the rate that makes the mean the floor, 1."""
    return np.where(rng.random(size) < 1.0 / CAP, CAP, 0.0)


def in_turns(rng, size):
    """Dependent values whose mean, given those before, is the floor."""
    values, far = np.empty(size), True
    for k in range(size):
        low = 0.0 if far else 0.95
        high = rng.random() < (1.0 - low) / (CAP - low)
        values[k] = CAP if high else low
        far = not high
    return values


@pytest.mark.parametrize("draw", [at_the_floor, in_turns])
def test_a_whole_run_of_values_at_the_floor_is_wrong_at_most_at_the_rate(draw):
    runs, looks = 300, 100
    alarms = sum(
        first_at(FloorTest(1.0), draw(np.random.default_rng(seed), looks), 1.0 / ALPHA) is not None
        for seed in range(runs)
    )
    assert alarms <= runs * ALPHA + 3.0 * math.sqrt(runs * ALPHA * (1.0 - ALPHA))
    assert alarms > 0  # it is no test that never speaks


@pytest.mark.parametrize(("left", "looks"), [(0.0, 6), (0.3, 8), (0.5, 12), (0.7, 40), (0.78, 150)])
def test_a_fall_to_less_of_the_level_is_found_within_these_looks(left, looks):
    """The floor is 0.8 of a level of 1, and the fall begins after 100 looks."""
    found = []
    for seed in range(10):
        values = 1.0 + 0.02 * np.random.default_rng(seed).normal(size=100 + 2 * looks)
        values[100:] *= left
        at = first_at(FloorTest(0.8), values, 500.0)
        found.append(math.inf if at is None else at - 100)
    assert 0 < np.median(found) <= looks


def test_a_test_goes_on_where_its_state_was_taken():
    values = np.random.default_rng(0).uniform(0.3, 1.2, 60)
    whole, begun = FloorTest(1.0), FloorTest(1.0)
    for x in values[:30]:
        whole.look(x)
        begun.look(x)
    resumed = FloorTest(1.0)
    resumed.load_state_dict(json.loads(json.dumps(begun.state_dict())))
    for x in values[30:]:
        assert whole.look(x) == resumed.look(x)


def test_the_limit_of_a_level_is_above_it_as_often_as_it_says():
    error, draws = 0.05, 3000
    rng = np.random.default_rng(0)
    above = sum(lower_limit(1.0 + 0.1 * rng.normal(size=10), error) > 1.0 for _ in range(draws))
    assert 0.005 * draws < above < error * draws + 3.0 * math.sqrt(draws * error)


def test_the_limit_of_equal_values_is_that_value():
    assert lower_limit([0.3] * 10, 0.01) == pytest.approx(0.3)
    assert lower_limit([0.0] * 5, 0.01) == 0.0


def test_the_limit_of_a_straight_line_is_its_end_or_its_mean():
    line = np.linspace(3.0, 2.0, 9)
    assert lower_limit(line, 0.01) == pytest.approx(2.0)
    assert lower_limit(line[::-1], 0.01) == pytest.approx(2.5)


def test_alike_neighbours_and_less_error_lower_the_limit():
    apart, together = [1.0, 1.1, 1.0, 1.1, 1.0, 1.1, 1.0, 1.1], [1.0] * 2 + [1.1] * 4 + [1.0] * 2
    assert lower_limit(together, 0.01) < lower_limit(apart, 0.01) < lower_limit(apart, 0.1) < 1.05
