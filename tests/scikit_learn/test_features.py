"""A score of each feature: the measure of its column, and the features that it chooses."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest

pytest.importorskip("sklearn", minversion="1.6", reason="scikit-learn 1.6 is not installed")

from sklearn.feature_selection import SelectFpr, SelectKBest, f_classif

import eigentropy as eg
from eigentropy.sklearn import feature_information
from messages import naming


@pytest.fixture
def sample(rng):
    """Noise, a column whose spread tells y and whose mean does not, and a column that is y."""
    n = 240
    y = np.arange(n) % 2
    hidden = rng.normal(size=n) * np.where(y == 1, 4.0, 0.3)
    return np.column_stack([rng.normal(size=(n, 2)), hidden, y, np.full(n, 7.0)]), y


def test_each_column_has_the_value_of_its_measure(sample):
    X, y = sample
    options = {"n_null": 5, "sigma": "narrow", "seed": 2}
    scores, p_values = feature_information(X, y, **options)
    for number in range(4):
        own = eg.kernel_information(X[:, [number]], y, **options)
        assert (scores[number], p_values[number]) == (float(own), own.p_value)


def test_a_column_that_is_y_has_all_its_bits_and_a_constant_one_none(sample):
    X, y = sample
    scores, p_values = feature_information(X, y)
    assert scores[3] == pytest.approx(1.0, abs=0.02)  # H(y) = 1 bit, of which the baseline has some
    assert (scores[4], p_values[4]) == (0.0, 1.0)
    assert p_values[3] == 1 / 21  # of 20 partitions by default
    assert np.abs(scores[:2]).max() < 0.03


def test_a_spread_that_tells_is_chosen_where_means_do_not(sample):
    X, y = sample
    noise_and_hidden = X[:, :3]
    chosen = SelectKBest(feature_information, k=1).fit(noise_and_hidden, y)
    assert chosen.get_support(indices=True).tolist() == [2]
    assert f_classif(noise_and_hidden, y)[1][2] > 0.05


def test_options_go_by_partial_and_p_values_serve_to_choose(sample):
    X, y = sample
    chosen = SelectFpr(partial(feature_information, n_null=99), alpha=0.02).fit(X, y)
    assert chosen.get_support(indices=True).tolist() == [2, 3]
    assert chosen.pvalues_[[2, 3]].tolist() == [0.01, 0.01]


def test_numbers_are_told_by_numbers(rng):
    x = rng.normal(size=(200, 2))
    scores, p_values = feature_information(x, np.sin(3.0 * x[:, 1]), n_null=20)
    assert scores[1] > 10.0 * abs(scores[0])
    assert p_values[1] == pytest.approx(1 / 21)


def test_bad_input_is_named(sample):
    X, y = sample
    with pytest.raises(ValueError, match=naming("y", "240", "X", "239")):
        feature_information(X, y[:-1])
    with pytest.raises(ValueError, match=naming("X", "row 3")):
        feature_information(np.where(np.arange(240)[:, None] == 3, np.nan, X), y)
    with pytest.raises(TypeError, match=naming("feature_information", "n_nul", "n_null")):
        feature_information(X, y, n_nul=9)
