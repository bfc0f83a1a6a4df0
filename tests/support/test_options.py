"""Every option's bad values are refused with a message that names it."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

import eigentropy as eg
from eigentropy._support import memory


@pytest.fixture
def Z(rng):
    return rng.normal(size=(30, 4))


def dsmi(Z, **options):
    return eg.dsmi(Z, np.arange(len(Z)) % 3, **options)


@pytest.mark.parametrize("measure", [eg.dse, dsmi])
@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"sigma": 0}, ValueError, "sigma must be a finite number > 0, got 0"),
        ({"sigma": -1.0}, ValueError, "sigma must be a finite number > 0, got -1.0"),
        ({"sigma": math.nan}, ValueError, "sigma must be a finite number > 0, got nan"),
        ({"sigma": math.inf}, ValueError, "sigma must be a finite number > 0, got inf"),
        ({"sigma": None}, TypeError, "sigma must be a number, got None"),
        ({"sigma": [1.0, 2.0]}, TypeError, "sigma must be a number"),
        ({"sigma": "silverman"}, ValueError, "sigma must be a number > 0 or one of 'auto'"),
        ({"t": 0}, ValueError, "t must be a finite number > 0, got 0"),
        ({"t": -2}, ValueError, "t must be a finite number > 0, got -2"),
        ({"t": math.nan}, ValueError, "t must be a finite number > 0, got nan"),
        ({"t": "1"}, TypeError, "t must be a number, got '1'"),
        ({"alpha": -0.5}, ValueError, "alpha must be a finite number >= 0"),
        ({"alpha": 11}, ValueError, "alpha must be at most 10, got 11"),
        ({"alpha": math.nan}, ValueError, "alpha must be a finite number >= 0"),
        ({"alpha": None}, TypeError, "alpha must be a number"),
        ({"base": 1}, ValueError, "base must not be 1"),
        ({"base": 0}, ValueError, "base must be a finite number > 0"),
        ({"tol": 0}, ValueError, "tol must be a finite number > 0"),
        ({"tol": -1e-3}, ValueError, "tol must be a finite number > 0, got -0.001"),
        ({"tol": math.nan}, ValueError, "tol must be a finite number > 0, got nan"),
        ({"tol": "1e-3"}, TypeError, "tol must be a number, got '1e-3'"),
        ({"tol": 0, "method": "exact"}, ValueError, "tol must be a finite number > 0"),
        ({"method": "fast"}, ValueError, "method must be one of 'auto', 'exact', 'stochastic'"),
        ({"device": "tpu"}, ValueError, "device must be 'cpu', 'cuda', .* or None, got 'tpu'"),
        ({"device": "cuda:x"}, ValueError, "device must be 'cpu', 'cuda', .* got 'cuda:x'"),
        ({"device": "cuda:"}, ValueError, "device must be 'cpu', 'cuda', .* got 'cuda:'"),
        ({"device": "cpu:1"}, ValueError, "device must be 'cpu', 'cuda', .* got 'cpu:1'"),
        ({"device": 0}, ValueError, "device must be 'cpu', 'cuda', .* got 0"),
        ({"dtype": "float16"}, ValueError, "dtype must be 'float32', 'float64' or None"),
        ({"dtype": int}, ValueError, "dtype must be 'float32', 'float64' or None"),
        ({"seed": -1}, ValueError, "seed must be at least 0"),
        ({"seed": None}, TypeError, "seed must be an integer"),
    ],
)
def test_bad_options_are_named(Z, measure, options, error, message):
    with pytest.raises(error, match=message):
        measure(Z, **options)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"estimator": "best"}, ValueError, "estimator must be one of 'matched', 'plain'"),
        ({"n_null": 1}, ValueError, "n_null must be at least 2"),
        ({"n_null": -1, "estimator": "plain"}, ValueError, "n_null must be at least 0"),
        ({"n_null": 2.0}, TypeError, "n_null must be an integer"),
    ],
)
def test_bad_options_of_dsmi_are_named(Z, options, error, message):
    with pytest.raises(error, match=message):
        dsmi(Z, **options)


def test_good_devices_and_dtypes_are_accepted(Z):
    expected = float(eg.dse(Z))
    for device in (None, "cpu", torch.device("cpu")):
        assert float(eg.dse(Z, device=device)) == expected
    for dtype in (None, "float64", np.float64, np.dtype("float64"), torch.float64):
        assert float(eg.dse(Z, dtype=dtype)) == expected
    for dtype in ("float32", np.float32, np.dtype("float32"), torch.float32):
        assert eg.dse(Z, dtype=dtype).eigenvalues.dtype == np.float32


def test_numpy_and_torch_scalars_are_numbers(Z):
    expected = float(eg.dse(Z, sigma=2.0, t=3.0))
    assert float(eg.dse(Z, sigma=np.float32(2), t=torch.tensor(3.0))) == expected
    assert eg.dse(Z, seed=np.int64(3)).seed == 3


@pytest.mark.parametrize("measure", [eg.dse, dsmi])
def test_a_matrix_that_cannot_fit_is_refused_before_it_is_allocated(Z, measure, monkeypatch):
    monkeypatch.setattr(memory, "available", lambda: 1000.0)
    message = r"matrix in float64 needs .* bytes.*1000 bytes.*stochastic"
    with pytest.raises(MemoryError, match=message):
        measure(Z)


def test_a_matrix_whose_offsets_pass_32_bits_is_refused_with_all_its_bytes(monkeypatch):
    """50 000 rows of 4: the matrix and the solver's 300 columns beside it, of 8 bytes an entry."""
    Z = np.broadcast_to(np.arange(4.0), (50_000, 4))
    monkeypatch.setattr(memory, "available", lambda: 16.0 * 2**30)
    message = (
        r"the 50000 x 50000 matrix in float64 needs 18\.7 GiB \(20120000000 bytes\) and "
        r"16\.0 GiB \(17179869184 bytes\) are available; use method='stochastic'"
    )
    with pytest.raises(MemoryError, match=message):
        eg.DiffusionOperator(Z, sigma=1.0).eigenvalues()


