"""The entropy of each sequence of tokens: what one by one gives, by one call."""

from __future__ import annotations

import math
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

torch = pytest.importorskip("torch", reason="eigentropy.torch needs PyTorch")

import eigentropy as eg
from eigentropy import _core
from eigentropy._support.warnings import SaturationWarning
from eigentropy.torch import (
    DiffusionSpectralEntropy,
    KernelEntropy,
    SequenceEntropy,
    SequenceEntropyLoss,
    functional,
)
from eigentropy.torch.losses import resolvents, sequences
from tests.equipment.messages import naming

ALONE = {"dse": DiffusionSpectralEntropy, "kernel_entropy": KernelEntropy}

# What rounding leaves of the largest entry of a gradient.
ROUNDING = {torch.float32: 2e-4, torch.float64: 1e-9}


def states(b=5, length=48, d=24, seed=0, dtype=torch.float64, rank=None):
    """Tokens of sequences; `rank`: in so few dimensions that eigenvectors are needed."""
    generator = torch.Generator().manual_seed(seed)
    Z = torch.randn(b, length, rank or d, generator=generator, dtype=torch.float64)
    if rank is not None:
        Z = Z @ torch.randn(rank, d, generator=generator, dtype=torch.float64)
    return Z.to(dtype).requires_grad_()


def ragged(b=5, length=48):
    """Padding on the left, on the right, inside, nearly everywhere and nowhere."""
    mask = torch.ones(b, length, dtype=torch.bool)
    mask[0, :9], mask[1, 40:], mask[2, 5:8], mask[3, 3:] = False, False, False, False
    return mask


def one_by_one(Z, mask, measure, **options):
    """Values and the gradient of their weighted sum, sequence by sequence."""
    values, slope = [], torch.zeros_like(Z)
    for k, (tokens, kept) in enumerate(zip(Z.detach(), mask, strict=True)):
        rows = tokens[kept].requires_grad_()
        value = ALONE[measure](**options)(rows)
        value.backward()
        slope[k][kept] = (k + 1.0) * rows.grad
        values.append(value.detach())
    return torch.stack(values), slope


def found(Z, mask, measure, **options):
    values = SequenceEntropy(measure, **options)(Z, mask)
    weights = torch.arange(1.0, len(values) + 1.0, dtype=values.dtype)
    return values.detach(), torch.autograd.grad((weights * values).sum(), Z)[0]


def assert_equal_gradients(one, other):
    assert (one - other).abs().max() <= ROUNDING[one.dtype] * other.abs().max()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("rank", [None, 3])
@pytest.mark.parametrize(
    ("measure", "options"),
    [
        ("dse", {}),
        ("dse", {"sigma": 3.0, "alpha": 1.0}),
        ("dse", {"t": 2.0}),
        ("dse", {"t": 0.5, "method": "exact"}),
        ("dse", {"sigma": "knn"}),
        ("kernel_entropy", {}),
        ("kernel_entropy", {"sigma": 3.0, "base": math.e}),
        ("kernel_entropy", {"order": 2.0}),
        ("kernel_entropy", {"order": 3.0}),
        ("kernel_entropy", {"order": 0.7}),
    ],
)
def test_values_and_gradients_are_those_of_each_sequence_by_itself(dtype, rank, measure, options):
    Z, mask = states(dtype=dtype, rank=rank), ragged()
    expected, slope = one_by_one(Z, mask, measure, **options)
    values, gradient = found(Z, mask, measure, **options)
    tolerance = 1e-5 if dtype == torch.float32 else 1e-10
    torch.testing.assert_close(values, expected, rtol=tolerance, atol=tolerance)
    assert_equal_gradients(gradient, slope)
    assert (gradient[~mask] == 0).all()


@pytest.mark.parametrize("measure", ALONE)
def test_without_a_gradient_values_are_those_of_the_functions_on_arrays(measure):
    Z, mask = states(dtype=torch.float64).detach(), ragged()
    function = eg.dse if measure == "dse" else eg.kernel_entropy
    values = functional.sequence_entropy(Z, mask, measure=measure)
    expected = [float(function(z[m].numpy())) for z, m in zip(Z, mask, strict=True)]
    np.testing.assert_allclose(values.numpy(), expected, rtol=1e-9)


def one_kept(dtype=torch.float32):
    Z, mask = states(dtype=dtype), ragged()
    mask[4] = False
    mask[4, 7] = True
    return Z, mask


def test_one_kept_token_has_entropy_0_and_gradient_0():
    Z, mask = one_kept()
    values, gradient = found(Z, mask, "dse")
    assert values[4] == 0.0
    assert (gradient[4] == 0.0).all()
    assert (gradient[0][mask[0]] != 0.0).any()


