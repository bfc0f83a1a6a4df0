"""Rows that are far from all others, such as rows of a fill value: they change no other row.

The oracle subtracts in extended precision, whose range is that of 1e4932.
"""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import eigentropy as eg
from checks import assert_products
from data_sets import separated_blobs
from eigentropy import _core, reference
from messages import naming

SIGMA = 1.5

pytestmark = pytest.mark.filterwarnings("ignore::eigentropy.SaturationWarning")


def distances(Z):
    Z = np.asarray(Z, dtype=np.longdouble)
    return np.sqrt(((Z[:, None] - Z) ** 2).sum(axis=-1))


def oracle(Z, sigma=SIGMA, t=1.0, alpha=0.5):
    G = np.exp(-((distances(Z) / np.longdouble(sigma)) ** 2) / 2).astype(np.float64)
    q = G.sum(axis=1)
    K = G / np.outer(q, q) ** alpha
    d = K.sum(axis=1)
    return reference.entropy_of_spectrum(np.linalg.eigvalsh(K / np.sqrt(np.outer(d, d))), t)


def filled(rng, n, d, share, value):
    """Gaussian rows, a share of which hold the fill value."""
    Z = rng.normal(size=(n, d))
    Z[: round(share * n)] = value
    return Z


@st.composite
def rows_with_fill_values(draw, largest=1e300):
    """Gaussian rows, of which any share hold values of any size in any columns."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    n, d = draw(st.integers(2, 40)), draw(st.integers(1, 6))
    Z = rng.normal(size=(n, d)) + draw(st.sampled_from([0.0, 1e3, -1e6]))
    sizes = st.floats(1.0, np.log10(largest)).map(lambda exponent: 10.0**exponent)
    value, same = draw(sizes), draw(st.booleans())
    far = rng.permutation(n)[: draw(st.integers(0, n))]
    columns = rng.random(d) < draw(st.sampled_from([0.3, 1.1]))
    signs = rng.choice([-1.0, 1.0], size=(len(far), d))
    values = np.full((len(far), d), value) if same else signs * value * rng.random((len(far), d))
    Z[np.ix_(far, columns)] = values[:, columns]
    return Z


@pytest.mark.parametrize("fill", [1e16, 1e20, 9.97e36, 1e300])
def test_rows_at_a_fill_value_leave_the_entropy_of_the_others(rng, fill):
    Z = filled(rng, 300, 3, 0.2, fill)
    others = np.linalg.eigvalsh(reference.diffusion_operator(Z[60:], SIGMA))
    expected = reference.entropy_of_spectrum(np.append(others, 1.0))  # 60 equal rows: one more 1
    assert float(eg.dse(Z, sigma=SIGMA)) == pytest.approx(expected, rel=1e-10)


@pytest.mark.parametrize("exponents", [(3.0, 36.0), (20.0, 20.3)])
@pytest.mark.parametrize("far", [300, 450])
def test_far_rows_that_all_differ_leave_the_entropy_of_the_others(rng, far, exponents):
    Z = rng.normal(size=(600, 3))
    Z[:far] = rng.choice([-1.0, 1.0], (far, 3)) * 10.0 ** rng.uniform(*exponents, (far, 3))
    assert float(eg.dse(Z, sigma=SIGMA)) == pytest.approx(oracle(Z), rel=1e-10)
    single = eg.dse(Z, sigma=SIGMA, dtype="float32")
    assert abs(float(single) - oracle(Z)) <= single.error_bound < 0.05


@settings(deadline=None)
@given(rows_with_fill_values(), st.sampled_from([0.3, SIGMA, 20.0]), st.sampled_from([1.0, 3.0]))
def test_the_entropy_is_that_of_exact_differences(Z, sigma, t):
    result = eg.dse(Z, sigma=sigma, t=t)
    assert float(result) == pytest.approx(oracle(Z, sigma, t), rel=1e-8, abs=1e-8)


@settings(deadline=None)
@given(rows_with_fill_values(largest=1e38))
def test_the_entropy_of_float32_is_within_its_bound(Z):
    Z = Z.astype(np.float32)
    expected = oracle(Z)
    assert float(eg.dse(Z, sigma=SIGMA)) == pytest.approx(expected, rel=1e-8, abs=1e-8)
    single = eg.dse(Z, sigma=SIGMA, dtype="float32")
    assert abs(float(single) - expected) <= single.error_bound + 1e-8
    assert single.error_bound < 0.05


@pytest.mark.filterwarnings("ignore:overflow:RuntimeWarning")  # in the definition
@pytest.mark.parametrize("dtype", ["float64", "float32"])
@settings(deadline=None)
@given(Z=rows_with_fill_values(largest=1e38))
def test_products_are_those_of_the_definition(dtype, Z):
    Z = Z.astype(dtype)
    assert_products(_core.KernelOperator(Z, SIGMA, 0.5, dtype), Z, SIGMA, 0.5, dtype)


@pytest.mark.filterwarnings("ignore::eigentropy.PrecisionWarning")  # sigma is too small
@settings(deadline=None)
@given(rows_with_fill_values())
def test_the_bounds_of_a_low_rank_hold(Z):
    bounded = eg.dse(Z, sigma=SIGMA, method="lowrank", tol=0.1)
    assert abs(float(bounded) - oracle(Z)) <= bounded.error_bound + 1e-8


@settings(deadline=None)
@given(rows_with_fill_values(largest=1e38))
def test_the_gradient_is_that_of_rows_whose_gaps_are_shorter(Z):
    torch = pytest.importorskip("torch")
    functional = pytest.importorskip("eigentropy.torch.functional")
    far = np.abs(Z) > 1e7
    near = np.where(far, np.sign(Z) * 1e5, Z)
    if len(np.unique(Z[far])) > 1:
        return  # values that differ must not become equal
    gradients = []
    for rows in (Z, near):
        z = torch.tensor(rows, requires_grad=True)
        functional.diffusion_spectral_entropy(z, sigma=SIGMA).backward()
        gradients.append(z.grad.numpy())
    np.testing.assert_allclose(*gradients, atol=1e-8)


@pytest.mark.parametrize("share", [0.01, 0.2, 0.7])
def test_an_estimate_covers_the_entropy(rng, share):
    Z = filled(rng, 600, 4, share, 1e20)
    result = eg.dse(Z, sigma=SIGMA, method="stochastic", tol=5e-3)
    assert abs(float(result) - oracle(Z)) <= 5.0 * result.standard_error


def test_the_information_of_labels_is_that_of_near_rows():
    Z, labels = separated_blobs(30, 4, distance=8.0)
    here = eg.dsmi(Z, labels, sigma=SIGMA, seed=1)
    far = Z + np.where(labels == labels.max(), 1e25, 0.0)[:, None]
    there = eg.dsmi(far, labels, sigma=SIGMA, seed=1)
    # Rows of the far group fall together, and the others stay what they were.
    others = labels < labels.max()
    assert there.group_sizes.tolist() == here.group_sizes.tolist()
    expected = reference.conditional_entropy(Z[others], labels[others], SIGMA) * others.mean()
    assert there.conditional_entropy == pytest.approx(expected, rel=1e-9)


# ---- Rules for sigma ---------------------------------------------------------------------------


def median_rule(Z):
    pairs = distances(Z)[np.triu_indices(len(Z), k=1)]
    median = np.median(pairs) or np.median(pairs[pairs > 0])
    return float(median * np.longdouble(0.35))


def knn_rule(Z):
    nearest = np.sort(distances(Z), axis=1)[:, min(10, len(Z) - 1)]
    return float(np.median(nearest) or np.median(nearest[nearest > 0]))


@pytest.mark.parametrize(("rule", "expected"), [("median", median_rule), ("knn", knn_rule)])
@settings(deadline=None)
@given(Z=rows_with_fill_values(largest=1e140))
def test_a_rule_is_that_of_exact_differences(rule, expected, Z):
    if rule == "knn" and not np.sort(distances(Z), axis=1)[:, min(10, len(Z) - 1)].any():
        return  # every row has ten duplicates: another rule takes over
    if len(np.unique(Z, axis=0)) > 1:
        assert eg.bandwidth(Z, rule) == pytest.approx(expected(Z), rel=1e-9)


@settings(deadline=None)
@given(rows_with_fill_values(largest=1e140))
def test_the_largest_slope_is_found_however_far_from_the_largest_distance(Z):
    if len(np.unique(Z, axis=0)) == 1:
        return
    D = distances(Z)[np.triu_indices(len(Z), k=1)]

    def slope(sigma):
        G = np.exp(-((D / sigma) ** 2) / 2)
        return float(4 * ((D / sigma) ** 2 / 2) @ G / (len(Z) + 2 * G.sum()))

    low, high = np.log(D[D > 0].min()) - 1, np.log(D.max()) + 1
    best = max(slope(np.exp(x)) for x in np.linspace(low, high, int((high - low) * 10) + 2))
    assert slope(eg.bandwidth(Z, "max-slope")) >= 0.97 * best


@pytest.mark.parametrize("rule", ["median", "narrow", "knn", "max-slope"])
def test_a_width_that_squares_cannot_hold_is_refused_by_name(rng, rule):
    with pytest.raises(ValueError, match=naming("Z", "sigma", "fill value")):
        eg.bandwidth(filled(rng, 80, 3, 0.1, 1e200), rule)
