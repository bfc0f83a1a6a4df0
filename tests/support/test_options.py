"""Every option's bad values are refused with a message that names it."""

from __future__ import annotations

import math

import numpy as np
import pytest

import eigentropy as eg
from eigentropy._support import memory
from messages import names, naming


@pytest.fixture
def Z(rng):
    return rng.normal(size=(30, 4))


def dsmi(Z, **options):
    return eg.dsmi(Z, np.arange(len(Z)) % 3, **options)


@pytest.mark.parametrize("measure", [eg.dse, dsmi])
@pytest.mark.parametrize(
    ("options", "error", "others"),
    [
        ({"sigma": 0}, ValueError, []),
        ({"sigma": -1.0}, ValueError, []),
        ({"sigma": math.nan}, ValueError, []),
        ({"sigma": math.inf}, ValueError, []),
        ({"sigma": None}, TypeError, []),
        ({"sigma": [1.0, 2.0]}, TypeError, []),
        ({"sigma": "silverman"}, ValueError, ["'auto'"]),
        ({"t": 0}, ValueError, []),
        ({"t": -2}, ValueError, []),
        ({"t": math.nan}, ValueError, []),
        ({"t": "1"}, TypeError, []),
        ({"alpha": -0.5}, ValueError, []),
        ({"alpha": 11}, ValueError, ["10"]),
        ({"alpha": math.nan}, ValueError, []),
        ({"alpha": None}, TypeError, []),
        ({"base": 1}, ValueError, []),
        ({"base": 0}, ValueError, []),
        ({"tol": 0}, ValueError, []),
        ({"tol": -1e-3}, ValueError, []),
        ({"tol": math.nan}, ValueError, []),
        ({"tol": "1e-3"}, TypeError, []),
        ({"tol": 0, "method": "exact"}, ValueError, []),
        ({"method": "fast"}, ValueError, ["'auto'", "'exact'", "'stochastic'"]),
        ({"device": "tpu"}, ValueError, ["'cpu'", "'cuda'", "None"]),
        ({"device": "cuda:x"}, ValueError, ["'cpu'", "'cuda'"]),
        ({"device": "cuda:"}, ValueError, ["'cpu'", "'cuda'"]),
        ({"device": "cpu:1"}, ValueError, ["'cpu'", "'cuda'"]),
        ({"device": 0}, ValueError, ["'cpu'", "'cuda'"]),
        ({"dtype": "float16"}, ValueError, ["'float32'", "'float64'", "None"]),
        ({"dtype": int}, ValueError, ["'float32'", "'float64'", "None"]),
        ({"seed": -1}, ValueError, []),
        ({"seed": None}, TypeError, []),
    ],
)
def test_bad_options_are_named_with_what_arrived_and_what_is_known(
    Z, measure, options, error, others
):
    name, value = next(iter(options.items()))
    with pytest.raises(error, match=naming(name, repr(value), *others)):
        measure(Z, **options)


@pytest.mark.parametrize(
    ("options", "error", "others"),
    [
        ({"estimator": "best"}, ValueError, ["'matched'", "'plain'"]),
        ({"n_null": 1}, ValueError, ["2"]),
        ({"n_null": -1, "estimator": "plain"}, ValueError, ["0"]),
        ({"n_null": 2.0}, TypeError, []),
    ],
)
def test_bad_options_of_dsmi_are_named(Z, options, error, others):
    name, value = next(iter(options.items()))
    with pytest.raises(error, match=naming(name, repr(value), *others)):
        dsmi(Z, **options)


def test_good_devices_and_dtypes_are_accepted(Z):
    expected = float(eg.dse(Z))
    for device in (None, "cpu"):
        assert float(eg.dse(Z, device=device)) == expected
    for dtype in (None, "float64", np.float64, np.dtype("float64")):
        assert float(eg.dse(Z, dtype=dtype)) == expected
    for dtype in ("float32", np.float32, np.dtype("float32")):
        assert eg.dse(Z, dtype=dtype).eigenvalues.dtype == np.float32


