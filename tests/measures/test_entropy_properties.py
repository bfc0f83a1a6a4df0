"""Diffusion spectral entropy of any finite matrix."""

from __future__ import annotations

import math
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

import eigentropy as eg
from eigentropy import reference


@settings(max_examples=60, deadline=None)
@given(
    Z=arrays(
        np.float64,
        st.tuples(st.integers(1, 40), st.integers(1, 8)),
        elements=st.floats(-1e6, 1e6, allow_nan=False, width=32),
    ),
    alpha=st.sampled_from([0.0, 0.5, 1.0]),
    t=st.floats(1.0, 50.0),
)
def test_any_finite_matrix_has_an_entropy_between_0_and_log2_n(Z, alpha, t):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", eg.SaturationWarning)
        result = eg.dse(Z, alpha=alpha, t=t)
    assert 0.0 <= float(result) <= math.log2(len(Z)) + 1e-9
    expected = reference.diffusion_spectral_entropy(Z, result.sigma, t, alpha)
    # Subtracting the centre rounds the coordinates, which sigma may be very small beside.
    rounding = np.finfo(float).eps * np.abs(Z).max() / result.sigma
    assert float(result) == pytest.approx(expected, rel=1e-8, abs=max(1e-8, 10 * rounding))
