"""What each row contributes to the entropy of the density matrix."""

import math
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import eigentropy as eg
from eigentropy._measures import surprisals
from messages import naming


def rows(n, d=4, seed=0):
    return np.random.default_rng(seed).normal(size=(n, d))


@pytest.mark.filterwarnings("ignore::eigentropy.SaturationWarning")
@given(st.integers(1, 60), st.integers(1, 5), st.integers(0, 100), st.floats(0.2, 5.0))
def test_their_mean_is_the_entropy(n, d, seed, sigma):
    Z = rows(n, d, seed)
    entropy = eg.kernel_entropy(Z, sigma=sigma * math.sqrt(d))
    own = entropy.surprisals()
    assert len(own) == n
    assert np.mean(own) == pytest.approx(float(entropy), abs=1e-10)
    assert own.values.min() >= -1e-12


def test_clusters_far_apart_have_the_surprisal_of_their_share():
    Z = np.repeat(100.0 * np.eye(3), [1, 4, 11], axis=0)
    own = eg.kernel_entropy(Z, sigma=1.0).surprisals()
    expected = np.repeat([-math.log2(size / 16) for size in (1, 4, 11)], [1, 4, 11])
    np.testing.assert_allclose(own, expected, atol=1e-12)


def test_a_row_like_no_other_is_the_most_surprising_and_a_copy_the_least():
    Z = rows(300)
    Z[7] += 50.0
    Z[100:140] = Z[100]
    own = eg.kernel_entropy(Z).surprisals()
    assert int(np.argmax(own)) == 7
    assert own[7] == pytest.approx(math.log2(300), abs=1e-6)
    assert set(np.argsort(own)[:40]) == set(range(100, 140))


def test_the_base_and_the_order_of_the_rows():
    Z, order = rows(80), np.random.default_rng(1).permutation(80)
    own = eg.kernel_entropy(Z, base=math.e).surprisals()
    mixed = eg.kernel_entropy(Z[order], base=math.e).surprisals()
    np.testing.assert_allclose(own.values[order], mixed)
    np.testing.assert_allclose(own.values / math.log(2), eg.kernel_entropy(Z).surprisals())


@pytest.mark.parametrize("method", ["exact", "stochastic", "lowrank"])
def test_estimated_where_there_are_many_rows(monkeypatch, method):
    Z = rows(700, 2)
    exact = eg.kernel_entropy(Z).surprisals()
    monkeypatch.setattr(surprisals, "EXACT_UP_TO", 500)
    found = eg.kernel_entropy(Z, method=method, tol=1e-2).surprisals()
    assert (exact.method, found.method) == ("exact", "stochastic")
    scores = (np.asarray(found) - np.asarray(exact)) / found.standard_errors
    assert np.abs(scores).max() < 6.0


def test_what_it_prints_has_the_error():
    entropy = eg.kernel_entropy(rows(300))
    assert "+-" not in repr(entropy.surprisals())
    estimated = entropy.surprisals("stochastic")
    assert f"{estimated.standard_errors.max():.2g}" in repr(estimated)


def test_what_cannot_be_had_is_refused_by_name():
    entropy = eg.kernel_entropy(rows(50))
    with pytest.raises(ValueError, match=naming("order=3")):
        entropy.at(3).surprisals()
    with pytest.raises(ValueError, match=naming("method", "lowrank")):
        entropy.surprisals("lowrank")
    with pytest.raises(ValueError, match=naming("stochastic", 50, "exact")):
        entropy.surprisals("stochastic")
    with pytest.raises(ValueError, match=naming("pickled")):
        pickle.loads(pickle.dumps(entropy)).surprisals()


def test_they_work_as_an_array():
    own = eg.kernel_entropy(rows(40)).surprisals()
    values = own.values
    assert np.array_equal(own - 1.0, values - 1.0)
    assert np.array_equal(-own, -values)
    assert np.array_equal(own > values.mean(), values > values.mean())
    assert np.array_equal(np.argsort(-own), np.argsort(-values))
    assert (own.mean(), own.shape, own.dtype) == (values.mean(), (40,), values.dtype)
    assert np.array_equal(own[:3], values[:3])
    assert np.array_equal(pickle.loads(pickle.dumps(own)), values)
    with pytest.raises(AttributeError, match=naming("no_such_thing")):
        _ = own.no_such_thing
