"""Effective numbers and entropies of spectra that are known."""

from __future__ import annotations

import math
from decimal import Decimal, localcontext
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

import eigentropy as eg
from eigentropy import reference
from eigentropy.baselines import spectral
from eigentropy.baselines._singular_values import squared_singular_values
from messages import naming


def matrix_with(singular_values, n, d, rng):
    """An n x d matrix with these singular values."""
    k = len(singular_values)
    left, right = (np.linalg.qr(rng.normal(size=(m, k)))[0] for m in (n, d))
    return left * np.asarray(singular_values, dtype=float) @ right.T


def shannon(values):
    """exp of the entropy of values scaled to a distribution."""
    p = np.asarray(values, dtype=float)
    p = p[p > 0] / p.sum()
    return math.exp(-float(p @ np.log(p)))


SPECTRA = {
    "even": [2.0] * 8,
    "one": [5.0],
    "linear": list(range(1, 13)),
    "geometric": [0.5**i for i in range(15)],
    "two-scales": [1.0] * 3 + [1e-3] * 6,
}


@pytest.mark.parametrize("shape", [(40, 20), (20, 40), (30, 30)])
@pytest.mark.parametrize("name", list(SPECTRA))
def test_numbers_of_directions_are_those_of_a_prescribed_spectrum(rng, name, shape):
    s = np.array(SPECTRA[name])
    Z = matrix_with(s, *shape, rng)
    assert float(spectral.effective_rank(Z)) == pytest.approx(shannon(s), rel=1e-6)
    assert float(spectral.rankme(Z, epsilon=0)) == pytest.approx(shannon(s), rel=1e-6)
    ratio = (s**2).sum() ** 2 / (s**4).sum()
    value = spectral.participation_ratio(Z, center=False)
    assert float(value) == pytest.approx(ratio, rel=1e-10)


@pytest.mark.parametrize("entries", [1, 100, 10_000])
@pytest.mark.parametrize("center", [False, True])
@pytest.mark.parametrize("shape", [(40, 20), (20, 40), (30, 30)])
def test_the_size_of_blocks_changes_nothing(rng, shape, center, entries):
    Z = 3.0 + rng.normal(size=shape)
    rows = (Z - Z.mean(axis=0) if center else Z) / np.abs(Z).max()
    expected = np.linalg.svd(rows, compute_uv=False) ** 2
    found = squared_singular_values(Z, center, entries)
    assert found == pytest.approx(expected, abs=1e-12 * expected[0])


def test_rankme_adds_its_constant_to_every_share():
    p = np.full(4, 0.25) + 1e-7
    expected = math.exp(-float(p @ np.log(p)))
    assert float(spectral.rankme(np.eye(4))) == pytest.approx(expected, rel=1e-13)
    p = np.array([1.0, 0.0, 0.0]) + 0.1
    expected = math.exp(-float(p @ np.log(p)))
    Z = np.outer(np.ones(9), [1.0, 2.0, 2.0])
    assert float(spectral.rankme(Z, epsilon=0.1)) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("shape", [(200, 9), (9, 200)])
def test_centred_numbers_are_those_of_the_covariance(rng, shape):
    Z = 1000.0 + rng.normal(size=shape) * np.arange(1, shape[1] + 1)
    centred = Z - Z.mean(axis=0)
    variances = np.linalg.svd(centred, compute_uv=False) ** 2
    expected = variances.sum() ** 2 / (variances**2).sum()
    assert float(spectral.participation_ratio(Z)) == pytest.approx(expected, rel=1e-9)
    expected = shannon(np.linalg.svd(centred, compute_uv=False)[: min(shape[1], shape[0] - 1)])
    assert float(spectral.effective_rank(Z, center=True)) == pytest.approx(expected, rel=1e-6)
    assert float(spectral.effective_rank(Z)) < 0.5 * expected  # the mean is one large direction


def test_isotropic_rows_have_nearly_as_many_components_as_columns(rng):
    """The eigenvalues of a sample covariance: E is d / (1 + d / n) (Marchenko, Pastur)."""
    Z = rng.normal(size=(4000, 40))
    assert float(spectral.participation_ratio(Z)) == pytest.approx(40 / 1.01, rel=0.01)


@given(
    arrays(
        np.float64,
        st.tuples(st.integers(2, 12), st.integers(1, 12)),
        elements=st.integers(-100, 100),
    ).filter(lambda Z: Z.any()),
    st.sampled_from([1e-200, 0.5, 3.0, 1e200]),
    st.randoms(use_true_random=False),
)
def test_neither_scale_nor_the_order_of_rows_nor_transposing_matters(Z, scale, random):
    order = list(range(len(Z)))
    random.shuffle(order)
    value = float(spectral.effective_rank(Z))
    assert 1.0 <= value <= min(Z.shape) + 1e-6
    assert float(spectral.effective_rank(scale * Z[order])) == pytest.approx(value, abs=1e-4)
    assert float(spectral.effective_rank(Z.T)) == pytest.approx(value, abs=1e-4)


