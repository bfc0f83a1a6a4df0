"""The states of a model of transformers, or of any module that returns hidden states."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

from eigentropy.baselines._pytorch import usual_defaults
from eigentropy.torch.features.batches import size_for
from eigentropy.torch.features.extractors import Request
from eigentropy.torch.features.hugging_face import model_of
from eigentropy.torch.features.pooling import first_tensor
from eigentropy.torch.features.preparation import Preparation
from eigentropy.torch.features.sources import device_for, name_of
from eigentropy.torch.features.tokens import tokenised
from eigentropy.torch.layers.prompts import Prompts
from eigentropy.torch.layers.running_order import clock_of, in_order
from eigentropy.torch.layers.states import (
    OF_BATCHES,
    Numbers,
    StatesBatch,
    block_names,
    chosen_names,
    is_of_hidden_states,
)
from eigentropy.torch.monitoring.hooks import Probing
from eigentropy.torch.monitoring.layers import find_layers, unwrapped
from eigentropy.torch.monitoring.undisturbed import undisturbed
from eigentropy.torch.tokens.masks import mask_of_call

HIDDEN = "hidden_states"
ASKED = "output_hidden_states"

# Of a prompt, memory in units of its hidden states: these, a copy, and what a block lays out. A
# guess, on the safe side.
LIVE_STATES = 4


@dataclass(frozen=True)
class ModelStates:
    """The states of a model over prompts.

    Attributes
    ----------
    name : str
    model : torch.nn.Module
    given : Prompts
    preparation : Preparation or None
        From a list of texts to the model's arguments; None of batches.
    wanted : sequence of str or int, or None
        The layers; None: all hidden states.
    size : int or None
        Of a batch of texts.
    lent : bool
        Whether the model is the caller's own.
    """

    name: str
    model: torch.nn.Module
    given: Prompts
    preparation: Preparation | None
    wanted: Sequence[str | int] | None
    size: int | None
    lent: bool

    @property
    def prompts(self) -> int | None:
        """How many there are; None of batches."""
        texts = self.given.texts
        return None if texts is None else len(texts)

    def of(self, prompts: Prompts) -> ModelStates:
        """The states over other prompts."""
        return replace(self, given=prompts)

    def losses(self, numbers: Numbers) -> list[str]:
        """What to say where some of these prompts are longer than what the model is given."""
        texts = self.given.texts
        if texts is None or self.preparation is None or self.preparation.losses is None:
            return []
        said = self.preparation.losses([texts[int(number)] for number in numbers])
        return [said] if said else []

    def batches(self, chosen: Numbers | None) -> Iterator[StatesBatch]:
        """The longest texts first; batches of the caller's as they come."""
        called = unwrapped(self.model)
        if getattr(getattr(called, "config", None), "is_encoder_decoder", False):
            called = called.get_encoder()  # type: ignore[operator]
        hidden, modules = self._layers(called)
        asked = {ASKED: True} if hidden != [] else {}
        order: list[str] = []
        with self._running(), _hooked(modules) as seen, ExitStack() as first_batch:
            # Modules alone are in the order in which they ran; hidden states are among those that
            # every module tells of.
            telling = called.modules() if asked and modules else ()
            clock = first_batch.enter_context(clock_of(telling))
            for numbers, arguments in self._arguments(called, chosen):
                seen.clear()
                output = called(**_placed(arguments, called), **asked)
                states = _hidden_states(output, hidden, self.name) if asked else {}
                found = {**states, **_seen(modules, seen, self.name)}
                if not order:
                    first_batch.close()
                    order = in_order({**states, **{name: modules[name] for name in seen}}, clock)
                mask = mask_of_call((), arguments, OF_BATCHES)
                yield StatesBatch({name: found[name] for name in order}, mask, numbers)

    def _layers(self, called: Any) -> tuple[list[str | int] | None, dict[str, torch.nn.Module]]:
        """Which hidden states are wanted (None: all), and the other modules by their names."""
        if self.wanted is None:
            hidden, others = None, []
        else:
            hidden = [one for one in self.wanted if is_of_hidden_states(one)]
            others = [_inside(called, one) for one in self.wanted if not is_of_hidden_states(one)]
        if hidden != [] and not _accepts(called, ASKED):
            raise ValueError(
                f"{self.name} returns no hidden states: its forward takes no {ASKED}; name modules "
                "of it by layers=, such as layers='blocks.*'"
            )
        return hidden, find_layers(called, others) if others else {}

    @contextmanager
    def _running(self) -> Iterator[None]:
        """Evaluation mode without gradients, after which all is as it was."""
        with ExitStack() as stack:
            stack.enter_context(undisturbed(self.model))
            stack.enter_context(Probing())
            if not self.lent:
                stack.enter_context(usual_defaults(torch))
            yield

    def _arguments(
        self, called: Any, chosen: Numbers | None
    ) -> Iterator[tuple[Numbers, Mapping[str, Any]]]:
        texts, batches = self.given
        if texts is None:
            first = 0
            for batch in batches or ():
                count = _count(batch)
                yield np.arange(first, first + count), batch
                first += count
            return
        assert self.preparation is not None
        prepared = self.preparation.together
        order = texts.order()
        if chosen is not None:
            order = order[np.isin(order, chosen)]
        size = self.size or self._fitting(called, texts[int(order[0])])
        for start in range(0, len(order), size):
            numbers = order[start : start + size]
            yield numbers, prepared([texts[int(number)] for number in numbers])

    def _fitting(self, called: Any, longest: str) -> int:
        """How many of the longest texts fit into memory at once, by what one of them takes."""
        assert self.preparation is not None
        arguments = _placed(self.preparation.together([longest]), called)
        asked = {ASKED: True} if _accepts(called, ASKED) else {}
        states = _tensors(called(**arguments, **asked))
        needed = sum(one.numel() * one.element_size() for one in states)
        return size_for(LIVE_STATES * needed, _device(called))


