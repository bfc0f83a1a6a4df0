"""Layers by name, by pattern and by module."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch", reason="eigentropy.torch needs PyTorch")

from eigentropy.torch import Monitor
from messages import naming

nn = torch.nn


@pytest.fixture
def net():
    return nn.Sequential(
        nn.Sequential(nn.Linear(4, 6), nn.Tanh()), nn.Sequential(nn.Linear(6, 6), nn.Tanh())
    )


def layers_of(model, layers):
    return Monitor(model, layers, torch.randn(9, 4)).layers


def test_a_module_is_as_good_as_its_name(net):
    assert layers_of(net, net[1]) == ("1",)
    assert layers_of(net, net[1][0]) == ("1.0",)
    assert layers_of(net, [net[1], "0.*", net[0][1]]) == ("0.0", "0.1", "1")
    assert layers_of(nn.DataParallel(net), net[0]) == ("0",)


def test_a_module_with_two_names_is_watched_once(net):
    net.append(net[0])
    assert layers_of(net, net[2]) == ("0",)


def test_a_compiled_module_is_found(net):
    net[1] = torch.compile(net[1], backend="eager")
    assert layers_of(net, net[1]) == ("1",)
    assert layers_of(torch.compile(net, backend="eager"), net[0]) == ("0",)


def test_a_module_of_another_model_is_refused(net):
    with pytest.raises(ValueError, match=naming("layers", "Linear", "'0'", "'0.0'")):
        layers_of(net, [net[1], nn.Linear(6, 6)])
    with pytest.raises(ValueError, match=naming("layers", "Sequential", "model itself")):
        layers_of(net, net)
    with pytest.raises(ValueError, match=naming("layers", "Sequential", "'1'")):
        layers_of(net, net[1:])  # another Sequential, whose parts are known
    for wanted in ([1], 1):
        with pytest.raises(TypeError, match=naming("layers", 1)):
            layers_of(net, wanted)


def decoder():
    """As GPT-2 with its tied weights: the last layer has the matrix of the first."""

    class Block(nn.Module):
        def __init__(self):
            super().__init__()
            self.attn, self.mlp = nn.Linear(6, 6), nn.Linear(6, 6)

        def forward(self, x):
            return self.mlp(self.attn(x))

    class Decoder(nn.Module):
        def __init__(self):
            super().__init__()
            self.wte, self.h = nn.Embedding(20, 6), nn.Sequential(Block(), Block())
            self.lm_head = nn.Linear(6, 20, bias=False)
            self.lm_head.weight = self.wte.weight

        def forward(self, x):
            return self.lm_head(self.h(self.wte(x)))

    return Decoder()


def test_layers_with_tied_weights_are_two_layers():
    monitor = Monitor(decoder(), ["wte", "lm_head"], torch.arange(18).reshape(9, 2), pooling="last")
    assert monitor.layers == ("wte", "lm_head")
    assert set(monitor.measure()) == {"dse/wte", "dse/lm_head"}


@pytest.mark.parametrize(
    ("wrong", "near"),
    [
        ("lm_heads", ["'lm_head'"]),
        ("head", ["'lm_head'"]),
        ("lm_head.weight", ["'lm_head'"]),
        ("h.5", ["'h.0'", "'h.1'"]),
        ("h.5.mlp", ["'h.0.mlp'", "'h.1.mlp'"]),
        ("layers.0", ["'h.0'"]),
        ("model.layers.*", ["'wte'", "'h'"]),
    ],
)
def test_a_name_that_matches_nothing_in_a_decoder_is_told_the_nearest(wrong, near):
    with pytest.raises(ValueError, match=naming("layers", repr(wrong), *near)):
        Monitor(decoder(), wrong, torch.arange(18).reshape(9, 2))
