"""Gaps that are closed before a kernel: no entry of G changes."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from hypothesis import given, settings
from hypothesis import strategies as st

import eigentropy as eg
from eigentropy.torch.losses.gaps import centered, close_gaps, near_rows
from eigentropy.torch.losses.kernel import gaussian_kernel

SEPARATION = 10.0
VALUES = st.one_of(
    st.floats(-100.0, 100.0),
    st.floats(0.0, 300.0).map(lambda exponent: 10.0**exponent),
    st.floats(0.0, 300.0).map(lambda exponent: -(10.0**exponent)),
)


@settings(deadline=None)
@given(st.lists(VALUES, min_size=1, max_size=30))
def test_a_difference_stays_or_stays_wide(values):
    z = torch.tensor(values, dtype=torch.float64)[:, None]
    moved = close_gaps(z, SEPARATION)
    before, after = (z - z.T).numpy(), (moved - moved.T).numpy()
    near = np.abs(before) <= SEPARATION
    np.testing.assert_allclose(after[near], before[near], atol=1e-11)
    assert np.all(np.abs(after[~near]) >= SEPARATION * (1 - 1e-12))
    assert np.all(np.sign(after[~near]) == np.sign(before[~near]))
    assert np.ptp(moved.numpy()) <= 3 * SEPARATION * len(values)


def test_rows_without_wide_gaps_are_centred_only():
    z = torch.randn(20, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0)) + 7.0
    assert torch.equal(near_rows(z, 1.0), centered(z))
    torch.testing.assert_close(centered(z), z - z.mean(dim=0))


def test_equal_rows_are_at_the_origin():
    assert not near_rows(torch.full((11, 2), 1e35, dtype=torch.float64), 1.0).any()


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("sigma", [1.5, "auto", "median", "narrow", "knn", "max-slope"])
@pytest.mark.parametrize("share", [0.02, 0.3, 0.6])
@pytest.mark.parametrize("fill", [1e5, 1e9, 1e20, 9.97e36])
def test_the_kernel_beside_fill_values_is_that_of_exact_differences(fill, share, sigma, dtype):
    rng = np.random.default_rng(5)
    Z = rng.normal(size=(100, 4)).astype(np.float32)
    Z[: int(100 * share)] = fill
    kernel = gaussian_kernel(torch.from_numpy(Z).to(dtype), sigma, dtype)
    exact = Z.astype(np.longdouble)
    r2 = ((exact[:, None] - exact) ** 2).sum(axis=-1)
    assert kernel.sigma == pytest.approx(eg.bandwidth(Z, sigma) if sigma != 1.5 else 1.5, rel=1e-5)
    expected = np.exp(-r2 / (2 * np.longdouble(kernel.sigma) ** 2)).astype(np.float64)
    tolerance = 1e-10 if dtype == torch.float64 else 1e-5
    np.testing.assert_allclose(kernel.G.double().numpy(), expected, atol=tolerance)
