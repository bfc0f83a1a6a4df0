"""The differentiable entropy against finite differences, autograd, and the package's own values."""

from __future__ import annotations

import math

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="eigentropy.torch needs PyTorch")

import eigentropy as eg
from eigentropy._support import memory
from eigentropy.torch import DiffusionSpectralEntropy, EntropyLoss, InformationLoss
from eigentropy.torch.losses import kernel

TIMES = [1.0, 2.0, 0.5, 3.5]
ALPHAS = [0.0, 0.5, 1.0]


@pytest.fixture(autouse=True, params=["the core", "PyTorch's operations"])
def arithmetic(request, monkeypatch):
    """What is on a GPU is computed by PyTorch's operations, here on the CPU."""
    if request.param != "the core":
        monkeypatch.setattr(kernel, "computed_by_core", lambda rows: False)


def batch(n=24, d=5, dtype=torch.float64, seed=0):
    generator = torch.Generator().manual_seed(seed)
    Z = torch.randn(n, d, generator=generator, dtype=torch.float64).to(dtype)
    return Z.requires_grad_()


def gradient(module, Z, *others):
    Z = Z.detach().requires_grad_()
    return torch.autograd.grad(module(Z, *others), Z)[0]


def entropy_by_autograd(Z, sigma, alpha, t):
    """The definition, operation by operation, through eigvalsh."""
    r2 = ((Z[:, None] - Z) ** 2).sum(dim=2)
    G = torch.exp(-r2 / (2 * sigma**2))
    q = G.sum(dim=1)
    K = G / torch.outer(q, q) ** alpha
    d = K.sum(dim=1)
    powers = torch.linalg.eigvalsh(K / torch.sqrt(torch.outer(d, d))) ** t
    a = powers / powers.sum()
    return -(a * torch.log2(a)).sum()


@pytest.mark.parametrize("t", TIMES)
@pytest.mark.parametrize("alpha", ALPHAS)
def test_the_gradient_is_that_of_finite_differences_to_1e_6(alpha, t):
    module = DiffusionSpectralEntropy(sigma=1.2, alpha=alpha, t=t)
    assert torch.autograd.gradcheck(module, (batch(9, 3),), eps=1e-6, atol=1e-6, rtol=1e-6)


@pytest.mark.parametrize("t", TIMES)
@pytest.mark.parametrize("alpha", ALPHAS)
def test_the_gradient_is_that_of_autograd_to_1e_8(alpha, t):
    Z = batch(40, 6)
    module = DiffusionSpectralEntropy(sigma=1.5, alpha=alpha, t=t)
    expected = entropy_by_autograd(Z, 1.5, alpha, t)
    torch.testing.assert_close(module(Z), expected, rtol=1e-10, atol=1e-10)
    slope = torch.autograd.grad(expected, Z)[0]
    torch.testing.assert_close(gradient(module, Z), slope, rtol=0.0, atol=1e-8 * slope.abs().max())


@pytest.mark.parametrize("sigma", ["auto", "median", "narrow", "knn", "max-slope", "sqrt-d", 1.3])
@pytest.mark.parametrize("t", TIMES)
@pytest.mark.parametrize("n", [1, 2, 3, 50, 51])
@pytest.mark.filterwarnings("ignore::eigentropy.SaturationWarning")
def test_the_value_is_that_of_dse_to_1e_10(n, t, sigma):
    Z = batch(n, 7)
    module = DiffusionSpectralEntropy(sigma=sigma, alpha=1.0, t=t)
    expected = eg.dse(Z, sigma=sigma, alpha=1.0, t=t)
    for value in (module(Z), module(Z.detach())):  # with and without eigenvectors
        assert float(value.detach()) == pytest.approx(float(expected), rel=1e-10, abs=1e-10)
        assert value.shape == ()
        assert value.dtype == torch.float64
    assert module.sigma_used == pytest.approx(expected.sigma, rel=1e-12)


def test_a_sampled_sigma_is_that_of_bandwidth():
    Z = batch(2100, 3, torch.float32).detach()
    found = kernel.kernel_of(Z, "auto", torch.float32)
    assert found.sigma == pytest.approx(eg.bandwidth(Z), rel=1e-5)


