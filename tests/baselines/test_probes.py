"""Accuracies of neighbours and of linear classifiers against plain implementations."""

from __future__ import annotations

import math
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eigentropy.baselines import probes
from messages import naming


def blobs(rng, n, d, gap):
    labels = np.arange(n) % 3
    return rng.normal(size=(n, d)) + gap * np.eye(3, d)[labels], labels


def plain_hits(Z, labels, k):
    """Row by row, with the votes of exact distances between integers."""
    hits = []
    for i, row in enumerate(Z):
        distances = ((Z - row) ** 2).sum(axis=1)
        distances[i] = np.inf
        kth = np.sort(distances)[k - 1]
        weights = (distances < kth).astype(float)
        tied = distances == kth
        weights[tied] = (k - weights.sum()) / tied.sum()
        votes = {y: weights[labels == y].sum() for y in np.unique(labels)}
        best = [y for y, vote in votes.items() if vote > max(votes.values()) - 1e-9]
        hits.append((labels[i] in best) / len(best))
    return np.array(hits)


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 6), st.integers(1, 3), st.sampled_from([1, 1000]))
def test_neighbours_vote_as_they_do_one_by_one(seed, k, d, far):
    """Small integers: many rows are equal, or equally far."""
    rng = np.random.default_rng(seed)
    Z = rng.integers(0, 4, size=(20, d)).astype(float)
    Z[0] *= far
    labels = np.append(rng.integers(0, 3, size=18), [0, 1])
    expected = plain_hits(Z, labels, k)
    found = probes.knn_accuracy(Z, labels, k=k)
    assert float(found) == pytest.approx(expected.mean(), rel=1e-9)
    error = expected.std(ddof=1) / math.sqrt(20)
    assert found.standard_error == pytest.approx(error, rel=1e-9)


def test_neighbours_are_those_of_scikit_learn(rng):
    """Where no two distances are equal, and k is odd with two classes: nothing is undecided."""
    neighbors = pytest.importorskip("sklearn.neighbors")
    Z, labels = rng.normal(size=(200, 10)), np.arange(200) % 2
    Z[:, 0] += 2.0 * labels
    around = neighbors.NearestNeighbors(n_neighbors=6).fit(Z).kneighbors(return_distance=False)
    right = (labels[around[:, :5]].mean(axis=1) > 0.5) == labels
    assert float(probes.knn_accuracy(Z, labels)) == right.mean()


def test_blocks_of_rows_change_nothing(rng, monkeypatch):
    Z, labels = blobs(rng, 50, 4, 1.0)
    expected = float(probes.knn_accuracy(Z, labels))
    monkeypatch.setattr(probes, "BLOCK_ENTRIES", 7 * 50)
    assert float(probes.knn_accuracy(Z, labels)) == pytest.approx(expected, rel=1e-12)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from([2, 5, 60]))
def test_neither_rotations_nor_scale_nor_place_nor_order_matter(seed, d):
    rng = np.random.default_rng(seed)
    Z, labels = blobs(rng, 60, max(d, 3), 1.0)
    order = rng.permutation(len(Z))
    turned = Z @ np.linalg.qr(rng.normal(size=(Z.shape[1],) * 2))[0]
    expected = float(probes.knn_accuracy(Z, labels))
    assert float(probes.knn_accuracy(7.0 + 1e-3 * turned[order], labels[order])) == pytest.approx(
        expected, rel=1e-9
    )


@pytest.mark.parametrize("probe", [probes.knn_accuracy, probes.linear_accuracy])
def test_classes_further_apart_are_told_better(rng, probe):
    seed = rng.integers(2**32)
    gaps = (0.0, 2.0, 8.0)
    found = [probe(*blobs(np.random.default_rng(seed), 150, 6, gap)) for gap in gaps]
    assert [float(v) for v in found] == sorted(float(v) for v in found)
    assert abs(float(found[0]) - 1 / 3) < 0.15
    assert float(found[-1]) == 1.0
    assert 0.0 < found[0].standard_error < 0.1
    assert found[-1].standard_error == 0.0


