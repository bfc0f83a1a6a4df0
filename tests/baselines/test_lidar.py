"""LiDAR, against closed forms and the eigenvalues of W^-1 B."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eigentropy.baselines import spectral
from messages import naming


def made_of(means, spreads):
    """Views whose means are these (n, d), and whose covariance about them is diag(spreads**2)."""
    d = means.shape[1]
    steps = math.sqrt(d) * np.diag(spreads)
    return means[:, None, :] + np.concatenate([steps, -steps])[None, :, :]


def of_eigenvalues(values, epsilon=1e-7):
    """exp of the entropy of the shares, each with epsilon more."""
    p = values / values.sum() + epsilon
    return math.exp(-float(p @ np.log(p)))


def by_definition(views, delta=1e-4, epsilon=1e-7):
    """The paper's formulas one after the other, by a matrix that is not symmetric."""
    n, q, d = views.shape
    B, W = np.zeros((d, d)), delta * np.eye(d)
    mean = views.reshape(-1, d).mean(axis=0)
    for sample in views:
        off = sample.mean(axis=0) - mean
        B += np.outer(off, off) / n
        for view in sample:
            away = view - sample.mean(axis=0)
            W += np.outer(away, away) / (n * q)
    values = np.clip(np.linalg.eigvals(np.linalg.inv(W) @ B).real, 0.0, None)
    return of_eigenvalues(np.sort(values)[::-1][: min(n, d)], epsilon)


@pytest.mark.parametrize("n", [2, 3, 8])
def test_samples_at_the_corners_of_a_simplex_are_n_minus_1_directions(n):
    views = made_of(50.0 * np.eye(n), np.ones(n))
    assert float(spectral.lidar(views, epsilon=0)) == pytest.approx(n - 1, rel=1e-9)
    found = spectral.lidar(views)
    assert float(found) == pytest.approx(n - 1, rel=1e-5)
    assert found.n == n
    assert dict(found.settings) == {"views": 2 * n, "delta": 1e-4, "epsilon": 1e-7}


def test_a_direction_counts_by_how_far_samples_are_apart_beside_their_views():
    """Means at +-a along each axis, views with the deviation s: the eigenvalues are a^2 / s^2."""
    a, s = np.array([3.0, 1.0, 5.0, 0.1]), np.array([1.0, 2.0, 0.5, 0.3])
    signs = np.array([[1, 1, 1, 1], [1, -1, 1, -1], [1, 1, -1, -1], [1, -1, -1, 1]])
    views = made_of(np.concatenate([signs * a, -signs * a]), s)
    for delta in (0.0, 1e-4, 2.0):
        expected = of_eigenvalues(a**2 / (s**2 + delta))
        assert float(spectral.lidar(views, delta=delta)) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize(("n", "q", "d"), [(30, 5, 8), (6, 4, 20), (2, 2, 1), (40, 3, 40)])
@pytest.mark.parametrize("delta", [1e-4, 0.1])
def test_it_is_what_the_definition_says(rng, n, q, d, delta):
    means = rng.normal(size=(n, d)) * np.arange(1, d + 1)
    views = 7.0 + means[:, None, :] + 0.3 * rng.normal(size=(n, q, d))
    expected = by_definition(views, delta)
    assert float(spectral.lidar(views, delta=delta)) == pytest.approx(expected, rel=1e-6)


def test_views_that_do_not_move_leave_the_rank_of_the_means(rng):
    """W is delta I: the shares are those of the covariance of the means."""
    means = rng.normal(size=(50, 6)) @ np.diag([5, 4, 3, 2, 1, 0.5])
    views = np.repeat(means[:, None, :], 3, axis=1)
    variances = np.linalg.svd(means - means.mean(axis=0), compute_uv=False) ** 2
    for delta in (1e-4, 1e-12):
        found = float(spectral.lidar(views, delta=delta))
        assert found == pytest.approx(of_eigenvalues(variances), rel=1e-9)


@given(
    seed=st.integers(0, 2**32 - 1), n=st.integers(2, 12), d=st.integers(1, 6),
    scale=st.sampled_from([1e-150, 1e-3, 40.0, 1e150]),
)  # fmt: skip
def test_neither_units_nor_orders_nor_axes_matter(seed, n, d, scale):
    """Without delta any invertible map leaves the discriminants; delta has the unit squared."""
    rng = np.random.default_rng(seed)
    views = rng.normal(size=(n, 1, d)) + 0.5 * rng.normal(size=(n, d + 3, d))
    value = float(spectral.lidar(views, delta=0.0))
    assert 1.0 - 1e-6 <= value <= min(n - 1, d) + 1e-4  # epsilon moves it by some 1e-7
    mixed = views[rng.permutation(n)][:, rng.permutation(d + 3)] @ (np.eye(d) + np.ones((d, d)))
    assert float(spectral.lidar(scale * mixed, delta=0.0)) == pytest.approx(value, rel=1e-6)
    if 1e-10 < scale < 1e10:
        value = float(spectral.lidar(views, delta=0.1))
        scaled = spectral.lidar(scale * views + 3.0 * scale, delta=0.1 * scale**2)
        assert float(scaled) == pytest.approx(value, rel=1e-9)


def test_tensors_and_float32_are_views_too(rng):
    torch = pytest.importorskip("torch")
    views = rng.normal(size=(20, 1, 5)) + 0.3 * rng.normal(size=(20, 4, 5))
    expected = float(spectral.lidar(views))
    assert float(spectral.lidar(torch.from_numpy(views))) == expected
    assert float(spectral.lidar(views.astype(np.float32))) == pytest.approx(expected, rel=1e-5)
    assert float(spectral.lidar(views.tolist())) == expected


VIEWS = np.random.default_rng(0).normal(size=(5, 3, 2))
HOLED, STILL = VIEWS.copy(), np.repeat(VIEWS[:, :1], 3, axis=1)
HOLED[1, 2, 0] = np.nan


@pytest.mark.parametrize(
    ("views", "options", "error", "words"),
    [
        (VIEWS[0], {}, ValueError, ["views", "(n, q, d)", "(3, 2)"]),
        (VIEWS[:, :1], {}, ValueError, ["views", "two", "(5, 1, 2)"]),
        (VIEWS[:1], {}, ValueError, ["views", "two", "(1, 3, 2)"]),
        (VIEWS[:, :, :0], {}, ValueError, ["views", "empty"]),
        (HOLED, {}, ValueError, ["views", "NaN", 5]),
        (VIEWS.astype(complex), {}, TypeError, ["views", "complex"]),
        (np.full((5, 3, 2), 0.1), {}, ValueError, ["views", "equal", 5]),
        (np.zeros((5, 3, 2)), {}, ValueError, ["views", "equal", 5]),
        (VIEWS, {"delta": -1}, ValueError, ["delta", "-1"]),
        (VIEWS, {"epsilon": -1}, ValueError, ["epsilon", "-1"]),
        (STILL, {"delta": 0}, ValueError, ["delta", "views", "larger"]),
    ],
)  # fmt: skip
def test_views_without_discriminants_are_refused(views, options, error, words):
    with pytest.raises(error, match=naming(*words)):
        spectral.lidar(views, **options)
