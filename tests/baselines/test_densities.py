"""Conditional entropy, total correlation and divergence of densities: closed forms and loops."""

from __future__ import annotations

import math

import numpy as np
import pytest

pytest.importorskip("scipy")

from eigentropy.baselines import densities, ksg
from eigentropy.baselines._neighbours import SEARCHES, Pieces, Points, kth_distance_among
from messages import naming

COVARIANCE = np.array([[2.0, 0.8, 0.5], [0.8, 1.0, 0.4], [0.5, 0.4, 1.5]])


def gaussian(rng, n=5000):
    return rng.multivariate_normal(np.zeros(3), COVARIANCE, n)


def gaussian_entropy(*columns):
    C = COVARIANCE[np.ix_(columns, columns)]
    return 0.5 * math.log(np.linalg.det(2 * math.pi * math.e * C))


# ---- Closed forms ------------------------------------------------------------------------------


def test_a_gaussian_has_the_conditional_entropy_of_its_determinants(rng):
    P = gaussian(rng)
    found = densities.conditional_entropy(P[:, :1], P[:, 1:], base=math.e)
    expected = gaussian_entropy(0, 1, 2) - gaussian_entropy(1, 2)
    assert float(found) == pytest.approx(expected, abs=0.08)


def test_a_gaussian_has_the_total_correlation_of_its_determinants(rng):
    P = gaussian(rng)
    found = densities.total_correlation(P, base=math.e)
    expected = sum(map(gaussian_entropy, range(3))) - gaussian_entropy(0, 1, 2)
    assert float(found) == pytest.approx(expected, abs=0.08)
    pair = densities.conditional_total_correlation(P[:, :2], P[:, 2], base=math.e)
    given = gaussian_entropy(0, 2) + gaussian_entropy(1, 2) - gaussian_entropy(2)
    left = given - gaussian_entropy(0, 1, 2)
    assert float(pair) == pytest.approx(left, abs=0.08)
    explained = densities.correlation_explanation(P[:, :2], P[:, 2], base=math.e)
    alone = gaussian_entropy(0) + gaussian_entropy(1) - gaussian_entropy(0, 1)
    assert float(explained) == pytest.approx(alone - left, abs=0.08)


def test_uniform_groups_have_the_mean_entropy_of_their_widths(rng):
    labels = np.arange(3000) % 3
    z = rng.uniform(size=3000) * np.array([1, 2, 4])[labels]
    found = densities.discrete_conditional_entropy(z, labels)
    assert float(found) == pytest.approx((0 + 1 + 2) / 3, abs=0.05)


@pytest.mark.parametrize("d", [1, 3])
@pytest.mark.parametrize(("shift", "scale"), [(0.0, 1.0), (1.0, 1.0), (0.0, 2.0), (0.5, 1.3)])
def test_gaussians_diverge_as_their_means_and_variances_do(rng, d, shift, scale):
    """d (log s + (1 + m^2) / (2 s^2) - 1/2) for N(0, 1) from N(m, s^2)."""
    X, Y = rng.normal(size=(6000, d)), shift + scale * rng.normal(size=(5000, d))
    expected = d * (math.log(scale) + (1 + shift**2) / (2 * scale**2) - 0.5)
    found = densities.divergence(X, Y, k=5, base=math.e)
    assert float(found) == pytest.approx(expected, abs=0.04 * (1 + d))


def test_a_uniform_density_diverges_from_a_wider_one_and_not_the_other_way_round(rng):
    X, Y = rng.uniform(0, 1, size=4000), rng.uniform(0, 4, size=4000)
    assert float(densities.divergence(X, Y)) == pytest.approx(2.0, abs=0.1)
    assert float(densities.divergence(Y, X)) > 4.0  # infinite


# ---- The formulas, written as loops ------------------------------------------------------------


def loop_divergence(X, Y, k):
    total = 0.0
    for i, row in enumerate(X):
        own = np.sort(np.abs(np.delete(X, i, axis=0) - row).max(axis=1))[k - 1]
        total += math.log(np.sort(np.abs(Y - row).max(axis=1))[k - 1] / own)
    return X.shape[1] * total / len(X) + math.log(len(Y) / (len(X) - 1))


