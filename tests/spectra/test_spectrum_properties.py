"""spectral_entropy of any spectrum."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

import eigentropy as eg
from eigentropy import reference


@given(
    st.lists(st.floats(1e-6, 1.0), min_size=1, max_size=40),
    st.floats(0.05, 40.0),
)
def test_any_spectrum_agrees_with_the_definition(values, t):
    assert eg.spectral_entropy(values, t=t) == pytest.approx(
        reference.entropy_of_spectrum(values, t), rel=1e-9, abs=1e-9
    )
