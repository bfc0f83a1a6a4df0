"""The stochastic estimate of any spectrum."""

from __future__ import annotations

import math

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

import eigentropy as eg
from eigentropy._spectra.stochastic import SMALLEST_N, estimate_spectrum
from prescribed import prescribed


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    n=st.integers(SMALLEST_N, 400),
    power=st.floats(0.2, 4.0),
    scale=st.floats(1e-4, 1.0),
    zeros=st.integers(0, 200),
    ones=st.integers(0, 20),
    t=st.floats(0.5, 8.0),
)
def test_any_spectrum_is_estimated_within_six_errors(seed, n, power, scale, zeros, ones, t):
    rest = scale * np.arange(1, n) ** -power
    rest[len(rest) - zeros :] = 0.0
    rest[:ones] = 1.0
    matrix, spectrum = prescribed(rest, seed)
    result = estimate_spectrum(matrix, [t], 1e-2, seed, dtype="float64")
    value, error = result.entropy(t, math.e), result.standard_error(t, math.e)
    exact = eg.spectral_entropy(spectrum, t, math.e)
    assert abs(value - exact) <= 6.0 * error + 1e-4 * max(exact, 1e-2)
    assert 0.0 <= value <= math.log(n) * 1.01