def test_rows_that_are_all_equal_are_told_by_chance():
    """Every other row has the same vote: the larger class wins, and is right about itself."""
    assert float(probes.knn_accuracy(np.ones((10, 2)), [0] * 7 + [1] * 3)) == 0.7
    found = probes.knn_accuracy(np.ones((10, 2)), [0] * 5 + [1] * 5)
    assert float(found) == 0.0  # of the nine others, five are of the other class


def test_a_column_of_another_scale_is_told_by_planes_and_not_by_neighbours(rng):
    Z, labels = blobs(rng, 150, 4, 6.0)
    Z[:, 3] *= 1e4
    assert float(probes.linear_accuracy(Z, labels)) > 0.95
    assert float(probes.knn_accuracy(Z, labels)) < 0.5


def test_the_linear_probe_is_that_of_scikit_learn(rng):
    linear = pytest.importorskip("sklearn.linear_model")
    from sklearn.model_selection import StratifiedKFold

    Z, labels = blobs(rng, 90, 5, 1.0)
    accuracies = []
    for fit, held in StratifiedKFold(3, shuffle=True, random_state=4).split(Z, labels):
        mean, deviation = Z[fit].mean(axis=0), Z[fit].std(axis=0)
        model = linear.LogisticRegression().fit((Z[fit] - mean) / deviation, labels[fit])
        accuracies.append(model.score((Z[held] - mean) / deviation, labels[held]))
    found = probes.linear_accuracy(Z, labels, folds=3, seed=4)
    assert float(found) == pytest.approx(np.mean(accuracies), rel=1e-12)
    assert found.standard_error == pytest.approx(np.std(accuracies, ddof=1) / math.sqrt(3))


@pytest.mark.parametrize(
    ("probe", "options", "words"),
    [
        (probes.knn_accuracy, {"k": 0}, ["k", 0]),
        (probes.knn_accuracy, {"k": 12}, ["k", 12]),
        (probes.linear_accuracy, {"folds": 1}, ["folds", 1]),
        (probes.linear_accuracy, {"folds": 7}, ["Y", "few", 5, "folds=7"]),
        (probes.linear_accuracy, {"seed": -1}, ["seed", "-1"]),
    ],
)
def test_bad_options_are_named(rng, probe, options, words):
    labels = ["few"] * 5 + ["many"] * 7
    with pytest.raises(ValueError, match=naming(*words)):
        probe(rng.normal(size=(12, 3)), labels, **options)


def test_a_linear_probe_without_scikit_learn_names_the_extra(monkeypatch, rng):
    monkeypatch.setitem(sys.modules, "sklearn.linear_model", None)
    with pytest.raises(ImportError, match=naming("linear_accuracy", "eigentropy[cluster]")):
        probes.linear_accuracy(rng.normal(size=(20, 3)), np.arange(20) % 2)
    assert 0.0 <= float(probes.knn_accuracy(rng.normal(size=(20, 3)), np.arange(20) % 2)) <= 1.0


@pytest.mark.parametrize("case", ["apart", "whole numbers", "few values", "clusters"])
@pytest.mark.parametrize("k", [1, 5, 12])
def test_accuracies_of_subsets_are_those_of_their_rows(case, k):
    rng = np.random.default_rng(k)
    Z = rng.normal(size=(150, 4))
    if case == "whole numbers":  # many ties
        Z = np.rint(2 * Z)
    elif case == "few values":  # ties beyond any number of neighbours
        Z = rng.integers(0, 2, size=(150, 2)).astype(float)
    elif case == "clusters":  # some rows have no near row in a subset
        Z += 50 * (np.arange(150) % 9 == 0)[:, None]
    y = rng.integers(0, 3, size=150)
    sets = [np.sort(rng.permutation(150)[:size]) for size in (75, 75, 112)]
    sets.append(np.flatnonzero(np.arange(150) % 9 != 0))
    found = probes.accuracies_of_subsets(Z, y, k, sets)
    wanted = [probes.neighbour_hits(Z[one], y[one], k).mean() for one in sets]
    np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-12)