def test_devices_and_dtypes_of_torch_are_accepted(Z):
    torch = pytest.importorskip("torch")
    expected = float(eg.dse(Z))
    assert float(eg.dse(Z, device=torch.device("cpu"))) == expected
    assert float(eg.dse(Z, dtype=torch.float64)) == expected
    assert eg.dse(Z, dtype=torch.float32).eigenvalues.dtype == np.float32


def test_numpy_scalars_are_numbers(Z):
    expected = float(eg.dse(Z, sigma=2.0, t=3.0))
    assert float(eg.dse(Z, sigma=np.float32(2), t=np.float64(3))) == expected
    assert eg.dse(Z, seed=np.int64(3)).seed == 3


def test_scalars_of_torch_are_numbers(Z):
    torch = pytest.importorskip("torch")
    assert float(eg.dse(Z, t=torch.tensor(3.0))) == float(eg.dse(Z, t=3.0))


@pytest.mark.parametrize("measure", [eg.dse, dsmi])
def test_a_matrix_that_cannot_fit_is_refused_before_it_is_allocated(Z, measure, monkeypatch):
    monkeypatch.setattr(memory, "available", lambda: 1000.0)
    with pytest.raises(MemoryError, match=naming("float64", "1000 bytes", "method='stochastic'")):
        measure(Z)


def test_a_matrix_whose_offsets_pass_32_bits_is_refused_with_all_its_bytes(monkeypatch):
    """50 000 rows of 4: the matrix and the solver's 300 columns beside it, of 8 bytes an entry."""
    Z = np.broadcast_to(np.arange(4.0), (50_000, 4))
    monkeypatch.setattr(memory, "available", lambda: 16.0 * 2**30)
    with pytest.raises(MemoryError) as caught:
        eg.DiffusionOperator(Z, sigma=1.0).eigenvalues()
    needed, available = "18.7 GiB (20120000000 bytes)", "16.0 GiB (17179869184 bytes)"
    assert names(str(caught.value), "50000 x 50000", "float64", needed, available)
    assert names(str(caught.value), "method='stochastic'")


def test_a_huge_view_is_refused_at_once():
    Z = np.broadcast_to(np.arange(4.0), (3_000_000, 4))
    with pytest.raises(MemoryError, match=naming("3000000 x 3000000")):
        eg.DiffusionOperator(Z, sigma=1.0).eigenvalues()


def test_available_memory_is_plausible():
    assert 2**20 < memory.available() < 2**50


@pytest.mark.parametrize("measure", [eg.dse, dsmi])
def test_sigma_far_below_the_distances_is_saturation(Z, measure):
    with pytest.warns(eg.SaturationWarning, match=naming("sigma=0.001", "below")):
        measure(Z, sigma=1e-3)


@pytest.mark.parametrize("measure", [eg.dse, dsmi])
def test_sigma_far_above_the_distances_is_saturation(Z, measure):
    with pytest.warns(eg.SaturationWarning, match=naming("sigma=1000", "above")):
        measure(Z, sigma=1e3)


@pytest.mark.parametrize(
    "measure", [eg.dse, dsmi, lambda Z, sigma: eg.DiffusionOperator(Z, sigma=sigma).entropy()]
)
def test_warnings_point_at_the_caller(Z, measure):
    with pytest.warns(eg.SaturationWarning) as caught:
        measure(Z, sigma=1e3)
    assert [warning.filename for warning in caught] == [__file__]


def test_equal_rows_and_one_row_are_said_to_be_so():
    with pytest.warns(eg.SaturationWarning, match=naming("7")):
        eg.dse(np.ones((7, 3)))
    with pytest.warns(eg.SaturationWarning, match=naming("one row", "0")):
        eg.dse(np.ones((1, 3)))


@pytest.mark.parametrize("n", [10, 100, 1000])
@pytest.mark.parametrize("d", [1, 10, 1000])
def test_auto_sigma_does_not_saturate(n, d):
    Z = np.random.default_rng(0).normal(size=(n, d))
    eg.dse(Z)  # a SaturationWarning would be an error here