def test_a_huge_view_is_refused_at_once():
    Z = np.broadcast_to(np.arange(4.0), (3_000_000, 4))
    with pytest.raises(MemoryError, match="3000000 x 3000000"):
        eg.DiffusionOperator(Z, sigma=1.0).eigenvalues()


def test_available_memory_is_plausible():
    assert 2**20 < memory.available() < 2**50


@pytest.mark.parametrize("measure", [eg.dse, dsmi])
def test_sigma_far_below_the_distances_is_saturation(Z, measure):
    with pytest.warns(eg.SaturationWarning, match="far below the distances"):
        measure(Z, sigma=1e-3)


@pytest.mark.parametrize("measure", [eg.dse, dsmi])
def test_sigma_far_above_the_distances_is_saturation(Z, measure):
    with pytest.warns(eg.SaturationWarning, match="far above the distances"):
        measure(Z, sigma=1e3)


@pytest.mark.parametrize(
    "measure", [eg.dse, dsmi, lambda Z, sigma: eg.DiffusionOperator(Z, sigma=sigma).entropy()]
)
def test_warnings_point_at_the_caller(Z, measure):
    with pytest.warns(eg.SaturationWarning) as caught:
        measure(Z, sigma=1e3)
    assert [warning.filename for warning in caught] == [__file__]


def test_equal_rows_and_one_row_are_said_to_be_so():
    with pytest.warns(eg.SaturationWarning, match="all 7 rows are equal"):
        eg.dse(np.ones((7, 3)))
    with pytest.warns(eg.SaturationWarning, match="one row: its entropy is 0 by definition"):
        eg.dse(np.ones((1, 3)))


@pytest.mark.parametrize("n", [10, 100, 1000])
@pytest.mark.parametrize("d", [1, 10, 1000])
def test_auto_sigma_does_not_saturate(n, d):
    Z = np.random.default_rng(0).normal(size=(n, d))
    eg.dse(Z)  # a SaturationWarning would be an error here
