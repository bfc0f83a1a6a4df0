"""Distances of the median that the spectrum in float32 is made of."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest

from eigentropy import _core
from eigentropy._backends.costs import SINGLE_FROM
from eigentropy._backends.rows import Rows

N = SINGLE_FROM + 3


def everything(n):
    return np.arange(n)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("d", [3, 64, _core.widest_block + 1])
@pytest.mark.parametrize("offset", [0.0, 7.0, 1e4])
def test_the_median_is_that_of_rows_whose_distances_are_not_kept(dtype, d, offset, rng):
    Z = (rng.standard_normal((N, d)) + offset).astype(dtype)
    rows = Rows(Z)
    assert rows.median_distance(everything(N)) == _core.median_distance(Z)


@pytest.mark.parametrize("factor", [0.05, 0.35, 2.0])
@pytest.mark.parametrize("alpha", [0.5, None])
def test_the_spectrum_is_the_one_of_the_rows(factor, alpha, rng):
    Z = rng.standard_normal((N, 48)).astype(np.float32)
    rows = Rows(Z)
    median, scale = rows.median_distance(everything(N))
    sigma = factor * median * scale
    kept = rows.spectrum(sigma, alpha, "float32", None)
    direct = _core.spectrum(Z, sigma, alpha, "float32")
    np.testing.assert_array_equal(kept[0], direct[0])
    assert kept[1:] == direct[1:]
    assert rows.reach(sigma) == pytest.approx(_core.reach(Z, sigma), rel=1e-6)
    double = rows.spectrum(sigma, alpha, "float64", None)
    np.testing.assert_array_equal(double[0], _core.spectrum(Z, sigma, alpha, "float64")[0])


def test_the_first_spectrum_takes_them_and_the_next_one_reads_the_rows(rng):
    """Rows that change meanwhile show it: nobody should change them."""
    Z = rng.standard_normal((N, 48)).astype(np.float32)
    direct = _core.spectrum(Z, 3.0, 0.5, "float32")[0]
    rows = Rows(Z)
    rows.median_distance(everything(N))
    Z[:] = 0.0
    np.testing.assert_array_equal(rows.spectrum(3.0, 0.5, "float32", None)[0], direct)
    changed = _core.spectrum(Z, 3.0, 0.5, "float32")[0]
    np.testing.assert_array_equal(rows.spectrum(3.0, 0.5, "float32", None)[0], changed)


def test_a_kernel_that_closes_gaps_is_made_of_the_rows(rng):
    Z = rng.standard_normal((N, 48)).astype(np.float32)
    Z[:10, 3] = 1e20  # a fill value, beside which single precision leaves no distance
    rows = Rows(Z)
    rows.median_distance(everything(N))
    kept = rows.spectrum(2.0, 0.5, "float32", None)
    direct = _core.spectrum(Z, 2.0, 0.5, "float32")
    np.testing.assert_array_equal(kept[0], direct[0])
    assert rows.reach(2.0) == _core.reach(Z, 2.0)


@pytest.mark.parametrize("n", [SINGLE_FROM - 1, 2049])
def test_fewer_rows_and_a_sample_keep_none(n, rng):
    rows = Rows(rng.standard_normal((n, 40)))
    sample = everything(min(n, 2048))
    assert rows.median_distance(sample) == _core.median_distance(rows.array, sample)
    assert not rows._kept


@pytest.mark.parametrize("how", [copy.copy, lambda rows: pickle.loads(pickle.dumps(rows))])
def test_a_copy_finds_its_own(how, rng):
    rows = Rows(rng.standard_normal((N, 40)))
    found = rows.median_distance(everything(N))
    copied = how(rows)
    assert rows._kept
    assert not copied._kept
    assert copied.median_distance(everything(N)) == found


def test_chosen_rows_do_not_take_the_distances_of_all(rng):
    whole = Rows(rng.standard_normal((N, 40)))
    whole.median_distance(everything(N))
    half = whole.chosen(np.arange(0, N, 2))
    assert not half._kept


def test_rows_that_are_equal_have_the_median_0():
    rows = Rows(np.full((N, 40), 1.5))
    assert rows.median_distance(everything(N))[0] == 0.0
    eigenvalues = rows.spectrum(1.0, 0.5, "float32", None)[0]
    np.testing.assert_allclose(eigenvalues[:2], [1.0, 0.0], atol=1e-4)


def test_what_is_not_finite_is_refused(rng):
    Z = rng.standard_normal((N, 40))
    Z[5, 7] = np.nan
    with pytest.raises(ValueError, match="row 5"):
        Rows(Z).median_distance(everything(N))
