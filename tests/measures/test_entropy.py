"""Diffusion spectral entropy against the NumPy oracle and against closed forms."""

from __future__ import annotations

import math

import numpy as np
import pytest

import eigentropy as eg
from data_sets import separated_blobs
from eigentropy import reference

# One row and sigma=1 on wide data saturate, and say so.
pytestmark = pytest.mark.filterwarnings("ignore::eigentropy.SaturationWarning")


@pytest.mark.parametrize("alpha", [0.0, 0.5, 1.0])
def test_float64_agrees_with_the_oracle_to_1e_10(data_set, alpha):
    sigma = eg.bandwidth(data_set)
    operator = eg.DiffusionOperator(data_set, sigma=sigma, alpha=alpha)
    eigenvalues = np.linalg.eigvalsh(reference.diffusion_operator(data_set, sigma, alpha))
    for t in (1.0, 2.0, 3.5, 100.0):
        expected = reference.entropy_of_spectrum(eigenvalues, t)
        assert float(operator.entropy(t)) == pytest.approx(expected, rel=1e-10, abs=1e-12)


def test_float32_agrees_with_the_oracle_to_1e_4(data_set):
    sigma = eg.bandwidth(data_set)
    result = eg.dse(data_set, sigma=sigma, dtype="float32")
    expected = reference.diffusion_spectral_entropy(data_set, sigma)
    assert float(result) == pytest.approx(expected, rel=1e-4, abs=1e-5)


@pytest.mark.parametrize("n", [1, 2, 3, 5, 63, 64, 65, 255, 256, 257, 511, 513])
def test_sizes_around_the_tiles_agree_with_the_oracle(n, rng):
    Z = rng.normal(size=(n, 6))
    assert float(eg.dse(Z, sigma=1.3)) == pytest.approx(
        reference.diffusion_spectral_entropy(Z, 1.3), rel=1e-10, abs=1e-12
    )


@pytest.mark.parametrize("sigma_rule", ["median", "narrow", "knn", "max-slope", "sqrt-d"])
def test_a_rule_and_its_number_give_the_same_entropy(sigma_rule, rng):
    Z = rng.normal(size=(200, 5))
    result = eg.dse(Z, sigma=sigma_rule)
    assert result.sigma == eg.bandwidth(Z, sigma_rule)
    assert float(result) == float(eg.dse(Z, sigma=result.sigma))


@pytest.mark.parametrize("k", [2, 3, 7])
def test_far_clusters_have_log2_k_at_large_t(k):
    Z, _ = separated_blobs(100, 20, k=k, distance=1e4)
    assert float(eg.dse(Z, sigma=10.0, t=1e4)) == pytest.approx(math.log2(k), abs=1e-6)


def test_identical_rows_have_entropy_0():
    Z = np.tile(np.array([0.1, -3.7, 1e5]), (500, 1))
    assert float(eg.dse(Z)) == pytest.approx(0.0, abs=1e-9)
    assert float(eg.dse(Z, sigma=0.001)) == pytest.approx(0.0, abs=1e-9)


def test_one_row_has_entropy_0():
    assert float(eg.dse(np.array([[1.0, 2.0]]))) == 0.0


def test_rows_that_do_not_see_each_other_have_log2_n():
    Z = 1e3 * np.eye(100)
    assert float(eg.dse(Z, sigma=1.0)) == pytest.approx(math.log2(100), abs=1e-12)


def test_copies_far_apart_add_log2_of_their_number(rng):
    Z = rng.normal(size=(150, 4))
    copies = np.concatenate([Z + np.array([1e5 * i, 0, 0, 0]) for i in range(4)])
    expected = float(eg.dse(Z, sigma=1.0)) + 2.0
    assert float(eg.dse(copies, sigma=1.0)) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("d", [2, 5, 20, 100, 512])
@pytest.mark.parametrize("paper_sigma_over_d", [1.0, 2.0])
def test_gaussian_entropy_is_an_upper_bound(d, paper_sigma_over_d):
    sigma = math.sqrt(paper_sigma_over_d * d / 2)
    bound = eg.gaussian_entropy(1000, d, sigma)
    for seed in range(3):
        Z = np.random.default_rng(seed).normal(size=(1000, d))
        S = float(eg.dse(Z, sigma=sigma))
        assert bound >= S
        if d == 512:
            assert bound <= 1.04 * S


