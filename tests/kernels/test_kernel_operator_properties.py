"""_core.KernelOperator: products for shapes, widths and alphas at random."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from checks import assert_products
from eigentropy import _core

ALL = float("inf")


@settings(max_examples=25, deadline=None)
@given(
    n=st.integers(1, 250),
    d=st.integers(1, 20),
    m=st.integers(0, 70),
    alpha=st.floats(0, 1),
    sigma=st.floats(0.05, 20),
    limit=st.sampled_from([ALL, 0.0]),
)
def test_products_are_those_of_the_definition_for_every_shape(n, d, m, alpha, sigma, limit):
    Z = np.random.default_rng(n + 1000 * d).normal(size=(n, d))
    A = _core.KernelOperator(Z, sigma, alpha, "float64", memory_limit=limit)
    assert_products(A, Z, sigma, alpha, "float64", columns=[m])
