"""Properties of the rules for sigma."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

import eigentropy as eg
from checks import counting_pairs, distances_of_pairs


@given(
    n=st.integers(2, 60),
    d=st.integers(1, 30),
    tail=st.floats(0.0, 3.0),
    seed=st.integers(0, 2**32 - 1),
)
def test_narrow_is_the_least_width_that_lets_enough_pairs_count(n, d, tail, seed):
    generator = np.random.default_rng(seed)
    Z = generator.normal(size=(n, d)) * np.exp(tail * generator.normal(size=(n, 1)))
    least, sigma = 0.2 * np.median(distances_of_pairs(Z)), eg.bandwidth(Z, "narrow")
    wanted = min(n, n * (n - 1) / 4)
    assert sigma >= least * (1 - 1e-12)
    assert counting_pairs(Z, sigma) >= wanted * (1 - 1e-4)
    if sigma > least * (1 + 1e-5):
        assert counting_pairs(Z, sigma * (1 - 1e-5)) < wanted * (1 + 1e-4)
