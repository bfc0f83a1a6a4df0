"""Diffusion spectral mutual information."""

from __future__ import annotations

import math
import warnings

import numpy as np
import pytest

import eigentropy as eg
from data_sets import digits, random_blobs, separated_blobs
from eigentropy import _core, reference
from eigentropy._spectra import functionals
from messages import names, naming


@pytest.fixture
def data(rng):
    labels = rng.integers(0, 4, size=240)
    return rng.normal(size=(240, 5)) + 1.5 * labels[:, None], labels


@pytest.mark.parametrize("alpha", [0.0, 0.5, 1.0])
def test_plain_is_the_definition(data, alpha):
    Z, labels = data
    result = eg.dsmi(Z, labels, estimator="plain", sigma=1.2, alpha=alpha, t=2)
    options = {"t": 2.0, "alpha": alpha}
    assert float(result) == pytest.approx(
        reference.plain_information(Z, labels, 1.2, **options), rel=1e-10
    )
    assert result.conditional_entropy == pytest.approx(
        reference.conditional_entropy(Z, labels, 1.2, **options), rel=1e-10
    )
    assert result.standard_error == 0.0


def test_matched_is_the_mean_of_random_relabellings(data):
    Z, labels = data
    result = eg.dsmi(Z, labels, sigma=1.2, n_null=6, seed=3)
    rng = np.random.default_rng(3)
    sizes = np.bincount(labels)
    null = []
    for _ in range(6):
        relabelled = np.empty_like(labels)
        relabelled[rng.permutation(240)] = np.repeat(np.arange(4), sizes)
        null.append(reference.conditional_entropy(Z, relabelled, 1.2))
    observed = reference.conditional_entropy(Z, labels, 1.2)
    assert float(result) == pytest.approx(np.mean(null) - observed, rel=1e-9)
    assert result.standard_error == pytest.approx(np.std(null, ddof=1) / math.sqrt(6), rel=1e-7)
    np.testing.assert_allclose(result.null, np.mean(null) - np.array(null), atol=1e-10)
    assert result.p_value == (1 + sum(value <= observed for value in null)) / 7


def test_adjusted_is_matched_over_what_h_of_y_allows(data):
    Z, labels = data
    matched = eg.dsmi(Z, labels)
    plain = eg.dsmi(Z, labels, estimator="plain")
    whole = float(plain) + plain.conditional_entropy
    baseline = float(matched) + matched.conditional_entropy
    expected = float(matched) / (matched.label_entropy - (whole - baseline))
    assert matched.adjusted() == pytest.approx(expected, rel=1e-10)
    assert plain.adjusted() == pytest.approx(expected, rel=1e-10)
    assert matched.adjusted_note() == ""


def test_adjusted_needs_one_entropy_more(data, monkeypatch):
    result = eg.dsmi(*data)
    calls, entropy = [], functionals.shannon_nats
    monkeypatch.setattr(
        functionals, "shannon_nats", lambda *a: calls.append(len(a[0])) or entropy(*a)
    )
    assert math.isfinite(result.adjusted())
    assert calls == [240]  # of all rows: those of the groups are known


@pytest.mark.parametrize("d", [20, 2000, 20000])
def test_adjusted_of_three_separated_blobs_is_near_1(d):
    Z, labels = random_blobs(600, d, seed=0), np.arange(600) % 3
    result = eg.dsmi(Z, labels)
    assert result.adjusted() >= 0.95
    assert result.p_value < 0.05


@pytest.mark.parametrize("d", [5, 100])
def test_adjusted_of_independent_labels_is_near_0(d):
    rng = np.random.default_rng(d)
    result = eg.dsmi(rng.normal(size=(1000, d)), rng.integers(0, 5, 1000))
    assert abs(result.adjusted()) <= 0.02


def test_adjusted_of_digits_falls_as_labels_are_permuted():
    Z, labels = digits()
    order = np.random.default_rng(0).permutation(len(labels))
    values = []
    for share in (0.0, 0.25, 0.5, 0.75, 1.0):
        chosen = order[: int(share * len(labels))]
        corrupted = labels.copy()
        corrupted[chosen] = labels[np.random.default_rng(1).permutation(chosen)]
        values.append(eg.dsmi(Z, corrupted).adjusted())
    assert values == sorted(values, reverse=True)
    assert values[0] > 0.8
    assert abs(values[-1]) < 0.02


@pytest.mark.slow
def test_p_values_are_uniform_under_independence():
    kstest = pytest.importorskip("scipy.stats").kstest
    p_values = []
    for seed in range(200):
        rng = np.random.default_rng(1000 + seed)
        Z, labels = rng.normal(size=(60, 4)), np.repeat([0, 1, 2], 20)
        p_values.append(eg.dsmi(Z, labels, n_null=99, seed=seed).p_value)
    # 99 null partitions give steps of 1/100, far below what 200 data sets can resolve.
    assert kstest(p_values, "uniform").pvalue > 0.01


