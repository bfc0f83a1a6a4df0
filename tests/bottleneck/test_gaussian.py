"""Jointly Gaussian variables: the closed form against Chechik's iteration and a grid of values."""

from __future__ import annotations

import numpy as np
import pytest

from channels import discrete_gaussian
from eigentropy import bottleneck
from messages import naming


def covariance(correlations, seed=0):
    """Of X and Y with these canonical correlations, in mixed coordinates."""
    k = len(correlations)
    rng = np.random.default_rng(seed)
    mix = np.zeros((2 * k, 2 * k))
    mix[:k, :k], mix[k:, k:] = rng.normal(size=(2, k, k))
    plain = np.block([[np.eye(k), np.diag(correlations)], [np.diag(correlations), np.eye(k)]])
    return mix @ plain @ mix.T


def iterated(C, k, beta, steps=4000):
    """I(T; X) and I(T; Y) in nats, and the rank of A, by the self-consistent equations.

    T = A X + noise of unit covariance, Chechik et al., section 5.
    """
    Sx, Sy, Sxy = C[:k, :k], C[k:, k:], C[:k, k:]
    Sxgy = Sx - Sxy @ np.linalg.solve(Sy, Sxy.T)
    A, noise = 0.5 * np.eye(k), np.eye(k)
    for _ in range(steps):
        St, Stgy = A @ Sx @ A.T + noise, A @ Sxgy @ A.T + noise
        noise = np.linalg.inv(beta * np.linalg.inv(Stgy) - (beta - 1) * np.linalg.inv(St))
        A = beta * noise @ np.linalg.solve(Stgy, A) @ (np.eye(k) - Sxgy @ np.linalg.inv(Sx))
    signal = np.linalg.eigvals(np.linalg.solve(noise, A @ Sx @ A.T)).real
    St, Stgy = A @ Sx @ A.T + noise, A @ Sxgy @ A.T + noise
    logdet = [np.linalg.slogdet(S)[1] for S in (St, noise, Stgy)]
    return (logdet[0] - logdet[1]) / 2, (logdet[0] - logdet[2]) / 2, int((signal > 1e-3).sum())


@pytest.mark.parametrize("beta", [1.4, 2.5, 8.0, 40.0])
def test_the_closed_form_solves_the_gaussian_equations(beta):
    correlations = [0.9, 0.6, 0.3]
    C = covariance(correlations)
    curve = bottleneck.gaussian_curve(covariance=C, n_x=3, betas=[beta], base=np.e)
    x, y, rank = iterated(C, 3, beta)
    assert curve.information_x[0] == pytest.approx(x, abs=1e-6)
    assert curve.information_y[0] == pytest.approx(y, abs=1e-6)
    assert curve.n_clusters[0] == rank


def test_the_critical_betas_are_one_over_the_squared_canonical_correlations():
    correlations = np.array([0.9, 0.6, 0.3])
    curve = bottleneck.gaussian_curve(covariance=covariance(correlations), n_x=3)
    assert [b.beta for b in curve.bifurcations] == pytest.approx(1 / correlations**2, rel=1e-9)
    assert [(b.n_before, b.n_after) for b in curve.bifurcations] == [(0, 1), (1, 2), (2, 3)]


@pytest.mark.parametrize("correlation", [0.9, 0.6])
def test_the_equations_on_a_grid_of_values_find_the_critical_beta_to_1e3(correlation):
    critical = 1 / correlation**2
    found = bottleneck.curve(
        discrete_gaussian(correlation, points=33), critical * np.array([0.9, 1.05]),
        direction="up", n_clusters=2,
    )  # fmt: skip
    first = found.bifurcations[0]
    assert first.n_before == 1
    assert first.beta == pytest.approx(critical, rel=1e-3)


def test_few_clusters_on_a_grid_of_values_stay_below_the_closed_form():
    found = bottleneck.curve(
        discrete_gaussian(0.9, points=25, width=4.0), [1.5, 2.0], n_clusters=3,
        direction="up", locate=False,
    )  # fmt: skip
    C = np.array([[1.0, 0.9], [0.9, 1.0]])
    closed = bottleneck.gaussian_curve(covariance=C, n_x=1, betas=np.geomspace(1.2, 50, 400))
    best = np.interp(found.information_x, closed.information_x, closed.information_y)
    assert (found.information_y < best).all()
    assert (found.information_y > 0.8 * best).all()


def test_rows_give_the_covariance_of_rows():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(500, 2))
    Y = X @ rng.normal(size=(2, 3)) + rng.normal(size=(500, 3))
    of_rows = bottleneck.gaussian_curve(X, Y)
    C = np.cov(X, Y, rowvar=False, bias=True)
    of_covariance = bottleneck.gaussian_curve(covariance=C, n_x=2)
    assert np.allclose(of_rows.information_y, of_covariance.information_y)
    scaled = bottleneck.gaussian_curve(1e6 * X + 3, Y * [1e-6, 1, 1])
    assert np.allclose(scaled.information_y, of_rows.information_y, atol=1e-6)


def test_the_curve_tends_to_all_of_the_information_and_is_concave():
    curve = bottleneck.gaussian_curve(
        covariance=covariance([0.9, 0.5]), n_x=2, betas=np.geomspace(1.01, 1e6, 300)
    )
    assert curve.information_xy == pytest.approx(-0.5 * np.log2((1 - 0.81) * (1 - 0.25)))
    assert curve.information_y[-1] == pytest.approx(curve.information_xy, abs=1e-5)
    assert curve.defect < 1e-12
    assert (np.diff(curve.information_x) >= 0).all()


def test_independent_variables_have_a_curve_of_zeros():
    curve = bottleneck.gaussian_curve(covariance=np.eye(4), n_x=2)
    assert (curve.information_y == 0).all()
    assert curve.bifurcations == ()
    assert not np.signbit(curve.information_xy)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda f: f(), ["X", "Y", "covariance"]),
        (lambda f: f(np.ones((3, 1))), ["X", "Y", "covariance"]),
        (lambda f: f(covariance=np.eye(4)), ["n_x", "4"]),
        (lambda f: f(covariance=np.eye(4), n_x=4), ["n_x", "4"]),
        (lambda f: f(covariance=np.eye(4)[:3], n_x=1), ["covariance", "(3, 4)"]),
        (lambda f: f(covariance=np.triu(np.ones((4, 4))), n_x=2), ["covariance"]),
        (lambda f: f(covariance=np.ones((4, 4)), n_x=2), ["X", "2"]),
        (lambda f: f(covariance=-np.eye(4), n_x=2), ["X", "2"]),
        (lambda f: f(covariance=[[1.0, 1.5], [1.5, 1.0]], n_x=1), ["covariance", "1.5"]),
        (lambda f: f(np.arange(9.0)[:, None], np.arange(9.0)), ["X", "Y"]),
        (lambda f: f(np.ones((9, 2)), np.arange(8.0)), ["X", "9", "Y", "8"]),
    ],
)
def test_what_has_no_gaussian_curve_is_refused(call, words):
    with pytest.raises(ValueError, match=naming(*words)):
        call(bottleneck.gaussian_curve)
