"""What must hold of any comparison: order, names and pairs change nothing but the signs."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import eigentropy as eg
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
@given(MEANS, SEEDS)
def test_ties_and_what_differs_say_the_same(means, seed):
    found = eg.compare(items(means, seed), measure=mean)
    for a, b in found.differences:
        assert found.differs(a, b) != any({a, b} <= set(tie) for tie in found.ties())


@FEW
@given(MEANS, SEEDS)
def test_all_differ_from_the_step_of_change_on(means, seed):
    found = eg.compare(items(means, seed), measure=mean, against="layer 0")
    later = found.names[1:]
    since = later.index(found.changed_at) if found.changed_at is not None else len(later)
    assert all(found.differs("layer 0", name) for name in later[since:])
    assert since == 0 or not found.differs("layer 0", later[since - 1])
