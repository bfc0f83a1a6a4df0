"""Estimates by single vectors, against matrices whose eigenvalues are known."""

import numpy as np
import pytest

import eigentropy as eg
from eigentropy._kernels.graph import SparseOperator
from eigentropy._spectra.functionals import Shannon
from eigentropy._spectra.squares import estimate_by_square

sparse = pytest.importorskip("scipy.sparse")


def ring(n, weight=0.5):
    """A walk on a ring that stays with a probability: eigenvalues 1 - weight (1 - cos)."""
    steps = sparse.csr_array(sparse.eye(n, format="csr")) * (1.0 - weight)
    shift = sparse.csr_array(
        (np.full(n, weight / 2), (np.arange(n), (np.arange(n) + 1) % n)), shape=(n, n)
    )
    A = (steps + shift + shift.T).tocsr()
    values = 1.0 - weight * (1.0 - np.cos(2.0 * np.pi * np.arange(n) / n))
    return SparseOperator(A, np.ones(n), float(n)).with_norm_of_square(None), values


@pytest.mark.parametrize("weight", [0.3, 0.9])
def test_the_norms_are_the_sums_of_powers(weight):
    A, values = ring(500, weight)
    np.testing.assert_allclose(A.trace, (values**2).sum(), rtol=1e-12)
    np.testing.assert_allclose(A.frobenius2, (values**4).sum(), rtol=1e-12)


@pytest.mark.parametrize("t", [0.5, 1.0, 1.5, 2.0, 4.0])
@pytest.mark.parametrize("weight", [0.3, 0.9])  # of the second, half the eigenvalues are below 0
def test_an_estimate_is_within_its_errors(weight, t):
    A, values = ring(1000, weight)
    exact = eg.spectral_entropy(values, t=t)
    deviations = []
    for seed in range(6):
        found = estimate_by_square(A, [Shannon(t)], 1e-2, seed, None, dtype="float64")
        assert found.meets(t)
        deviations.append((found.entropy(t) - exact) / found.standard_error(t))
        assert found.standard_error(t) <= 1e-2 * exact
    assert np.abs(deviations).max() < 5.0


def test_each_t_is_asked_of_the_better_estimate():
    A, values = ring(1000)
    both = estimate_by_square(A, [Shannon(1.0), Shannon(50.0)], 1e-2, 0, None, dtype="float64")
    for t in (1.0, 50.0):
        assert both.meets(t)
        assert abs(both.entropy(t) - eg.spectral_entropy(values, t=t)) <= 2e-2 * both.entropy(t)


def test_the_density_is_that_of_the_magnitudes():
    A, values = ring(1000, 0.9)
    found = estimate_by_square(A, [Shannon(1.0)], 1e-3, 0, None, dtype="float64")
    x, width = np.linspace(0.1, 0.9, 9), 0.1
    at = (x[:, None] - np.abs(values)) / width
    mirrored = (x[:, None] + np.abs(values)) / width, (2.0 - x[:, None] - np.abs(values)) / width
    expected = sum(np.exp(-0.5 * one**2).mean(axis=1) for one in (at, *mirrored))
    expected /= np.sqrt(2.0 * np.pi) * width
    np.testing.assert_allclose(found.density(x, width), expected, rtol=0.1)


def test_progress_ends_at_one():
    A, _ = ring(600)
    told = []
    estimate_by_square(A, [Shannon(1.0), Shannon(3.0)], 1e-2, 0, told.append, dtype="float32")
    assert told == sorted(told)
    assert told[-1] == 1.0
