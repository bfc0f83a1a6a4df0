"""From what a model returns to one row a sample."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch

from eigentropy._support.signatures import nearest

POOLINGS = ("auto", "mean", "first", "last", "pooler", "flatten")

# Those that take one of the tokens.
_ONE_TOKEN = ("first", "last")

# Of a model that returns several tensors by name, the one that is meant where none is named.
USUAL_OUTPUT = "last_hidden_state"

Pooling = str | Callable[[Any], Any]


def pooled(
    output: Any, how: Pooling, which: str | int | None = None, mask: torch.Tensor | None = None
) -> torch.Tensor:
    """The rows (b, d) of a batch, as float32 or float64.

    Maps (b, channels, height, width) are averaged over space; so are those with the channels last,
    which are told by their other two sides being equal. Of tokens (b, tokens, d) those count that
    `mask` (b, tokens) does not leave out: their mean, the first or the last of them.

    Raises
    ------
    ValueError, TypeError
        The output is not one tensor, or its pooled rows have no such shape.
    """
    if callable(how):
        return _rows(how(output), "pooling(output)")
    if how == "pooler":
        if not isinstance(output, Mapping):
            raise ValueError(
                "pooling='pooler' takes the pooler_output of a Hugging Face model, this one "
                f"returns a {type(output).__name__}; take pooling='auto'"
            )
        return _rows(chosen(output, "pooler_output"), "pooler_output")
    tensor = chosen(output, which)
    if not tensor.is_floating_point() or tensor.dtype in (torch.float16, torch.bfloat16):
        tensor = tensor.float()
    if how == "flatten":
        return tensor.flatten(1)
    if how in _ONE_TOKEN:
        if tensor.ndim != 3:
            raise ValueError(
                f"pooling={how!r} takes one of the tokens (batch, tokens, d); the output has shape "
                f"{tuple(tensor.shape)}; take pooling='mean'"
            )
        return tensor[torch.arange(len(tensor)), _place(how, _kept(tensor, mask))]
    return _rows(_mean(tensor, mask), "the output")


def _mean(tensor: torch.Tensor, mask: torch.Tensor | None) -> torch.Tensor:
    if tensor.ndim == 1:
        return tensor[:, None]
    if tensor.ndim == 3:
        kept = _kept(tensor, mask)[..., None]
        # A text of which nothing is kept would be 0 / 0.
        return tensor.masked_fill(~kept, 0.0).sum(dim=1) / kept.sum(dim=1).clamp(min=1)
    if tensor.ndim == 4 and tensor.shape[1] == tensor.shape[2] != tensor.shape[3]:
        return tensor.mean(dim=(1, 2))
    if tensor.ndim > 3:
        return tensor.mean(dim=tuple(range(2, tensor.ndim)))
    return tensor


def _kept(tensor: torch.Tensor, mask: torch.Tensor | None) -> torch.Tensor:
    """Which tokens count: all of them, where the mask is that of others."""
    if mask is None or mask.shape != tensor.shape[:2]:
        return torch.ones(tensor.shape[:2], dtype=torch.bool, device=tensor.device)
    return mask.to(tensor.device) != 0


def _place(which: str, kept: torch.Tensor) -> torch.Tensor:
    """Where the first or the last kept token of each text is."""
    found: torch.Tensor = kept.int().argmax(dim=1)  # of several the first
    if which == "last":
        found = kept.shape[1] - 1 - kept.flip(1).int().argmax(dim=1)
    return found


def chosen(output: Any, which: str | int | None = None) -> torch.Tensor:
    """The tensor that is meant, of what a model returns.

    Raises
    ------
    ValueError
        Several tensors, and none is named; no tensor of this name, with the nearest one.
    """
    if isinstance(output, torch.Tensor):
        return output
    if isinstance(output, Mapping):
        named = {name: value for name, value in output.items() if isinstance(value, torch.Tensor)}
        if which is None and USUAL_OUTPUT in named:
            return named[USUAL_OUTPUT]
    elif isinstance(output, (tuple, list)):
        named = {i: value for i, value in enumerate(output) if isinstance(value, torch.Tensor)}
    else:
        raise TypeError(
            f"the model returns a {type(output).__name__}, and a tensor is wanted; choose one from "
            "it by pooling=function, which takes what the model returns"
        )
    if which in named:
        return named[which]
    shapes = ", ".join(f"{name!r} {tuple(value.shape)}" for name, value in named.items()) or "none"
    if which is not None:
        near = nearest(str(which), map(str, named))
        hint = f"; the nearest is {near!r}" if near else ""
        raise ValueError(f"output: the model returns no tensor {which!r}, it has {shapes}{hint}")
    if len(named) == 1:
        return next(iter(named.values()))
    raise ValueError(
        f"the model returns {len(named)} tensors ({shapes}); choose one by output=, or by "
        "pooling=function, which takes what the model returns"
    )


def layer_rows(tensor: torch.Tensor, how: Pooling, mask: torch.Tensor | None) -> torch.Tensor:
    """The rows of an inner layer: the mean, or what else can be done with any layer."""
    plain = how == "flatten" or (how in _ONE_TOKEN and tensor.ndim == 3)
    return pooled(tensor, how if plain else "mean", None, mask)


def first_tensor(output: Any) -> torch.Tensor | None:
    """Of what an inner module returns: blocks often return a tuple with what they cache."""
    if isinstance(output, torch.Tensor):
        return output
    values = output.values() if isinstance(output, Mapping) else output
    if not isinstance(output, (Mapping, tuple, list)):
        return None
    return next((value for value in values if isinstance(value, torch.Tensor)), None)


def _rows(rows: Any, name: str) -> torch.Tensor:
    tensor = rows if isinstance(rows, torch.Tensor) else torch.from_numpy(np.array(rows))
    if tensor.ndim != 2:
        raise ValueError(
            f"{name} must have shape (batch, d) after pooling, one row a sample, got "
            f"{tuple(tensor.shape)}"
        )
    return tensor if tensor.dtype == torch.float64 else tensor.float()
