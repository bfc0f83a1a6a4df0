"""The bounds of a factor of low rank, for matrices at random."""

from __future__ import annotations

import math

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from eigentropy import reference
from eigentropy._spectra.enclosure import entropy_interval, next_residual


def S(values):
    return reference.entropy_of_spectrum(values, base=math.e)


def psd(rng, n, rank, decay, largest=1.0):
    """A random positive semidefinite matrix with a prescribed spectrum."""
    Q, _ = np.linalg.qr(rng.normal(size=(n, n)))
    values = np.append(decay ** np.arange(rank), np.zeros(n - rank)) * largest
    return (Q * values) @ Q.T, values


@settings(max_examples=150, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    n=st.integers(2, 40),
    share=st.floats(0.0, 1.0),
    decay=st.floats(0.05, 1.0),
    tilt=st.floats(-3.0, 3.0),
)
def test_the_interval_contains_the_entropy_for_any_matrix_below(seed, n, share, decay, tilt):
    """A has the largest eigenvalue 1, as an operator has, and A - B is positive semidefinite."""
    rng = np.random.default_rng(seed)
    A, values = psd(rng, n, max(1, int(share * n)), decay)
    # Of A = C C^T, any C M C^T with M between 0 and 1 is below A.
    w, V = np.linalg.eigh(A)
    C = V * np.sqrt(np.maximum(w, 0))
    Q, _ = np.linalg.qr(rng.normal(size=(n, n)))
    B = C @ (Q * (1 / (1 + np.exp(tilt * rng.normal(size=n) - tilt)))) @ Q.T @ C.T
    below = np.clip(np.linalg.eigvalsh(B)[::-1], 0, 1)
    diagonal = np.maximum((A - B).diagonal(), 0)
    low, high = entropy_interval(below, n, values.sum(), diagonal)
    assert low <= S(values) <= high
    tau = diagonal.sum() / values.sum()
    if tau < 1 - 1 / n:
        fannes = tau * math.log(max(n - 1, 1)) + S([tau, 1 - tau]) if tau > 0 else 0.0
        assert high - low <= fannes + 1e-8


@settings(deadline=None)
@given(st.floats(1e-6, 1.0), st.floats(1e-3, 1.0), st.integers(100, 10**6))
def test_the_next_residual_gives_the_bound_that_is_allowed(residual, share, n):
    """For a bound of the form that is assumed, to the accuracy that this needs."""

    def bound(tau):
        return tau * (math.log(n / tau) + 2)

    tau = next_residual(residual, bound(residual), share * bound(residual), n)
    assert 0.85 * share <= bound(tau) / bound(residual) <= share
