"""What must hold of any comparison: order, names and pairs change nothing but the signs."""

from __future__ import annotations

import warnings
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import eigentropy as eg
from eigentropy._measures.comparison.inputs import warn_of_order
from linear_measure import mean

MEANS = st.lists(st.sampled_from([0.0, 0.2, 0.5, 0.9]), min_size=2, max_size=5)
FEW = settings(max_examples=25, deadline=None)
SEEDS = st.integers(0, 1000)


def items(means, seed):
    rng = np.random.default_rng(seed)
    rows = rng.normal(size=(20, 1))
    return {
        f"layer {number}": rows + value + 0.3 * rng.normal(size=rows.shape)
        for number, value in enumerate(means)
    }


@FEW
@given(MEANS, SEEDS, st.integers(0, 4))
def test_the_order_of_the_names_changes_only_signs(means, seed, turn):
    known = items(means, seed)
    names = [*known][turn:] + [*known][:turn]
    first = eg.compare(known, measure=mean)
    other = eg.compare({name: known[name] for name in names}, measure=mean)
    assert {frozenset(tie) for tie in first.ties()} == {frozenset(tie) for tie in other.ties()}
    for (a, b), p in first.p_values.items():
        pair, sign = ((a, b), 1.0) if (a, b) in other.p_values else ((b, a), -1.0)
        assert other.p_values[pair] == pytest.approx(p)
        assert other.differences[pair] == pytest.approx(sign * first.differences[a, b].value)


@FEW
@given(MEANS, SEEDS)
def test_fewer_questions_are_answered_no_less_surely(means, seed):
    known = items(means, seed)
    every = eg.compare(known, measure=mean)
    for fewer in (
        eg.compare(known, measure=mean, pairs="neighbours"),
        eg.compare(known, measure=mean, against="layer 0"),
    ):
        assert fewer.differences.keys() <= every.differences.keys()
        for pair, p in fewer.p_values.items():
            assert fewer.differences[pair].p_value <= p <= every.p_values[pair] + 1e-12


@FEW
@given(MEANS, SEEDS, st.one_of(st.none(), st.integers(0, 4)))
def test_two_are_in_a_tie_exactly_if_they_were_tested_and_do_not_differ(means, seed, one):
    known = items(means, seed)
    against = None if one is None else [*known][one % len(known)]
    found = eg.compare(known, measure=mean, against=against)
    together = {frozenset(pair) for tie in found.ties() for pair in combinations(tie, 2)}
    assert together == {frozenset(pair) for pair in found.differences if not found.differs(*pair)}


@given(st.lists(st.integers(0, 300), min_size=2, max_size=6, unique=True), st.booleans())
def test_steps_are_warned_of_exactly_if_they_do_not_ascend(steps, are_files):
    given_names = [f"run7/step{step}.npy" for step in steps] if are_files else steps
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        warn_of_order(given_names)
    assert bool(caught) == (steps != sorted(steps))


@FEW
@given(MEANS, SEEDS)
def test_all_differ_from_the_step_of_change_on(means, seed):
    found = eg.compare(items(means, seed), measure=mean, against="layer 0")
    later = found.names[1:]
    since = later.index(found.changed_at) if found.changed_at is not None else len(later)
    assert all(found.differs("layer 0", name) for name in later[since:])
    assert since == 0 or not found.differs("layer 0", later[since - 1])
