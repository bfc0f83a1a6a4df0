"""Dispersion losses against their formulas by autograd."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

torch = pytest.importorskip("torch", reason="eigentropy.torch needs PyTorch")

from eigentropy.torch import DispersionLoss, functional
from eigentropy.torch.losses import dispersion_pairs
from tests.equipment.messages import naming

TEMPERATURES = {"angular": 0.3, "l2": 2.0}


def states(b=4, length=14, d=6, dtype=torch.float64, seed=0):
    generator = torch.Generator().manual_seed(seed)
    Z = torch.randn(b, length, d, generator=generator, dtype=torch.float64)
    return Z.to(dtype).requires_grad_()


def some_masked(b=4, length=14):
    mask = torch.ones(b, length, dtype=torch.bool)
    mask[0, :5], mask[1, 9:], mask[2, 3:7] = False, False, False
    return mask


def by_autograd(rows, variant, temperature=1.0, margin=0.5, norm_penalty=0.1):
    """The formulas of the docstring, pair by pair."""
    beside = ~torch.eye(len(rows), dtype=torch.bool)
    if variant == "decorrelation":
        standard = (rows - rows.mean(-1, keepdim=True)) / rows.std(-1, keepdim=True)
        return ((standard @ standard.T / (rows.shape[1] - 1))[beside] ** 2).mean()
    if variant == "l2":
        r2 = ((rows[:, None] - rows) ** 2).sum(-1)[beside]
        return torch.log(torch.exp(-r2 / temperature).mean()) + norm_penalty * (rows**2).mean()
    units = torch.nn.functional.normalize(rows, dim=-1)
    angles = torch.arccos((units @ units.T)[beside]) / math.pi
    if variant == "orthogonal":
        return ((margin - angles).clamp(min=0.0) ** 2).mean()
    return torch.log(torch.exp(-angles / temperature).mean())


def found(Z, mask=None, **options):
    values = functional.dispersion(Z, mask, **options)
    weights = torch.arange(1.0, len(values) + 1.0, dtype=values.dtype)
    return values.detach(), torch.autograd.grad((weights * values).sum(), Z)[0]


@pytest.mark.parametrize("pairs_at_a_time", [2**22, 40, 5])
@pytest.mark.parametrize("variant", dispersion_pairs.VARIANTS)
def test_values_and_gradients_are_those_of_the_formulas(variant, pairs_at_a_time, monkeypatch):
    monkeypatch.setattr(dispersion_pairs, "PAIRS_AT_A_TIME", pairs_at_a_time)
    Z, mask, temperature = states(), some_masked(), TEMPERATURES.get(variant, 1.0)
    values, gradient = found(Z, mask, variant=variant, temperature=temperature)
    expected = torch.stack(
        [by_autograd(z[m], variant, temperature) for z, m in zip(Z, mask, strict=True)]
    )
    slope = torch.autograd.grad((torch.arange(1.0, 5.0).double() * expected).sum(), Z)[0]
    torch.testing.assert_close(values, expected.detach(), rtol=1e-10, atol=1e-12)
    torch.testing.assert_close(gradient, slope, rtol=1e-9, atol=1e-12)
    without = functional.dispersion(Z.detach(), mask, variant=variant, temperature=temperature)
    torch.testing.assert_close(without, values)


@pytest.mark.parametrize("variant", dispersion_pairs.VARIANTS)
def test_float32_is_float64_to_its_rounding(variant):
    Z = states(dtype=torch.float32)
    values, gradient = found(Z, some_masked(), variant=variant)
    assert values.dtype == torch.float32
    exact, slope = found(Z.detach().double().requires_grad_(), some_masked(), variant=variant)
    torch.testing.assert_close(values.double(), exact, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(gradient.double(), slope, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("variant", dispersion_pairs.VARIANTS)
def test_few_or_strange_tokens_have_finite_gradients(variant):
    Z = states(4, 5, 6, dtype=torch.float32).detach()
    Z[0, 1:] = 0.0
    Z[1, 1], Z[1, 2] = Z[1, 0], -Z[1, 0]
    Z[2] = Z[2, 0].clone()
    mask = torch.ones(4, 5, dtype=torch.bool)
    mask[3, 1:] = False  # one token: no pair
    values, gradient = found(Z.requires_grad_(), mask, variant=variant)
    assert values.isfinite().all()
    assert gradient.isfinite().all()
    if variant != "l2":
        assert values[3] == 0.0
        assert (gradient[3] == 0.0).all()
        assert (gradient[0, 1:] == 0.0).all()  # of length 0
        assert gradient[2].abs().max() <= 1e-5  # equal tokens


def test_near_tokens_push_each_other_with_a_bounded_force():
    """Without the bound rounding of a cosine near 1 would decide about the slope."""
    angles = torch.tensor([1e-6, 1e-4, 1e-2, 1.0])
    forces = []
    for angle in angles:
        Z = torch.tensor([[[1.0, 0.0], [math.cos(angle), math.sin(angle)]]]).requires_grad_()
        forces.append(float(found(Z)[1].norm(dim=-1).max()))
    limit = 1.0 / math.pi
    assert max(forces) <= 1.01 * limit
    assert forces[2:] == pytest.approx([limit, limit], rel=1e-2)
    assert forces[1] < 0.1 * limit


def test_clamp_holds_values_and_slopes_of_cosines_beyond_it():
    angle = 0.1
    Z = torch.tensor([[[1.0, 0.0], [math.cos(angle), math.sin(angle)]]]).double().requires_grad_()
    values, gradient = found(Z, clamp=0.25)
    assert float(values) == pytest.approx(-math.acos(0.75) / math.pi)
    expected = math.sin(angle) / math.sqrt(1.0 - 0.75**2) / math.pi
    assert gradient.norm(dim=-1).tolist() == [pytest.approx([expected, expected], rel=1e-6)]


def test_what_is_not_finite_spoils_its_own_sequence_alone():
    Z, mask = states(), some_masked()
    expected, slope = found(Z, mask)
    with torch.no_grad():
        Z[1, 2, 3], Z[2, 4, 0] = math.nan, math.nan  # the second is masked
    values, gradient = found(Z, mask)
    assert values[1].isnan()
    others = [0, 2, 3]
    torch.testing.assert_close(values[others], expected[others])
    torch.testing.assert_close(gradient[others], slope[others])


@settings(max_examples=25)
@given(
    variant=st.sampled_from(["angular", "decorrelation", "orthogonal"]),
    scale=st.sampled_from([1e-12, 1.0, 1e12]),
    seed=st.integers(0, 9),
)
def test_the_length_of_tokens_changes_nothing(variant, scale, seed):
    Z = states(seed=seed)
    value, slope = found(Z, variant=variant)
    scaled, slope_of_scaled = found((scale * Z.detach()).requires_grad_(), variant=variant)
    torch.testing.assert_close(scaled, value, rtol=1e-9, atol=1e-12)
    torch.testing.assert_close(scale * slope_of_scaled, slope, rtol=1e-8, atol=1e-10)
    along = (slope * Z.detach()).sum(dim=-1)
    torch.testing.assert_close(along, torch.zeros_like(along), atol=1e-10, rtol=0.0)


def test_the_loss_is_the_weighted_mean_and_training_lowers_it():
    torch.manual_seed(0)
    x, mask = torch.randn(4, 14, 6) + 3.0, some_masked()
    model = torch.nn.Linear(6, 6)
    loss = DispersionLoss(weight=2.0, schedule=lambda step: 1.0)
    first = loss(model(x), mask)
    torch.testing.assert_close(first.detach(), 2.0 * loss.value)
    expected = functional.dispersion(model(x), mask).mean()
    torch.testing.assert_close(loss.value, expected.detach())
    optimizer = torch.optim.SGD(model.parameters(), lr=0.5)
    for _ in range(20):
        optimizer.zero_grad()
        last = loss(model(x), mask)
        last.backward()
        optimizer.step()
    assert last.item() < first.item() - 0.1


def test_a_second_derivative_is_refused():
    Z = states()
    with pytest.raises(RuntimeError, match=naming("create_graph")):
        torch.autograd.grad(functional.dispersion(Z).sum(), Z, create_graph=True)


def test_narrow_states_are_computed_in_float32():
    Z = states(dtype=torch.bfloat16)
    values, gradient = found(Z)
    assert (values.dtype, gradient.dtype) == (torch.float32, torch.bfloat16)


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"variant": "cosine"}, ("variant", "angular")),
        ({"temperature": 0.0}, ("temperature",)),
        ({"clamp": 1.0}, ("clamp",)),
        ({"margin": -0.1}, ("margin",)),
        ({"norm_penalty": math.nan}, ("norm_penalty",)),
        ({"tau": 1.0}, ("tau",)),
    ],
)
def test_bad_options_are_refused_by_name(options, named):
    with pytest.raises((ValueError, TypeError), match=naming(*named)):
        DispersionLoss(**options)


def test_no_kept_token_is_an_error_that_names_the_sequence():
    mask = some_masked()
    mask[2] = False
    with pytest.raises(ValueError, match=naming("2", "token")):
        DispersionLoss()(states(), mask)


@pytest.mark.parametrize("length", [13, 20])
@pytest.mark.parametrize("measured", [DispersionLoss(), functional.dispersion])
def test_a_mask_of_another_shape_is_refused(length, measured):
    with pytest.raises(ValueError, match=naming("mask", f"(4, {length})")) as caught:
        measured(states(), torch.ones(4, length))
    assert "argument of the model" not in str(caught.value)
