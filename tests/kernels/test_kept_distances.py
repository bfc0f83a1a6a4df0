"""Distances of the median that the first spectrum in float32 is made of."""

from __future__ import annotations

import copy
import pickle
from dataclasses import replace

import numpy as np
import pytest

import eigentropy as eg
from eigentropy import _core
from eigentropy._backends.costs import SINGLE_FROM
from eigentropy._backends.rows import Rows

N = SINGLE_FROM + 3
ALL = np.arange(N)


def clusters(rng, number):
    """So far from each other that distances inside of them are computed again."""
    Z = rng.standard_normal((N, 48))
    Z[:, 0] += 1e3 * (ALL % number)
    return Z.astype(np.float32)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("d", [3, 64, _core.widest_block + 1])
@pytest.mark.parametrize("offset", [0.0, 7.0, 1e4])
def test_the_median_is_that_of_rows_whose_distances_are_not_kept(dtype, d, offset, rng):
    Z = (rng.standard_normal((N, d)) + offset).astype(dtype)
    rows = Rows(Z)
    with rows.keeping_distances():
        assert rows.median_distance(ALL) == _core.median_distance(Z)


@pytest.mark.parametrize("number", [1, 2, 40])
@pytest.mark.parametrize("alpha", [0.5, None])
def test_the_spectrum_is_the_one_of_the_rows(number, alpha, rng):
    Z = clusters(rng, number)
    rows = Rows(Z)
    with rows.keeping_distances():
        rows.median_distance(ALL)
        kept = rows.spectrum(3.0, alpha, "float32", None)
        direct = _core.spectrum(Z, 3.0, alpha, "float32")
        np.testing.assert_array_equal(kept[0], direct[0])
        assert kept[1:] == direct[1:]
        assert rows.reach(3.0) == pytest.approx(_core.reach(Z, 3.0), rel=1e-6)
        double = rows.spectrum(3.0, alpha, "float64", None)
        np.testing.assert_array_equal(double[0], _core.spectrum(Z, 3.0, alpha, "float64")[0])


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_first_spectrum_takes_them_and_the_next_one_reads_the_rows(dtype, rng):
    """Rows that change meanwhile show it: nobody should change them."""
    Z = clusters(rng, 1)
    before = _core.spectrum(Z, 3.0, 0.5, "float32")[0]
    rows = Rows(Z)
    with rows.keeping_distances():
        rows.median_distance(ALL)
        Z[:] = 0.0
        after = _core.spectrum(Z, 3.0, 0.5, "float32")[0]
        assert not np.array_equal(before, after)
        first = rows.spectrum(3.0, 0.5, dtype, None)[0]
        assert np.array_equal(first, before) == (dtype == "float32")
        np.testing.assert_array_equal(rows.spectrum(3.0, 0.5, "float32", None)[0], after)


@pytest.mark.parametrize("value", [500.0, 1e20])
def test_a_kernel_that_closes_gaps_is_made_of_the_rows(value, rng):
    """Distances beside 500 are kept and do not serve; beside 1e20 single precision leaves none."""
    Z = clusters(rng, 1)
    Z[:10, 3] = value
    direct = _core.spectrum(Z, 2.0, 0.5, "float32")
    rows = Rows(Z.copy())
    with rows.keeping_distances():
        rows.median_distance(ALL)
        assert rows.reach(2.0) == _core.reach(Z, 2.0)
        np.testing.assert_array_equal(rows.spectrum(2.0, 0.5, "float32", None)[0], direct[0])
    if value == 500.0:  # at a larger width they do serve
        other = Rows(Z.copy())
        with other.keeping_distances():
            other.median_distance(ALL)
            other.array[:] = 0.0
            wide = other.spectrum(50.0, 0.5, "float32", None)[0]
        np.testing.assert_array_equal(wide, _core.spectrum(Z, 50.0, 0.5, "float32")[0])


@pytest.mark.parametrize("n", [SINGLE_FROM - 1, 2049])
def test_fewer_rows_and_a_sample_keep_none(n, rng):
    rows = Rows(rng.standard_normal((n, 40)))
    sample = np.arange(min(n, 2048))
    with rows.keeping_distances():
        assert rows.median_distance(sample) == _core.median_distance(rows.array, sample)
        assert rows._distances.kept is None


COPIES = {
    "copy": copy.copy,
    "pickle": lambda rows: pickle.loads(pickle.dumps(rows)),
    "replace": replace,
    "chosen": lambda rows: rows.chosen(ALL),
}


@pytest.mark.parametrize("how", COPIES)
def test_a_copy_keeps_nothing(how, rng):
    rows = Rows(rng.standard_normal((N, 40)))
    with rows.keeping_distances():
        found = rows.median_distance(ALL)
        assert rows._distances.kept is not None
        copied = COPIES[how](rows)
        assert copied._distances.kept is None
        assert copied.median_distance(ALL) == found
        assert copied._distances.kept is None


def test_nothing_is_kept_outside_and_where_it_is_of_no_use(rng):
    rows = Rows(rng.standard_normal((N, 40)))
    rows.median_distance(ALL)
    assert rows._distances.kept is None
    with rows.keeping_distances(False):
        rows.median_distance(ALL)
        assert rows._distances.kept is None
    with rows.keeping_distances():
        rows.median_distance(ALL)
        assert rows._distances.kept is not None
    assert rows._distances.kept is None


CALLS = {
    "float32 may do": ({}, 1),
    "float32 was asked for": ({"dtype": "float32"}, 1),
    "float64 was asked for": ({"dtype": "float64"}, 0),
    "exact is float64": ({"method": "exact"}, 0),
    "t magnifies rounding": ({"t": 0.5}, 0),
    "no spectrum is found": ({"method": "stochastic"}, 0),
    "the width is known": ({"sigma": 3.0}, 0),
}


@pytest.mark.parametrize("call", CALLS)
def test_an_entropy_keeps_them_where_they_serve(call, rng, monkeypatch):
    options, expected = CALLS[call]
    calls, keep = [], _core.kept_distances
    monkeypatch.setattr(_core, "kept_distances", lambda Z: calls.append(1) or keep(Z))
    Z = rng.standard_normal((N, 40))
    eg.dse(Z, **options)
    assert len(calls) == expected


def test_groups_and_widths_keep_none(rng, monkeypatch):
    monkeypatch.setattr(_core, "kept_distances", None)
    Z = rng.standard_normal((N, 40))
    eg.bandwidth(Z)
    eg.dsmi(Z, ALL % 3)
    eg.kernel_entropy(Z, order=2)


def test_rows_that_are_equal_have_the_median_0():
    rows = Rows(np.full((N, 40), 1.5))
    with rows.keeping_distances():
        assert rows.median_distance(ALL)[0] == 0.0
        eigenvalues = rows.spectrum(1.0, 0.5, "float32", None)[0]
    np.testing.assert_allclose(eigenvalues[:2], [1.0, 0.0], atol=1e-4)


def test_what_is_not_finite_is_refused(rng):
    Z = rng.standard_normal((N, 40))
    Z[5, 7] = np.nan
    rows = Rows(Z)
    with rows.keeping_distances(), pytest.raises(ValueError, match="row 5"):
        rows.median_distance(ALL)
