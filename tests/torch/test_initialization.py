"""Entropy against the initial scale: what it must not depend on, and what it recommends."""

from __future__ import annotations

import math

import pytest

torch = pytest.importorskip("torch", reason="eigentropy.torch needs PyTorch")

import eigentropy as eg
from eigentropy.torch import initialization

nn = torch.nn
BATCH = torch.randn(100, 1, 6, 6, generator=torch.Generator().manual_seed(0))
STDS = (1e-3, 1e-2, 0.3, 1.0, 3.0)


def network(activation=nn.ReLU):
    return nn.Sequential(
        nn.Conv2d(1, 8, 3, bias=False), activation(), nn.Conv2d(8, 8, 3, bias=False), nn.Flatten()
    )


def test_what_is_proportional_to_its_weights_has_one_entropy_and_a_rms_near_1():
    result = initialization.sweep(network, BATCH, STDS)
    assert result.is_flat
    entropies = [scale.dse for scale in result.scales]
    assert entropies == pytest.approx([entropies[0]] * len(STDS), rel=1e-4)
    ratios = [scale.rms / scale.std**2 for scale in result.scales]
    assert ratios == pytest.approx([ratios[0]] * len(STDS), rel=1e-4)
    best = next(scale for scale in result.scales if scale.std == result.recommended)
    assert abs(math.log(best.rms)) == min(abs(math.log(scale.rms)) for scale in result.scales)


def deep():
    return nn.Sequential(*[part for _ in range(3) for part in (nn.Linear(36, 36), nn.Tanh())])


def test_the_lowest_entropy_counts_before_the_size_of_the_activations():
    """Samples of a plane: small weights leave it one, saturated layers tear it apart."""
    generator = torch.Generator().manual_seed(1)
    plane = torch.randn(100, 2, generator=generator) @ torch.randn(2, 36, generator=generator)
    result = initialization.sweep(deep, plane, (0.1, 3.0))
    small, large = result.scales
    assert large.dse > 1.1 * small.dse
    assert abs(math.log(large.rms)) < abs(math.log(small.rms))
    assert result.recommended == 0.1
    assert not result.is_flat


def test_the_entropy_is_that_of_the_layer():
    result = initialization.sweep(network, BATCH, [0.5], layer="1", repetitions=1, seed=4, t=2.0)
    torch.manual_seed(4)
    net = network()
    initialization.normal_weights(net, 0.5)
    with torch.no_grad():
        Z = net[:2](BATCH)
    scale = result.scales[0]
    assert scale.dse == pytest.approx(float(eg.dse(Z, t=2.0)), rel=1e-6)
    assert scale.rms == pytest.approx(float(Z.square().mean().sqrt()), rel=1e-5)
    assert scale.spread == 0.0


def test_the_random_state_is_left_alone_and_the_result_is_the_same_again():
    before = torch.get_rng_state()
    first = initialization.sweep(network, BATCH, STDS[:2])
    assert torch.equal(before, torch.get_rng_state())
    assert initialization.sweep(network, BATCH, STDS[:2]) == first
    assert first.scales[0].spread > 0.0


def test_linear_layers_and_other_ways_to_initialise():
    def linear():
        return nn.Sequential(nn.Flatten(), nn.Linear(36, 5))

    assert initialization.sweep(linear, BATCH, [0.1], repetitions=1).scales[0].rms < 1.0
    seen = []
    initialization.sweep(
        linear, BATCH, [0.1, 0.2], repetitions=1, initialize=lambda m, s: seen.append(s)
    )
    assert seen == [0.1, 0.2]


def test_activations_that_overflow_are_passed_over():
    result = initialization.sweep(network, BATCH, [0.3, 1e30])
    assert math.isnan(result.scales[1].dse)
    assert result.recommended == 0.3
    with pytest.raises(ValueError, match="stds"):
        initialization.sweep(network, BATCH, [1e30])


def test_the_table_marks_the_recommended_one():
    text = str(initialization.sweep(network, BATCH, STDS, repetitions=1))
    assert text.count("<- recommended") == 1
    assert len(text.splitlines()) == 2 + len(STDS)
    assert "only the rms has decided" in text


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"stds": []}, ValueError, "^stds "),
        ({"stds": [0.0]}, ValueError, "^stds .* 0.0"),
        ({"layer": "nothing"}, ValueError, "^layers: 'nothing' "),
        ({"layer": "*"}, ValueError, "^layer .*'\\*'"),
        ({"repetitions": 0}, ValueError, "^repetitions .* 0"),
        ({"model_factory": lambda: 3}, TypeError, "^model_factory .* int"),
        ({"model_factory": nn.Flatten}, ValueError, "initialize="),
    ],
)
def test_bad_arguments_are_named(arguments, error, message):
    with pytest.raises(error, match=message):
        initialization.sweep(**{"model_factory": network, "batch": BATCH, **arguments})
