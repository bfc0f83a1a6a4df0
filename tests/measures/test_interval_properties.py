"""Intervals are nested, hold the value, have a width, and hold what 40 digits give."""

from __future__ import annotations

import math
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import eigentropy as eg

NEXT_TO_1 = float(np.nextafter(1.0, 0.0))


@settings(max_examples=30, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    n_null=st.integers(2, 6),
    levels=st.tuples(st.floats(1e-3, NEXT_TO_1), st.floats(1e-3, NEXT_TO_1)),
    estimator=st.sampled_from(["matched", "plain"]),
    t=st.sampled_from([0.5, 1.0, 3.0]),
)
def test_intervals_are_nested_hold_the_value_and_have_width(seed, n_null, levels, estimator, t):
    rng = np.random.default_rng(seed)
    Z, labels = rng.normal(size=(24, 3)), rng.integers(0, 3, 24)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = eg.dsmi(Z, labels, n_null=n_null, estimator=estimator, t=t)
    narrow, wide = (found.interval(level) for level in sorted(levels))
    assert wide.low <= narrow.low <= found.value <= narrow.high <= wide.high
    assert narrow.high > narrow.low
    assert np.isfinite(wide).all()
    whole = eg.dse(Z, t=t)
    low, high = whole.interval(levels[0])
    assert 0.0 <= low < high
    assert low <= whole.value <= high <= math.log2(24) * (1 + 1e-12)


def in_high_precision(Z, sigma, t):
    """S(t) in 40 digits, with distances from differences."""
    mp = pytest.importorskip("mpmath")
    with mp.workdps(40):
        rows = [[mp.mpf(float(x)) for x in row] for row in Z]
        n = len(rows)

        def entry(i, j):
            squared = mp.fsum([(a - b) ** 2 for a, b in zip(rows[i], rows[j], strict=True)])
            return mp.exp(-squared / (2 * mp.mpf(float(sigma)) ** 2))

        A = mp.matrix(n, n)
        for i in range(n):
            for j in range(n):
                A[i, j] = entry(i, j)
        for _ in range(2):  # alpha = 1/2 divides by the densities as by the degrees after it
            sums = [mp.fsum(A[i, :]) for i in range(n)]
            for i in range(n):
                for j in range(n):
                    A[i, j] /= mp.sqrt(sums[i] * sums[j])
        powers = [abs(v) ** mp.mpf(t) for v in mp.eigsy(A, eigvals_only=True)]
        total = mp.fsum(powers)
        shares = [power / total for power in powers if power > 0]
        return -mp.fsum([share * mp.log(share, 2) for share in shares])


@settings(max_examples=12, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    n=st.integers(2, 12),
    offset=st.sampled_from([0.0, 1.0, 1e3, 1e6]),
    factor=st.sampled_from([0.3, 1.0, 5.0, 30.0]),
    t=st.sampled_from([1.0, 2.0, 7.0]),
)
def test_the_interval_of_an_exact_entropy_holds_the_true_one(seed, n, offset, factor, t):
    rng = np.random.default_rng(seed)
    Z = rng.normal(size=(n, 4)) + offset * rng.integers(0, 2, size=(n, 1))
    sigma = factor * eg.bandwidth(Z)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", eg.SaturationWarning)
        found = eg.dse(Z, sigma=sigma, t=t)
    low, high = found.interval()
    assert low <= in_high_precision(Z, sigma, t) <= high
    assert high > low
