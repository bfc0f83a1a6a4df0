"""Products of blocks of vectors, and their small eigenproblems: against NumPy."""

from __future__ import annotations

import numpy as np
import pytest

from eigentropy import _core
from messages import naming

DTYPES = [np.float32, np.float64]


def blocks(rng, n, widths, dtype):
    return [rng.normal(size=(n, width)).astype(dtype) for width in widths]


def close(actual, expected, dtype):
    scale = max(1.0, float(np.abs(expected).max(initial=0.0)))
    np.testing.assert_allclose(actual, expected, atol=40 * np.finfo(dtype).eps * scale)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("n", [1, 300, 512, 1700, 40_000])
def test_products_are_those_of_numpy(n, dtype, rng):
    V, W = blocks(rng, n, (7, 4), dtype)
    V64, W64 = V.astype(np.float64), W.astype(np.float64)
    assert _core.inner(V, W).dtype == np.float64
    close(_core.inner(V, W), V64.T @ W64, dtype)
    close(_core.gram(W), W64.T @ W64, np.float64)


@pytest.mark.parametrize("dtype", DTYPES)
def test_combinations_are_those_of_numpy(dtype, rng):
    V = blocks(rng, 1300, (3, 0, 16, 1), dtype)
    C = np.asfortranarray(rng.normal(size=(20, 5)))
    out = _core.combine(V, C)
    assert out.dtype == dtype
    close(out, np.hstack(V).astype(np.float64) @ C, dtype)


@pytest.mark.parametrize("dtype", DTYPES)
def test_what_is_projected_out_is_gone(dtype, rng):
    basis = np.linalg.qr(rng.normal(size=(1300, 24)))[0].astype(dtype)
    V = [np.ascontiguousarray(block) for block in np.split(basis, [1, 9], axis=1)]
    (W,) = blocks(rng, 1300, (6,), dtype)
    expected = W - basis.astype(np.float64) @ (basis.T.astype(np.float64) @ W)
    _core.project_out(V, W)
    close(W, expected, dtype)
    assert np.abs(basis.T @ W).max() <= 1e3 * np.finfo(dtype).eps


def test_results_do_not_depend_on_the_number_of_threads(rng):
    V = blocks(rng, 40_000, (5, 8), np.float32)
    (original,) = blocks(rng, 40_000, (4,), np.float32)
    threads = _core.thread_count()
    results = []
    try:
        for count in (1, 2, 5):
            _core.set_thread_count(count)
            W = original.copy()
            _core.project_out(V, W)
            results.append(
                (W, _core.gram(W), _core.inner(V[0], W), _core.combine(V[:1], np.eye(5)))
            )
    finally:
        _core.set_thread_count(threads)
    for result in results[1:]:
        for actual, expected in zip(result, results[0], strict=True):
            np.testing.assert_array_equal(actual, expected)


@pytest.mark.parametrize("dtype", DTYPES)
def test_no_columns_are_no_work(dtype):
    V, none = np.ones((300, 2), dtype), np.zeros((300, 0), dtype)
    assert _core.inner(V, none).shape == (2, 0)
    assert _core.gram(none).shape == (0, 0)
    np.testing.assert_array_equal(_core.combine([none], np.zeros((0, 3))), np.zeros((300, 3)))
    _core.project_out([none], V)
    np.testing.assert_array_equal(V, 1.0)


def test_blocks_that_do_not_fit_are_refused():
    V, W = np.ones((300, 2)), np.ones((299, 3))
    with pytest.raises(ValueError, match=naming("blocks", "rows")):
        _core.inner(V, W)
    with pytest.raises(ValueError, match=naming("blocks", "rows")):
        _core.project_out([V], W)
    with pytest.raises(ValueError, match=naming("C", "vector")):
        _core.combine([V], np.ones((3, 3)))
    with pytest.raises(ValueError, match=naming("block")):
        _core.combine([], np.ones((3, 3)))


@pytest.mark.parametrize("n", [1, 2, 61, 300])
def test_small_eigenpairs_are_orthonormal_and_those_of_numpy(n, rng):
    A = rng.normal(size=(n, n))
    A = A + A.T
    values, vectors = _core.symmetric_eigenpairs(np.triu(A))
    np.testing.assert_allclose(values, np.linalg.eigvalsh(A), atol=1e-12 * n)
    np.testing.assert_allclose(vectors.T @ vectors, np.eye(n), atol=1e-13 * n)
    np.testing.assert_allclose(A @ vectors, vectors * values, atol=1e-12 * n)


def test_no_matrix_has_no_eigenpairs_and_nan_is_refused():
    values, vectors = _core.symmetric_eigenpairs(np.zeros((0, 0)))
    assert (values.shape, vectors.shape) == ((0,), (0, 0))
    with pytest.raises(ValueError, match=naming("nan")):
        _core.symmetric_eigenpairs(np.full((2, 2), np.nan))
