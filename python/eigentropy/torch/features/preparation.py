"""From samples to what a model takes: sample by sample, and then a batch of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch

from eigentropy.torch.features import digests
from eigentropy.torch.features.pictures import Picture


class Preparation(NamedTuple):
    """How samples are prepared.

    Attributes
    ----------
    each : callable
        Of one sample; it runs beside the model, in threads.
    together : callable
        Of a list of what `each` returns: the batch.
    described : str or None
        A text that tells this preparation from others. None: there is none.
    losses : callable or None
        Of a list of samples, what to say where some of them lose their end, or None.
    """

    each: Callable[[Any], Any]
    together: Callable[[list[Any]], Any]
    described: str | None
    losses: Callable[[list[Any]], str | None] | None = None


def as_they_are() -> Preparation:
    """Of tensors that are the model's inputs."""
    return Preparation(same, stacked, "as given")


def listed_samples() -> Preparation:
    """Of a function that takes the samples themselves, in a list."""
    return Preparation(same, list, "as given")


def by_function(function: Callable[[Any], Any]) -> Preparation:
    """Of one sample, by the caller's function."""
    return Preparation(function, stacked, digests.described(function))


def by_picture(picture: Picture) -> Preparation:
    """Of pictures, by our own transform."""
    return Preparation(picture, stacked, repr(picture))


def same(sample: Any) -> Any:
    """Of samples that need nothing."""
    return sample


def stacked(items: Sequence[Any]) -> Any:
    """Tensors, arrays or mappings of them, with a first axis for the samples.

    Raises
    ------
    ValueError
        They have different shapes.
    """
    if isinstance(items[0], Mapping):
        return {key: stacked([item[key] for item in items]) for key in items[0]}
    tensors = [
        item if isinstance(item, torch.Tensor) else torch.from_numpy(np.array(item))
        for item in items
    ]
    shapes = {tuple(tensor.shape) for tensor in tensors}
    if len(shapes) > 1:
        first, second, *_ = sorted(shapes)
        raise ValueError(
            f"the preprocessing makes tensors of different shapes, {first} and {second}; a batch "
            "needs one shape: resize, crop or pad"
        )
    return torch.stack(tensors)