@pytest.mark.parametrize("given", ["allow_tf32", "fp32_precision", "nothing"])
def test_a_gpu_multiplies_without_tf32_and_gets_the_setting_back(given):
    """In which way ever it was set: from PyTorch 2.9 on, one of both must not be asked."""
    matmul = torch.backends.cuda.matmul
    if not hasattr(matmul, "fp32_precision"):
        pytest.skip("this PyTorch has one way to set it: needs 2.9")
    before = matmul.fp32_precision
    try:
        if given == "allow_tf32":
            matmul.allow_tf32 = True
        elif given == "fp32_precision":
            matmul.fp32_precision = "tf32"
        known = matmul.fp32_precision
        with kernel.full_precision(torch.device("cuda")):
            assert matmul.fp32_precision == "ieee"
        assert matmul.fp32_precision == known
    finally:
        matmul.allow_tf32 = False
        matmul.fp32_precision = before


def test_duplicates_leave_the_scale_to_the_others():
    Z = torch.cat([torch.zeros(30, 3), torch.eye(3)]).double()
    module = DiffusionSpectralEntropy()
    assert float(module(Z)) == pytest.approx(float(eg.dse(Z)), abs=1e-10)
    assert module.sigma_used == pytest.approx(eg.bandwidth(Z))


def two_clusters():
    Z = batch(20, 4).detach()
    return torch.cat([Z, Z + 1e4])


REPEATED = {
    "two identical rows": lambda: torch.cat([batch(10, 3).detach(), batch(1, 3).detach()]),
    "every row five times": lambda: batch(8, 3).detach().repeat(5, 1),
    "all rows equal": lambda: torch.full((12, 3), 0.7, dtype=torch.float64),
    "a uniform kernel": lambda: torch.eye(16, dtype=torch.float64),
    "two far clusters": two_clusters,
    "rows that do not see each other": lambda: 1e5 * torch.eye(9, dtype=torch.float64),
}


@pytest.mark.parametrize("name", REPEATED)
@pytest.mark.parametrize("t", TIMES)
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.filterwarnings("ignore::eigentropy.SaturationWarning")
def test_repeated_eigenvalues_leave_the_gradient_finite(name, t, dtype):
    Z = REPEATED[name]().to(dtype)
    for sigma in (1.0, "auto"):
        slope = gradient(DiffusionSpectralEntropy(sigma=sigma, t=t), Z)
        assert torch.isfinite(slope).all()
        assert slope.dtype == dtype


def test_the_gradient_at_a_uniform_kernel_is_exact():
    """Equally far rows: by symmetry row i moves along e_i and against the others alike."""
    slope = gradient(DiffusionSpectralEntropy(sigma=1.0), REPEATED["a uniform kernel"]())
    along = slope.diagonal()
    across = (slope.sum() - along.sum()) / (16 * 15)
    expected = torch.full_like(slope, float(across)).fill_diagonal_(float(along[0]))
    torch.testing.assert_close(slope, expected, rtol=0.0, atol=1e-12)
    assert float(along[0]) > 0.0  # further apart is more entropy
    assert float(along[0] + 15 * across) == pytest.approx(0.0, abs=1e-12)


def test_repeated_rows_have_the_gradient_of_finite_differences():
    """Both copies of a row move together: there the entropy is smooth."""
    module = DiffusionSpectralEntropy(sigma=1.1, t=2.0)
    points = batch(6, 2)
    assert torch.autograd.gradcheck(lambda Z: module(Z.repeat(2, 1)), (points,), atol=1e-6)


def test_identical_copies_double_each_share_of_the_gradient():
    """S of two far copies is S of one and a bit more: each copy has half of the gradient."""
    module = DiffusionSpectralEntropy(sigma=1.0)
    single = gradient(module, batch(20, 4))
    torch.testing.assert_close(
        gradient(module, two_clusters())[:20], 0.5 * single, rtol=1e-6, atol=1e-9
    )


