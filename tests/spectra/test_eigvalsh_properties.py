"""eigvalsh of matrices whose eigenvalues were prescribed."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

import eigentropy as eg
from checks import assert_spectrum
from prescribed import with_spectrum


@settings(deadline=None, max_examples=30)
@given(
    st.integers(1, 500),
    st.sampled_from(["uniform", "geometric", "two levels", "rank one", "indefinite", "zero"]),
    st.floats(-200, 200),
    st.integers(0, 2**32 - 1),
)
def test_any_prescribed_spectrum_comes_back(n, kind, exponent, seed):
    rng = np.random.default_rng(seed)
    values = {
        "uniform": rng.uniform(size=n),
        "geometric": 0.8 ** np.arange(n),
        "two levels": rng.integers(0, 2, size=n).astype(float),
        "rank one": np.eye(1, n)[0],
        "indefinite": rng.normal(size=n),
        "zero": np.zeros(n),
    }[kind] * 10.0**exponent
    assert_spectrum(eg.eigvalsh(with_spectrum(values, rng)), values)
