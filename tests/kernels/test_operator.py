"""DiffusionOperator: eigenvalues, traces, products, diffusion maps."""

from __future__ import annotations

import numpy as np
import pytest

import eigentropy as eg
from data_sets import separated_blobs
from eigentropy import _core, reference
from messages import naming


@pytest.fixture
def Z(rng):
    return rng.normal(size=(300, 6))


@pytest.mark.parametrize("alpha", [0.0, 0.5, 0.8, 1.0, 3.0])
def test_the_matrix_is_the_definition(Z, alpha):
    A = np.asarray(eg.DiffusionOperator(Z, sigma=1.5, alpha=alpha))
    np.testing.assert_allclose(A, reference.diffusion_operator(Z, 1.5, alpha), rtol=1e-11)


@pytest.mark.parametrize("dtype", ["float64", "float32", np.float32])
def test_eigenvalues_are_those_of_the_definition(Z, dtype):
    operator = eg.DiffusionOperator(Z, sigma=1.5, dtype=dtype)
    eigenvalues = operator.eigenvalues()
    expected = np.linalg.eigvalsh(reference.diffusion_operator(Z, 1.5))[::-1]
    assert eigenvalues.dtype == operator.dtype
    tolerance = 1e-13 if operator.dtype == "float64" else 1e-5
    np.testing.assert_allclose(eigenvalues, expected, atol=tolerance)
    assert eigenvalues[0] == pytest.approx(1.0, abs=tolerance)
    assert eigenvalues.min() >= 0.0
    assert eigenvalues.max() <= 1.0


@pytest.mark.parametrize("n", [127, 128, 700])
def test_the_solvers_on_both_sides_of_their_crossover_are_those_of_numpy(n, rng):
    Z = rng.normal(size=(n, 12))
    expected = np.linalg.eigvalsh(np.asarray(eg.DiffusionOperator(Z)))[::-1]
    np.testing.assert_allclose(eg.DiffusionOperator(Z).eigenvalues(), expected, atol=1e-13)


def test_traces_are_sums_over_the_spectrum(Z):
    eigenvalues = eg.DiffusionOperator(Z).eigenvalues()
    operator = eg.DiffusionOperator(Z)
    assert operator.trace() == pytest.approx(eigenvalues.sum(), rel=1e-12)
    assert operator.frobenius2() == pytest.approx((eigenvalues**2).sum(), rel=1e-12)


def test_traces_are_the_same_before_and_after_the_spectrum(Z):
    operator = eg.DiffusionOperator(Z)
    before = operator.trace(), operator.frobenius2()
    operator.eigenvalues()
    assert (operator.trace(), operator.frobenius2()) == before


@pytest.mark.parametrize("m", [1, 2, 7])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_matmul_is_the_product(Z, rng, m, dtype):
    V = rng.normal(size=(300, m))
    operator = eg.DiffusionOperator(Z, sigma=1.5, dtype=dtype)
    expected = reference.diffusion_operator(Z, 1.5) @ V
    tolerance = 1e-12 if dtype == "float64" else 1e-5
    np.testing.assert_allclose(operator.matmul(V), expected, atol=tolerance)
    np.testing.assert_allclose(operator @ V, expected, atol=tolerance)
    np.testing.assert_allclose(operator @ np.asfortranarray(V), expected, atol=tolerance)
    np.testing.assert_allclose(operator @ V[:, 0], expected[:, 0], atol=tolerance)


def test_dtypes_and_vectors_of_torch_are_taken(Z, rng):
    torch = pytest.importorskip("torch")
    operator = eg.DiffusionOperator(Z, sigma=1.5, dtype=torch.float64)
    assert operator.eigenvalues().dtype == operator.dtype == "float64"
    v = rng.normal(size=300)
    np.testing.assert_array_equal(operator @ torch.tensor(v), operator @ v)


def test_matmul_works_again_after_the_spectrum(Z, rng):
    v = rng.normal(size=300)
    operator = eg.DiffusionOperator(Z)
    before = operator @ v
    operator.eigenvalues()
    np.testing.assert_array_equal(operator @ v, before)


def test_matmul_of_no_columns_is_empty(Z):
    assert (eg.DiffusionOperator(Z) @ np.empty((300, 0))).shape == (300, 0)


def test_matmul_names_a_wrong_shape(Z):
    with pytest.raises(ValueError, match=naming("V", 300, "(5,)")):
        eg.DiffusionOperator(Z).matmul(np.ones(5))


