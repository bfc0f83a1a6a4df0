"""Arrays in: every library's, every dtype, without a copy where possible, never changed."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch

import eigentropy as eg
from eigentropy._backends.host_arrays import as_matrix


@pytest.fixture
def Z(rng):
    return rng.normal(size=(40, 6))


class DLPackOnly:
    """An array that speaks nothing but DLPack."""

    def __init__(self, array, device=None):
        self._array, self._device = array, device

    def __dlpack__(self, **options):
        return self._array.__dlpack__(**options)

    def __dlpack_device__(self):
        return self._device or self._array.__dlpack_device__()


def test_float_arrays_are_not_copied(Z):
    for array in (Z, Z.astype(np.float32)):
        assert np.shares_memory(as_matrix(array), array)
        assert np.shares_memory(as_matrix(torch.from_numpy(array)), array)
        assert np.shares_memory(as_matrix(DLPackOnly(array)), array)


def test_views_are_neither_copied_nor_changed(rng):
    whole = rng.normal(size=(80, 12))
    before = whole.copy()
    views = [
        whole[::2, ::3],
        whole[::-1],
        whole.T,
        np.asfortranarray(whole),
        whole[:, 5:6],
        np.broadcast_to(whole[0], (30, 12)),
    ]
    for view in views:
        matrix = as_matrix(view)
        assert np.shares_memory(matrix, view)
        expected = float(eg.dse(np.ascontiguousarray(view), sigma=2.0))
        assert float(eg.dse(view, sigma=2.0)) == pytest.approx(expected, rel=1e-12, abs=1e-12)
    np.testing.assert_array_equal(whole, before)


pytestmark = pytest.mark.filterwarnings("ignore::eigentropy.SaturationWarning")


def test_read_only_arrays_work(Z):
    Z.flags.writeable = False
    assert float(eg.dse(Z)) > 0
    assert np.isfinite(float(eg.dsmi(Z, np.arange(40) % 2)))


def test_fields_of_packed_structures_work(Z):
    packed = np.zeros(40, dtype=[("flag", "i1"), ("z", "f8", (6,))])
    packed["z"] = Z
    assert float(eg.dse(packed["z"])) == pytest.approx(float(eg.dse(Z)), rel=1e-12)


def test_foreign_byte_order_works(Z):
    assert float(eg.dse(Z.astype(">f8"))) == float(eg.dse(Z))


@pytest.mark.parametrize(
    ("convert", "tolerance"),
    [
        (lambda Z: Z.tolist(), 0),
        (lambda Z: pd.DataFrame(Z), 0),
        (lambda Z: torch.tensor(Z), 0),
        (lambda Z: torch.tensor(Z, requires_grad=True), 0),
        (lambda Z: Z.astype(np.longdouble), 0),
        (lambda Z: Z.astype(np.float32), 1e-5),
        (lambda Z: torch.tensor(Z).float(), 1e-5),
        (lambda Z: Z.astype(np.float16), 1e-2),
        (lambda Z: torch.tensor(Z).half(), 1e-2),
        (lambda Z: torch.tensor(Z).bfloat16(), 5e-2),
        (lambda Z: Z.reshape(40, 2, 3), 0),
        (lambda Z: torch.tensor(Z).reshape(40, 3, 2, 1), 0),
    ],
)
def test_every_kind_of_array_is_accepted(Z, convert, tolerance):
    assert float(eg.dse(convert(Z), sigma=2.0)) == pytest.approx(
        float(eg.dse(Z, sigma=2.0)), rel=max(tolerance, 1e-14)
    )


@pytest.mark.parametrize("dtype", [np.int64, np.uint8, bool])
def test_integers_are_converted_to_float64(rng, dtype):
    integers = rng.integers(0, 2, size=(30, 5)).astype(dtype)
    assert as_matrix(integers).dtype == np.float64
    assert float(eg.dse(integers)) == float(eg.dse(integers.astype(float)))


def test_half_precision_is_widened_before_anything_is_summed(rng):
    """In float16 these norms would overflow to infinity."""
    Z = (300 + rng.normal(size=(50, 40))).astype(np.float16)
    assert float(eg.dse(Z)) == pytest.approx(float(eg.dse(Z.astype(np.float64))), rel=1e-9)


@pytest.mark.parametrize(
    ("value", "error", "message"),
    [
        (np.array([[1.0, np.nan], [0, 0], [np.inf, 1]]), ValueError,
         "Z has NaN or infinity in 2 of its 3 rows; the first is row 0"),
        (np.array([[1, 2], [0, -np.inf]], dtype=np.float32), ValueError, "first is row 1"),
        (np.empty((0, 3)), ValueError, r"Z is empty: its shape is \(0, 3\)"),
        (np.empty((3, 0)), ValueError, r"Z is empty: its shape is \(3, 0\)"),
        ([], ValueError, "1-d array of length 0"),
        (np.arange(5.0), ValueError, r"shape \(n, d\).*1-d array of length 5.*Z\[:, None\]"),
        (3.0, ValueError, "got a scalar"),
        ("a file.npy", TypeError, "must hold numbers, got an array of dtype <U10"),
        ([["a", "b"]], TypeError, "must hold numbers, got an array of dtype <U1"),
        (np.array([[None, 1]]), TypeError, "must hold numbers, got an array of dtype object"),
        (None, TypeError, "must hold numbers"),
        (np.ones((2, 2)) * 1j, TypeError, "Z is complex"),
        ([[1.0, 2.0], [3.0]], ValueError, "Z is not a rectangular array"),
        (torch.eye(3).to_sparse(), TypeError, "sparse tensor; pass Z.to_dense"),
        (torch.empty(3, 3, device="meta"), NotImplementedError, "Z lies on meta.*pass Z.cpu()"),
        (DLPackOnly(np.eye(2), device=(2, 0)), NotImplementedError, "offers DLPack only"),
        (DLPackOnly(np.eye(2), device=(10, 0)), NotImplementedError, "device type 10"),
    ],
)  # fmt: skip
def test_bad_arrays_are_named(value, error, message):
    for measure in (eg.dse, eg.bandwidth, eg.DiffusionOperator, lambda Z: eg.dsmi(Z, [0])):
        with pytest.raises(error, match=message):
            measure(value)


def test_nonfinite_rows_are_counted_across_blocks(rng):
    Z = rng.normal(size=(1000, 3))
    Z[[130, 500, 999], 1] = np.nan
    with pytest.raises(ValueError, match="in 3 of its 1000 rows; the first is row 130"):
        eg.dse(Z)
