"""What tests of several files hold results against."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

import eigentropy as eg
from eigentropy import reference

TOLERANCE = {"float64": 1e-12, "float32": 2e-5}


def assert_products(A, Z, sigma, alpha, dtype, columns=(1, 5, 40)):
    """Products, traces, degrees and the sum of the kernel are those of the definition."""
    expected = reference.diffusion_operator(Z, sigma, alpha)
    n, tolerance = len(Z), TOLERANCE[dtype]
    for m in columns:
        V = np.random.default_rng(m).uniform(-1, 1, size=(n, m))
        for precision in ("float64", "float32"):
            product = A.matmul(V.astype(precision))
            assert product.dtype == precision
            slack = 1e-6 if precision == "float32" else 0.0
            np.testing.assert_allclose(product, expected @ V, atol=tolerance + slack)
    assert A.n == n
    assert A.trace == pytest.approx(np.trace(expected), rel=tolerance)
    assert A.frobenius2 == pytest.approx((expected**2).sum(), rel=tolerance)
    G = np.exp(-reference.squared_distances(Z) / (2 * sigma**2))
    q = G.sum(axis=1)
    assert A.kernel_sum == pytest.approx(q.sum(), rel=tolerance)
    degrees = (G / np.outer(q, q) ** alpha).sum(axis=1)
    np.testing.assert_allclose(A.degrees, degrees, rtol=3 * tolerance)


def assert_spectrum(values, expected, dtype=np.float64):
    """Within n eps |A|, and descending; NaN fails."""
    expected = np.sort(np.asarray(expected, dtype=np.float64), axis=-1)[..., ::-1]
    assert values.shape == expected.shape
    assert values.dtype == dtype
    assert np.all(values[..., :-1] >= values[..., 1:])
    tolerance = (values.shape[-1] + 20) * np.finfo(dtype).eps * np.abs(expected).max()
    error = np.abs(values - expected).max()
    assert error <= tolerance


def both_precisions(Z, **options):
    return (eg.DiffusionOperator(Z, dtype=dtype, **options) for dtype in ("float64", "float32"))


def assert_bounds_hold(Z, times, **options):
    exact, single = both_precisions(Z, **options)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", eg.SaturationWarning)
        rounding = single.entropy().spectrum.rounding
        errors = np.abs(single.eigenvalues().astype(float) - exact.eigenvalues())
        assert errors.max() <= rounding.delta
        assert abs(single.trace() / exact.trace() - 1) <= rounding.delta
        for t in times:
            result = single.entropy(t)
            assert abs(float(result) - float(exact.entropy(t))) <= result.error_bound, t


def distances_of_pairs(Z):
    """By differences, pair by pair."""
    first, second = np.triu_indices(len(Z), k=1)
    return np.sqrt(((Z[first] - Z[second]) ** 2).sum(axis=1))


def counting_pairs(Z, sigma):
    """(sum w)^2 / sum(w^2) of w = G_ij^2, i < j, by the definition."""
    w = np.exp(-(distances_of_pairs(Z) ** 2) / (2 * sigma**2)) ** 2
    return w.sum() ** 2 / (w**2).sum()


def integral(y, x):
    """By trapezoids: NumPy before 2.0 has no `trapezoid`, later ones no `trapz`."""
    return float(np.diff(x) @ (y[1:] + y[:-1]) / 2.0)
