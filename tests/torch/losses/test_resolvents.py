"""The entropy and its gradient by rational functions of a matrix, against eigenvectors."""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="eigentropy.torch needs PyTorch")

import eigentropy as eg
from eigentropy import _core
from eigentropy.torch import DiffusionSpectralEntropy
from eigentropy.torch.losses import gradient, kernel, logarithm, resolvents
from eigentropy.torch.losses.eigenpairs import EigenPairs
from eigentropy.torch.losses.functional import WidthCheck, batch_entropy
from eigentropy.torch.losses.options import EntropyOptions, Limits

N = 256


def built(Z, sigma=7.0, alpha=0.5, threads=1):
    """The core with the operator of the rows."""
    core = _core.EntropyGradient(str(Z.dtype).removeprefix("torch."))
    core.build(Z.numpy(), sigma, alpha, threads)
    return core


def solved(core, threads=1):
    return core.solve_by_logarithm(resolvents.log_functions(1e-9), threads)


def solved_by(core, r, upper, threads=1):
    """By this one function, which is for A / upper; None where it does not fit A."""
    constant, linear = r.constant + math.log(upper), r.linear / upper
    shifts, weights, lowest = r.shifts * upper, r.weights * upper, upper / r.kappa
    try:
        return core.solve(constant, linear, shifts, weights, lowest, threads)
    except _core.SolverError:
        return None


@pytest.fixture(params=["the core", "PyTorch's operations"])
def arithmetic(request, monkeypatch):
    """What is on a GPU is computed by PyTorch's operations, here on the CPU."""
    if request.param != "the core":
        monkeypatch.setattr(kernel, "computed_by_core", lambda rows: False)
    return request.param


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


@pytest.mark.parametrize("alpha", [0.0, 0.5, 1.0])
def test_the_core_builds_the_operator(alpha):
    Z = rows(d=7)
    core = built(Z, 2.5, alpha, 2)
    A, q, d = core.matrices()
    np.testing.assert_array_equal(A, A.T)
    G = np.exp(-(torch.cdist(Z, Z).numpy() ** 2) / (2 * 2.5**2))
    np.testing.assert_allclose(q, G.sum(axis=1), rtol=1e-10)
    K = G / np.outer(q, q) ** alpha
    D = K.sum(axis=1)
    np.testing.assert_allclose(d, D, rtol=1e-10)
    np.testing.assert_allclose(A, K / np.sqrt(np.outer(D, D)), rtol=1e-9)
    assert core.build(Z.numpy(), 2.5, alpha, 2) == pytest.approx(G.sum(), rel=1e-10)


@pytest.mark.parametrize("steps", [10, 20])
@pytest.mark.parametrize("case", ["a bulk", "two clusters", "one far from all", "a wide spectrum"])
def test_the_interval_has_all_eigenvalues_but_the_known_one(case, steps):
    Z = {
        "a bulk": rows(),
        "two clusters": torch.cat([rows()[:128], rows()[128:] + 1.0]),
        "one far from all": torch.cat([rows()[1:], 40.0 * torch.ones(1, 200).double()]),
        "a wide spectrum": rows(d=20),
    }[case]
    core = built(Z, 0.35 * float(torch.cdist(Z, Z).median()))
    eigenvalues = np.linalg.eigvalsh(core.matrices()[0])[:-1]
    lower, upper = core.bulk_interval(steps, 1)
    assert resolvents.SLACK * lower <= eigenvalues.min() * (1 + 1e-9)
    assert eigenvalues.max() * (1 - 1e-9) <= upper
    if case != "a wide spectrum":
        assert upper / lower < 3.0 * eigenvalues.max() / eigenvalues.min()


@pytest.mark.parametrize(("d", "reached"), [(8, True), (6, False)])
def test_an_interval_that_lanczos_leaves_open_is_closed_by_cholesky_factors(d, reached):
    """Its residuals are larger than the smallest eigenvalue, which few dimensions make small."""
    Z = rows(torch.float32, d=d)
    sigma = 0.35 * float(torch.pdist(Z).median())
    core = built(Z, sigma)
    assert core.bulk_interval(20, 1)[0] < 0.0
    functions = resolvents.log_functions(resolvents.TOLERANCE[torch.float32])
    found = core.solve_by_logarithm(functions, 1)
    assert (found is not None) == reached
    if found is not None:
        module = DiffusionSpectralEntropy(sigma=sigma, base=math.e, method="exact")
        value, slope = value_and_gradient(module, Z)
        assert found[0] == pytest.approx(float(value), rel=1e-5)
        differences = np.abs(found[1] - slope.numpy())
        assert differences.max() <= 2e-4 * float(slope.abs().max())


