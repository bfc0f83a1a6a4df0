"""The methods of dse and dsmi: which one is used, and what their results say."""

from __future__ import annotations

import math
import threading
import warnings
from dataclasses import replace

import numpy as np
import pytest

import eigentropy as eg
from checks import integral
from eigentropy._backends.costs import Costs
from eigentropy._measures.entropy import entropies
from eigentropy._spectra import solve
from eigentropy._spectra.functionals import Shannon
from eigentropy._spectra.plan import SpectrumPlan, estimate_cost, exact_cost
from eigentropy._spectra.stochastic import THOROUGH
from eigentropy._support import memory
from messages import naming


@pytest.fixture(scope="module")
def gaussian():
    return np.random.default_rng(3).normal(size=(700, 20))


@pytest.fixture(scope="module")
def roll():
    """A smooth kernel at sigma = 10."""
    generator = np.random.default_rng(4)
    angle = 1.5 * math.pi * (1.0 + 2.0 * generator.random(600))
    height = 21.0 * generator.random(600)
    return np.stack([angle * np.cos(angle), height, angle * np.sin(angle)], axis=1)


# With these, "auto" looks for something faster than all eigenvalues as soon as there are 256 rows.
EAGER = Costs(soon=0.0, start=0.0, preference=0.0)


def entropy(Z, t=1.0, sigma="auto", **options):
    """DSE by a plan."""
    operator = eg.DiffusionOperator(Z, sigma=sigma)
    return entropies(operator, [t], 2.0, SpectrumPlan(**options))[0]


# Results


def test_an_estimate_says_how_sure_it_is(gaussian):
    exact = float(eg.dse(gaussian, method="exact"))
    result = eg.dse(gaussian, method="stochastic")
    assert (result.method, result.eigenvalues, result.dtype) == ("stochastic", None, "float32")
    assert 0.0 < result.standard_error < 1e-3 * exact
    low, high = result.interval()
    assert low < exact < high
    assert (high - low) / 2 <= 1e-3 * exact
    wide = result.interval(0.999)
    assert wide[0] < low < high < wide[1]
    assert math.isnan(result.bound)
    assert "+- " in repr(result)
    assert "stochastic" in repr(result)


def test_an_estimate_serves_every_t(gaussian):
    result = eg.dse(gaussian, method="stochastic")
    for t in (1.0, 1.5, 2.0):
        exact = float(eg.dse(gaussian, t=t, method="exact"))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", eg.PrecisionWarning)
            other = result.at(t)
        assert other.t == t
        assert abs(float(other) - exact) <= 5 * other.standard_error + 1e-5 * exact
    assert float(other.at(1.0)) == float(result)


def test_at_warns_where_the_probes_are_too_few(roll):
    result = eg.dse(roll, method="stochastic", t=8.0, sigma=1.0)
    with pytest.warns(eg.PrecisionWarning, match=naming("probes", "t=0.2")):
        result.at(0.2)


def test_an_interval_of_an_exact_result_is_certain(gaussian):
    exact = eg.dse(gaussian, method="exact")
    low, high = exact.interval()
    assert low < float(exact) < high
    assert high - low < 1e-10  # rounding in float64
    single = eg.dse(gaussian, method="exact", dtype="float32")
    low, high = single.interval()
    assert low <= float(exact) <= high
    assert high - low == pytest.approx(2 * single.bound)


@pytest.mark.parametrize("level", [0.0, 1.0, -1.0, math.nan])
def test_a_level_is_between_0_and_1(gaussian, level):
    with pytest.raises(ValueError, match=naming("level", level)):
        eg.dse(gaussian[:50]).interval(level)


@pytest.mark.parametrize("method", ["exact", "stochastic"])
def test_a_density_integrates_to_1(gaussian, method):
    result = eg.dse(gaussian, method=method)
    x = np.linspace(0.0, 1.0, 2001)
    density = result.density(x, width=0.05)
    assert integral(density, x) == pytest.approx(1.0, abs=1e-3)
    mean = integral(density * x, x)
    assert mean == pytest.approx(eg.DiffusionOperator(gaussian).trace() / 700, abs=0.05)