def test_diffusion_map_holds_right_eigenvectors_of_p(Z):
    operator = eg.DiffusionOperator(Z, sigma=1.5)
    A = reference.diffusion_operator(Z, 1.5)
    G = np.exp(-reference.squared_distances(Z) / (2 * 1.5**2))
    q = G.sum(axis=1)
    K = G / np.sqrt(np.outer(q, q))
    d = K.sum(axis=1)
    P = K / d[:, None]
    eigenvalues = np.sort(np.linalg.eigvalsh(A))[::-1][1:4]
    coordinates = operator.diffusion_map(3, t=1)
    np.testing.assert_allclose(P @ coordinates, coordinates * eigenvalues, atol=1e-12)
    psi = coordinates / eigenvalues
    np.testing.assert_allclose(psi.T @ (psi * d[:, None]) / d.sum(), np.eye(3), atol=1e-10)
    np.testing.assert_allclose(operator.diffusion_map(3, t=2), psi * eigenvalues**2, atol=1e-10)
    assert (psi[np.abs(psi).argmax(axis=0), range(3)] > 0).all()


def test_diffusion_map_separates_clusters_that_do_not_touch():
    """lambda_1 = 1 is then repeated, and the constant vector still is not among the columns."""
    Z, labels = separated_blobs(50, 5, k=3, distance=1e4)
    coordinates = eg.DiffusionOperator(Z, sigma=2.0).diffusion_map(2)
    centers = np.array([coordinates[labels == k].mean(axis=0) for k in range(3)])
    spread = max(coordinates[labels == k].std(axis=0).max() for k in range(3))
    gaps = [np.linalg.norm(centers[i] - centers[j]) for i, j in ((0, 1), (0, 2), (1, 2))]
    assert spread < 1e-6 < min(gaps)


@pytest.mark.parametrize(("k", "allowed"), [(0, 1), (300, 299)])
def test_diffusion_map_names_a_bad_k(Z, k, allowed):
    with pytest.raises(ValueError, match=naming("k", k, allowed)):
        eg.DiffusionOperator(Z).diffusion_map(k)


def test_the_spectrum_is_computed_once(Z, monkeypatch):
    calls = []
    spectrum = _core.spectrum
    monkeypatch.setattr(_core, "spectrum", lambda *args: calls.append(1) or spectrum(*args))
    operator = eg.DiffusionOperator(Z)
    operator.entropy()
    operator.entropy(t=3)
    operator.eigenvalues()
    assert len(calls) == 1


def test_squared_distances_of_integers_are_exact(rng):
    Z = rng.integers(0, 17, size=(300, 64)).astype(float)
    squared, scale = _core.squared_distances(Z)
    np.testing.assert_array_equal(scale**2 * squared, reference.squared_distances(Z))


def test_squared_distances_of_far_pairs_are_accurate(rng):
    Z = 1e4 + rng.normal(size=(270, 5))
    Z[1] = Z[0] + 1e-6
    expected = reference.squared_distances(Z)
    chosen = np.array([5, 0, 269])
    for (squared, scale), wanted in (
        (_core.squared_distances(Z), expected),
        (_core.squared_distances(Z, chosen), expected[np.ix_(chosen, chosen)]),
        (_core.squared_distances_from(Z, chosen), expected[chosen]),
    ):
        np.testing.assert_allclose(scale**2 * squared, wanted, rtol=1e-9)


def test_knn_adjacency_joins_the_nearest_rows_with_all_ties():
    Z = np.array([[0.0], [1.0], [-1.0], [5.0]])
    expected = [[1, 1, 1, 0], [1, 1, 0, 0], [1, 0, 1, 0], [0, 1, 0, 1]]
    np.testing.assert_array_equal(_core.knn_adjacency(Z, 2), expected)


def test_repr_names_the_settings(Z):
    assert repr(eg.DiffusionOperator(Z, sigma=2, alpha=1)) == (
        "DiffusionOperator(n=300, d=6, sigma=2, alpha=1, dtype=float64)"
    )


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_the_core_refuses_a_row_that_is_not_finite(bad, dtype):
    """Were the checks of arguments to let it pass: distances would hide it."""
    Z = np.random.default_rng(0).normal(size=(40, 3))
    Z[7, 1] = bad
    every_row = np.arange(40)
    for solve in (
        lambda: _core.spectrum(Z, 1.0, 0.5, dtype),
        lambda: _core.matrix(Z, 1.0, 0.5, dtype),
        lambda: _core.eigenpairs(Z, 1.0, 0.5, dtype, 2),
        lambda: _core.subset_spectra(Z, [0, 20, 40], every_row, 1.0, 0.5, dtype),
    ):
        with pytest.raises(ValueError, match=r"row \d+ of [24]0"):
            solve()
