"""LogME, H-score and TransRate against closed forms and plain implementations."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eigentropy.baselines import transferability
from messages import naming

SCORES = {
    "logme": transferability.logme,
    "h_score": transferability.h_score,
    "shrunk": lambda Z, Y: transferability.h_score(Z, Y, shrinkage="ledoit-wolf"),
    "transrate": transferability.transrate,
}


@pytest.fixture(params=list(SCORES))
def score(request):
    return SCORES[request.param]


def blobs(rng, n=90, d=6, gap=1.0, classes=3):
    """Rows of classes whose means lie at `gap` on axes of their own, and the labels."""
    labels = np.arange(n) % classes
    return rng.normal(size=(n, d)) + gap * np.eye(classes, d)[labels], labels


def rotation(rng, d):
    return np.linalg.qr(rng.normal(size=(d, d)))[0]


def log_evidence(y, Z, alpha, beta):
    """Of y as one draw of a normal law with this covariance, from its determinant and inverse."""
    covariance = Z @ Z.T / alpha + np.eye(len(Z)) / beta
    log_determinant = np.linalg.slogdet(2.0 * math.pi * covariance)[1]
    return -0.5 * (log_determinant + y @ np.linalg.solve(covariance, y))


def fixed_point(y, Z, steps=2000, alpha=1.0, beta=1.0):
    """alpha and beta by the iteration of the paper, from the posterior of the weights."""
    n, d = Z.shape
    for _ in range(steps):
        precision = alpha * np.eye(d) + beta * Z.T @ Z
        mean = beta * np.linalg.solve(precision, Z.T @ y)
        gamma = d - alpha * np.trace(np.linalg.inv(precision))
        alpha, beta = gamma / (mean @ mean), (n - gamma) / ((Z @ mean - y) ** 2).sum()
    return alpha, beta


@pytest.mark.parametrize("shape", [(40, 5), (40, 25)])
def test_logme_is_the_evidence_at_the_fixed_point_of_the_paper(rng, shape):
    Z, labels = blobs(rng, *shape, gap=1.5)
    columns = [(labels == y).astype(float) for y in range(3)]
    expected = [log_evidence(y, Z, *fixed_point(y, Z)) / len(Z) for y in columns]
    found = float(transferability.logme(Z, labels))
    assert found == pytest.approx(np.mean(expected), abs=1e-9)


def test_logme_is_the_higher_of_two_maxima():
    """A weak column that nearly is the label, beside strong ones that hardly tell it."""
    rng = np.random.default_rng(1)
    labels = np.repeat([0, 1], 20)
    sign = 2.0 * labels - 1.0
    strong = 10.0 * rng.normal(size=(40, 3)) + 2.0 * sign[:, None]
    Z = np.column_stack([strong, 1e-4 * (sign + 0.1 * rng.normal(size=40))])
    ends = [
        [log_evidence(y, Z, *fixed_point(y, Z, alpha=alpha)) / 40 for y in (labels, 1.0 - labels)]
        for alpha in (1e-7, 1e4)
    ]
    assert np.abs(np.subtract(*ends)).min() > 0.01
    found = float(transferability.logme(Z, labels))
    assert found == pytest.approx(np.max(ends, axis=0).mean(), abs=1e-6)


@pytest.mark.parametrize("alpha", [0.01, 1.0, 100.0])
@pytest.mark.parametrize("beta", [0.5, 5.0, 50.0])
def test_no_other_precisions_have_more_evidence(rng, alpha, beta):
    Z, labels = blobs(rng, 30, 40, gap=0.5)  # more columns than rows
    columns = [(labels == y).astype(float) for y in range(3)]
    tried = np.mean([log_evidence(y, Z, alpha, beta) / len(Z) for y in columns])
    assert float(transferability.logme(Z, labels)) >= tried


def test_logme_of_columns_that_tell_nothing_is_that_of_no_columns(rng):
    """Z orthogonal to every label column: the evidence is largest for weights of 0."""
    labels = np.repeat([0, 1], 20)
    Z = np.tile([1.0, -1.0], 20)[:, None]
    expected = 0.5 * math.log(1.0 / (2.0 * math.pi * 0.5)) - 0.5  # a mean square of 1/2
    assert float(transferability.logme(Z, labels)) == pytest.approx(expected, abs=1e-9)


def test_logme_of_labels_that_are_columns_is_infinite(rng):
    labels = np.arange(30) % 3
    columns, noise = np.eye(3)[labels], rng.normal(size=(30, 3))
    found = [float(transferability.logme(columns + e * noise, labels)) for e in (1, 1e-3, 1e-6, 0)]
    assert found == sorted(found)
    assert found[2] < found[3] == math.inf
    assert float(transferability.logme(columns[:, :1], labels)) == math.inf  # of one class


@pytest.mark.parametrize("shape", [(60, 5), (60, 40)])
@pytest.mark.parametrize("shrinkage", [0.0, 0.3, 1.0])
def test_the_h_score_is_that_of_its_covariances(rng, shape, shrinkage):
    Z, labels = blobs(rng, *shape)
    Z = 3.0 + Z - Z.mean(axis=0)
    means = np.array([Z[labels == y].mean(axis=0) for y in range(3)])[labels]
    whole, between = np.cov(Z.T, bias=True), np.cov(means.T, bias=True)
    identity = np.trace(whole) / shape[1] * np.eye(shape[1])
    mixed = (1 - shrinkage) * whole + shrinkage * identity
    expected = (1 - shrinkage) * np.trace(np.linalg.solve(mixed, between))
    found = transferability.h_score(Z, labels, shrinkage=shrinkage)
    assert float(found) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("shape", [(60, 5), (30, 80)])
def test_the_shrinkage_is_that_of_ledoit_and_wolf(rng, shape):
    covariance = pytest.importorskip("sklearn.covariance")
    Z, labels = blobs(rng, *shape, gap=4.0)
    found = transferability.h_score(Z, labels, shrinkage="ledoit-wolf").settings["shrinkage"]
    assert 0.0 < found < 1.0
    assert found == pytest.approx(covariance.ledoit_wolf(Z)[1], rel=1e-10)


def test_heaps_on_axes_of_their_own_have_an_h_score_of_classes_minus_one():
    Z = np.repeat(np.eye(4, 9), 5, axis=0)
    found = transferability.h_score(Z, list("aaaaabbbbbcccccddddd"))
    assert float(found) == pytest.approx(3.0)


def test_more_columns_than_rows_are_warned_about_unless_they_are_shrunk(rng):
    Z, labels = rng.normal(size=(20, 50)), np.arange(20) % 4
    with pytest.warns(UserWarning, match=naming("20", "19", "shrinkage='ledoit-wolf'")):
        assert float(transferability.h_score(Z, labels)) == pytest.approx(3.0)
    assert float(transferability.h_score(Z, labels, shrinkage="ledoit-wolf")) < 2.0


@pytest.mark.parametrize("shape", [(40, 4), (12, 30)])
@pytest.mark.parametrize("epsilon", [0.01, 1.0])
def test_transrate_is_the_difference_of_determinants(rng, shape, epsilon):
    Z, labels = blobs(rng, *shape)
    centred = Z - Z.mean(axis=0)

    def rate(rows):
        inside = np.eye(Z.shape[1]) + rows.T @ rows / (len(rows) * epsilon**2)
        return 0.5 * np.linalg.slogdet(inside)[1]

    within = sum(np.mean(labels == y) * rate(centred[labels == y]) for y in range(3))
    found = transferability.transrate(Z, labels, epsilon=epsilon, base=math.e)
    assert float(found) == pytest.approx(rate(centred) - within, rel=1e-9, abs=1e-9)


def test_heaps_have_a_transrate_of_one_direction_each():
    """k heaps on axes, far out: k - 1 directions of all, one of each class."""
    Z = 1e3 * np.repeat(np.eye(4), 6, axis=0)
    centred = 1.0 / 4.0 * 1e6 / 1e-4  # the eigenvalue of the covariance, over epsilon^2
    own = 0.75 * 1e6 / 1e-4  # of a class about the mean of all
    expected = 1.5 * math.log2(1.0 + centred) - 0.5 * math.log2(1.0 + own)
    found = transferability.transrate(Z, np.repeat(range(4), 6))
    assert float(found) == pytest.approx(expected, rel=1e-9)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from([3, 20, 70]), st.sampled_from(list(SCORES)))
def test_rotations_the_order_of_rows_and_names_of_labels_do_not_matter(seed, d, name):
    rng = np.random.default_rng(seed)
    Z, labels = blobs(rng, 60, d)
    order = rng.permutation(len(Z))
    turned = (Z @ rotation(rng, d))[order]
    names = np.array(["zebra", "ape", "cow"])[labels][order]
    if name == "h_score" and d == 70:
        with pytest.warns(UserWarning, match=naming("60")):
            found = [float(SCORES[name](Z, labels)), float(SCORES[name](turned, names))]
    else:
        found = [float(SCORES[name](Z, labels)), float(SCORES[name](turned, names))]
    assert found[1] == pytest.approx(found[0], rel=1e-6, abs=1e-8)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from(list(SCORES)))
def test_classes_further_apart_have_a_higher_score(seed, name):
    values = [
        float(SCORES[name](*blobs(np.random.default_rng(seed), 120, 8, gap)))
        for gap in (0.0, 2.0, 4.0, 8.0)
    ]
    assert values == sorted(values)
    assert values[0] < values[-1]


@pytest.mark.parametrize("name", ["logme", "h_score", "shrunk"])
@pytest.mark.parametrize("scale", [1e-200, 1e-5, 1e200])
def test_the_scale_does_not_matter(rng, name, scale):
    Z, labels = blobs(rng)
    expected = float(SCORES[name](Z, labels))
    assert float(SCORES[name](scale * Z, labels)) == pytest.approx(expected, rel=1e-9)


def test_transrate_has_the_scale_of_epsilon(rng):
    Z, labels = blobs(rng)
    expected = float(transferability.transrate(Z, labels))
    for scale in (1e-200, 1e200):
        found = transferability.transrate(scale * Z, labels, epsilon=scale * 0.01)
        assert float(found) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("value", [0.0, 0.1, 1e8])
def test_equal_rows_tell_nothing(value):
    Z, labels = np.full((6, 3), value), [0, 1] * 3
    for name in ("h_score", "shrunk", "transrate"):
        assert float(SCORES[name](Z, labels)) == pytest.approx(0.0, abs=1e-12)
    nothing = 0.5 * math.log(1.0 / (2.0 * math.pi * 0.5)) - 0.5  # of a mean square of 1/2
    mean = transferability.logme(Z, labels)
    assert float(mean) == pytest.approx(nothing, abs=1e-12) if value == 0 else mean > nothing


@pytest.mark.parametrize(
    ("function", "options", "words"),
    [
        (transferability.h_score, {"shrinkage": 1.5}, ["shrinkage", 1, "1.5"]),
        (transferability.h_score, {"shrinkage": -0.1}, ["shrinkage", "-0.1"]),
        (transferability.h_score, {"shrinkage": "auto"}, ["shrinkage", "'ledoit-wolf'", "'auto'"]),
        (transferability.transrate, {"epsilon": 0}, ["epsilon", 0]),
        (transferability.transrate, {"base": 1}, ["base"]),
    ],
)
def test_bad_options_are_named(function, options, words):
    with pytest.raises(ValueError, match=naming(*words)):
        function(np.eye(4), [0, 0, 1, 1], **options)