def test_float32_is_near_float64():
    Z = batch(60, 10)
    module, narrow = DiffusionSpectralEntropy(sigma=2.0), Z.detach().float().requires_grad_()
    assert module(narrow).dtype == torch.float32
    assert float(module(narrow).detach()) == pytest.approx(float(module(Z).detach()), rel=1e-5)
    slope = gradient(module, Z)
    torch.testing.assert_close(
        gradient(module, narrow).double(), slope, rtol=0.0, atol=1e-4 * float(slope.abs().max())
    )


@pytest.mark.parametrize("t", [1.0, 2.0])
@pytest.mark.parametrize("n", [24, 64])  # with eigenvectors, and without where t is 1
@pytest.mark.parametrize("scale", [1e-20, 1e20])
def test_squares_that_are_no_float32_leave_value_and_gradient(scale, n, t):
    Z = batch(n, 30, torch.float32).detach()
    module = DiffusionSpectralEntropy(t=t)
    expected = gradient(module, Z)
    scaled = (Z * scale).requires_grad_()
    value = module(scaled)
    assert float(value.detach()) == pytest.approx(float(module(Z)), rel=1e-5)
    assert float(module(scaled.detach())) == pytest.approx(float(module(Z)), rel=1e-5)
    slope = torch.autograd.grad(value, scaled)[0] * scale
    assert float((slope - expected).abs().max()) <= 1e-4 * float(expected.abs().max())


def test_without_gradients_there_are_eigenvalues_alone(monkeypatch):
    Z = batch()
    module = DiffusionSpectralEntropy()
    expected = float(module(Z.detach()))
    monkeypatch.setattr(torch.linalg, "eigh", None)  # is not called
    for off in (torch.no_grad(), torch.inference_mode()):
        with off:
            assert float(module(Z)) == pytest.approx(expected, rel=1e-10)


def test_exact_computes_float32_rows_in_float64():
    Z = batch(60, 10).detach().float()
    value = DiffusionSpectralEntropy(sigma=2.0, method="exact")(Z)
    assert value.dtype == torch.float64
    assert float(value) == pytest.approx(float(eg.dse(Z, sigma=2.0, method="exact")), rel=1e-10)


def test_float32_rows_far_from_each_other_keep_their_small_distances():
    """1e4 sigma apart: float32 products would know distances to 10 sigma^2 only."""
    Z = two_clusters().float()
    expected = float(eg.dse(Z, sigma=1.0))
    assert float(DiffusionSpectralEntropy(sigma=1.0)(Z)) == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_is_computed_in_float32_and_its_gradient_comes_back_in_half(dtype):
    Z = batch(40, 8).detach().to(dtype)
    module = DiffusionSpectralEntropy(sigma=2.0)
    assert module(Z).dtype == torch.float32
    assert float(module(Z)) == float(module(Z.float()))
    slope = gradient(module, Z)
    assert slope.dtype == dtype
    torch.testing.assert_close(slope, gradient(module, Z.float()).to(dtype))


def test_autocast_does_not_reach_inside():
    Z = batch(40, 8).detach().float()
    module = DiffusionSpectralEntropy(sigma=2.0)
    expected = gradient(module, Z)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert float(module(Z)) == float(module(Z.clone()))
        assert module(Z).dtype == torch.float32
        inside = gradient(module, Z)
    torch.testing.assert_close(inside, expected, rtol=0.0, atol=0.0)


def test_a_network_under_autocast_gets_gradients():
    net = torch.nn.Linear(6, 4)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        loss = EntropyLoss()(net(torch.randn(30, 6)))
    loss.backward()
    assert torch.isfinite(net.weight.grad).all()
    assert float(net.weight.grad.abs().sum()) > 0


def test_the_gradient_takes_sigma_for_a_constant():
    Z = batch(30, 4)
    module = DiffusionSpectralEntropy()
    module(Z)
    torch.testing.assert_close(
        gradient(module, Z), gradient(DiffusionSpectralEntropy(sigma=module.sigma_used), Z)
    )


def test_more_dimensions_are_flattened():
    Z = batch(20, 12)
    images = Z.detach().reshape(20, 3, 2, 2)
    assert float(DiffusionSpectralEntropy()(images)) == float(
        DiffusionSpectralEntropy()(Z.detach())
    )
    assert gradient(DiffusionSpectralEntropy(), images).shape == images.shape


