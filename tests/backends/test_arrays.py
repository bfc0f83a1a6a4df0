"""Arrays in: every library's, every dtype, without a copy where possible, never changed."""

from __future__ import annotations

import numpy as np
import pytest

import eigentropy as eg
from eigentropy._backends.host_arrays import as_matrix
from messages import naming


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
        assert np.shares_memory(as_matrix(DLPackOnly(array)), array)


def test_tensors_of_floats_are_not_copied(Z):
    torch = pytest.importorskip("torch")
    for array in (Z, Z.astype(np.float32)):
        assert np.shares_memory(as_matrix(torch.from_numpy(array)), array)


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
        (lambda Z: Z.astype(np.longdouble), 0),
        (lambda Z: Z.astype(np.float32), 1e-5),
        (lambda Z: Z.astype(np.float16), 1e-2),
        (lambda Z: Z.reshape(40, 2, 3, 1), 0),
    ],
)
def test_every_kind_of_array_is_accepted(Z, convert, tolerance):
    assert float(eg.dse(convert(Z), sigma=2.0)) == pytest.approx(
        float(eg.dse(Z, sigma=2.0)), rel=max(tolerance, 1e-14)
    )


@pytest.mark.parametrize(
    ("convert", "tolerance"),
    [
        (lambda tensor: tensor, 0),
        (lambda tensor: tensor.requires_grad_(), 0),
        (lambda tensor: tensor.float(), 1e-5),
        (lambda tensor: tensor.half(), 1e-2),
        (lambda tensor: tensor.bfloat16(), 5e-2),
        (lambda tensor: tensor.reshape(40, 3, 2, 1), 0),
    ],
)
def test_every_kind_of_tensor_is_accepted(Z, convert, tolerance):
    tensor = convert(pytest.importorskip("torch").tensor(Z))
    assert float(eg.dse(tensor, sigma=2.0)) == pytest.approx(
        float(eg.dse(Z, sigma=2.0)), rel=max(tolerance, 1e-14)
    )


def test_a_data_frame_is_accepted(Z):
    frame = pytest.importorskip("pandas").DataFrame(Z)
    assert float(eg.dse(frame, sigma=2.0)) == pytest.approx(float(eg.dse(Z, sigma=2.0)), rel=1e-14)


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
    ("value", "error", "named"),
    [
        (
            np.array([[1.0, np.nan], [0, 0], [np.inf, 1]]),
            ValueError,
            ["NaN", "2 of its 3", "row 0"],
        ),
        (np.array([[1, 2], [0, -np.inf]], dtype=np.float32), ValueError, ["infinity", "row 1"]),
        (np.empty((0, 3)), ValueError, ["(0, 3)"]),
        (np.empty((3, 0)), ValueError, ["(3, 0)"]),
        ([], ValueError, ["1-d", 0]),
        (np.arange(5.0), ValueError, ["(n, d)", "1-d", 5, "Z[:, None]"]),
        (3.0, ValueError, ["scalar"]),
        ("a file.npy", TypeError, ["a file.npy", "numpy.load"]),
        ([["a", "b"]], TypeError, ["<U1"]),
        (np.array([[None, 1]]), TypeError, ["object"]),
        (None, TypeError, ["object"]),
        (np.ones((2, 2)) * 1j, TypeError, ["complex"]),
        ([[1.0, 2.0], [3.0]], ValueError, ["rectangular"]),
        (DLPackOnly(np.eye(2), device=(2, 0)), NotImplementedError, ["DLPack"]),
        (DLPackOnly(np.eye(2), device=(10, 0)), NotImplementedError, [10]),
    ],
)
def test_bad_arrays_are_named(value, error, named):
    refused(value, error, "Z", *named)


def refused(value, error, *named):
    for measure in (eg.dse, eg.bandwidth, eg.DiffusionOperator, lambda Z: eg.dsmi(Z, [0])):
        with pytest.raises(error, match=naming(*named)):
            measure(value)


def test_bad_tensors_are_named():
    torch = pytest.importorskip("torch")
    refused(torch.eye(3).to_sparse(), TypeError, "Z", "sparse", "Z.to_dense")
    refused(torch.empty(3, 3, device="meta"), NotImplementedError, "Z", "meta", "Z.cpu")


def test_nonfinite_rows_are_counted_across_blocks(rng):
    Z = rng.normal(size=(1000, 3))
    Z[[130, 500, 999], 1] = np.nan
    with pytest.raises(ValueError, match=naming("Z", "3 of its 1000", "row 130")):
        eg.dse(Z)