def test_no_kept_token_is_an_error_that_names_the_sequence():
    Z, mask = one_kept()
    mask[2] = False
    with pytest.raises(ValueError, match=naming("2", "token")):
        SequenceEntropy()(Z, mask)
    with pytest.raises(ValueError, match=naming("drop_first=3")):
        SequenceEntropy(drop_first=3)(Z, ragged())


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_what_is_not_finite_spoils_its_own_sequence_alone(bad):
    Z, mask = states(dtype=torch.float32), ragged()
    expected, slope = found(Z, mask, "dse")
    with torch.no_grad():
        Z[1, 2, 3] = bad
        Z[2, 5, 0] = bad  # masked
    values, gradient = found(Z, mask, "dse")
    assert values[1].isnan()
    assert gradient[1][mask[1]].isnan().all()
    others = [0, 2, 3, 4]
    torch.testing.assert_close(values[others], expected[others])
    torch.testing.assert_close(gradient[others], slope[others])


def test_sigma_of_the_batch_is_the_rules_for_all_kept_tokens():
    Z, mask = states(), ragged()
    module = SequenceEntropy(sigma_of="batch")
    module(Z, mask)
    sigma = eg.bandwidth(Z.detach()[mask].numpy())
    np.testing.assert_allclose(module.sigma_used.numpy(), sigma, rtol=1e-12)
    own = SequenceEntropy()
    own(Z, mask)
    each = [eg.bandwidth(z[m].numpy()) for z, m in zip(Z.detach(), mask, strict=True)]
    np.testing.assert_allclose(own.sigma_used.numpy(), each, rtol=1e-12)


@pytest.mark.parametrize("scale", [1e-18, 1.0, 1e12])
def test_sigma_in_float32_is_that_in_float64(scale):
    Z = (scale * states(2, 60, 5).detach()).float()
    Z[0, 0] = 1e6 * scale  # beside which the other distances lose digits
    Z[1, :45] = Z[1, 0].clone()  # so that most pairs are duplicates
    module = SequenceEntropy()
    module(Z)
    each = [eg.bandwidth(z.double().numpy()) for z in Z]
    np.testing.assert_allclose(module.sigma_used.numpy(), each, rtol=2e-6)


def test_equal_tokens_have_entropy_0():
    Z = torch.ones(2, 40, 8, requires_grad=True)
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        S = SequenceEntropy()(Z)
    S.sum().backward()
    assert any(issubclass(w.category, SaturationWarning) for w in seen)
    torch.testing.assert_close(S.detach(), torch.zeros(2), atol=1e-5, rtol=0.0)
    assert Z.grad.isfinite().all()


@pytest.mark.filterwarnings("ignore:The PyTorch API of nested tensors")
def test_nested_tensors_are_their_parts():
    parts = [torch.randn(n, 6, dtype=torch.float64) for n in (40, 33, 7)]
    for layout in (torch.strided, torch.jagged):
        Z = torch.nested.nested_tensor(parts, layout=layout, requires_grad=True)
        S = SequenceEntropy()(Z)
        expected = torch.stack([DiffusionSpectralEntropy()(part) for part in parts])
        torch.testing.assert_close(S.detach(), expected, rtol=1e-6, atol=1e-9)
        S.sum().backward()
        assert [len(part) for part in Z.grad.unbind()] == [40, 33, 7]


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_narrow_states_are_computed_in_float32(dtype):
    Z = states(dtype=dtype)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        values = SequenceEntropy(sigma=5.0)(Z, ragged())
    assert values.dtype == torch.float32
    values.sum().backward()
    assert Z.grad.dtype == dtype
    wide = Z.detach().float().requires_grad_()
    expected = SequenceEntropy(sigma=5.0)(wide, ragged())
    torch.testing.assert_close(values, expected)


def test_a_second_derivative_is_refused():
    Z = states()
    S = SequenceEntropy()(Z).sum()
    with pytest.raises(RuntimeError, match=naming("create_graph")):
        torch.autograd.grad(S, Z, create_graph=True)


def test_threads_and_earlier_batches_change_nothing():
    Z, mask = states(dtype=torch.float32), ragged()
    before = torch.get_num_threads()
    answers = []
    try:
        for threads in (1, 2, 3):
            torch.set_num_threads(threads)
            answers.append(found(Z, mask, "dse"))
            SequenceEntropy()(states(2, 70, 5, dtype=torch.float32))
    finally:
        torch.set_num_threads(before)
    for values, gradient in answers[1:]:
        assert torch.equal(values, answers[0][0])
        assert torch.equal(gradient, answers[0][1])