@pytest.mark.parametrize("k", [1, 2, 7])
@pytest.mark.parametrize("order", [0.5, 1.0, 2.0])
def test_k_heaps_of_equal_rows_are_k_different_rows(k, order):
    Z = 100.0 * np.repeat(np.arange(k), 6)[:, None] * [1.0, 0.5]
    options = {"sigma": 1.0, "order": order}
    if k == 1:
        with pytest.warns(eg.SaturationWarning, match=naming(6)):
            value = spectral.vendi_score(Z, **options)
    else:
        value = spectral.vendi_score(Z, **options)
    assert float(value) == pytest.approx(k, rel=1e-6)


def test_orthogonal_directions_are_different_rows_whatever_their_length():
    Z = np.repeat(np.diag([1.0, 20.0, 1e-5]), 4, axis=0)
    assert float(spectral.vendi_score(Z, kernel="cosine")) == pytest.approx(3.0, rel=1e-9)
    assert float(spectral.vendi_score(Z[:, :1] + 1, kernel="cosine")) == pytest.approx(1.0)


@pytest.mark.parametrize("order", [0.3, 1.0, 1.01, 2.0, 5.0])
@pytest.mark.parametrize("kernel", ["gaussian", "cosine"])
def test_matrix_entropies_are_those_of_the_formula(rng, order, kernel):
    Z = rng.normal(size=(40, 6))
    sigma = 1.7
    K = np.exp(-reference.squared_distances(Z) / (2 * sigma**2))
    if kernel == "cosine":
        directions = Z / np.linalg.norm(Z, axis=1, keepdims=True)
        K = directions @ directions.T
    values = np.linalg.eigvalsh(K / 40)
    values = values[values > 1e-13]
    expected = -float(values @ np.log2(values))
    if order != 1.0:
        expected = math.log2((values**order).sum()) / (1 - order)
    for argument, name in [(Z, kernel), (K, "precomputed"), (K * 9.0, "precomputed")]:
        value = spectral.matrix_renyi_entropy(argument, order=order, kernel=name, sigma=sigma)
        assert float(value) == pytest.approx(expected, abs=1e-9)
        score = spectral.vendi_score(argument, order=order, kernel=name, sigma=sigma)
        assert float(score) == pytest.approx(2**expected, rel=1e-9)


def test_the_order_two_needs_no_eigenvalues(rng):
    """-log |A|_F^2."""
    Z = rng.normal(size=(50, 3))
    G = np.exp(-reference.squared_distances(Z) / 2)
    expected = -math.log2((G**2).sum() / 50**2)
    value = spectral.matrix_renyi_entropy(Z, sigma=1.0)
    assert float(value) == pytest.approx(expected, rel=1e-11)


def test_sigma_may_be_a_rule(rng):
    Z = rng.normal(size=(60, 4))
    by_rule = spectral.vendi_score(Z, sigma="median")
    assert by_rule.settings["sigma"] == eg.bandwidth(Z)
    assert by_rule == spectral.vendi_score(Z, sigma=eg.bandwidth(Z))


def test_spectra_of_a_diffusion_operator_have_renyi_entropies_too(rng):
    result = eg.dse(rng.normal(size=(80, 3)), method="exact")
    entropies = [
        spectral.renyi_entropy(result.eigenvalues, order=q) for q in (0.5, 1 - 1e-7, 1, 1 + 1e-7, 3)
    ]
    assert entropies == sorted(entropies, reverse=True)
    assert entropies[2] == pytest.approx(float(result), rel=1e-12)
    assert entropies[1] == pytest.approx(entropies[3], abs=1e-5)


@given(arrays(np.float64, st.integers(1, 20), elements=st.floats(1e-3, 1.0)), st.floats(0.05, 20))
def test_renyi_entropies_are_between_0_and_log_n(values, order):
    entropy = spectral.renyi_entropy(values, order=order)
    assert 0.0 <= entropy <= math.log2(len(values)) + 1e-7
    assert spectral.renyi_entropy(7.0 * values[::-1], order=order) == pytest.approx(
        entropy, abs=1e-7
    )


ORDERS = [0.1, 1 - 1e-13, 1, 1 + 1e-9, 2, 50, 1e6, 1e300, 1.7e308, math.inf, np.inf]


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("values", [[5, 3, 2], [1, 1e-9], [0.9, 0.1], [1e300, 1e299], [2, 1, 1, 0]])
def test_any_order_is_as_accurate_as_in_many_digits(values, order):
    """Against the formula in 500 digits; from order 1e6 on only the largest share counts."""
    with localcontext() as context:
        context.prec = 500
        shares = [Decimal(v) / sum(map(Decimal, values)) for v in values if v]
        if order >= 1e6:
            q = Decimal("Infinity") if order == math.inf else Decimal(order)
            ratio = Decimal(1) if order == math.inf else q / (q - 1)
            expected = -ratio * max(shares).ln()
        elif order == 1:
            expected = -sum(a * a.ln() for a in shares)
        else:
            q = Decimal(order)
            expected = sum((q * a.ln()).exp() for a in shares).ln() / (1 - q)
    found = spectral.renyi_entropy(values, order=order, base=math.e)
    assert found == pytest.approx(float(expected), rel=1e-12, abs=0)


