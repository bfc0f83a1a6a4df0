"""Uniformity, self-clustering and alpha-ReQ of rows that have known ones."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eigentropy.baselines import geometry
from messages import naming

DIRECTIONS = {
    "uniformity": geometry.uniformity,
    "self_clustering": geometry.self_clustering,
    "centred": lambda Z: geometry.self_clustering(Z, center=True),
}


def directions(Z):
    return Z / np.linalg.norm(Z, axis=1, keepdims=True)


def around(k, size):
    """k directions evenly around a circle, `size` rows each."""
    angles = np.repeat(2.0 * math.pi * np.arange(k) / k, size)
    return np.column_stack([np.cos(angles), np.sin(angles)])


@pytest.mark.parametrize("t", [0.5, 2.0])
def test_uniformity_is_the_log_of_the_mean_over_pairs(rng, t):
    Z = rng.normal(size=(30, 4))
    u = directions(Z)
    pairs = [math.exp(-t * ((u[i] - u[j]) ** 2).sum()) for i in range(30) for j in range(i)]
    expected = math.log(np.mean(pairs))
    assert float(geometry.uniformity(Z, t=t)) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("t", [0.5, 2.0, 1e6])
def test_uniformities_of_opposite_orthogonal_and_equal_rows(t):
    assert float(geometry.uniformity([[2.0, 1.0], [-2.0, -1.0]], t=t)) == pytest.approx(-4 * t)
    assert float(geometry.uniformity(np.diag([1.0, 2.0, 3.0]), t=t)) == pytest.approx(-2 * t)
    assert float(geometry.uniformity(np.outer([1.0, 5.0, 0.1], [3.0, 4.0]), t=t)) == pytest.approx(
        0.0, abs=1e-15 * t
    )


def test_uniformity_on_a_circle_is_that_of_a_bessel_function(rng):
    """E exp(-2t (1 - cos)) = exp(-2t) I_0(2t)."""
    special = pytest.importorskip("scipy.special")
    found = geometry.uniformity(rng.normal(size=(4000, 2)), t=2.0)
    assert float(found) == pytest.approx(math.log(special.ive(0, 4.0)), abs=0.01)


@pytest.mark.parametrize("shape", [(30, 4), (10, 40)])
@pytest.mark.parametrize("center", [False, True])
def test_self_clustering_is_that_of_all_pairs(rng, shape, center):
    Z = 0.5 + rng.normal(size=shape)
    n, d = shape
    u = directions(Z - Z.mean(axis=0) if center else Z)
    excess = (np.square(u @ u.T).sum() - n) / (n * (n - 1)) - 1 / d  # of different rows
    found = geometry.self_clustering(Z, center=center)
    assert float(found) == pytest.approx(excess / (1 - 1 / d), abs=1e-12)


def test_self_clusterings_of_one_direction_of_orthogonal_rows_and_of_a_frame():
    assert float(geometry.self_clustering(np.outer([1.0, -2.0, 3.0], [1.0, 2.0]))) == 1.0
    assert float(geometry.self_clustering(np.diag([1.0, 2.0, 3.0, 9.0]))) == pytest.approx(-1 / 3)
    for k in (3, 5):  # evenly around a circle: Q = n^2 / 2, whatever the clusters
        n = 4 * k
        expected = (n * n / 2 - n - n * (n - 1) / 2) / (n * n - n - n * (n - 1) / 2)
        assert float(geometry.self_clustering(around(k, 4))) == pytest.approx(expected, abs=1e-12)


def test_uniform_directions_have_a_self_clustering_of_about_0(rng):
    assert abs(float(geometry.self_clustering(rng.normal(size=(3000, 20))))) < 1e-3
    moved = geometry.self_clustering(5.0 + rng.normal(size=(3000, 20)))
    assert float(moved) > 0.8
    centred = geometry.self_clustering(5.0 + rng.normal(size=(3000, 20)), center=True)
    assert abs(float(centred)) < 1e-3


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from([2, 5, 60]), st.sampled_from(list(DIRECTIONS)))
def test_rotations_scale_and_order_do_not_matter_to_directions(seed, d, name):
    rng = np.random.default_rng(seed)
    Z = 0.3 + rng.normal(size=(40, d))
    turned = rng.permutation(Z) @ np.linalg.qr(rng.normal(size=(d, d)))[0]
    expected = float(DIRECTIONS[name](Z))
    for scale in (1e-200, 1e200):
        assert float(DIRECTIONS[name](scale * turned)) == pytest.approx(expected, abs=1e-10)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from(["uniformity", "self_clustering"]))
def test_rows_nearer_to_one_direction_are_more_clustered(seed, name):
    noise = np.random.default_rng(seed).normal(size=(60, 5))
    found = [float(DIRECTIONS[name](gap + noise)) for gap in (0.0, 1.0, 3.0, 9.0)]
    assert found == sorted(found)


@pytest.mark.parametrize("name", list(DIRECTIONS))
def test_blocks_of_rows_change_nothing(rng, monkeypatch, name):
    for shape in ((40, 6), (6, 40)):
        Z = rng.normal(size=shape)
        expected = float(DIRECTIONS[name](Z))
        monkeypatch.setattr(geometry, "BLOCK_ENTRIES", 40)
        assert float(DIRECTIONS[name](Z)) == pytest.approx(expected, abs=1e-13)
        monkeypatch.undo()


@pytest.mark.parametrize("name", list(DIRECTIONS))
@pytest.mark.parametrize(
    ("Z", "error", "words"),
    [
        ([[1.0, 2.0]], ValueError, ["Z"]),
        ([[1.0, 2.0], [np.nan, 1.0]], ValueError, ["Z", "NaN", 1]),
        (np.ones(3), ValueError, ["Z", "(n, d)"]),
        (np.ones((2, 2), dtype=complex), TypeError, ["Z", "complex"]),
    ],
)
def test_rows_that_are_none_are_refused(name, Z, error, words):
    with pytest.raises(error, match=naming(*words)):
        DIRECTIONS[name](Z)


def test_rows_without_a_direction_are_named():
    Z = np.array([[1.0, 0.0], [0.0, 0.0], [0.0, 2.0], [0.0, 0.0]])
    for measure in (geometry.uniformity, geometry.self_clustering):
        with pytest.raises(ValueError, match=naming("row 1", "Z", 2)):
            measure(Z)
    for value in (1.0, 0.1):
        with pytest.raises(ValueError, match=naming("row 0", "Z", 7)):
            geometry.self_clustering(np.full((7, 3), value), center=True)
    with pytest.raises(ValueError, match=naming("Z", "column")):
        geometry.self_clustering(np.ones((4, 1)))
    with pytest.raises(ValueError, match=naming("t", "0")):
        geometry.uniformity(np.eye(2), t=0)


def matrix_with(variances, n, d, rng):
    """Centred rows of this covariance."""
    k = len(variances)
    left = np.linalg.qr(np.column_stack([np.ones(n), rng.normal(size=(n, k))]))[0][:, 1:]
    right = np.linalg.qr(rng.normal(size=(d, k)))[0]
    return 7.0 + math.sqrt(n) * left * np.sqrt(variances) @ right.T


@pytest.mark.parametrize("alpha", [0.0, 0.7, 1.0, 3.0])
@pytest.mark.parametrize("shape", [(80, 20), (20, 80)])
def test_alpha_of_a_power_law_is_its_exponent(rng, alpha, shape):
    Z = matrix_with(np.arange(1.0, 16.0) ** -alpha, *shape, rng)
    found = geometry.alpha_req(Z)
    assert float(found) == pytest.approx(alpha, abs=1e-7)
    assert found.settings == {"first": 1, "last": 15}
    assert float(geometry.alpha_req(1e-9 * Z)) == pytest.approx(alpha, abs=1e-7)


def test_alpha_is_the_slope_in_the_range_that_is_asked_for(rng):
    law = np.arange(1.0, 16.0) ** -2.0
    law[:3], law[10:] = law[3], 1e-3 * law[10]
    Z = matrix_with(law, 60, 30, rng)
    found = geometry.alpha_req(Z, first=4, last=10)
    assert float(found) == pytest.approx(2.0, abs=1e-7)
    assert found.settings == {"first": 4, "last": 10}
    logs = np.log(np.arange(1.0, 16.0))
    slope = np.polyfit(logs, np.log(np.sort(law)[::-1]), 1)[0]
    assert float(geometry.alpha_req(Z)) == pytest.approx(-slope, abs=1e-6)
    assert geometry.alpha_req(Z, last=99).settings["last"] == 15


@pytest.mark.parametrize(
    ("Z", "options", "words"),
    [
        (np.ones((4, 3)), {}, ["Z"]),
        (np.outer(range(5), [1.0, 2.0]), {}, ["Z", 1, "first=1"]),
        (np.diag([1.0, 2.0, 3.0]), {"first": 2}, ["Z", 2, "first=2"]),
        (np.eye(3), {"first": 0}, ["first", 0]),
        (np.eye(3), {"first": 2, "last": 2}, ["last", 2]),
        ([[1.0, np.nan]], {}, ["Z", "NaN"]),
    ],
)
def test_spectra_without_a_slope_are_refused(Z, options, words):
    with pytest.raises(ValueError, match=naming(*words)):
        geometry.alpha_req(Z, **options)