@pytest.mark.filterwarnings("ignore::eigentropy.SaturationWarning")
def test_an_interval_that_is_a_point_is_left_to_eigenvectors():
    equal = torch.full((N, 3), 0.7, dtype=torch.float64)
    assert resolvents.solved(built(equal), equal, 1, Limits()) is None
    value, slope = value_and_gradient(DiffusionSpectralEntropy(), equal)
    assert float(value) == pytest.approx(0.0, abs=1e-10)
    assert torch.isfinite(slope).all()


@pytest.mark.usefixtures("arithmetic")
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_the_gradient_without_eigenvectors_is_that_with_them(dtype, monkeypatch):
    Z = rows(dtype)
    expected = value_and_gradient(DiffusionSpectralEntropy(method="exact"), Z)
    monkeypatch.setattr(torch.linalg, "eigh", None)  # is not called
    value, slope = value_and_gradient(DiffusionSpectralEntropy(), Z)
    tolerance = 1e-8 if dtype == torch.float64 else 5e-5
    assert float(value) == pytest.approx(float(expected[0]), rel=tolerance)
    assert float((slope - expected[1]).abs().max()) <= tolerance * float(expected[1].abs().max())


@pytest.mark.usefixtures("arithmetic")
@pytest.mark.parametrize("apart", [0.01, 0.02, 0.05])
@pytest.mark.parametrize(
    ("n", "d", "seed", "inner"),  # how much nearer the first row is to the mean than the last
    [(64, 10, 1, 5.0), (64, 10, 3, 5.0), (128, 20, 4, 5.0), (128, 10, 128, 1.0)],
)
def test_two_rows_that_are_close_leave_the_gradient_right(n, d, seed, inner, apart):
    """Their eigenvalue lies far below all others, where a random start does not look."""
    generator = torch.Generator().manual_seed(seed)
    Z = torch.randn(n, d, generator=generator, dtype=torch.float64)
    Z[1] = Z[0] + apart * torch.randn(d, generator=generator, dtype=torch.float64)
    Z *= torch.linspace(1.0 / inner, 1.0, n, dtype=torch.float64)[:, None]
    module = DiffusionSpectralEntropy()
    _, slope = value_and_gradient(module, Z.float())
    sigma = module.sigma_used
    _, expected = value_and_gradient(
        DiffusionSpectralEntropy(sigma=sigma, method="exact"), Z.float()
    )
    assert float((slope - expected).abs().max()) <= 2e-4 * float(expected.abs().max())


def close_pair():
    Z = rows()
    Z[1] = Z[0] + 0.1 * Z[1]
    return Z


def test_the_core_sees_an_eigenvalue_that_was_not_expected():
    core = built(close_pair())
    smallest = np.linalg.eigvalsh(core.matrices()[0])[0]
    function = resolvents.approximation(1.0 / smallest, 4)
    arguments = (function.constant, function.linear, function.shifts, function.weights)
    core.solve(*arguments, 0.99 * smallest, 1)
    with pytest.raises(_core.SolverError, match="expected"):
        core.solve(*arguments, 1.01 * smallest, 1)


def test_an_eigenvalue_that_lanczos_has_not_seen_leaves_the_gradient_to_eigenvectors():
    """As if the bulk were all: of the same rows without the pair."""
    lower, upper = built(rows()).bulk_interval(10, 1)
    mistaken = resolvents.sufficient(resolvents.SLACK * lower, upper, 1e-9)
    core = built(close_pair())
    assert solved_by(core, mistaken, upper, 1) is None
    A, _, d = (torch.from_numpy(array) for array in core.matrices())
    top = torch.sqrt(d / d.sum())
    bulk = torch.addr(A, top, top, alpha=-0.9)
    assert logarithm.logarithm_by(bulk, mistaken, upper, Limits()) is None
    lower, upper = core.bulk_interval(20, 1)
    right = resolvents.sufficient(resolvents.SLACK * lower, upper, 1e-3), upper
    assert solved_by(core, *right, 1) is not None
    assert logarithm.logarithm_by(bulk, *right, Limits()) is not None


def test_the_gradient_is_that_of_finite_differences():
    Z = rows()
    module = DiffusionSpectralEntropy(sigma=7.0)
    _, slope = value_and_gradient(module, Z)
    direction = slope / slope.abs().max()
    step = 1e-4
    ends = [float(module((Z + h * direction).requires_grad_()).detach()) for h in (step, -step)]
    assert float((slope * direction).sum()) == pytest.approx(
        (ends[0] - ends[1]) / (2 * step), rel=1e-6
    )