def opened_model(
    model: Any,
    prompts: Prompts,
    wanted: Sequence[str | int] | None,
    tokenizer: Any,
    size: int | None,
    max_length: int | None,
    offline: bool,
) -> ModelStates:
    """The states of a model by name, from a folder, or of the caller's own module."""
    name = str(model).removeprefix("hf:") if not isinstance(model, torch.nn.Module) else ""
    both = {"tokenizer": tokenizer, "max_length": max_length}
    said = {key: value for key, value in both.items() if value is not None}
    if name:
        device = device_for(f"hf:{name}", None)
        request = Request(
            str(model), "texts", "auto", (), None, said, None, offline, device, torch.float32,
            other_tokenizer="tokenizer=NAME_OR_FOLDER",
        )  # fmt: skip
        found, preparation = model_of(name, request)
        return ModelStates(name, found, prompts, preparation, wanted, size, False)
    own = name_of(model).rpartition(".")[2]
    prepared = _own_preparation(own, model, said, offline) if prompts.texts else None
    return ModelStates(own, model, prompts, prepared, wanted, size, True)


def _own_preparation(
    name: str, model: torch.nn.Module, said: dict[str, Any], offline: bool
) -> Preparation:
    if "tokenizer" not in said:
        raise ValueError(
            f"tokenizer is missing: {name} is given as a module, and texts need one; pass a "
            "tokenizer, its name or its folder, or batches of tensors in place of the texts"
        )
    return tokenised(name, said, offline, getattr(unwrapped(model), "config", None))


def _accepts(called: Any, keyword: str) -> bool:
    parameters = inspect.signature(getattr(called, "forward", called)).parameters
    return keyword in parameters or any(
        one.kind is inspect.Parameter.VAR_KEYWORD for one in parameters.values()
    )


def _inside(called: Any, wanted: Any) -> str:
    """A name of a model with a head, such as "transformer.h.*.attn", in one without: "h.*.attn"."""
    prefix = getattr(called, "base_model_prefix", "")
    is_there = not prefix or hasattr(called, prefix)
    return str(wanted) if is_there else str(wanted).removeprefix(f"{prefix}.")


def _device(called: Any) -> torch.device:
    first = next(iter(called.parameters()), None)
    return torch.device("cpu") if first is None else first.device


def _placed(arguments: Mapping[str, Any], called: Any) -> dict[str, Any]:
    device = _device(called)
    return {
        name: value.to(device) if isinstance(value, torch.Tensor) else value
        for name, value in arguments.items()
    }


def _count(batch: Mapping[str, Any]) -> int:
    """How many prompts a batch has."""
    for name, value in batch.items():
        if isinstance(value, torch.Tensor) and value.ndim > 0:
            return len(value)
        if not isinstance(value, torch.Tensor) and name.startswith("input"):
            raise TypeError(
                f"texts: {name!r} of a batch must be a tensor, got {type(value).__name__}; "
                "tokenizers return tensors with return_tensors='pt'"
            )
    raise TypeError(f"texts: a batch needs a tensor (prompts, tokens), got {sorted(batch)}")


def _hidden_states(
    output: Any, wanted: list[str | int] | None, name: str
) -> dict[str, torch.Tensor]:
    """The wanted ones of what the model returns, by name."""
    several = output.get(HIDDEN) if isinstance(output, Mapping) else getattr(output, HIDDEN, None)
    if not several:
        raise ValueError(
            f"{name} returns no {HIDDEN}, but a {type(output).__name__}: name modules of it by "
            "layers=, such as layers='blocks.*'"
        )
    names = block_names(len(several))
    return {one: several[names.index(one)] for one in chosen_names(names, wanted)}


def _tensors(output: Any) -> list[torch.Tensor]:
    if isinstance(output, torch.Tensor):
        return [output]
    values = output.values() if isinstance(output, Mapping) else output
    if not isinstance(output, (Mapping, tuple, list)):
        return []
    return [tensor for value in values for tensor in _tensors(value)]


@contextmanager
def _hooked(modules: Mapping[str, torch.nn.Module]) -> Iterator[dict[str, torch.Tensor | None]]:
    """What these modules return, by name, after the model has run."""
    seen: dict[str, torch.Tensor | None] = {}

    def keep(name: str) -> Callable[..., None]:
        def hook(_: Any, __: Any, output: Any) -> None:
            seen.pop(name, None)  # of a module that runs again, the last time counts
            seen[name] = first_tensor(output)

        return hook

    handles = [module.register_forward_hook(keep(name)) for name, module in modules.items()]
    try:
        yield seen
    finally:
        for handle in handles:
            handle.remove()


def _seen(
    modules: Mapping[str, Any], seen: Mapping[str, torch.Tensor | None], name: str
) -> dict[str, torch.Tensor]:
    found = {}
    for layer in modules:
        states = seen.get(layer)
        if states is None or states.ndim != 3:
            what = (
                "does not run"
                if layer not in seen
                else ("returns no tensor" if states is None else f"returns {tuple(states.shape)}")
            )
            raise ValueError(
                f"layers: {layer!r} {what} when {name} is called; name modules that return "
                "(prompts, tokens, d)"
            )
        found[layer] = states
    return found