def test_long_sequences_take_all_threads_and_are_the_same():
    Z = states(2, 1100, 40, dtype=torch.float32)
    mask = torch.ones(2, 1100, dtype=torch.bool)
    mask[1, 90:] = False
    expected, slope = one_by_one(Z, mask, "kernel_entropy")
    values, gradient = found(Z, mask, "kernel_entropy")
    torch.testing.assert_close(values, expected, rtol=1e-5, atol=1e-5)
    assert_equal_gradients(gradient, slope)


def test_the_device_path_is_the_cores(monkeypatch):
    Z, mask = states(rank=None), ragged()
    expected, slope = found(Z, mask, "dse")
    for module in ("sequences", "kernel"):
        monkeypatch.setattr(f"eigentropy.torch.losses.{module}.computed_by_core", lambda _: False)
    values, gradient = found(Z, mask, "dse")
    torch.testing.assert_close(values, expected, rtol=1e-8, atol=1e-8)
    assert (gradient - slope).abs().max() <= 1e-7 * slope.abs().max()


def test_a_failed_solver_is_asked_again_one_by_one(monkeypatch):
    class Failing:
        def __init__(self, core):
            self.core = core

        def solve(self, *arguments):
            nats, sigmas, sums, solved = self.core.solve(*arguments)
            nats[1], solved[1] = math.nan, False
            return nats, sigmas, sums, solved

    Z = states()
    expected, slope = found(Z, ragged(), "dse")
    core = Failing(_core.SequenceGradients("float64"))
    monkeypatch.setattr(sequences, "_core_sequences", lambda *_: core)
    values, gradient = found(Z, ragged(), "dse")
    torch.testing.assert_close(values, expected)
    assert_equal_gradients(gradient, slope)


def test_the_memory_of_a_large_batch_is_given_back():
    limits = SequenceEntropy().options.each.limits
    core = sequences._core_sequences
    assert core(torch.float32, 64, limits) is core(torch.float32, 64, limits)
    assert core(torch.float64, 4000, limits) is not core(torch.float64, 4000, limits)


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"measure": "entropy"}, ("measure", "dse")),
        ({"sigma_of": "token"}, ("sigma_of", "batch")),
        ({"order": 2.0}, ("order", "kernel_entropy")),
        ({"measure": "kernel_entropy", "t": 2.0}, ("t=2.0", "dse")),
        ({"drop_first": -1}, ("drop_first",)),
        ({"sigma": -1.0}, ("sigma",)),
    ],
)
def test_bad_options_are_refused_by_name(options, named):
    with pytest.raises((ValueError, TypeError), match=naming(*named)):
        SequenceEntropy(**options)


@pytest.mark.parametrize(
    ("Z", "error"),
    [
        (torch.randn(4, 5), ValueError),
        (torch.randn(2, 0, 5), ValueError),
        (torch.ones(2, 4, 5, dtype=torch.int64), TypeError),
        (torch.ones(2, 4, 5, dtype=torch.complex64), TypeError),
        (np.ones((2, 4, 5)), TypeError),
    ],
)
def test_states_of_another_form_are_refused(Z, error):
    with pytest.raises(error, match=naming("Z")):
        SequenceEntropy()(Z)


@pytest.mark.parametrize("shape", [(2, 4), (2, 7), (1, 5), (2, 1, 5)])
@pytest.mark.parametrize(
    "measured", [SequenceEntropy(), SequenceEntropyLoss(1.0), functional.sequence_entropy]
)
def test_a_mask_of_another_shape_is_refused(shape, measured):
    """Also a longer one, of which a step of generation would have the last columns."""
    with pytest.raises(ValueError, match=naming("mask", f"{shape}")) as caught:
        measured(torch.randn(2, 5, 3), torch.ones(shape))
    assert "argument of the model" not in str(caught.value)


@pytest.mark.filterwarnings("ignore:The PyTorch API of nested tensors")
@pytest.mark.parametrize("shape", [(1, 5), (2, 1), (2, 7)])
def test_a_mask_of_another_shape_than_nested_states_is_refused(shape):
    Z = torch.nested.nested_tensor([torch.randn(5, 3), torch.randn(4, 3)], layout=torch.jagged)
    with pytest.raises(ValueError, match=naming("mask", f"{shape}")):
        SequenceEntropy()(Z, torch.ones(shape))


@settings(max_examples=25)
@given(
    lengths=st.lists(st.integers(1, 50), min_size=1, max_size=6),
    d=st.integers(1, 20),
    seed=st.integers(0, 9),
    measure=st.sampled_from(sorted(ALONE)),
)
def test_padding_changes_nothing(lengths, d, seed, measure):
    generator = torch.Generator().manual_seed(seed)
    parts = [torch.randn(n, d, generator=generator, dtype=torch.float64) for n in lengths]
    longest = max(lengths) + 3
    answers = []
    for side in ("left", "right"):
        Z = torch.full((len(parts), longest, d), math.nan, dtype=torch.float64)
        mask = torch.zeros(len(parts), longest, dtype=torch.bool)
        for k, part in enumerate(parts):
            place = slice(longest - len(part), longest) if side == "left" else slice(len(part))
            Z[k, place], mask[k, place] = part, True
        Z.requires_grad_()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SaturationWarning)
            values, gradient = found(Z, mask, measure, sigma=2.0)
        answers.append((values, gradient[mask]))
    torch.testing.assert_close(answers[0], answers[1], rtol=1e-10, atol=1e-12)