@pytest.mark.usefixtures("arithmetic")
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
        Z = Z[:31]
    elif case == "a wide spectrum":
        Z = Z[:, :2]
    elif case == "another t":
        options = {"t": 2.0}
    else:
        options = {"method": "exact"}
    _, slope = value_and_gradient(DiffusionSpectralEntropy(**options), Z)
    assert calls == [1]
    assert torch.isfinite(slope).all()


def test_a_matrix_that_is_not_positive_definite_is_left_to_eigenvectors():
    one, pole = np.array([1.0]), np.array([-0.9])
    mistaken = resolvents.Approximation(9.0, 0.0, 0.0, pole, one, 0.0)
    assert solved_by(built(rows()), mistaken, 1.0, 1) is None


def test_little_memory_is_left_to_eigenvectors():
    Z, limits = rows(), Limits(memory_checked_from=N)
    four = 4 * 8 * N * N  # the bulk, the logarithm, two of one thread
    assert resolvents.solved(built(Z), Z, 1, limits, lambda: four - 1.0) is None
    assert resolvents.solved(built(Z), Z, 1, limits, lambda: float(four)) is not None
    assert resolvents.solved(built(Z), Z, 1, Limits(memory_checked_from=N + 1), lambda: 0.0)


@pytest.mark.parametrize("n", [256, 300, 523])
@pytest.mark.parametrize("d", [200, 1100])  # one block of columns, and two
def test_threads_change_nothing(n, d):
    generator = torch.Generator().manual_seed(n)
    Z = torch.randn(n, d, generator=generator, dtype=torch.float64)
    found = [solved(built(Z, 8.0, 0.5, threads), threads) for threads in (1, 2, 5)]
    for nats, slope in found[1:]:
        assert nats == found[0][0]
        np.testing.assert_array_equal(slope, found[0][1])


@pytest.mark.parametrize("poles", [1, 2, 3, 4])
def test_threads_change_nothing_whatever_the_number_of_poles(poles):
    """The inverse of one that is left over is computed by all threads."""
    generator = torch.Generator().manual_seed(0)
    Z = torch.randn(523, 200, generator=generator, dtype=torch.float64)
    lower, upper = built(Z, 8.0).bulk_interval(10, 1)
    function = resolvents.approximation(upper / (0.9 * lower), poles)
    found = [
        solved_by(built(Z, 8.0, 0.5, threads), function, upper, threads) for threads in (1, 2, 5)
    ]
    for nats, slope in found[1:]:
        assert nats == found[0][0]
        np.testing.assert_array_equal(slope, found[0][1])


