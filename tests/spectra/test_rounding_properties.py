"""float32: the bound of its error, for data and widths at random."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from checks import assert_bounds_hold


@settings(max_examples=80, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    n=st.integers(1, 80),
    d=st.integers(1, 12),
    log_sigma=st.floats(-3.0, 3.0),
    copies=st.integers(1, 4),
    tails=st.floats(0.7, 30.0),
    log_t=st.floats(-0.7, 8.0),
)
def test_the_bound_holds_for_any_data_and_sigma(seed, n, d, log_sigma, copies, tails, log_t):
    Z = np.random.default_rng(seed).standard_t(tails, size=(n, d))
    assert_bounds_hold(np.repeat(Z, copies, axis=0), [10.0**log_t], sigma=10.0**log_sigma)