def test_the_order_infinity_needs_the_largest_eigenvalue_only(rng):
    Z = rng.normal(size=(50, 3))
    largest = np.linalg.eigvalsh(np.exp(-reference.squared_distances(Z) / 2) / 50)[-1]
    found = spectral.matrix_renyi_entropy(Z, sigma=1.0, order=math.inf)
    assert float(found) == pytest.approx(-math.log2(largest), rel=1e-12)
    score = spectral.vendi_score(Z, sigma=1.0, order=math.inf)
    assert float(score) == pytest.approx(1 / largest, rel=1e-12)
    assert "order=inf" in repr(found)
    with pytest.raises(ValueError, match=naming("order", "-inf")):
        spectral.matrix_renyi_entropy(Z, sigma=1.0, order=-math.inf)


@given(
    arrays(np.float64, st.integers(1, 20), elements=st.floats(1e-3, 1.0)),
    st.floats(0.0, 1.0, exclude_min=True),
    st.floats(1.0, math.inf),
)
def test_entropies_fall_with_the_order(values, low, high):
    """From log n at 0 to -log max a at infinity, on both sides of 1."""
    found = [spectral.renyi_entropy(values, order=q) for q in (low, 1.0, high, math.inf)]
    assert all(a >= b - 1e-12 for a, b in pairwise([math.log2(len(values)) + 1e-12, *found]))


@pytest.mark.parametrize("dtype", ["float32", "float64", "int64"])
def test_flat_spectra_have_the_entropy_log_n(dtype):
    values = np.full(16, 3, dtype=dtype)
    for order in (0.1, 1, 2, 50, math.inf):
        assert spectral.renyi_entropy(values, order=order) == pytest.approx(4.0, rel=1e-12)


@pytest.mark.parametrize(
    "function", [spectral.effective_rank, spectral.rankme, spectral.participation_ratio]
)
@pytest.mark.parametrize(
    ("Z", "error", "words"),
    [
        (np.zeros((4, 3)), ValueError, ["Z", 0]),
        (np.ones((0, 3)), ValueError, ["Z", "(0, 3)"]),
        (np.ones(3), ValueError, ["Z", "(n, d)"]),
        ([[1.0, np.nan]], ValueError, ["Z", "NaN", 1]),
        (np.ones((2, 2), dtype=complex), TypeError, ["Z", "complex"]),
    ],
)
def test_matrices_without_a_spectrum_are_refused(function, Z, error, words):
    with pytest.raises(error, match=naming(*words)):
        function(Z)


@pytest.mark.parametrize("value", [1.0, 0.1, 1e8])
@pytest.mark.parametrize("shape", [(7, 3), (3, 7), (1, 4)])
def test_equal_rows_have_no_covariance(value, shape):
    with pytest.raises(ValueError, match=naming("Z")):
        spectral.participation_ratio(np.full(shape, value))


@pytest.mark.parametrize("measure", [spectral.vendi_score, spectral.matrix_renyi_entropy])
@pytest.mark.parametrize(
    ("Z", "options", "words"),
    [
        (np.eye(3), {"order": 0}, ["order", 0]),
        (np.eye(3), {"kernel": "laplace"}, ["kernel", "'gaussian'", "'cosine'"]),
        (np.eye(3), {"sigma": -1}, ["sigma", "-1"]),
        (np.eye(3), {"seed": -1}, ["seed", "-1"]),
        (np.diag([1.0, 0.0]), {"kernel": "cosine"}, ["row 1", "Z"]),
        (np.ones((2, 3)), {"kernel": "precomputed"}, ["Z", "(n, n)"]),
        (np.ones((2, 2, 2)), {"kernel": "precomputed"}, ["Z", "(n, n)"]),
        (np.diag([1.0, -1.0]), {"kernel": "precomputed"}, ["Z", "diagonal"]),
        ([[1.0, 0.5], [0.1, 1.0]], {"kernel": "precomputed"}, ["Z", "symmetric"]),
        ([[1.0, 2.0], [2.0, 1.0]], {"kernel": "precomputed"}, ["Z", "semidefinite"]),
        ([[1.0, np.nan], [np.nan, 1.0]], {"kernel": "precomputed"}, ["Z", "NaN"]),
    ],
)
def test_bad_kernels_are_named(measure, Z, options, words):
    with pytest.raises(ValueError, match=naming(*words)):
        measure(Z, **options)


def test_products_that_do_not_fit_are_refused_before():
    n = 2_000_000  # 29 TiB
    with pytest.raises(MemoryError, match=naming(f"{n} x {n}", "GiB")):
        squared_singular_values(np.broadcast_to(1.0, (n, n)), center=False)
    with pytest.raises(MemoryError, match=naming(f"{n} x {n}", "GiB")):
        spectral.vendi_score(np.arange(float(n))[:, None], sigma=1.0)


def test_widths_that_say_nothing_are_warned_about(rng):
    with pytest.warns(eg.SaturationWarning, match=naming("sigma=1e-06")):
        spectral.vendi_score(rng.normal(size=(30, 4)), sigma=1e-6)
