"""Eigenvalues of the operator, for matrices, widths, scales and numbers of threads at random."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from threadpoolctl import threadpool_limits

import eigentropy as eg
from eigentropy import _core, reference

EPS = {"float64": np.finfo(np.float64).eps, "float32": np.finfo(np.float32).eps}


@st.composite
def problems(draw, orders):
    """(rows, sigma, alpha): some rows repeated, at any scale, sigma from tiny to huge."""
    n, d = draw(orders), draw(st.integers(1, 6))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    Z = rng.normal(size=(n, d)) + draw(st.floats(0, 20)) * rng.integers(0, 3, size=(n, 1))
    repeated = draw(st.integers(0, n - 1))
    Z[:repeated] = Z[-1]
    scale = 10.0 ** draw(st.integers(-100, 100))
    sigma = 10.0 ** draw(st.floats(-3, 3))
    return scale * Z, scale * sigma, draw(st.sampled_from([0.0, 0.5, 1.0]))


def spectrum_and_matrix(problem, dtype):
    Z, sigma, alpha = problem
    spectrum = _core.spectrum(Z, sigma, alpha, dtype)[0]
    matrix = _core.matrix(Z, sigma, alpha, dtype)[0]
    assert spectrum.dtype == matrix.dtype == dtype
    return spectrum.astype(float), matrix.astype(float)


def expect_eigenvalues(spectrum, matrix, dtype):
    """Within 50 n eps |A| of LAPACK's in float64; |A| = 1."""
    n = len(spectrum)
    with threadpool_limits(1):  # NumPy's threads wait by spinning
        expected = np.linalg.eigvalsh(matrix)[::-1]
    np.testing.assert_allclose(spectrum, expected, rtol=0, atol=50 * n * EPS[dtype])
    assert (np.diff(spectrum) <= 0).all()


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@settings(max_examples=80, deadline=None)
@given(problem=problems(st.integers(1, 150)))
def test_eigenvalues_of_small_operators_are_those_of_lapack(problem, dtype):
    spectrum, matrix = spectrum_and_matrix(problem, dtype)
    expect_eigenvalues(spectrum, matrix, dtype)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@settings(max_examples=12, deadline=None)
@given(problem=problems(st.integers(480, 700)))
def test_eigenvalues_of_two_stages_are_those_of_lapack(problem, dtype):
    spectrum, matrix = spectrum_and_matrix(problem, dtype)
    expect_eigenvalues(spectrum, matrix, dtype)


@settings(max_examples=60, deadline=None)
@given(problem=problems(st.integers(1, 120)), t=st.floats(0.5, 20))
def test_dse_is_the_entropy_of_the_reference_s_eigenvalues(problem, t):
    Z, sigma, alpha = problem
    operator = eg.DiffusionOperator(Z, sigma=sigma, alpha=alpha)
    expected = np.linalg.eigvalsh(reference.diffusion_operator(Z / sigma, 1.0, alpha))[::-1]
    eigenvalues = operator.eigenvalues()
    np.testing.assert_allclose(eigenvalues, np.clip(expected, 0, 1), rtol=0, atol=1e-11)
    assert ((eigenvalues >= 0) & (eigenvalues <= 1)).all()
    assert eg.spectral_entropy(eigenvalues, t=t) == pytest.approx(
        eg.spectral_entropy(expected, t=t), abs=1e-6
    )


@settings(max_examples=8, deadline=None)
@given(problem=problems(st.integers(500, 700)))
def test_eigenvalues_do_not_depend_on_the_number_of_threads(problem):
    Z, sigma, alpha = problem
    before = _core.thread_count()
    try:
        _core.set_thread_count(1)
        alone = _core.spectrum(Z, sigma, alpha, "float64")[0]
        for threads in (2, 3):
            _core.set_thread_count(threads)
            np.testing.assert_array_equal(
                _core.spectrum(Z, sigma, alpha, "float64")[0], alone, strict=True
            )
    finally:
        _core.set_thread_count(before)


@settings(max_examples=20, deadline=None)
@given(problem=problems(st.integers(2, 150)), dtype=st.sampled_from(list(EPS)))
def test_the_spectrum_of_one_subset_of_all_rows_is_that_of_the_rows(problem, dtype):
    Z, sigma, alpha = problem
    n = len(Z)
    subsets, *_ = _core.subset_spectra(Z, [0, n], np.arange(n), sigma, alpha, dtype)
    spectrum, _ = spectrum_and_matrix(problem, dtype)
    np.testing.assert_allclose(subsets.astype(float), spectrum, rtol=0, atol=100 * n * EPS[dtype])