def test_a_factor_of_low_rank_has_a_bound(roll):
    exact = float(eg.dse(roll, sigma=10.0, method="exact"))
    result = eg.dse(roll, sigma=10.0, method="lowrank")
    assert result.method == "lowrank"
    assert 0 < result.rank < 300
    assert abs(float(result) - exact) <= result.bound <= 1e-3 * exact
    assert result.standard_error == 0.0
    with pytest.raises(ValueError, match=naming("t = 1")):
        result.at(2.0)
    with pytest.raises(ValueError, match=naming("density")):
        result.density([0.5])
    with pytest.raises(ValueError, match=naming("t = 1", "t=2")):
        eg.dse(roll, sigma=10.0, method="lowrank", t=2.0)


def test_a_factor_that_does_not_pay_says_so(gaussian):
    with pytest.warns(eg.PrecisionWarning, match=naming("smooth")):
        result = eg.dse(gaussian, method="lowrank")
    exact = float(eg.dse(gaussian, method="exact"))
    assert abs(float(result) - exact) <= result.bound


def test_the_seed_decides(gaussian):
    first, again, other = (eg.dse(gaussian, method="stochastic", seed=s) for s in (1, 1, 2))
    assert float(first) == float(again) != float(other)


def test_the_global_random_state_is_left_alone(gaussian, roll):
    state = np.random.get_state()[1].copy()
    eg.dse(gaussian, method="stochastic")
    eg.dse(roll, sigma=10.0, method="lowrank")
    assert np.array_equal(np.random.get_state()[1], state)


