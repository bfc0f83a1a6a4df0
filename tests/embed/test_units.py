"""Which arrays are units over epochs, and how they are z-scored over the samples."""

from __future__ import annotations

import numpy as np
import pytest

hypothesis = pytest.importorskip("hypothesis")

from hypothesis import given
from hypothesis import strategies as st

from eigentropy.embed.units import z_scores
from messages import naming


def made(shape=(3, 5, 20), seed=0, dtype=np.float64):
    return np.random.default_rng(seed).normal(size=shape).astype(dtype)


def test_each_unit_has_mean_0_and_deviation_1_at_each_epoch():
    scores = z_scores(5.0 + 3.0 * made())
    np.testing.assert_allclose(scores.mean(axis=2), 0.0, atol=1e-14)
    np.testing.assert_allclose(scores.std(axis=2), 1.0, rtol=1e-14)


@given(scale=st.floats(1e-150, 1e150), offset=st.floats(-100.0, 100.0), seed=st.integers(0, 99))
def test_scale_and_offset_of_a_unit_do_not_matter(scale, offset, seed):
    units = made(seed=seed)
    moved = scale * (units + offset)
    np.testing.assert_allclose(z_scores(moved), z_scores(units), atol=1e-11)


def test_the_largest_numbers_do_not_overflow():
    units = made() / np.abs(made()).max() * np.finfo(np.float64).max
    np.testing.assert_allclose(z_scores(units), z_scores(made()), atol=1e-12)


@pytest.mark.parametrize("value", [0.0, 0.1, 1e300, -7e-30])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_constant_unit_is_at_the_origin_and_counted(value, dtype):
    units = made(dtype=np.float64)
    units = np.clip(units, -1e30, 1e30).astype(dtype)
    units[1:, 2] = min(value, 1e30)
    units[:, 4] = 0.0
    with pytest.warns(UserWarning, match=naming("units", 2, 5, 1)):
        scores = z_scores(units)
    assert not scores[1:, 2].any()
    assert not scores[:, 4].any()
    assert scores[0, 2].any()


def test_rounding_about_a_constant_is_no_signal():
    units = made(dtype=np.float32)
    units[:, 0] = np.float32(1000.0) + np.float32(6e-5) * (np.arange(20) % 2)
    with pytest.warns(UserWarning, match=naming("units", 1, 5)):
        assert not z_scores(units)[:, 0].any()


def test_units_that_are_all_constant_are_refused():
    with pytest.raises(ValueError, match=naming("units", "constant", 5, 3)):
        z_scores(np.ones((3, 5, 20)))


@pytest.mark.parametrize("shape", [(5, 20), (20,), (3, 5, 20, 2)])
def test_another_shape_is_refused(shape):
    with pytest.raises(ValueError, match=naming("units", "epochs", "samples", str(shape))):
        z_scores(np.ones(shape))


@pytest.mark.parametrize(
    ("shape", "name"), [((0, 5, 9), "epochs"), ((3, 1, 9), "units"), ((3, 5, 1), "samples")]
)
def test_too_few_of_something_are_refused(shape, name):
    with pytest.raises(ValueError, match=naming("units", name, str(shape))):
        z_scores(np.ones(shape))


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_numbers_that_are_not_finite_are_refused(bad):
    units = made()
    units[1, 2, 3] = bad
    with pytest.raises(ValueError, match=naming("units", 1, 15, "units[1, 2]")):
        z_scores(units)


@pytest.mark.parametrize("units", [made().astype(complex), made().astype(str), [["a"], ["b"]]])
def test_what_are_no_real_numbers_is_refused(units):
    with pytest.raises(TypeError, match=naming("units")):
        z_scores(units)


def test_the_array_of_the_caller_is_not_changed():
    units = made()
    before = units.copy()
    z_scores(units)
    np.testing.assert_array_equal(units, before)


def test_tensors_are_units():
    torch = pytest.importorskip("torch")
    units = made(dtype=np.float32)
    np.testing.assert_array_equal(z_scores(torch.from_numpy(units)), z_scores(units))


def test_the_public_names_are_those_of_the_room():
    from eigentropy import embed

    assert dir(embed) == sorted(embed.__all__)
    with pytest.raises(AttributeError, match=naming("eigentropy.embed", "umap")):
        _ = embed.umap
