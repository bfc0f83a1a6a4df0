"""Selectivity: lifetime sparseness of units."""

from __future__ import annotations

import numpy as np
import pytest

hypothesis = pytest.importorskip("hypothesis")

from hypothesis import given
from hypothesis import strategies as st

from eigentropy.embed import selectivity
from messages import naming


@given(n=st.integers(2, 200), data=st.data(), size=st.floats(1e-300, 1e300))
def test_a_unit_that_answers_to_k_of_n_samples_has_the_share_of_the_others(n, data, size):
    k = data.draw(st.integers(1, n))
    unit = np.zeros(n)
    unit[:k] = size
    found = selectivity(np.random.default_rng(0).permutation(unit))
    assert float(found) == pytest.approx((1 - k / n) / (1 - 1 / n), abs=1e-12)


@given(st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=30))
def test_it_is_between_0_and_1_and_knows_no_scale_and_no_sign(values):
    unit = np.array(values)
    found = float(selectivity(unit))
    if not unit.any():
        assert np.isnan(found)
    else:
        assert 0.0 <= found <= 1.0
        assert float(selectivity(-3.0 * unit)) == pytest.approx(found, abs=1e-9)


def test_each_unit_at_each_epoch_has_its_own():
    units = np.random.default_rng(0).exponential(size=(3, 4, 50))
    found = selectivity(units)
    assert found.shape == (3, 4)
    assert found[1, 2] == pytest.approx(float(selectivity(units[1, 2])), abs=1e-14)


def test_exponential_answers_have_the_value_that_their_moments_give():
    found = float(selectivity(np.random.default_rng(0).exponential(size=100_000)))
    assert found == pytest.approx(0.5, abs=0.01)  # 1 - mean^2 / (2 mean^2)


def test_a_dead_unit_has_none_and_a_constant_one_has_0():
    found = selectivity([[0.0, 0.0, 0.0], [2.0, 2.0, 2.0]])
    assert np.isnan(found[0])
    assert found[1] == 0.0


@pytest.mark.parametrize("units", [3.0, [1.0], np.ones((4, 1))])
def test_a_single_sample_is_refused(units):
    with pytest.raises(ValueError, match=naming("units", "samples", 2)):
        selectivity(units)


def test_nan_is_refused():
    with pytest.raises(ValueError, match=naming("units", 1, 4, "NaN")):
        selectivity([[1.0, np.nan], [1.0, 2.0]])


def test_text_and_complex_numbers_are_refused():
    for units in (["a", "b"], [1j, 2j]):
        with pytest.raises(TypeError, match=naming("units")):
            selectivity(units)