def test_gaussian_entropy_in_nats_and_in_degenerate_cases():
    bits = eg.gaussian_entropy(1000, 20, 3.0)
    assert eg.gaussian_entropy(1000, 20, 3.0, base=math.e) == pytest.approx(bits * math.log(2))
    assert eg.gaussian_entropy(1, 20, 3.0) == 0.0
    assert eg.gaussian_entropy(1000, 20, 1e12) == pytest.approx(0.0, abs=1e-6)
    assert eg.gaussian_entropy(1000, 20, 1e-3) == pytest.approx(math.log2(1000), abs=1e-9)


def test_cluster_gain_is_beta_log_k():
    d, sigma = 6, 2.0
    beta = (1 + 4 / (2 * sigma**2)) ** (-d / 2)  # sigma_paper = 2 sigma^2
    assert eg.cluster_gain(100, d, sigma, 8) == pytest.approx(beta * 3.0)
    assert eg.cluster_gain(100, d, sigma, 1) == 0.0


@pytest.mark.parametrize("c", [1e-6, 1e-3, 3.0, 1e6])
def test_auto_sigma_makes_the_entropy_independent_of_scale(data_set, c):
    expected = float(eg.dse(data_set, method="exact"))
    assert float(eg.dse(c * data_set, method="exact")) == pytest.approx(
        expected, rel=1e-9, abs=1e-9
    )


@pytest.mark.parametrize("factor", [1e-150, 1e150])
def test_extreme_scales_neither_overflow_nor_underflow(factor, rng):
    Z = rng.normal(size=(50, 3))
    assert float(eg.dse(factor * Z)) == pytest.approx(float(eg.dse(Z)), rel=1e-9)


def test_a_translation_changes_nothing(rng):
    Z = rng.normal(size=(300, 8))
    assert float(eg.dse(Z + 1e5, sigma=1.0)) == pytest.approx(float(eg.dse(Z, sigma=1.0)), rel=1e-9)


def test_a_constant_column_changes_nothing(rng):
    Z = rng.normal(size=(200, 4))
    wider = np.column_stack([Z, np.full(200, 1e8)])
    assert float(eg.dse(wider)) == pytest.approx(float(eg.dse(Z)), rel=1e-10)


def test_the_order_of_the_rows_does_not_matter(rng):
    Z = rng.normal(size=(300, 5))
    assert float(eg.dse(Z[rng.permutation(300)], sigma=2.0)) == pytest.approx(
        float(eg.dse(Z, sigma=2.0)), rel=1e-11
    )


def test_near_pairs_of_a_very_wide_cloud_keep_their_distance():
    """|x|^2 + |y|^2 - 2 x.y alone would lose these distances to rounding."""
    rng = np.random.default_rng(3)
    pairs = np.repeat(1e8 * rng.normal(size=(50, 3)), 2, axis=0)
    pairs[1::2, 0] += 1.0
    expected = reference.diffusion_spectral_entropy(pairs, 1.0)
    assert float(eg.dse(pairs, sigma=1.0)) == pytest.approx(expected, rel=1e-10)


def test_entropy_falls_with_t_from_log_n_to_0(rng):
    Z = rng.normal(size=(200, 10))
    result = eg.dse(Z)
    values = [float(result.at(t)) for t in (0.1, 1.0, 2.0, 5.0, 50.0, 1e6)]
    assert values == sorted(values, reverse=True)
    assert values[-1] == pytest.approx(0.0, abs=1e-9)


def test_at_is_the_entropy_of_a_new_call(rng):
    Z = rng.normal(size=(100, 3))
    assert float(eg.dse(Z).at(3.5)) == float(eg.dse(Z, t=3.5))
    assert eg.dse(Z).at(3.5).t == 3.5


def test_base_e_is_nats(rng):
    Z = rng.normal(size=(100, 3))
    assert float(eg.dse(Z, base=math.e)) == pytest.approx(float(eg.dse(Z)) * math.log(2))


def test_the_paper_s_kernel_is_reached_by_sigma_and_alpha(rng):
    """exp(-r^2 / sigma_paper), alpha = 1/2."""
    Z, sigma_paper = rng.normal(size=(80, 4)), 5.0
    G = np.exp(-reference.squared_distances(Z) / sigma_paper)
    q = G.sum(axis=1)
    K = G / np.sqrt(np.outer(q, q))
    eigenvalues = np.linalg.eigvals(K / K.sum(axis=1, keepdims=True)).real
    assert float(eg.dse(Z, sigma=math.sqrt(sigma_paper / 2), alpha=0.5)) == pytest.approx(
        reference.entropy_of_spectrum(eigenvalues), rel=1e-9
    )