def test_the_p_value_of_separated_blobs_is_the_smallest_there_is():
    assert eg.dsmi(*separated_blobs(40, 6), n_null=20).p_value == pytest.approx(1 / 21)


def test_value_and_null_do_not_depend_on_how_kernels_are_obtained(data):
    Z, labels = data
    order = np.argsort(labels, kind="stable")
    offsets = np.concatenate([[0], np.cumsum(np.bincount(labels))])
    for alpha in (None, 0.0, 0.5):
        shared = _core.subset_spectra(Z, offsets, order, 1.2, alpha, "float64", "shared")
        again = _core.subset_spectra(Z, offsets, order, 1.2, alpha, "float64", "recomputed")
        np.testing.assert_allclose(shared[0], again[0], atol=1e-12)
        np.testing.assert_allclose(shared[1], again[1], rtol=1e-12)
        for group in range(4):
            direct = _core.spectrum(Z[labels == group], 1.2, alpha, "float64")
            np.testing.assert_allclose(
                shared[0][offsets[group] : offsets[group + 1]], direct[0], atol=1e-12
            )


def test_a_large_group_among_small_ones_is_the_definition(rng):
    """Large groups are solved by all threads, small ones one to a thread."""
    labels = np.repeat([0, 1, 2], [1510, 30, 1])
    Z = rng.normal(size=(1541, 3))
    with pytest.warns(UserWarning, match=naming("Y", "single row")):
        result = eg.dsmi(Z, labels, sigma=1.0, n_null=2, method="exact")
    expected = reference.conditional_entropy(Z, labels, 1.0)
    assert result.conditional_entropy == pytest.approx(expected, rel=1e-10)


def test_the_order_of_rows_and_the_names_of_labels_do_not_matter(data):
    Z, labels = data
    names = np.array(["ant", "bee", "cat", "dog"])
    order = np.random.default_rng(0).permutation(len(Z))
    observed = eg.dsmi(Z, labels).conditional_entropy
    assert eg.dsmi(Z, names[labels]).conditional_entropy == pytest.approx(observed, rel=1e-12)
    assert eg.dsmi(Z[order], labels[order]).conditional_entropy == pytest.approx(
        observed, rel=1e-10
    )


def test_information_does_not_depend_on_scale(data):
    Z, labels = data
    assert float(eg.dsmi(1e-4 * Z, labels)) == pytest.approx(float(eg.dsmi(Z, labels)), rel=1e-8)


def test_same_seed_same_result_and_no_global_random_state(data):
    Z, labels = data
    state = np.random.get_state()[1].copy()
    first, second, other = (eg.dsmi(Z, labels, seed=seed) for seed in (1, 1, 2))
    assert float(first) == float(second) != float(other)
    assert (np.random.get_state()[1] == state).all()


def test_float32_is_near_float64(data):
    Z, labels = data
    assert float(eg.dsmi(Z, labels, dtype="float32")) == pytest.approx(
        float(eg.dsmi(Z, labels)), rel=1e-3
    )


def test_negative_estimates_are_reported_as_they_are():
    values = []
    for seed in range(20):
        rng = np.random.default_rng(seed)
        values.append(float(eg.dsmi(rng.normal(size=(80, 3)), np.arange(80) % 4)))
    assert min(values) < 0 < max(values)


def test_at_is_the_information_of_a_new_call(data):
    Z, labels = data
    for estimator in ("matched", "plain"):
        other = eg.dsmi(Z, labels, estimator=estimator).at(3.0)
        fresh = eg.dsmi(Z, labels, estimator=estimator, t=3.0)
        assert (other.value, other.p_value, other.t) == (fresh.value, fresh.p_value, 3.0)
        assert other.adjusted() == fresh.adjusted()


def test_an_operator_lends_its_settings_and_its_spectrum(data, monkeypatch):
    Z, labels = data
    expected = eg.dsmi(Z, labels, sigma=1.3, alpha=0.0)
    adjusted = expected.adjusted()
    operator = eg.DiffusionOperator(Z, sigma=1.3, alpha=0.0)
    operator.entropy()
    monkeypatch.setattr(_core, "spectrum", None)  # a second solve of all rows would fail
    result = eg.dsmi(operator, labels)
    assert (float(result), result.adjusted()) == (float(expected), adjusted)
    with pytest.raises(ValueError, match=naming("DiffusionOperator", "sigma")):
        eg.dsmi(operator, labels, sigma=2.0)