def test_nan_stays_nan_so_that_a_scaler_can_skip_the_step():
    for bad in (math.nan, math.inf):
        Z = batch(10, 3).detach()
        Z[4, 1] = bad
        assert math.isnan(float(DiffusionSpectralEntropy()(Z)))
        assert gradient(DiffusionSpectralEntropy(), Z).isnan().all()


def test_one_row_has_entropy_0_and_no_gradient():
    module = DiffusionSpectralEntropy()
    with pytest.warns(eg.SaturationWarning, match="^Z "):
        slope = gradient(module, batch(1, 3))
    assert float(slope.abs().sum()) == 0.0


def test_saturation_is_warned_about_once():
    module = DiffusionSpectralEntropy(sigma=1e-6)
    with pytest.warns(eg.SaturationWarning, match="^sigma=1e-06 "):
        module(batch())
    module(batch())  # a second warning would be an error here


@pytest.mark.parametrize(
    ("Z", "error", "message"),
    [
        (np.ones((3, 2)), TypeError, "^Z .* ndarray"),
        (torch.ones(3, 2, dtype=torch.int64), TypeError, "^Z .* torch.int64"),
        (torch.ones(3), ValueError, r"^Z .*\(n, d\).*\(3,\)"),
        (torch.ones(0, 2), ValueError, r"^Z .*\(0, 2\)"),
    ],
)
def test_what_is_no_batch_is_refused(Z, error, message):
    with pytest.raises(error, match=message):
        DiffusionSpectralEntropy()(Z)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"sigma": 0}, "^sigma .* 0$"),
        ({"sigma": "wide"}, "^sigma .*'auto'.*'wide'"),
        ({"alpha": 11}, "^alpha .* 10, .* 11"),
        ({"t": 0}, "^t .* 0$"),
        ({"base": 1}, "^base .* 1"),
        ({"method": "lowrank"}, "^method .*'auto', 'exact', 'stochastic'.*'lowrank'"),
        ({"tol": 0.0}, "^tol .* 0.0$"),
        ({"seed": -1}, "^seed .* -1"),
    ],
)
def test_bad_options_are_named(options, message):
    with pytest.raises(ValueError, match=message):
        DiffusionSpectralEntropy(**options)


@pytest.mark.parametrize(("goal", "sign"), [("raise", 1), ("lower", -1)])
@pytest.mark.parametrize("sigma", [1.0, "auto"])
def test_training_moves_the_entropy_towards_the_goal(goal, sign, sigma):
    torch.manual_seed(0)
    net, X = torch.nn.Linear(6, 6), torch.randn(50, 6)
    net.weight.data = torch.diag(torch.tensor([1.0, 1.0, 1.0, 0.3, 0.1, 0.1]))
    loss = EntropyLoss(goal=goal, sigma=sigma)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.05)
    values = []
    for _ in range(15):
        optimizer.zero_grad()
        loss(net(X)).backward()
        optimizer.step()
        values.append(float(loss.value))
    assert sign * (values[-1] - values[0]) > 0.1


def test_weight_and_schedule_scale_the_loss_and_the_step_is_saved():
    Z = batch()
    loss = EntropyLoss(weight=0.5, goal="lower", schedule=lambda step: step / 2, sigma=1.0)
    S = float(DiffusionSpectralEntropy(sigma=1.0)(Z).detach())
    terms = [float(loss(Z).detach()) for _ in range(3)]
    assert terms == pytest.approx([0.0, 0.25 * S, 0.5 * S])
    assert float(loss.value) == pytest.approx(S)
    again = EntropyLoss(weight=0.5, goal="lower", schedule=lambda step: step / 2, sigma=1.0)
    again.load_state_dict(loss.state_dict())
    assert float(again.eval()(Z).detach()) == pytest.approx(0.75 * S)
    assert again.step == 3  # evaluation does not count


def labelled(n=60, seed=1):
    labels = torch.arange(n) % 3
    return (batch(n, 4, seed=seed).detach() + 3 * torch.eye(4)[labels]).requires_grad_(), labels


