"""BERT by its equations, so that its weights are read without a library that asks a hub."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Weights = Mapping[str, Any]  # torch tensors, by their names in a checkpoint


def hidden_states(weights: Weights, ids: Any, heads: int, epsilon: float = 1e-12) -> list[Any]:
    """The states (tokens, d) of one text after the embedding and after each block.

    Of a block, with LN the layer norm: a = LN(x + attention(x)), then LN(a + W2 gelu(W1 a)).
    """
    from torch.nn.functional import gelu, layer_norm, linear, scaled_dot_product_attention

    def norm(x: Any, name: str) -> Any:
        return layer_norm(
            x, x.shape[-1:], weights[f"{name}.weight"], weights[f"{name}.bias"], epsilon
        )

    def affine(x: Any, name: str) -> Any:
        return linear(x, weights[f"{name}.weight"], weights[f"{name}.bias"])

    def attention(x: Any, name: str) -> Any:
        parts = [
            affine(x, f"{name}.self.{part}").unflatten(-1, (heads, -1)).transpose(0, 1)
            for part in ("query", "key", "value")
        ]
        mixed = scaled_dot_product_attention(*parts)
        return affine(mixed.transpose(0, 1).flatten(1), f"{name}.output.dense")

    words, places, kinds = (
        weights[f"embeddings.{name}_embeddings.weight"]
        for name in ("word", "position", "token_type")
    )
    x = norm(words[ids] + places[: len(ids)] + kinds[0], "embeddings.LayerNorm")
    states = [x]
    while f"encoder.layer.{len(states) - 1}.output.dense.weight" in weights:
        name = f"encoder.layer.{len(states) - 1}"
        a = norm(x + attention(x, f"{name}.attention"), f"{name}.attention.output.LayerNorm")
        inner = gelu(affine(a, f"{name}.intermediate.dense"))
        x = norm(a + affine(inner, f"{name}.output.dense"), f"{name}.output.LayerNorm")
        states.append(x)
    return states


def untrained(weights: Weights, seed: int = 0) -> Weights:
    """Weights of the same shapes as BERT begins with: N(0, 0.02^2), 0 for biases, 1 for norms."""
    import torch

    chance = torch.Generator().manual_seed(seed)
    new = {}
    for name, tensor in weights.items():
        if name.endswith("bias"):
            new[name] = torch.zeros_like(tensor)
        elif "LayerNorm" in name:
            new[name] = torch.ones_like(tensor)
        else:
            new[name] = 0.02 * torch.randn(tensor.shape, generator=chance)
    return new
