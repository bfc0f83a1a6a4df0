"""Batches of token sequences of different widths, padded as their masks say to one width."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch

from eigentropy.torch.tokens.masks import NAME


def to_one_width(batches: Sequence[Any]) -> Sequence[Any]:
    """Batches as they are, or, where they are mappings with masks, padded to the widest.

    "decoder_attention_mask" is the mask of what has a name that begins with "decoder_", and
    "attention_mask" of all else. Padding is put on the side where the mask has it, and is what it
    is already; what is not as wide as its mask is left as it is.
    """
    if not all(isinstance(batch, Mapping) and NAME in batch for batch in batches):
        return batches
    padded = [dict(batch) for batch in batches]
    for key in batches[0]:
        values = [batch.get(key) for batch in batches]
        masks = [batch.get(_mask_name(key, batch)) for batch in batches]
        if len({_width(value) for value in values}) > 1 and all(map(_belong, values, masks)):
            _pad(key, padded, values, masks)
    return padded


def _mask_name(key: str, batch: Mapping[str, Any]) -> str:
    prefix = key.partition("_")[0]
    return f"{prefix}_{NAME}" if f"{prefix}_{NAME}" in batch else NAME


def _width(value: Any) -> int | None:
    return value.shape[1] if len(getattr(value, "shape", ())) > 1 else None


def _belong(value: Any, mask: Any) -> bool:
    return len(getattr(mask, "shape", ())) == 2 and _width(value) == mask.shape[1]


def _pad(key: str, padded: Sequence[dict[str, Any]], values: Any, masks: Any) -> None:
    """Put the padded values of one argument into the batches."""
    is_real = [np.asarray(_on_host(mask)) != 0 for mask in masks]
    widest = max(value.shape[1] for value in values)
    before = sum((~real[:, 0]).sum() for real in is_real)
    after = sum((~real[:, -1]).sum() for real in is_real)
    found = (_on_host(v)[~real] for v, real in zip(values, is_real, strict=True) if not real.all())
    filling = next((one.reshape(-1)[0].item() for one in found), 0)
    for batch, value in zip(padded, values, strict=True):
        more = widest - value.shape[1]
        batch[key] = _lengthened(value, (more, 0) if before > after else (0, more), filling)


def _on_host(value: Any) -> Any:
    return value.detach().cpu().numpy() if isinstance(value, torch.Tensor) else value


def _lengthened(value: Any, ends: tuple[int, int], filling: Any) -> Any:
    if isinstance(value, torch.Tensor):
        others = (0, 0) * (value.ndim - 2)  # the last dimension comes first
        return torch.nn.functional.pad(value, (*others, *ends), value=filling)
    return np.pad(value, ((0, 0), ends, *[(0, 0)] * (value.ndim - 2)), constant_values=filling)
