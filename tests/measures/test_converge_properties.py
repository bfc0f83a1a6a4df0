"""What holds of every convergence: of its subsets, of its law and of its power table."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import eigentropy as eg
from eigentropy._measures.convergence.curve import measured_subsets
from eigentropy._measures.convergence.error_law import ErrorLaw, told_errors
from messages import naming

ROWS = np.random.default_rng(0).normal(size=(400, 2))


@settings(max_examples=40, deadline=None)
@given(data=st.data(), n=st.integers(4, 60), repeats=st.integers(2, 4), seed=st.integers(0, 99))
def test_the_subsets_of_an_order_are_disjoint_and_those_of_a_half_stay_in_it(
    data, n, repeats, seed
):
    sizes = np.array(sorted(data.draw(st.sets(st.integers(2, n), min_size=1))))
    taken = {size: [] for size in sizes.tolist()}

    def measured(numbers):
        taken[len(numbers)].append(set(numbers.tolist()))
        return np.zeros(1)

    small, _ = measured_subsets(measured, sizes, n, repeats, seed)
    assert len(small) == int((sizes <= n // 2).sum())
    halves = []
    for values, size in zip(small, sizes.tolist(), strict=False):
        count = values.shape[2]
        assert count == min(8, n // 2 // size)
        in_halves = np.array(taken[size], dtype=object).reshape(repeats, 2, count)
        for order in in_halves:
            together = [row for subset in order.ravel() for row in subset]
            assert len(together) == len(set(together)) == 2 * count * size
        halves.append([[set().union(*half) for half in order] for order in in_halves])
    for order in range(repeats):
        left, right = (
            (set().union(*(one[order][half] for one in halves)) for half in (0, 1))
            if (halves)
            else (set(), set())
        )
        assert not left & right
    for size in sizes[sizes > n // 2].tolist():
        assert len(taken[size]) == (1 if size == n else repeats)


@settings(max_examples=15, deadline=None)
@given(
    factor=st.floats(1e-3, 1e3).flatmap(lambda x: st.sampled_from([x, -x])),
    shift=st.floats(-100.0, 100.0),
    bend=st.floats(0.5, 1.3),
)
def test_a_measure_in_another_unit_has_its_limit_there(factor, shift, bend):
    def plain(rows):
        return rows.mean() - 40.0 * len(rows) ** -bend

    first = eg.converge(ROWS, measure=plain)
    other = eg.converge(ROWS, measure=lambda rows: shift + factor * plain(rows))
    assert other.errors == pytest.approx(abs(factor) * first.errors, rel=1e-6)
    assert other.growth == pytest.approx(factor * first.growth, rel=1e-3, abs=1e-9)
    assert other.rows_for(abs(factor) * 0.1) == first.rows_for(0.1)
    assert other.tendency == first.tendency
    if first.limit is not None:
        assert other.limit == pytest.approx(shift + factor * first.limit, rel=1e-4)


@settings(max_examples=60, deadline=None)
@given(
    error=st.floats(1e-6, 1e6),
    exponent=st.floats(0.05, 0.5),
    below=st.floats(0.05, 2.0),
    rows=st.integers(2, 10**6),
    wanted=st.floats(1e-3, 1e3),
)
def test_rows_for_an_error_have_this_error(error, exponent, below, rows, wanted):
    law = ErrorLaw(rows, error, exponent, below)
    count = law.rows_for(wanted * error)
    assert law.at(count) == pytest.approx(wanted * error, rel=1e-9)
    assert law.rows_for(2.0 * wanted * error) < count


@settings(max_examples=40, deadline=None)
@given(
    error=st.floats(1e-6, 1e6),
    exponent=st.floats(-0.5, 1.5),
    sizes=st.sets(st.integers(10, 10**5), min_size=2, max_size=6),
)
def test_the_law_of_errors_follows_them(error, exponent, sizes):
    known = np.array(sorted(sizes))
    errors = error * (known / 100.0) ** -exponent
    law = ErrorLaw.of(known, errors, np.full(len(known), 1e9))
    if 0.0 <= exponent <= 0.5:
        assert [law.at(size) for size in known] == pytest.approx(errors, rel=1e-3)
    assert law.at(known[-1]) >= errors[-1] * 0.999 or exponent < 0.0
    assert law.at(known[0]) <= errors[0] * 1.001 or exponent < 0.0
    assert 0.0 <= law.exponent <= 0.5


@given(power=st.floats(0.01, 0.99), level=st.floats(0.01, 0.999))
def test_what_is_told_has_the_quantiles_of_the_normal_distribution(power, level):
    statistics = pytest.importorskip("statistics")
    normal = statistics.NormalDist()
    expected = normal.inv_cdf(0.5 + 0.5 * level) + normal.inv_cdf(power)
    assert told_errors(power, level) == pytest.approx(expected, abs=1e-8)


@settings(max_examples=20, deadline=None)
@given(
    powers=st.tuples(st.floats(0.05, 0.95), st.floats(0.05, 0.95)),
    differences=st.tuples(st.floats(1e-3, 10.0), st.floats(1e-3, 10.0)),
)
def test_less_power_and_larger_differences_take_fewer_rows(powers, differences):
    found = eg.converge(ROWS, measure=np.mean)
    weak, strong = sorted(powers)
    small, large = sorted(differences)
    assert found.rows_for(small, power=strong) >= found.rows_for(large, power=weak)
    least = found.detectable(1000, power=strong)
    assert math.isclose(found.rows_for(least, power=strong), 1000, abs_tol=1)


@settings(max_examples=30, deadline=None)
@given(level=st.floats(0.01, 0.999), share=st.floats(0.01, 0.99))
def test_a_power_has_a_difference_exactly_if_chance_alone_has_less(level, share):
    """Chance alone finds a difference of one sign in a share (1 - level) / 2 of all samples."""
    found, chance = eg.converge(ROWS, measure=np.mean, level=level), 0.5 * (1.0 - level)
    assert found.detectable(power=chance + share * (1.0 - chance)) > 0.0
    with pytest.raises(ValueError, match=naming("power")):
        found.detectable(power=share * chance)


@settings(max_examples=15, deadline=None)
@given(bend=st.floats(0.05, 1.5), seed=st.integers(0, 99), ways=st.tuples(*2 * [st.floats(1, 99)]))
def test_what_is_further_away_is_predicted_with_less_certainty(bend, seed, ways):
    """Of a measure without a sampling error, which follows two laws at once."""

    def measure(rows):
        return len(rows) ** -0.3 - 40.0 * len(rows) ** -bend

    found = eg.converge(ROWS, measure=measure, seed=seed)
    near, far = sorted(ways)
    near_ends, far_ends = (found.predicted_interval(way * len(ROWS)) for way in (near, far))
    assert far_ends[1] - far_ends[0] >= (near_ends[1] - near_ends[0]) * (1.0 - 1e-9)
    assert near_ends.low <= found.predict(near * len(ROWS)) <= near_ends.high