def test_clusters_are_reusable(rng):
    pytest.importorskip("sklearn")
    Z = rng.normal(size=(120, 3))
    first = eg.dsmi(Z, Z + 0.01, n_clusters=4)
    again = eg.dsmi(Z, clusters=first.clusters)
    assert float(again) == float(first)
    assert sorted(np.bincount(first.clusters)) == sorted(first.group_sizes)


def test_a_partition_that_is_the_observed_one_renumbered_counts_as_a_tie():
    Z, labels = separated_blobs(3, 2)
    result = eg.dsmi(Z, labels, n_null=3000)
    spread = np.abs(result.null - float(result))
    ties = int((spread < 1e-11).sum())
    assert ties > 0
    assert result.p_value == (1 + ties) / 3001


def test_well_separated_groups_without_a_null_are_no_saturation():
    labels = np.repeat([0, 1, 2], 50)
    Z = 10.0 * np.eye(3)[labels]
    result = eg.dsmi(Z, labels, estimator="plain", n_null=0, sigma=1.0)
    assert float(result) == pytest.approx(math.log2(3), abs=1e-6)


def test_a_single_group_has_no_information(rng):
    with pytest.warns(UserWarning, match=naming("Y", "single group")):
        result = eg.dsmi(rng.normal(size=(50, 2)), np.zeros(50, int))
    assert float(result) == pytest.approx(0.0, abs=1e-12)
    assert result.p_value == 1.0
    assert math.isnan(result.adjusted())
    assert names(result.adjusted_note(), "Y", "single group")


def test_groups_of_one_row_are_counted(rng):
    with pytest.warns(UserWarning, match=naming("Y", 2, 4, "single row")):
        eg.dsmi(rng.normal(size=(22, 2)), [0] * 10 + [1] * 10 + [2, 3])


def test_adjusted_is_nan_with_a_reason_where_sigma_sees_nothing(rng):
    Z, labels = rng.normal(size=(60, 3)), np.arange(60) % 3
    with pytest.warns(eg.SaturationWarning, match=naming("sigma=0.0001", "below")):
        result = eg.dsmi(Z, labels, sigma=1e-4)
    assert math.isnan(result.adjusted())
    assert names(result.adjusted_note(), "noise")


def test_adjusted_without_null_partitions_is_nan_with_a_reason(data):
    result = eg.dsmi(*data, estimator="plain", n_null=0)
    assert math.isnan(result.p_value)
    assert math.isnan(result.adjusted())
    assert "n_null" in result.adjusted_note()


def test_adjusted_gives_no_warning_of_its_own(rng):
    Z, labels = rng.normal(size=(40, 3)), np.arange(40) % 2
    with pytest.warns(eg.SaturationWarning):
        result = eg.dsmi(Z, labels, sigma=1e6)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        _ = result.adjusted()


def test_information_falls_with_noise_on_the_labels():
    spearmanr = pytest.importorskip("scipy.stats").spearmanr
    Z, labels = separated_blobs(60, 10)
    rng = np.random.default_rng(0)
    shares = np.linspace(0, 1, 6)
    values = []
    for share in shares:
        noisy = np.where(rng.random(len(labels)) < share, rng.integers(0, 3, len(labels)), labels)
        values.append(float(eg.dsmi(Z, noisy)))
    assert spearmanr(shares, values).statistic <= -0.95


@pytest.mark.parametrize("t", [1.0, 2.5])
def test_another_t_keeps_the_numbers_of_the_rows(rng, t):
    Z = rng.normal(size=(90, 3))
    result = eg.dsmi(Z, np.arange(90) % 2, n_null=2, max_points=40, t=t)
    assert np.array_equal(result.at(2.0).rows, result.rows)


def test_an_operator_brings_its_rows(data):
    Z, labels = data
    with pytest.raises(ValueError, match=r"max_points.*DiffusionOperator"):
        eg.dsmi(eg.DiffusionOperator(Z), labels, max_points=20)


def test_the_spectrum_of_all_rows_is_estimated_once(rng, monkeypatch):
    from eigentropy._backends.costs import Costs
    from eigentropy._measures import statistics
    from eigentropy._measures.information import informations
    from eigentropy._spectra.plan import SpectrumPlan

    Z, labels = rng.normal(size=(1200, 4)), np.arange(1200) % 12
    calls, plain = [], statistics.estimated_spectrum
    monkeypatch.setattr(statistics, "estimated_spectrum", lambda *a: calls.append(a) or plain(*a))
    plan = SpectrumPlan(tol=1e-2, costs=Costs(soon=0.0, start=0.0, preference=0.0))
    found = informations(
        eg.DiffusionOperator(Z), labels, [1.0, 2.0], plan, estimator="plain", n_null=11, base=2.0,
        seed=0, progress=None,
    )  # fmt: skip
    assert all(math.isfinite(one.adjusted()) or one.adjusted_note() for one in found)
    assert len(calls) == 1
