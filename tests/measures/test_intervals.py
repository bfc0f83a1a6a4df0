"""What an interval covers: the value of infinitely many partitions, rounding, and nothing else."""

from __future__ import annotations

import math
import pickle
from dataclasses import replace

import numpy as np
import pytest

import eigentropy as eg
from eigentropy._measures.statistics import GroupInformation

NEXT_TO_1 = float(np.nextafter(1.0, 0.0))
MANY = 4000


def skewed(n=70, d=3):
    """Rows that no other test has, in groups of unequal sizes."""
    rng = np.random.default_rng(20)
    labels = np.repeat([0, 1, 2], [n // 2, n // 3, n - n // 2 - n // 3])
    return rng.exponential(size=(n, d)) + 0.6 * labels[:, None], labels


@pytest.fixture(scope="module")
def limit():
    """The value with many partitions, whose own error is some hundredths of that of twenty."""
    return float(eg.dsmi(*skewed(), n_null=MANY, seed=10**6))


@pytest.mark.parametrize("n_null", [2, 5, 20])
def test_the_interval_covers_the_limit_at_its_level(limit, n_null):
    Z, labels = skewed()
    operator, draws = eg.DiffusionOperator(Z), 250
    found = [eg.dsmi(operator, labels, n_null=n_null, seed=seed) for seed in range(draws)]
    for level in (0.68, 0.95):
        # Without the rounding of each spectrum, which takes longer than the rest.
        intervals = [_with_errors(one, *one.error_parts).interval(level) for one in found]
        covered = np.mean([low <= limit <= high for low, high in intervals])
        noise = 3.5 * math.sqrt(level * (1.0 - level) / draws)
        assert covered == pytest.approx(level, abs=noise)


def test_two_standard_errors_of_two_partitions_would_not(limit):
    Z, labels = skewed()
    operator = eg.DiffusionOperator(Z)
    found = [eg.dsmi(operator, labels, n_null=2, seed=seed) for seed in range(250)]
    assert np.mean([abs(one.value - limit) <= 2 * one.standard_error for one in found]) < 0.8


@pytest.mark.parametrize("n_null", [2, 5])
@pytest.mark.parametrize("share", [0.1, 0.3, 1.0, 3.0])
def test_estimated_groups_and_few_partitions_together_cover_at_least_the_level(n_null, share):
    rng, draws = np.random.default_rng(3), 3000
    known = eg.dsmi(*skewed(), n_null=2)
    null = rng.normal(size=(draws, n_null)).std(axis=1, ddof=1) / math.sqrt(n_null)
    observed = share * np.sqrt(rng.chisquare(31, size=draws) / 31)
    off = rng.normal(size=draws) / math.sqrt(n_null) + share * rng.normal(size=draws)
    covered = 0
    for a, b, error in zip(null, observed, off, strict=True):
        result = _with_errors(known, (a, n_null - 1.0), (b, 31.0))
        low, high = result.interval()
        covered += low <= result.value + error <= high
    assert covered / draws > 0.95 - 3.5 * math.sqrt(0.95 * 0.05 / draws)


def _with_errors(result, *parts):
    return replace(result, error_parts=parts, _source=None)


def test_the_interval_says_how_many_partitions_stand_behind():
    Z, labels = skewed()
    found = eg.dsmi(Z, labels, n_null=5)
    assert found.n_null == 5
    assert found.interval().over == "5 random partitions"
    assert found.interval().level == 0.95
    assert found.interval(0.5).level == 0.5
    assert "5 partitions" in repr(found)
    plain = eg.dsmi(Z, labels, estimator="plain", n_null=0)
    assert (plain.interval().over, plain.interval().level) == ("rounding", 1.0)
    assert "null se" not in repr(plain)


def test_a_baseline_without_spread_is_not_called_certain():
    Z = np.vstack([np.zeros((2, 2)), np.ones((2, 2))])
    with pytest.warns(UserWarning, match="single"):
        found = eg.dsmi(Z, [0, 0, 0, 1], sigma=1.0, n_null=2)
    assert found.interval().level == 0.95


@pytest.mark.parametrize("estimator", ["matched", "plain"])
def test_random_vectors_are_named(estimator):
    Z = np.random.default_rng(6).normal(size=(900, 4))
    found = eg.dsmi(Z, np.arange(900) % 2, method="stochastic", tol=0.05, estimator=estimator)
    interval = found.interval()
    assert "random vectors" in interval.over
    assert interval.level == 0.95
    assert interval.low < found.value < interval.high


def test_an_interval_survives_pickling():
    found = eg.dsmi(*skewed())
    low, high = pickle.loads(pickle.dumps(found)).interval(0.9)
    assert (low, high) == pytest.approx(found.interval(0.9), rel=1e-9)


@pytest.mark.parametrize("level", [NEXT_TO_1, 1e-300, 5e-324])
def test_levels_next_to_the_ends_have_an_interval(level):
    Z = np.random.default_rng(4).normal(size=(600, 8))
    results = (
        eg.dsmi(*skewed(), n_null=2),
        eg.dsmi(*skewed()),
        eg.dse(Z),
        eg.dse(Z, method="stochastic", tol=0.05),
    )
    for found in results:
        low, high = found.interval(level)
        assert -math.inf < low <= found.value <= high < math.inf


def test_another_t_has_its_own_interval():
    found = eg.dsmi(*skewed())
    assert found.at(3.0).interval() == eg.dsmi(*skewed(), t=3.0).interval()


def test_rounding_of_the_information_is_that_of_its_entropies():
    found = eg.dsmi(*skewed(), dtype="float32")
    assert isinstance(found._source, GroupInformation)
    assert found._source.uncertainty(1.0) == pytest.approx(found.error_bound, rel=1e-6)
    assert 0.0 < eg.dsmi(*skewed())._source.uncertainty(1.0) < 1e-10