@pytest.mark.parametrize("alpha", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("d", [200, 1100])
def test_the_core_gives_the_exact_gradient(d, alpha):
    sigma = d**0.5
    Z = rows(d=d)
    nats, slope = solved(built(Z, sigma, alpha, 2), 2)
    module = DiffusionSpectralEntropy(sigma=sigma, alpha=alpha, base=math.e, method="exact")
    value, expected = value_and_gradient(module, Z)
    assert nats == pytest.approx(float(value), rel=1e-9)
    assert np.abs(slope - expected.numpy()).max() <= 1e-8 * float(expected.abs().max())


def test_a_width_whose_square_is_no_float64_leaves_the_gradient():
    Z, scale = rows(), 1e160
    _, expected = solved(built(Z))
    _, found = solved(built(Z * scale, 7.0 * scale))
    np.testing.assert_allclose(found * scale, expected, rtol=0.0, atol=1e-9)


def test_the_rows_may_have_any_strides():
    Z = rows()
    _, expected = solved(built(Z))
    strided = torch.empty(N, 400, dtype=torch.float64)[:, ::2].copy_(Z)
    _, found = solved(built(strided))
    np.testing.assert_allclose(found, expected, rtol=0.0, atol=1e-12 * np.abs(expected).max())
    value, slope = value_and_gradient(DiffusionSpectralEntropy(sigma=7.0), Z.T.contiguous().T)
    assert float(value) > 0.0
    np.testing.assert_allclose(slope * math.log(2.0), expected, rtol=0.0, atol=1e-12)


def test_the_core_refuses_what_it_cannot_solve():
    core = built(rows())
    with pytest.raises(_core.SolverError, match="positive definite"):
        core.solve(0.0, 0.0, np.array([-0.9]), np.array([1.0]), 0.0, 1)
    with pytest.raises(ValueError, match=r"weights .*shifts"):
        core.solve(0.0, 0.0, np.ones(2), np.ones(1), 0.0, 1)
    with pytest.raises(ValueError, match="dtype"):
        _core.EntropyGradient("float16")
    with pytest.raises(ValueError, match="built"):
        _core.EntropyGradient("float64").solve(0.0, 0.0, np.ones(1), np.ones(1), 0.0, 1)


def test_the_memory_of_one_batch_serves_the_next_of_any_size():
    module = DiffusionSpectralEntropy(sigma=7.0)
    batches = [rows(seed=s)[:n] for s, n in enumerate((256, 200, 256))]
    batches += [torch.cat([rows(), rows(seed=1)]), rows(), rows(dtype=torch.float32)]
    found = [value_and_gradient(module, Z) for Z in batches]
    for Z, (value, slope) in zip(batches, found, strict=True):
        gradient.kept.by_dtype.clear()
        expected = value_and_gradient(module, Z)
        assert float(value) == float(expected[0])
        assert torch.equal(slope, expected[1])


def test_the_memory_of_a_large_batch_is_not_kept():
    gradient.kept.by_dtype.clear()
    size = 5 * 8 * N * N  # of one thread
    for kept_bytes, expected in ((size - 1, []), (size, [torch.float64])):
        options = EntropyOptions(limits=Limits(kept_bytes=kept_bytes))
        value_and_gradient(lambda Z, o=options: batch_entropy(Z, o, WidthCheck()), rows())
        assert list(gradient.kept.by_dtype) == expected


def test_threads_of_python_have_memory_of_their_own():
    batches = [rows(seed=s) for s in range(8)]
    module = DiffusionSpectralEntropy(sigma=7.0)
    expected = [value_and_gradient(module, Z) for Z in batches]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda Z: value_and_gradient(module, Z), batches))
    for first, second in zip(found, expected, strict=True):
        assert torch.equal(first[1], second[1])


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("at_a_time", [1, 2, 100])
def test_the_logarithm_is_that_of_the_eigenvalues_and_0_on_the_known_vector(dtype, at_a_time):
    limits = Limits(entries_at_a_time=at_a_time * N * N)
    eigenvalues = np.r_[np.linspace(0.05, 0.4, N - 1), 1.0]
    A, Q = with_spectrum(eigenvalues, dtype)
    found = logarithm.logarithm(A, EigenPairs(torch.ones(1).double(), Q[:, -1:].to(dtype)), limits)
    expected = (Q * torch.from_numpy(np.log(eigenvalues))) @ Q.T
    assert found.dtype == dtype
    error = float(torch.linalg.matrix_norm(found.double() - expected, ord=2))
    assert error <= 4.0 * resolvents.TOLERANCE[dtype] + 1e2 * torch.finfo(dtype).eps


@pytest.mark.parametrize(
    "eigenvalues",
    [
        np.linspace(0.1, 0.3, N),
        np.r_[2e-2, np.linspace(0.1, 0.3, N - 1)],  # one far below
        np.r_[np.linspace(0.1, 0.3, N - 1), 0.95],
        np.r_[np.full(N // 2, 0.2), np.linspace(0.3, 0.31, N // 2)],
    ],
)
def test_operations_find_the_interval_as_the_core_does(eigenvalues):
    A, _ = with_spectrum(eigenvalues)
    lower, upper = logarithm.spectral_interval(A)
    assert 0.0 < resolvents.SLACK * lower <= eigenvalues.min() * (1 + 1e-9)
    assert eigenvalues.max() * (1 - 1e-9) <= upper
    assert upper / lower < 4.0 * eigenvalues.max() / eigenvalues.min()
    assert logarithm.spectral_interval(torch.zeros(N, N)) == (0.0, 1.0)


def test_operations_leave_what_is_not_positive_definite_to_eigenvectors():
    A, _ = with_spectrum(np.r_[-0.1, np.linspace(0.1, 0.3, N - 1)])
    mistaken = resolvents.sufficient(0.1, 0.4, 1e-9)
    assert logarithm.logarithm_by(A, mistaken, 0.4, Limits()) is None


@pytest.mark.usefixtures("arithmetic")
def test_sums_of_many_entries_are_in_double():
    """Four million products of one sign, which float32 would add up to a part in 1e4."""
    generator = torch.Generator().manual_seed(0)
    Z = torch.randn(2048, 256, generator=generator)
    found = DiffusionSpectralEntropy(sigma=8.0, base=math.e)(Z.clone().requires_grad_())
    expected = eg.dse(Z.double(), sigma=8.0, base=math.e)
    assert float(found.detach()) == pytest.approx(float(expected), rel=2e-6)


def test_the_random_state_is_left_alone():
    before = torch.get_rng_state()
    value_and_gradient(DiffusionSpectralEntropy(), rows())
    assert torch.equal(before, torch.get_rng_state())