@pytest.mark.parametrize("kind", ["tensor", "list", "strings"])
def test_information_is_the_plain_one(kind):
    Z, y = labelled()
    labels = {"tensor": y, "list": y.tolist(), "strings": np.array(list("abc"))[y.numpy()]}[kind]
    loss = InformationLoss(weight=2.0, goal="lower")
    expected = float(eg.dsmi(Z, y.numpy(), estimator="plain", n_null=0))
    assert float(loss(Z, labels).detach()) == pytest.approx(2.0 * expected, abs=1e-9)


def test_information_has_the_gradient_of_finite_differences():
    Z, labels = labelled(15)
    loss = InformationLoss(sigma=1.5)
    assert torch.autograd.gradcheck(lambda Z: loss(Z, labels), (Z,), atol=1e-6, rtol=1e-6)


def test_training_raises_the_information():
    Z, labels = labelled()
    start = Z.detach().clone().requires_grad_()
    loss = InformationLoss(sigma=1.0)
    optimizer = torch.optim.SGD([start], lr=2.0)
    values = []
    for _ in range(10):
        optimizer.zero_grad()
        loss(start, labels).backward()
        optimizer.step()
        values.append(float(loss.value))
    assert values[-1] - values[0] > 0.05


def test_a_single_label_has_no_information_and_no_gradient():
    Z = batch()
    loss = InformationLoss(sigma=1.0)
    assert float(loss(Z, torch.zeros(24)).detach()) == 0.0
    assert float(gradient(loss, Z, torch.zeros(24)).abs().sum()) == 0.0


def test_labels_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match=r"^Y .* 3 .* 24 "):
        InformationLoss()(batch(), [0, 1, 2])
    with pytest.raises(ValueError, match=r"^goal .*'raise', 'lower'.*'up'"):
        EntropyLoss(goal="up")
    with pytest.raises(TypeError, match=r"^schedule .* 3"):
        EntropyLoss(schedule=3)


def test_a_second_derivative_is_refused_and_not_wrong():
    Z = batch()
    with pytest.raises(RuntimeError, match="create_graph=True"):
        torch.autograd.grad(DiffusionSpectralEntropy(sigma=1.0)(Z), Z, create_graph=True)


# Dynamo looks at the gradients of what is no leaf, and hides the warning about it, but no error.
@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor")
def test_a_compiled_loss_is_the_same():
    module, Z = DiffusionSpectralEntropy(sigma=1.0), batch()
    torch._dynamo.reset()
    compiled = torch.compile(lambda Z: 2.0 * module(Z.tanh()), backend="eager")
    slope = torch.autograd.grad(compiled(Z), Z)[0]
    expected = torch.autograd.grad(2.0 * module(Z.tanh()), Z)[0]
    torch.testing.assert_close(slope, expected, rtol=0.0, atol=0.0)
    torch._dynamo.reset()


def test_a_batch_that_cannot_fit_is_refused_before_it_is_computed(monkeypatch):
    monkeypatch.setattr(memory, "available", lambda: 2.0**30)
    with pytest.raises(MemoryError, match=" 20000, 6 "):
        DiffusionSpectralEntropy()(torch.zeros(20_000, 1))


def test_the_random_state_is_left_alone():
    before = torch.get_rng_state()
    DiffusionSpectralEntropy()(batch(dtype=torch.float32)).backward()
    assert torch.equal(before, torch.get_rng_state())


@pytest.mark.skipif(not torch.cuda.is_available(), reason="this machine has no CUDA device")
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
def test_cuda_agrees_with_the_cpu(dtype):
    Z = batch(60, 8).detach().to(dtype)
    module = DiffusionSpectralEntropy()
    tolerance = 1e-9 if dtype == torch.float64 else 1e-4
    torch.testing.assert_close(module(Z.cuda()).cpu(), module(Z), rtol=tolerance, atol=tolerance)
    expected = gradient(module, Z).double()
    found = gradient(module, Z.cuda()).cpu().double()
    if dtype == torch.bfloat16:  # of which the gradient is rounded to 8 bits
        tolerance = 1e-2 * float(expected.abs().max())
    assert float((found - expected).abs().max()) <= tolerance