def test_the_loss_is_the_weighted_mean_with_a_schedule():
    Z, mask = states(), ragged()
    loss = SequenceEntropyLoss(weight=0.5, goal="raise", schedule=lambda step: 1.0 + step)
    mean = SequenceEntropy()(Z, mask).mean().detach()
    for step in range(2):
        term = loss(Z, mask)
        torch.testing.assert_close(term.detach(), -0.5 * (1.0 + step) * mean)
    torch.testing.assert_close(loss.value, mean)
    lowering = SequenceEntropyLoss(goal="lower", measure="kernel_entropy")
    assert float(lowering(Z).detach()) > 0.0
    with pytest.raises(TypeError, match=naming("sigmas", "sigma")):
        SequenceEntropyLoss(sigmas=1.0)


def test_training_with_the_loss_raises_the_entropy():
    torch.manual_seed(0)
    x = torch.randn(8, 16, 6)
    mask = torch.arange(16) < torch.tensor([[16], [12], [16], [9], [16], [16], [5], [16]])
    model = torch.nn.Sequential(torch.nn.Linear(6, 12), torch.nn.Tanh(), torch.nn.Linear(12, 6))
    loss = SequenceEntropyLoss(sigma=0.5)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
    seen = []
    for _ in range(30):
        optimizer.zero_grad()
        loss(torch.nn.functional.normalize(model(x), dim=-1), mask).backward()
        optimizer.step()
        seen.append(float(loss.value))
    assert seen[-1] > seen[0] + 0.1


# Dynamo looks at the gradients of what is no leaf, and hides the warning about it, but no error.
@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor")
def test_a_compiled_model_calls_it_as_it_is():
    torch._dynamo.reset()
    module = SequenceEntropy(sigma=3.0)
    compiled = torch.compile(lambda Z: module(2.0 * Z).sum(), backend="eager")
    Z = states(dtype=torch.float32)
    expected = module(2.0 * Z).sum()
    torch.testing.assert_close(compiled(Z), expected)
    torch._dynamo.reset()


def test_the_core_refuses_what_is_no_sequence():
    core = _core.SequenceGradients("float64")
    Z, right = np.ones((4, 2)), {"firsts": np.array([0]), "lengths": np.array([4])}

    def solve(**mistake):
        others = {"alpha": 0.5, "exponent": 1.0, "share_of_median": 0.35, "functions": None}
        given = {"Z": Z, "sigmas": np.ones(1), "gradient": None, "threads": 1}
        core.solve(**{**right, **others, **given, **mistake})

    for mistake in (
        {"Z": Z.astype(np.float32)},
        {"lengths": np.array([5])},
        {"lengths": np.array([0])},
        {"firsts": np.array([-1])},
        {"firsts": np.array([0, 1])},
        {"sigmas": np.ones(2)},
        {"gradient": np.ones((4, 3))},
        {"gradient": np.ones((4, 2), dtype=np.float32)},
    ):
        with pytest.raises(ValueError, match=r"."):
            solve(**mistake)
    with pytest.raises(ValueError, match="weights"):
        _core.LogFunctions().add(2.0, 0.0, 0.0, np.ones(2), np.ones(1))


@pytest.mark.parametrize("tolerance", resolvents.TOLERANCE.values())
def test_the_core_chooses_from_the_functions_that_python_has(tolerance):
    functions = resolvents.log_functions(tolerance)
    assert resolvents.log_functions(tolerance) is functions
    Z = states(1, 60, 300).detach()[0].numpy()
    core = _core.EntropyGradient("float64")
    core.build(Z, 10.0, 0.5, 1)
    lower, upper = core.bulk_interval(10, 1)
    r = resolvents.sufficient(resolvents.SLACK * lower, upper, tolerance)
    assert r is not None
    assert len(r.shifts) <= 4
    nats, slope = core.solve_by_logarithm(functions, 1)
    arguments = r.constant + math.log(upper), r.linear / upper, r.shifts * upper, r.weights * upper
    expected, slopes = core.solve(*arguments, upper / r.kappa, 1)
    assert nats == pytest.approx(expected, rel=1e-14)
    np.testing.assert_allclose(slope, slopes, rtol=1e-9, atol=1e-14)