def test_two_threads_agree_with_one(gaussian):
    expected = float(eg.dse(gaussian, method="stochastic"))
    found = []
    threads = [
        threading.Thread(target=lambda: found.append(float(eg.dse(gaussian, method="stochastic"))))
        for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [expected, expected]


# Edges


def test_too_few_rows_are_solved_exactly(gaussian):
    with pytest.warns(UserWarning, match=naming(100, 256)):
        result = eg.dse(gaussian[:100], method="stochastic")
    assert result.method == "exact"
    assert float(result) == float(eg.dse(gaussian[:100], method="exact"))


def test_identical_rows_have_entropy_0():
    with pytest.warns(eg.SaturationWarning, match=naming(400, "equal")):
        result = eg.dse(np.ones((400, 3)), method="stochastic", sigma=1.0)
    assert float(result) == pytest.approx(0.0, abs=1e-5)


def test_isolated_points_have_entropy_log_n():
    Z = 100.0 * np.arange(512.0)[:, None]
    with pytest.warns(eg.SaturationWarning, match=naming("sigma=1", "below")):
        result = eg.dse(Z, method="stochastic", sigma=1.0)
    assert float(result) == pytest.approx(9.0, abs=1e-4)


@pytest.mark.parametrize(
    ("tol", "floor"),
    [(0, 0), (1e-12, 1e-9)],
)
def test_a_tolerance_beyond_reach_names_the_floor(gaussian, tol, floor):
    with pytest.raises(ValueError, match=naming("tol", tol, floor)):
        eg.dse(gaussian, method="stochastic", tol=tol)


def test_a_small_tolerance_takes_float64(gaussian):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", eg.PrecisionWarning)
        result = eg.dse(gaussian[:300], method="stochastic", tol=4e-5)
    assert result.dtype == "float64"
    with pytest.raises(ValueError, match=naming("tol", 5e-05)):
        eg.dse(gaussian, method="stochastic", tol=4e-5, dtype="float32")


# What "auto" does


def test_auto_is_exact_while_that_is_quick(gaussian):
    assert eg.dse(gaussian).method == "exact"


def test_auto_estimates_where_that_is_faster(gaussian):
    result = entropy(gaussian, costs=EAGER)
    assert result.method == "stochastic"
    assert float(result) == float(eg.dse(gaussian, method="stochastic"))


def test_auto_takes_a_factor_of_low_rank_where_the_kernel_is_smooth(roll):
    costs = replace(EAGER, low_rank=0.5)
    assert entropy(roll, sigma=10.0, costs=costs).method == "lowrank"
    assert entropy(roll, sigma=10.0, t=2.0, costs=costs).method == "stochastic"
    assert entropy(roll, sigma=10.0, costs=replace(costs, smooth_trace=1.0)).method == "stochastic"


def test_auto_is_exact_where_the_probes_do_not_do(roll, monkeypatch):
    monkeypatch.setattr("eigentropy._spectra.stochastic.MAX_PROBES", 1)
    assert entropy(roll, sigma=1.0, tol=2e-5, costs=EAGER).method == "exact"


def test_auto_estimates_what_does_not_fit(gaussian, monkeypatch):
    monkeypatch.setattr(memory, "available", lambda: 4e6)
    assert eg.dse(gaussian).method == "stochastic"
    with pytest.raises(MemoryError, match=naming("method='stochastic'")):
        eg.dse(gaussian, method="exact", sigma=3.0)


def test_without_the_matrix_the_estimate_is_the_same(gaussian, monkeypatch):
    explicit = entropy(gaussian, method="stochastic")
    without = Costs(memory=0.0)
    free = entropy(gaussian, method="stochastic", costs=without)
    low, high = free.interval()  # it stops as soon as tol is met, and that with the matrix goes on
    assert low <= float(explicit) <= high
    monkeypatch.setattr(solve, "_effort", lambda *_: THOROUGH)
    free = entropy(gaussian, method="stochastic", costs=without)
    assert float(free) == pytest.approx(float(explicit), rel=1e-5)


def test_costs_grow_as_they_should():
    assert exact_cost(20000, 100, "float64") == 2 * exact_cost(20000, 100, "float32")
    assert exact_cost(20000, 100, "float32") > 7.5 * exact_cost(10000, 100, "float32")
    explicit, free = (estimate_cost(50000, 512, 0.5, "float32", kept) for kept in (True, False))
    assert free > 3 * explicit


def test_the_rule_prefers_what_is_faster_by_far(monkeypatch):
    monkeypatch.setattr(memory, "available", lambda: 1e12)
    rule = SpectrumPlan()
    assert not rule.estimates(3000, 512, 0.5)
    assert rule.estimates(10000, 512, 0.5)
    assert not rule.estimates(200, 10**9, 0.5)  # too few rows
    assert not SpectrumPlan(method="exact").estimates(10**6, 3, 0.5)
    assert SpectrumPlan(method="stochastic").estimates(300, 3, 0.5)
    assert not SpectrumPlan(tol=1e-10).estimates(10000, 512, 0.5)
    assert not rule.estimated_groups([3000] * 2, 512, 0.5)[0]
    assert rule.estimated_groups([9000] * 9 + [300], 512, 0.5) == [True] * 9 + [False]


# max_points


def test_max_points_takes_a_sample_and_says_so(gaussian):
    result = eg.dse(gaussian, max_points=300, seed=5)
    assert (result.n, result.sampled_from) == (300, 700)
    assert "n=300 of 700 rows" in repr(result)
    assert float(result) != float(eg.dse(gaussian, max_points=300, seed=6))
    chosen = np.sort(np.random.default_rng(5).permutation(700)[:300])
    assert float(result) == float(eg.dse(gaussian[chosen], seed=5))
    whole = eg.dse(gaussian, max_points=700)
    assert (whole.n, whole.sampled_from) == (700, None)


def test_max_points_of_an_information_takes_the_labels_along(gaussian):
    labels = np.arange(700) % 3
    Z = gaussian + 3.0 * labels[:, None]
    result = eg.dsmi(Z, labels, max_points=200, n_null=3)
    assert result.n == 200
    assert np.array_equal(result.clusters, labels[result.rows])
    assert float(result) == float(eg.dsmi(Z[result.rows], labels[result.rows], n_null=3))


@pytest.mark.parametrize("measure", [eg.dse, lambda Z, **o: eg.dsmi(Z, np.arange(len(Z)) % 2, **o)])
@pytest.mark.parametrize(("value", "error"), [(0, ValueError), (2.5, TypeError), (True, TypeError)])
def test_max_points_must_be_a_number_of_rows(gaussian, measure, value, error):
    with pytest.raises(error, match=naming("max_points", value)):
        measure(gaussian, max_points=value)


# Groups


@pytest.fixture(scope="module")
def labelled():
    labels = np.repeat([0, 1, 2], [300, 260, 60])
    Z = np.random.default_rng(8).normal(size=(620, 6))
    return Z + 2.0 * np.eye(6)[labels], labels


@pytest.mark.parametrize("estimator", ["matched", "plain"])
def test_large_groups_are_estimated_and_small_ones_exact(labelled, estimator):
    options = {"estimator": estimator, "n_null": 4}
    exact = eg.dsmi(*labelled, method="exact", **options)
    result = eg.dsmi(*labelled, method="stochastic", **options)
    assert result.method == "stochastic"
    methods = [spectrum.method for spectrum in result._source.groups.spectra]
    assert methods == ["stochastic", "stochastic", "exact"] * 5
    if estimator == "plain":
        assert result.standard_error > exact.standard_error == 0.0
    # The random partitions are the same, so that the difference is of the estimates alone.
    assert abs(float(result) - float(exact)) < 3e-3 * exact.conditional_entropy
    assert result.p_value == exact.p_value
    assert result.adjusted() == pytest.approx(exact.adjusted(), rel=0.02)


@pytest.mark.slow
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_the_spectra_of_solved_groups_are_those_of_their_rows(labelled, dtype):
    Z, labels = labelled
    result = eg.dsmi(Z, labels, method="exact", dtype=dtype, n_null=2)
    groups = result._source.groups
    together = groups.spectra.nats(Shannon())
    spectra = list(groups.spectra)  # which are made here
    np.testing.assert_array_equal([one.nats(Shannon()) for one in spectra], together)
    assert (together[:, 2] > 0.0).all() == (dtype == "float32")
    for label, spectrum in enumerate(spectra[:3]):
        alone = eg.DiffusionOperator(Z[labels == label], sigma=result.sigma, dtype=dtype)
        error = 1e-12 if dtype == "float64" else spectrum.rounding.delta
        np.testing.assert_allclose(spectrum.eigenvalues, alone.eigenvalues(), atol=error, rtol=0)
        assert spectrum.dtype == dtype
        assert spectrum.kernel_sum == pytest.approx(alone.solved().kernel_sum, rel=1e-5)
        assert groups.spectra.kernel_sums[label] == spectrum.kernel_sum


def test_the_errors_of_estimated_groups_cover_their_differences(labelled):
    options = {"estimator": "plain", "n_null": 0}
    exact = eg.dsmi(*labelled, method="exact", **options)
    errors = []
    for seed in range(20):
        result = eg.dsmi(
            *labelled, method="stochastic", seed=seed, sigma=exact.sigma, tol=5e-3, **options
        )
        entropies, standard_errors, _ = result._source._conditional(1.0)
        errors.append((entropies[0] - exact.conditional_entropy) / standard_errors[0])
    assert np.mean(np.abs(errors) < 2.2) >= 0.8
    assert abs(np.mean(errors)) < 1.0


def test_low_rank_is_not_for_groups(labelled):
    with pytest.raises(ValueError, match=naming("method='lowrank'")):
        eg.dsmi(*labelled, method="lowrank")
