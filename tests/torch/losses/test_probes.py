"""The stochastic entropy and gradient against all eigenvectors."""

from __future__ import annotations

import math

import pytest

torch = pytest.importorskip("torch", reason="eigentropy.torch needs PyTorch")

from eigentropy.torch import DiffusionSpectralEntropy, EntropyLoss
from eigentropy.torch.losses import probes
from eigentropy.torch.losses.functional import WidthCheck, batch_entropy
from eigentropy.torch.losses.functionals import ShannonFunctional
from eigentropy.torch.losses.kernel import gaussian_kernel
from eigentropy.torch.losses.operators import operator_of_kernel
from eigentropy.torch.losses.options import EntropyOptions, Limits

N = 300


def rows(n=N, d=20, dtype=torch.float64, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(n, d, generator=generator, dtype=torch.float64).to(dtype)


def operator_of(Z, sigma="auto"):
    kernel = gaussian_kernel(Z, sigma, Z.dtype)
    return operator_of_kernel(kernel.G, 0.5)


def exact(A, t):
    """S in nats and B by eigenvectors."""
    eigenvalues, V = torch.linalg.eigh(A)
    powers = eigenvalues.clamp(1e-14, 1.0) ** t
    T, M = powers.sum(), (powers * torch.log(eigenvalues.clamp(1e-14, 1.0))).sum()
    g = -(t**2) / T * powers / eigenvalues * (torch.log(eigenvalues) - M / T)
    return float(torch.log(T) - t / T * M), (V * g) @ V.T


def value_and_gradient(module, Z):
    Z = Z.detach().clone().requires_grad_()
    value = module(Z)
    return value.detach(), torch.autograd.grad(value, Z)[0]


def cosine(a, b):
    return float(torch.nn.functional.cosine_similarity(a.flatten(), b.flatten(), dim=0))


@pytest.mark.parametrize("t", [1.0, 2.0])
def test_over_many_seeds_the_slope_and_the_value_average_to_the_exact_ones(t):
    operator = operator_of(rows(150))
    S, B = exact(operator.A, t)
    runs = [
        probes.slope_from_probes(operator, ShannonFunctional(t), 1.0, seed) for seed in range(40)
    ]
    slopes = torch.stack([run.B for run in runs])
    spread = slopes.std(dim=0).norm() / math.sqrt(len(runs))
    assert float((slopes[0] - B).norm()) > 3.0 * float(spread)  # there is something to average
    assert float((slopes.mean(dim=0) - B).norm()) < 1.5 * float(spread)
    values = torch.tensor([run.value for run in runs])
    assert abs(float(values.mean()) - S) < 4.0 * float(values.std()) / math.sqrt(len(runs)) + 1e-4


@pytest.mark.parametrize("t", [0.5, 1.0, 2.0, 3.5])
@pytest.mark.parametrize("d", [4, 20, 200])
def test_the_value_is_within_its_standard_errors(d, t):
    operator = operator_of(rows(d=d))
    S, _ = exact(operator.A, t)
    runs = [
        probes.slope_from_probes(operator, ShannonFunctional(t), 1.0, seed) for seed in range(8)
    ]
    assert {run.probes for run in runs} == {probes.PROBES}
    quadrature = 5e-3 if d == 4 else 1e-4  # twenty steps, of a spectrum that falls to 0
    within = [abs(run.value - S) <= 3.0 * run.standard_error + quadrature * S for run in runs]
    assert sum(within) >= 7


def test_a_small_tolerance_takes_more_probes_and_has_a_smaller_error():
    operator = operator_of(rows(d=4))
    few, many = (
        probes.slope_from_probes(operator, ShannonFunctional(1.0), tol, 0) for tol in (1.0, 1e-9)
    )
    assert (few.probes, many.probes) == (probes.PROBES, probes.MOST_PROBES)
    assert many.standard_error < 0.6 * few.standard_error


def test_the_slope_is_symmetric_and_right_on_the_known_vector():
    operator = operator_of(rows())
    found = probes.slope_from_probes(operator, ShannonFunctional(1.0), 1.0, 0).B
    _, B = exact(operator.A, 1.0)
    top = operator.known().vectors
    torch.testing.assert_close(found, found.T, rtol=0.0, atol=1e-14)
    torch.testing.assert_close(found @ top, B @ top, rtol=1e-3, atol=1e-5)


def test_the_direction_is_that_of_the_exact_gradient_at_1000_rows():
    """Narrow spectra are fitted by a line nearly; the others are left to the probes."""
    for d, least in ((200, 0.999), (20, 0.95)):
        Z = rows(1000, d, torch.float32)
        _, expected = value_and_gradient(DiffusionSpectralEntropy(), Z)
        _, slope = value_and_gradient(DiffusionSpectralEntropy(method="stochastic"), Z)
        assert cosine(slope, expected) > least


def test_the_same_seed_gives_the_same_gradient_and_another_one_does_not():
    Z = rows()
    runs = [
        value_and_gradient(DiffusionSpectralEntropy(method="stochastic", seed=s), Z)
        for s in (3, 3, 4)
    ]
    for first, second in zip(runs[0], runs[1], strict=True):
        torch.testing.assert_close(first, second, rtol=0.0, atol=0.0)
    assert not torch.equal(runs[0][1], runs[2][1])


def test_the_value_is_the_same_with_and_without_a_gradient():
    Z, module = rows(), DiffusionSpectralEntropy(method="stochastic")
    assert float(module(Z)) == float(value_and_gradient(module, Z)[0])


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
def test_dtypes_are_those_of_the_other_methods(dtype):
    value, slope = value_and_gradient(
        DiffusionSpectralEntropy(method="stochastic"), rows(dtype=dtype)
    )
    assert value.dtype == (torch.float64 if dtype == torch.float64 else torch.float32)
    assert slope.dtype == dtype
    assert torch.isfinite(slope).all()


def test_auto_estimates_large_batches():
    options = EntropyOptions(limits=Limits(exact_up_to=N))

    def auto(Z):
        return batch_entropy(Z, options, WidthCheck())

    for n, method in ((N, "exact"), (N + 1, "stochastic")):
        Z = rows(n)
        value, slope = value_and_gradient(auto, Z)
        expected = value_and_gradient(DiffusionSpectralEntropy(method=method), Z)
        torch.testing.assert_close(value, expected[0], rtol=1e-9, atol=0.0)
        torch.testing.assert_close(slope, expected[1], rtol=0.0, atol=1e-7 * slope.abs().max())
        assert float(auto(Z)) == pytest.approx(float(value), rel=1e-9)


def test_few_rows_are_computed_exactly():
    Z = rows(40)
    for found, expected in zip(
        value_and_gradient(DiffusionSpectralEntropy(method="stochastic"), Z),
        value_and_gradient(DiffusionSpectralEntropy(), Z),
        strict=True,
    ):
        torch.testing.assert_close(found, expected)


@pytest.mark.parametrize("case", ["copies", "all rows equal", "far from each other"])
@pytest.mark.filterwarnings("ignore::eigentropy.SaturationWarning")
def test_repeated_eigenvalues_leave_the_gradient_finite(case):
    Z = {
        "copies": rows(10).repeat(30, 1),
        "all rows equal": torch.full((300, 3), 0.7, dtype=torch.float64),
        "far from each other": 1e5 * torch.eye(300, dtype=torch.float64),
    }[case]
    module, reference = (
        DiffusionSpectralEntropy(sigma=1.0, method=m) for m in ("stochastic", "exact")
    )
    value, slope = value_and_gradient(module, Z)
    assert torch.isfinite(slope).all()
    assert float(value) == pytest.approx(float(reference(Z)), rel=2e-2, abs=1e-6)


def test_nan_stays_nan():
    Z = rows()
    Z[3, 1] = math.nan
    value, slope = value_and_gradient(DiffusionSpectralEntropy(method="stochastic"), Z)
    assert math.isnan(float(value))
    assert slope.isnan().all()


def test_a_loss_takes_it_and_training_raises_the_entropy():
    Z = (rows(d=6) * torch.tensor([1.0, 1.0, 1.0, 0.3, 0.1, 0.1])).requires_grad_()
    term = EntropyLoss(method="stochastic", sigma=1.0)
    optimizer = torch.optim.SGD([Z], lr=20.0)
    values = []
    for _ in range(5):
        optimizer.zero_grad()
        term(Z).backward()
        optimizer.step()
        values.append(float(term.value))
    assert values[-1] - values[0] > 0.05


def test_the_random_state_is_left_alone():
    before = torch.get_rng_state()
    value_and_gradient(DiffusionSpectralEntropy(method="stochastic"), rows())
    assert torch.equal(before, torch.get_rng_state())
