"""Result objects work as numbers and remember how they were obtained."""

from __future__ import annotations

import dataclasses
import math
import pickle

import numpy as np
import pytest

import eigentropy as eg
from data_sets import separated_blobs
from messages import naming


@pytest.fixture
def entropy(rng):
    return eg.dse(rng.normal(size=(60, 4)), seed=5)


@pytest.fixture
def information():
    return eg.dsmi(*separated_blobs(30, 4))


def test_results_work_as_floats(entropy, information):
    for result in (entropy, information):
        value = result.value
        assert float(result) == value
        assert isinstance(float(result), float)
        assert result + 1 == value + 1
        assert 1 + result == value + 1
        assert result - 1 == value - 1
        assert 1 - result == 1 - value
        assert 2 * result == result * 2 == 2 * value
        assert result / 2 == value / 2
        assert 2 / result == 2 / value
        assert result**2 == value**2
        assert 2**result == 2**value
        assert -result == -value
        assert +result == value
        assert abs(-1 * result) == value
        assert round(result, 2) == round(value, 2)
        assert f"{result:.3f}" == f"{value:.3f}"
        assert f"{result}" == repr(result)
        assert math.sqrt(result) == math.sqrt(value)
        assert bool(result)


def test_results_compare_with_each_other_and_with_numbers(entropy, information):
    assert entropy == entropy.value
    assert entropy == entropy.at(1.0)
    assert entropy != entropy.at(2.0)
    assert entropy.at(2.0) < entropy
    assert entropy > entropy.at(2.0)
    assert entropy <= entropy.value <= entropy
    assert sorted([entropy, information, 0.0])[0] == 0.0
    assert entropy - information == entropy.value - information.value
    assert len({entropy, entropy.at(1.0)}) == 1
    assert entropy != "a string"


def test_arrays_of_results_are_arrays_of_floats(entropy):
    array = np.array([entropy, entropy.at(2.0)])
    assert array.dtype == np.float64
    assert array.tolist() == [entropy.value, entropy.at(2.0).value]
    assert (np.ones(2) * entropy).tolist() == [entropy.value] * 2


def test_an_entropy_says_how_it_was_obtained(entropy):
    assert entropy.method == "exact"
    assert entropy.standard_error == 0.0
    assert (entropy.n, entropy.alpha, entropy.t, entropy.base, entropy.seed) == (60, 0.5, 1, 2, 5)
    assert entropy.eigenvalues.shape == (60,)
    assert entropy.eigenvalues[0] == pytest.approx(1.0)
    for part in ("bits", "exact", "n=60", "sigma=", "alpha=0.5", "t=1"):
        assert part in repr(entropy)
    assert "nats" in repr(eg.dse(np.eye(5), base=math.e))


def test_an_information_says_how_it_was_obtained(information):
    count = f"{information.n_null} partitions"
    for part in ("bits", "null se", "matched", count, "exact", "p~", "n=90", "3 groups"):
        assert part in repr(information)
    assert "+-" not in repr(information)  # it would be read as the error over other samples
    assert information.group_sizes.tolist() == [30, 30, 30]
    assert information.label_entropy == pytest.approx(math.log2(3))


def test_results_are_frozen(entropy, information):
    for result in (entropy, information):
        with pytest.raises(dataclasses.FrozenInstanceError):
            result.value = 3.0
    with pytest.raises(ValueError, match="read-only"):
        entropy.eigenvalues[0] = 2.0


def test_results_survive_pickling(entropy, information):
    assert pickle.loads(pickle.dumps(entropy)).at(2.0) == entropy.at(2.0)
    adjusted = information.adjusted()
    assert pickle.loads(pickle.dumps(information)).adjusted() == adjusted


def test_a_pickled_information_says_that_it_left_its_data_behind(information):
    copy = pickle.loads(pickle.dumps(information))
    assert copy == information
    with pytest.raises(ValueError, match=naming("adjusted", "pickled")):
        _ = copy.adjusted()
    with pytest.raises(ValueError, match=naming("t", "pickled")):
        copy.at(2.0)
