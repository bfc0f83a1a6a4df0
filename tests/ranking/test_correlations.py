"""Correlations over models: what they are, and the ends of their intervals."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eigentropy.ranking.correlations import (
    FEWEST_MODELS,
    correlated,
    ends_of,
    interval,
    lead,
    pearson,
    spearman,
)

stats = pytest.importorskip("scipy.stats")

RNG = np.random.default_rng(0)
X = RNG.normal(size=40)
Y = X + RNG.normal(size=40)


def test_they_are_those_of_scipy():
    count, first, second, third = correlated(X, Y)
    assert count == 40
    assert first.value == pytest.approx(stats.pearsonr(X, Y).statistic)
    assert second.value == pytest.approx(stats.spearmanr(X, Y).statistic)
    assert third.value == pytest.approx(stats.weightedtau(X, Y).statistic)
    for one in (first, second, third):
        assert -1.0 <= one.low < one.value < one.high <= 1.0


def test_models_that_lack_one_of_both_do_not_count():
    x, y = np.append(X, [math.nan, 1.0]), np.append(Y, [2.0, math.nan])
    assert correlated(x, y) == correlated(X, Y)


@pytest.mark.parametrize("of", [pearson, spearman])
def test_a_constant_or_two_models_have_none(of):
    assert math.isnan(of(X, np.full(40, 0.1)))
    assert math.isnan(of(X[:2], Y[:2]))
    assert math.isnan(interval(X[:2], Y[:2], of)[0])


def test_few_models_have_no_intervals():
    for count in (0, 1, 3, FEWEST_MODELS - 1, FEWEST_MODELS):
        models, *found = correlated(X[:count], Y[:count])
        assert models == count
        for value, low, high in found:
            assert math.isnan(value) == (count < 3)
            assert math.isnan(low) == math.isnan(high) == (count < FEWEST_MODELS)


@pytest.mark.parametrize("sign", [-1.0, 1.0])
def test_one_order_is_not_certain(sign):
    x = np.arange(10.0)
    _, _, rho, tau = correlated(x, sign * np.exp(x))
    assert rho.value == pytest.approx(sign)
    assert 0.05 < rho.high - rho.low < 0.5
    assert rho.low <= rho.value <= rho.high
    assert math.isnan(tau.low) or tau.low < tau.high


@given(st.floats(-1.0, 1.0), st.integers(FEWEST_MODELS, 200))
def test_spearman_s_interval_holds_its_value_and_keeps_the_sign(value, n):
    low, high = ends_of(value, n)
    assert -1.0 <= low <= value <= high <= 1.0
    assert low < high
    assert ends_of(-value, n) == pytest.approx((-high, -low))


@pytest.mark.parametrize(("n", "rho"), [(8, 0.0), (8, 0.8), (12, 0.5), (30, 0.8)])
def test_spearman_s_interval_holds_that_of_the_population(n, rho):
    """Of normal pairs, in 1000 samples; its correlation of ranks is known."""
    rng, held = np.random.default_rng(2), 0
    of_ranks = 6.0 / math.pi * math.asin(0.5 * rho)
    for _ in range(1000):
        x = rng.normal(size=n)
        y = rho * x + math.sqrt(1.0 - rho**2) * rng.normal(size=n)
        low, high = ends_of(spearman(x, y), n)
        held += low <= of_ranks <= high
    assert 0.925 <= held / 1000 <= 0.985


def test_a_sign_is_kept():
    assert correlated(X, -Y)[2].value == pytest.approx(-correlated(X, Y)[2].value)


def test_an_interval_is_wider_at_a_higher_level():
    (a, b), (c, d) = (interval(X, Y, level=level) for level in (0.5, 0.99))
    assert c < a < b < d


def test_an_interval_holds_the_correlation_of_the_population_as_often_as_it_says():
    """Of normal pairs, in 200 samples of 60; a percentile interval is a little too short."""
    rng, rho, held = np.random.default_rng(1), 0.7, 0
    for _ in range(200):
        x = rng.normal(size=60)
        y = rho * x + math.sqrt(1 - rho**2) * rng.normal(size=60)
        low, high = interval(x, y, pearson, draws=200)
        held += low <= rho <= high
    assert 0.88 <= held / 200 <= 0.99


def test_who_leads_has_the_larger_correlation_without_its_sign():
    ahead, (low, high) = lead(-Y, X[::-1], X)
    assert ahead == pytest.approx(abs(spearman(Y, X)) - abs(spearman(X[::-1], X)))
    assert low < ahead < high
