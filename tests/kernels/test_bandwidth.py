"""Rules for sigma."""

from __future__ import annotations

import math

import numpy as np
import pytest

import eigentropy as eg
from checks import counting_pairs, distances_of_pairs
from data_sets import separated_blobs
from eigentropy import _core, reference
from eigentropy._kernels import bandwidth
from messages import naming

RULES = ["auto", "median", "narrow", "knn", "max-slope", "sqrt-d"]


def test_median_is_a_share_of_the_median_distance(rng):
    Z = rng.normal(size=(300, 6))
    assert eg.bandwidth(Z, "median") == pytest.approx(
        0.35 * np.median(distances_of_pairs(Z)), rel=1e-12
    )
    assert eg.bandwidth(Z, "auto") == eg.bandwidth(Z, "median") == eg.bandwidth(Z)


@pytest.mark.parametrize("n", [2, 3, 4, 5, 17, 100, 101])
@pytest.mark.parametrize("shape", ["normal", "few values", "mostly equal", "far apart"])
def test_the_median_of_pairs_is_exact(n, shape, rng):
    Z = rng.normal(size=(n, 3))
    if shape == "few values":
        Z = np.round(Z[:, :1])
    if shape == "mostly equal":
        Z[n // 4 :] = 1.0
    if shape == "far apart":
        Z = np.exp(10 * Z)
    distances = distances_of_pairs(Z)
    median = np.median(distances) or np.median(distances[distances > 0]) if Z.std() else 1 / 0.35
    assert eg.bandwidth(Z, "median") == pytest.approx(0.35 * median, rel=1e-9)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("d", [1, 3, 1500])
def test_the_median_distance_is_that_of_the_matrix_of_distances(dtype, d, rng):
    Z = rng.normal(size=(600, d)).astype(dtype)
    rows = np.sort(rng.choice(600, 523, replace=False))
    for chosen in (None, rows):
        squared, scale = _core.squared_distances(Z, chosen)
        pairs = np.sqrt(squared[np.triu_indices(len(squared), k=1)])
        assert _core.median_distance(Z, chosen) == (np.median(pairs), scale)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("offset", [0.0, 30.0])
def test_the_median_distance_is_that_of_differences(dtype, offset, rng):
    """Of rows of one block, whose distances in float32 leave few pairs open."""
    Z = (rng.normal(size=(523, 200)) + offset).astype(dtype)
    exact = Z.astype(np.longdouble)
    pairs = np.concatenate(
        [np.sqrt(((exact[i + 1 :] - row) ** 2).sum(axis=1)) for i, row in enumerate(exact)]
    )
    median, scale = _core.median_distance(Z)
    assert median * scale == pytest.approx(float(np.median(pairs)), rel=1e-15)


def test_the_median_distance_does_not_depend_on_the_number_of_threads(rng):
    Z = np.round(rng.normal(size=(700, 4)), 1)
    before, medians = _core.thread_count(), set()
    try:
        for threads in (1, 2, 5):
            _core.set_thread_count(threads)
            medians.add(_core.median_distance(Z))
    finally:
        _core.set_thread_count(before)
    assert len(medians) == 1


def test_the_median_distance_refuses_what_is_not_finite(rng):
    Z = rng.normal(size=(50, 2))
    Z[7, 1] = np.nan
    with pytest.raises(ValueError, match=naming("row 7", 50)):
        _core.median_distance(Z)


def test_narrow_is_a_share_of_the_median_where_enough_pairs_count(rng):
    Z = rng.normal(size=(300, 2))
    median = np.median(distances_of_pairs(Z))
    assert counting_pairs(Z, 0.2 * median) > 300
    assert eg.bandwidth(Z, "narrow") == pytest.approx(0.2 * median, rel=1e-12)


def test_narrow_is_wider_where_few_near_rows_would_decide(rng):
    Z = rng.normal(size=(200, 60))
    median, sigma = np.median(distances_of_pairs(Z)), eg.bandwidth(Z, "narrow")
    assert counting_pairs(Z, 0.2 * median) < 0.5 * 200
    assert sigma > 0.2 * median
    assert counting_pairs(Z, sigma) == pytest.approx(200, rel=1e-3)


def test_narrow_follows_distances_whose_kernel_is_0(rng):
    """In many dimensions all pairs are far: only the ratios of the weights matter."""
    squared = 1e6 + rng.normal(size=1000)
    assert bandwidth.effective_pairs(squared, 1.0) == pytest.approx(
        bandwidth.effective_pairs(squared - 1e6, 1.0), rel=1e-6
    )


def test_knn_is_the_median_distance_to_the_tenth_neighbour(rng):
    Z = rng.normal(size=(400, 3))
    distances = np.sort(np.sqrt(reference.squared_distances(Z)), axis=1)[:, 10]
    assert eg.bandwidth(Z, "knn") == pytest.approx(np.median(distances), rel=1e-12)


def test_sqrt_d_is_the_root_of_the_dimension(rng):
    assert eg.bandwidth(rng.normal(size=(5, 49)), "sqrt-d") == 7.0


def test_max_slope_is_where_the_log_log_slope_of_sum_g_is_largest(rng):
    Z = rng.normal(size=(200, 4))
    squared = distances_of_pairs(Z) ** 2

    def slope(sigma):  # by finite differences of log sum G
        def log_sum(s):
            return math.log(200 + 2 * np.exp(-squared / (2 * s**2)).sum())

        return (log_sum(sigma * 1.001) - log_sum(sigma / 1.001)) / (2 * math.log(1.001))

    sigma = eg.bandwidth(Z, "max-slope")
    best = max(slope(s) for s in np.geomspace(0.01, 100, 400))
    assert slope(sigma) == pytest.approx(best, rel=1e-3)


@pytest.mark.parametrize("rule", ["median", "narrow", "knn", "max-slope"])
@pytest.mark.parametrize("c", [1e-6, 1e6])
def test_rules_of_distances_follow_the_scale(rule, c, rng):
    Z = rng.normal(size=(500, 5))
    assert eg.bandwidth(c * Z, rule) == pytest.approx(c * eg.bandwidth(Z, rule), rel=1e-9)


@pytest.mark.slow
@pytest.mark.parametrize("rule", ["median", "narrow", "knn", "max-slope"])
def test_a_sample_of_many_rows_is_near_the_whole_and_repeatable(rule):
    Z = np.random.default_rng(1).normal(size=(6000, 4))
    sampled, again, other = (eg.bandwidth(Z, rule, seed=seed) for seed in (1, 1, 2))
    assert sampled == again
    assert sampled != other
    assert sampled == pytest.approx(other, rel=0.05)


def test_the_global_random_state_is_not_touched(rng):
    before = np.random.get_state()[1].copy()
    eg.bandwidth(rng.normal(size=(3000, 2)))
    assert (np.random.get_state()[1] == before).all()


@pytest.mark.parametrize("rule", RULES)
def test_every_rule_is_positive_and_finite_on_hard_data(rule, rng):
    hard = {
        "one row": np.ones((1, 3)),
        "two rows": np.array([[0.0], [1.0]]),
        "equal rows": np.ones((50, 3)),
        "mostly duplicates": np.concatenate([np.zeros((90, 2)), rng.normal(size=(10, 2))]),
        "two values": np.repeat([[0.0], [1.0]], 30, axis=0),
        "far clusters": separated_blobs(40, 3, distance=1e8)[0],
    }
    for name, Z in hard.items():
        sigma = eg.bandwidth(Z, rule)
        assert math.isfinite(sigma), name
        assert sigma > 0, name


def test_duplicates_do_not_make_sigma_0():
    Z = np.repeat([[0.0], [10.0]], [80, 20], axis=0)  # most pairs are at distance 0
    assert eg.bandwidth(Z, "median") == pytest.approx(3.5)
    assert eg.bandwidth(Z, "knn") == pytest.approx(3.5)


def test_of_long_rows_a_smaller_sample_is_looked_at(rng):
    Z = rng.normal(size=(1500, 4097))
    sample = np.sort(np.random.default_rng(5).choice(1500, 1024, replace=False))
    sigma = eg.bandwidth(Z, seed=5)
    assert sigma == pytest.approx(eg.bandwidth(Z[sample]), rel=1e-12)
    assert sigma != eg.bandwidth(Z, seed=6)
    assert sigma == pytest.approx(0.35 * math.sqrt(2 * 4097), rel=1e-3)
    assert eg.bandwidth(Z[:1024], seed=5) == eg.bandwidth(Z[:1024], seed=6)
    assert eg.bandwidth(Z[:, :4096], seed=5) == eg.bandwidth(Z[:, :4096], seed=6)


def test_a_few_distinct_rows_outside_the_sample_are_found():
    Z = np.zeros((5000, 2))
    Z[4999] = 1.0
    assert eg.bandwidth(Z, "knn") == pytest.approx(0.35 * math.sqrt(2))


@pytest.mark.parametrize("rule", ["median", "narrow", "knn", "max-slope"])
@pytest.mark.parametrize("c", [1e-200, 1e200])
def test_rules_follow_scales_whose_squares_are_not_numbers(rule, c, rng):
    Z = rng.normal(size=(100, 3))
    assert eg.bandwidth(c * Z, rule) == pytest.approx(c * eg.bandwidth(Z, rule), rel=1e-9)


def test_an_unknown_rule_lists_the_known_ones(rng):
    with pytest.raises(ValueError, match=naming("rule", "'auto'", "'median'", "'silverman'")):
        eg.bandwidth(rng.normal(size=(5, 2)), "silverman")
    with pytest.raises(ValueError, match=naming("sigma", "'auto'", "'silverman'")):
        eg.dse(rng.normal(size=(5, 2)), sigma="silverman")


def test_bad_seed_is_named(rng):
    with pytest.raises(ValueError, match=naming("seed", 0, -1)):
        eg.bandwidth(rng.normal(size=(5, 2)), seed=-1)
    with pytest.raises(TypeError, match=naming("seed", 0.5)):
        eg.bandwidth(rng.normal(size=(5, 2)), seed=0.5)
