"""The input of a model: a tensor or an array, or a list or dictionary of these."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from eigentropy.torch.monitoring.samples import Array, as_array


def leaves(x: Any) -> list[Any]:
    """The tensors and arrays of an input, in order."""
    if isinstance(x, Mapping):
        return [leaf for value in x.values() for leaf in leaves(value)]
    if isinstance(x, (tuple, list)):
        return [leaf for value in x for leaf in leaves(value)]
    if getattr(x, "is_nested", False):
        raise TypeError(
            "probe is a nested tensor: pass a padded one, with its mask as the model asks"
        )
    if not hasattr(x, "shape") or not hasattr(x, "__getitem__") or len(x.shape) == 0:
        raise TypeError(
            "probe must hold tensors or arrays of samples, or be a DataLoader, got "
            f"{type(x).__name__}"
        )
    if np.ma.isMaskedArray(x):
        as_array(x, "probe")  # refuses masked entries, of which a copy would know nothing
    return [x]


def is_float(leaf: Any) -> bool:
    """Whether a tensor or an array has floats, and not token ids or a mask."""
    if isinstance(leaf, torch.Tensor):
        return leaf.is_floating_point()
    return getattr(getattr(leaf, "dtype", None), "kind", "") == "f"


def part(x: Any, where: slice) -> Any:
    """Some samples of an input."""
    return _apply(x, lambda leaf: leaf[where])


def chosen(x: Any, rows: npt.NDArray[np.int64]) -> Any:
    """A copy of the samples with these numbers."""

    def of_leaf(leaf: Any) -> Any:
        if isinstance(leaf, torch.Tensor):
            return leaf[torch.from_numpy(rows).to(leaf.device)]
        return as_array(leaf[rows], "probe")

    return _apply(x, of_leaf)


def concatenated(parts: Sequence[Any]) -> Any:
    """The samples of several inputs as one input."""
    first = parts[0]
    if isinstance(first, Mapping):
        return {key: concatenated([one[key] for one in parts]) for key in first}
    if isinstance(first, (tuple, list)):
        return [concatenated(entries) for entries in zip(*parts, strict=True)]
    return torch.cat(tuple(parts)) if isinstance(first, torch.Tensor) else np.concatenate(parts)


def vectors(x: Any, n: int) -> Array:
    """The n samples of an input as (n, d)."""
    arrays = [as_array(leaf, "probe").reshape(n, -1) for leaf in leaves(x)]
    return arrays[0] if len(arrays) == 1 else np.concatenate(arrays, axis=1)


def first_parameter(modules: Iterable[torch.nn.Module]) -> torch.Tensor | None:
    """The first parameter of floats: it says where a model is and what it computes with.

    `modules` are those of the model; the `parameters` of the model itself would find them anew.
    """
    for module in modules:
        for parameter in module.parameters(recurse=False):
            if parameter.is_floating_point():
                return parameter
    return None


def call(model: torch.nn.Module, x: Any, like: torch.Tensor | None) -> None:
    """Pass an input through a model, on the device of its `first_parameter`."""
    x = _apply(x, lambda leaf: _as_tensor(leaf, like))
    if isinstance(x, torch.Tensor):
        model(x)
    elif isinstance(x, Mapping):
        model(**x)
    else:
        model(*x)


def _apply(x: Any, function: Callable[[Any], Any]) -> Any:
    if isinstance(x, torch.Tensor):
        return function(x)
    if isinstance(x, Mapping):
        return {key: _apply(value, function) for key, value in x.items()}
    if isinstance(x, (tuple, list)):
        return [_apply(value, function) for value in x]
    return function(x)


def _as_tensor(leaf: Any, like: torch.Tensor | None) -> torch.Tensor:
    """On the device of the model's parameters; arrays of floats also in their dtype."""
    tensor = (
        leaf if isinstance(leaf, torch.Tensor) else torch.from_numpy(as_array(leaf, "probe").copy())
    )
    if like is None:
        return tensor
    cast = not isinstance(leaf, torch.Tensor) and tensor.is_floating_point()
    if not cast and tensor.device == like.device:
        return tensor
    return tensor.to(like.device, like.dtype if cast else None)