@pytest.mark.parametrize("search", SEARCHES)
@pytest.mark.parametrize(("n", "m", "d", "k"), [(2, 1, 1, 1), (40, 31, 2, 3), (31, 90, 5, 4)])
def test_a_divergence_is_that_of_the_loops(rng, n, m, d, k, search):
    X, Y = rng.normal(size=(n, d)), rng.normal(size=(m, d)) + 1
    for jitter in (0.0, 1.0):  # of data without ties it changes nothing
        found = densities.divergence(X, Y, k=k, base=math.e, jitter=jitter, search=search)
        assert float(found) == pytest.approx(loop_divergence(X, Y, k), abs=1e-11)
    assert (found.n, found.settings["m"]) == (n, m)


def test_distances_among_some_rows_do_not_depend_on_how_rows_are_cut(rng):
    points = Points(np.round(rng.normal(size=(90, 3)), 1))
    among, small = slice(20, 80), Pieces(columns=2, strip_bytes=5000)
    found = [
        kth_distance_among(points, 50, among, 4, search, pieces)
        for search, pieces in (("tree", small), ("brute", small), ("brute", Pieces()))
    ]
    assert (found[0] == found[1]).all()
    assert (found[1] == found[2]).all()


def test_sums_are_of_the_entropies_and_informations_that_their_formulas_name(rng):
    P, labels = gaussian(rng, 200), np.arange(200) % 2
    X, w = P[:, :2], P[:, 2]
    h, information = ksg.entropy, ksg.mutual_information
    hw = h(w[:, None])
    given_w = h(P[:, [0, 2]]) + h(P[:, [1, 2]]) - h(P) - hw
    pairs = [
        (densities.conditional_entropy(X, w), h(P) - hw),
        (densities.total_correlation(X), h(P[:, :1]) + h(P[:, 1:2]) - h(X)),
        (densities.conditional_total_correlation(X, w), given_w),
        (
            densities.correlation_explanation(X, w),
            information(P[:, 0], w) + information(P[:, 1], w) - information(X, w),
        ),
        (
            densities.discrete_conditional_entropy(X, labels),
            (h(X[labels == 0]) + h(X[labels == 1])) / 2,
        ),
    ]
    for found, expected in pairs:
        assert float(found) == pytest.approx(expected, abs=1e-12)


def test_a_label_with_few_rows_counts_with_the_entropy_of_all(rng):
    Z, labels = rng.normal(size=(60, 2)), np.array([0] * 57 + [1] * 3)
    with pytest.warns(UserWarning, match=naming("1 of the 2", "k=3", 3)):
        found = densities.discrete_conditional_entropy(Z, labels)
    expected = 0.95 * ksg.entropy(Z[:57]) + 0.05 * ksg.entropy(Z)
    assert float(found) == pytest.approx(expected, abs=1e-12)


# ---- Ties, and bad input -----------------------------------------------------------------------


def test_rounded_samples_diverge_as_they_did_before(rng):
    X, Y = rng.normal(size=3000), 1 + rng.normal(size=3000)
    found = densities.divergence(np.round(X, 1), np.round(Y, 1), base=math.e)
    assert float(found) == pytest.approx(0.5, abs=0.1)
    with pytest.raises(ValueError, match=naming("k=3", "jitter")):
        densities.divergence(np.round(X, 1), np.round(Y, 1), jitter=0)


def test_bad_input_is_named(rng):
    X = rng.normal(size=(10, 2))
    with pytest.raises(ValueError, match=naming("W", 9, "Z", 10)):
        densities.conditional_entropy(X, X[:9])
    with pytest.raises(ValueError, match=naming("W", 9, "X", 10)):
        densities.conditional_total_correlation(X, X[:9])
    with pytest.raises(ValueError, match=naming("Y", 9, "X", 10)):
        densities.correlation_explanation(X, X[:9])
    with pytest.raises(ValueError, match=naming("Y", "1 columns", "X", 2)):
        densities.divergence(X, X[:, :1])
    for n, m in ((3, 10), (10, 2)):
        with pytest.raises(ValueError, match=naming("k=3", n, m)):
            densities.divergence(X[:n], X[:m])
    with pytest.raises(ValueError, match=naming("Y", "NaN")):
        densities.divergence(X, X * math.nan)
