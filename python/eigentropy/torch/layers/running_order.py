"""The order in which a pass of a model makes hidden states and the outputs of modules."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch.multiprocessing.reductions import StorageWeakRef

from eigentropy.torch.features.pooling import first_tensor


class Clock:
    """When memory was first the input or the output of a module, and when modules ended.

    The memory itself is not held. A weak reference to what was given back stays, so that memory
    that takes its place is not mistaken for it.
    """

    def __init__(self) -> None:
        self._time = 0
        self._first: dict[int, tuple[int, StorageWeakRef]] = {}
        self._ended: dict[torch.nn.Module, int] = {}

    def begin(self, _: Any, arguments: tuple[Any, ...], keywords: Mapping[str, Any]) -> None:
        """A module begins."""
        self._note(*arguments, *keywords.values())

    def end(self, module: torch.nn.Module, _: Any, output: Any) -> None:
        """A module ends."""
        self._note(output)
        self._ended[module] = self._time

    def _note(self, *values: Any) -> None:
        self._time += 1
        for value in values:
            reference = _reference(first_tensor(value))
            if reference is not None:
                self._first.setdefault(reference.cdata, (self._time, reference))

    def time_of(self, one: torch.Tensor | torch.nn.Module) -> float:
        """When a tensor was first in use, or a module ended; infinity of what was not seen."""
        if isinstance(one, torch.nn.Module):
            return self._ended.get(one, math.inf)
        reference = _reference(one)
        known = None if reference is None else self._first.get(reference.cdata)
        return math.inf if known is None else known[0]


def _reference(tensor: torch.Tensor | None) -> StorageWeakRef | None:
    if tensor is None or tensor.layout != torch.strided or tensor.is_nested:
        return None
    return StorageWeakRef(tensor.untyped_storage())  # type: ignore[no-untyped-call]


@contextmanager
def clock_of(modules: Iterable[torch.nn.Module]) -> Iterator[Clock]:
    """A clock that these modules tell what they are given and what they return."""
    clock = Clock()
    with ExitStack() as stack:
        for module in modules:
            for handle in (
                module.register_forward_pre_hook(clock.begin, with_kwargs=True),
                module.register_forward_hook(clock.end),
            ):
                stack.callback(handle.remove)
        yield clock


def in_order(layers: Mapping[str, torch.Tensor | torch.nn.Module], clock: Clock) -> list[str]:
    """Names by the time of hidden states and modules; what a clock has not seen stays in order."""
    return sorted(layers, key=lambda name: clock.time_of(layers[name]))
