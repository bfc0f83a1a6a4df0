"""The data of the studies: what they are supposed to be, seeds, no accumulation of noise."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from eigentropy.studies import data
from messages import naming

MAKERS = {
    "blobs": lambda seed: data.blobs(90, 5, seed=seed)[0],
    "stretched blobs": lambda seed: data.stretched_blobs(90, 3, seed=seed)[0],
    "manifold": lambda seed: data.manifold(40, 3, 20, "normal", 0.1, seed=seed),
    "tree": lambda seed: data.tree(3, 20, 4, seed=seed)[0],
    "corrupted": lambda seed: data.corrupted(np.arange(60) % 3, 0.5, seed=seed),
    "subset": lambda seed: data.subset(60, 0.5, seed=seed),
}


@pytest.mark.parametrize("name", MAKERS)
def test_the_seed_decides_and_no_global_state_is_touched(name):
    before = np.random.get_state()[1].copy()
    first, again, other = (MAKERS[name](seed) for seed in (0, 0, 1))
    assert (first == again).all()
    assert not (first == other).all()
    assert (np.random.get_state()[1] == before).all()


def test_blobs_have_unit_variance_around_centres_in_a_box():
    Z, labels = data.blobs(3001, 4, 3, seed=2)
    assert sorted(np.bincount(labels)) == [1000, 1000, 1001]
    for k in range(3):
        assert np.allclose(Z[labels == k].std(axis=0), 1.0, atol=0.1)
        assert (np.abs(Z[labels == k].mean(axis=0)) < 10.2).all()


def test_stretched_blobs_are_longer_along_the_first_axis():
    Z, labels = data.stretched_blobs(3000, 2, seed=0)
    spread = Z[labels == 0].std(axis=0)
    assert spread == pytest.approx([3 / np.sqrt(2), 1 / np.sqrt(2)], rel=0.1)


@pytest.mark.parametrize(("law", "variance"), [("normal", 1.0), ("uniform", 1 / 3)])
def test_a_manifold_has_its_dimension(law, variance):
    Z = data.manifold(2000, 3, 30, law, 1e-4)
    values = np.sort(np.linalg.eigvalsh(np.cov(Z.T)))[::-1]
    assert values[:3] == pytest.approx([variance] * 3, rel=0.15)
    assert (values[3:] < 1e-6).all()


def test_noise_is_added_to_clean_rows_each_time():
    """Levels of noise in a sweep do not add up, which those of the paper's code do."""
    Z = np.zeros((200, 3))
    small, large = data.noisy(Z, 0.1), data.noisy(Z, 0.5)
    assert (Z == 0).all()
    assert np.abs(small).max() <= 0.1 < np.abs(large).max() <= 0.5
    assert np.allclose(large, 5 * small)  # the same draws, at another level
    clean = data.manifold(50, 2, 9, "normal", 1e-12, seed=3)
    assert np.abs(data.manifold(50, 2, 9, "normal", 0.2, seed=3) - clean).max() <= 0.2 + 1e-9


def test_a_tree_is_a_random_walk_whose_branches_start_on_those_before():
    Z, labels = data.tree(4, 500, 3, seed=1)
    assert (labels == np.repeat(np.arange(4), 500)).all()
    for branch in range(4):
        steps = np.diff(Z[labels == branch], axis=0)
        assert steps.mean(axis=0) == pytest.approx([0, 0, 0], abs=0.2)
        assert steps.std(axis=0) == pytest.approx([1, 1, 1], abs=0.15)
    for branch in range(1, 4):
        first, before = Z[labels == branch][0], Z[labels < branch]
        assert np.linalg.norm(before - first, axis=1).min() < 5  # one standard normal step
    assert np.linalg.norm(Z[0]) < 5


def test_corruption_is_nested_and_complete():
    labels = np.repeat(np.arange(3), 1000)
    half, most, all_ = (data.corrupted(labels, share) for share in (0.5, 0.9, 1.0))
    assert (data.corrupted(labels, 0.0) == labels).all()
    assert (labels == np.repeat(np.arange(3), 1000)).all()
    assert (half != labels).mean() == pytest.approx(0.5 * 2 / 3, abs=0.03)
    changed = half != labels
    assert (most[changed] == half[changed]).all()
    table = np.histogram2d(labels, all_, bins=3)[0]
    assert table == pytest.approx(np.full((3, 3), 1000 / 3), rel=0.2)


def test_smaller_subsets_are_in_larger_ones():
    small, large = data.subset(100, 0.1), data.subset(100, 0.5)
    assert (len(small), len(large)) == (10, 50)
    assert set(small) < set(large)
    assert (np.diff(large) > 0).all()
    assert len(data.subset(3, 0.01)) == 1


def test_missing_sklearn_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn.datasets", None)
    with pytest.raises(ImportError, match=naming("eigentropy[cluster]")):
        data.digits()


def test_digits_are_pixels_from_0_to_1():
    X, y = data.digits()
    assert X.shape == (1797, 64)
    assert (X.min(), X.max()) == (0.0, 1.0)
    assert set(y) == set(range(10))
