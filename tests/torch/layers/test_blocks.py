"""Which modules are the blocks of a transformer."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch", reason="eigentropy.torch needs PyTorch")

from eigentropy.torch.layers.blocks import find_blocks
from messages import naming

nn = torch.nn


def block():
    return nn.Sequential(nn.Linear(2, 2), nn.ReLU())


def with_parts(**parts):
    model = nn.Module()
    for name, part in parts.items():
        setattr(model, name, part)
    return model


def test_the_longest_list_of_equal_modules_is_taken():
    model = with_parts(
        short=nn.ModuleList(block() for _ in range(2)), h=nn.ModuleList(block() for _ in range(4))
    )
    assert find_blocks(model) == ["h.0", "h.1", "h.2", "h.3"]
    assert find_blocks(with_parts(model=model)) == [f"model.h.{k}" for k in range(4)]


def test_experts_inside_of_blocks_are_no_blocks():
    experts = [with_parts(experts=nn.ModuleList(block() for _ in range(8))) for _ in range(2)]
    assert find_blocks(with_parts(h=nn.ModuleList(experts))) == ["h.0", "h.1"]


def test_the_encoder_comes_before_a_decoder_of_the_same_length():
    lists = {name: nn.ModuleList(block() for _ in range(3)) for name in ("encoder", "decoder")}
    assert find_blocks(with_parts(**lists))[0] == "encoder.0"


def test_a_sequence_of_modules_with_parts_is_a_list_too():
    assert find_blocks(with_parts(blocks=nn.Sequential(block(), block()))) == [
        "blocks.0",
        "blocks.1",
    ]


@pytest.mark.parametrize(
    "model",
    [
        nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2)),
        with_parts(h=nn.ModuleList([block(), nn.Linear(2, 2)])),
        nn.Linear(2, 2),
    ],
)
def test_where_there_are_no_equal_blocks_the_parts_are_named(model):
    parts = [repr(name) for name, _ in model.named_children()] or ["none"]
    with pytest.raises(ValueError, match=naming("layers", type(model).__name__, *parts)):
        find_blocks(model)
