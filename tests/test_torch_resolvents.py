"""The logarithm of a matrix by rational functions against eigenvectors and known spectra."""

from __future__ import annotations

import math

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="eigentropy.torch needs PyTorch")

from eigentropy import _core, _memory  # noqa: E402
from eigentropy.torch import SpectralEntropy, loss, resolvents  # noqa: E402

N = 256  # SMALLEST_N


@pytest.fixture(autouse=True)
def one_thread():
    """Matrices of this size are not worth more, and the threads of a busy machine spin."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def with_spectrum(eigenvalues, dtype=torch.float64):
    """A matrix with these eigenvalues, and its eigenvectors."""
    noise = np.random.default_rng(0).standard_normal((len(eigenvalues), len(eigenvalues)))
    Q = torch.from_numpy(np.linalg.qr(noise)[0])
    values = torch.as_tensor(eigenvalues, dtype=torch.float64)
    return ((Q * values) @ Q.T).to(dtype), Q


def rows(dtype=torch.float64, d=200, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(N, d, generator=generator, dtype=torch.float64).to(dtype)


def value_and_gradient(module, Z):
    Z = Z.detach().clone().requires_grad_()
    value = module(Z)
    return value.detach(), torch.autograd.grad(value, Z)[0]


@pytest.mark.parametrize("kappa", [2.0, 30.0, 1e3, 1e6])
def test_the_error_falls_as_the_theory_says(kappa):
    x = np.geomspace(1.0 / kappa, 1.0, 999)
    rate = math.exp(-2.0 * math.pi**2 / math.log(16.0 * kappa))
    for poles in (2, 4, 6):
        found = resolvents.approximation(kappa, poles)
        error = np.abs(found(x) - np.log(x)).max()
        assert error <= 1.01 * found.error + 1e-13
        assert error <= 20.0 * math.log(kappa) * rate**poles + 1e-13
        assert (found.shifts > 0.0).all()
        assert (found.weights < 0.0).all()  # nothing cancels


def test_outside_of_its_interval_it_goes_on_smoothly():
    """An eigenvalue a fifth below what Lanczos has seen is still known to some digits."""
    found = resolvents.approximation(64.0, 6)
    x = np.array([0.8 / 64.0])
    assert found.error < 1e-7
    assert abs(found(x) - np.log(x))[0] < 1e-5


def test_the_fewest_poles_are_taken_and_none_where_too_many_are_needed():
    errors = [resolvents.sufficient(0.1, 0.9, tol).shifts.size for tol in (1e-2, 1e-5, 1e-9)]
    assert errors == sorted(errors)
    assert errors[0] < errors[2]
    assert resolvents.sufficient(1e-12, 1.0, 1e-9) is None
    assert resolvents.sufficient(0.0, 1.0, 1e-2) is None
    assert resolvents.sufficient(math.nan, 1.0, 1e-2) is None


@pytest.mark.parametrize(
    "eigenvalues",
    [
        np.linspace(0.1, 0.3, N),
        np.r_[2e-2, np.linspace(0.1, 0.3, N - 1)],  # one far below
        np.r_[np.linspace(0.1, 0.3, N - 1), 0.95],
        np.r_[np.full(N // 2, 0.2), np.linspace(0.3, 0.31, N // 2)],
    ],
)
def test_the_interval_has_all_eigenvalues(eigenvalues):
    A, _ = with_spectrum(eigenvalues)
    lower, upper = resolvents.spectral_interval(A)
    assert 0.0 < lower <= eigenvalues.min() * (1 + 1e-9)
    assert eigenvalues.max() * (1 - 1e-9) <= upper
    assert upper / lower < 4.0 * eigenvalues.max() / eigenvalues.min()


def test_an_interval_that_is_a_point_is_left_to_eigenvectors():
    assert resolvents.spectral_interval(torch.zeros(N, N)) == (0.0, 1.0)
    lower, upper = resolvents.spectral_interval(0.25 * torch.eye(N))
    assert lower <= 0.25 <= upper


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_the_logarithm_is_that_of_the_eigenvalues_and_0_on_the_known_vector(dtype):
    eigenvalues = np.r_[np.linspace(0.05, 0.4, N - 1), 1.0]
    A, Q = with_spectrum(eigenvalues, dtype)
    found = resolvents.logarithm(A, Q[:, -1].to(dtype))
    expected = (Q * torch.from_numpy(np.log(eigenvalues))) @ Q.T
    assert found.dtype == dtype
    error = float(torch.linalg.matrix_norm(found.double() - expected, ord=2))
    assert error <= 4.0 * resolvents.TOLERANCE[dtype] + 1e2 * torch.finfo(dtype).eps


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_the_gradient_without_eigenvectors_is_that_with_them(dtype, monkeypatch):
    Z = rows(dtype)
    expected = value_and_gradient(SpectralEntropy(method="exact"), Z)
    monkeypatch.setattr(torch.linalg, "eigh", None)  # is not called
    value, slope = value_and_gradient(SpectralEntropy(), Z)
    tolerance = 1e-8 if dtype == torch.float64 else 5e-5
    assert float(value) == pytest.approx(float(expected[0]), rel=tolerance)
    assert float((slope - expected[1]).abs().max()) <= tolerance * float(expected[1].abs().max())


def test_the_gradient_is_that_of_finite_differences():
    Z = rows()
    module = SpectralEntropy(sigma=7.0)
    _, slope = value_and_gradient(module, Z)
    direction = slope / slope.abs().max()
    step = 1e-4
    ends = [float(module((Z + h * direction).requires_grad_()).detach()) for h in (step, -step)]
    assert float((slope * direction).sum()) == pytest.approx(
        (ends[0] - ends[1]) / (2 * step), rel=1e-6
    )


@pytest.mark.parametrize(
    "case",
    ["two identical rows", "few rows", "a wide spectrum", "another t", "exact"],
)
def test_eigenvectors_are_taken_where_they_are_needed(case, monkeypatch):
    calls = []
    eigh = torch.linalg.eigh
    monkeypatch.setattr(torch.linalg, "eigh", lambda A: calls.append(1) or eigh(A))
    Z, options = rows(), {}
    if case == "two identical rows":
        Z[1] = Z[0]
    elif case == "few rows":
        Z = Z[:40]
    elif case == "a wide spectrum":
        Z = Z[:, :2]
    elif case == "another t":
        options = {"t": 2.0}
    else:
        options = {"method": "exact"}
    _, slope = value_and_gradient(SpectralEntropy(**options), Z)
    assert calls == [1]
    assert torch.isfinite(slope).all()


def test_a_matrix_that_is_not_positive_definite_is_left_to_eigenvectors(monkeypatch):
    A, Q = with_spectrum(np.r_[-0.1, np.linspace(0.1, 0.3, N - 2), 1.0])
    monkeypatch.setattr(resolvents, "spectral_interval", lambda A: (0.1, 0.4))  # is mistaken
    assert resolvents.logarithm(A, Q[:, -1]) is None


def test_little_memory_is_left_to_eigenvectors(monkeypatch):
    A, Q = with_spectrum(np.r_[np.linspace(0.1, 0.3, N - 1), 1.0])
    monkeypatch.setattr(resolvents, "CHECKED_FROM", N)
    four = 4 * 8 * N * N  # the bulk, the sum, two of one thread
    monkeypatch.setattr(_memory, "available", lambda: four - 1.0)
    assert resolvents.logarithm(A, Q[:, -1]) is None
    monkeypatch.setattr(_memory, "available", lambda: float(four))
    assert resolvents.logarithm(A, Q[:, -1]) is not None


@pytest.mark.parametrize("n", [1, 2, 63, 64, 65, 200, 523])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_the_core_inverts_shifted_matrices(n, dtype):
    """1 + 2 A + 3 (A + 1)^-1 - (A + 2)^-1 + ... of a matrix with known eigenvalues."""
    eigenvalues = np.linspace(0.1, 1.0, n)
    A, Q = with_spectrum(eigenvalues)
    shifts, weights = np.array([1.0, 2.0, 0.5]), np.array([3.0, -1.0, 0.25])
    expected = 1.0 + 2.0 * eigenvalues + (weights / (eigenvalues[:, None] + shifts)).sum(axis=1)
    matrix = A.numpy().astype(dtype)
    found = [_core.function_of_matrix(matrix, 1.0, 2.0, shifts, weights, k) for k in (1, 2, 5)]
    V = Q.numpy()
    assert found[0].dtype == dtype
    np.testing.assert_allclose(
        found[0], (V * expected) @ V.T, rtol=0.0, atol=50 * np.finfo(dtype).eps
    )
    np.testing.assert_array_equal(found[0], found[1])  # whatever the number of threads
    np.testing.assert_array_equal(found[0], found[2])


def test_the_core_refuses_what_it_cannot_invert():
    with pytest.raises(_core.SolverError, match="a shifted matrix is not positive definite"):
        _core.function_of_matrix(-np.eye(70), 0.0, 0.0, np.array([0.5]), np.array([1.0]), 1)
    with pytest.raises(ValueError, match="shape"):
        _core.function_of_matrix(np.ones((3, 2)), 0.0, 0.0, np.ones(1), np.ones(1), 1)
    with pytest.raises(ValueError, match="as many weights as shifts"):
        _core.function_of_matrix(np.eye(3), 0.0, 0.0, np.ones(2), np.ones(1), 1)


def test_sums_of_many_entries_are_in_double():
    """Four million products of one sign, which float32 would add up to a part in 1e4."""
    generator = torch.Generator().manual_seed(0)
    A, L = (torch.rand(2048, 2048, generator=generator) for _ in range(2))
    T, M = A.double().trace(), (A.double() * L.double()).sum()
    S, _ = loss._by_logarithm(A, -L, loss.Settings(base=math.e))
    assert float(S) == pytest.approx(float(torch.log(T) + M / T), rel=1e-6)


def test_the_random_state_is_left_alone():
    before = torch.get_rng_state()
    value_and_gradient(SpectralEntropy(), rows())
    assert torch.equal(before, torch.get_rng_state())
