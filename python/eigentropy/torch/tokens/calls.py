"""What the modules around a layer are called with: where the mask of its tokens is found.

The calls around a layer are asked from its own outwards to the model's. Not named, the mask is
that of the first call that has a mask (prompts, tokens), or that has tokens of its own: a decoder
that is called with tokens and without a mask has none, and not that of its encoder. A mask with a
name is the first argument of this name that is (prompts, tokens), and a function gets the arguments
of the model. Masks of another shape say of each token which others it sees, and are passed over
where there is a better one further out.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any, TypeAlias

import torch

from eigentropy.torch.tokens.masks import (
    CALLED,
    NAME,
    REMEDY,
    argument,
    checked_mask,
    kept_tokens,
    real_tokens,
)

Arguments: TypeAlias = Mapping[str, Any]  # of a call, by name

# A mask as the caller gives it: None looks for it, and False means that there is none; the name of
# an argument, or a function of the model's arguments by name.
MaskOption: TypeAlias = "str | bool | Callable[[Arguments], torch.Tensor | None] | None"

# A module that is called with tokens, and takes a mask, is a model of its own: if it is given none,
# then the masks around it are those of other tokens, such as the encoder's of a decoder. So is a
# module that is called with pictures or sound.
_TOKENS = ("input_ids", "inputs_embeds")
_STATES = "hidden_states"  # of the tokens, as blocks are called
_OTHER_INPUTS = ("pixel_values", "input_features", "input_values")


def checked_option(mask: MaskOption, advice: str = "each call has a mask of its own") -> MaskOption:
    """The argument `mask`; `advice` says where a tensor goes.

    Raises
    ------
    TypeError
        It is a tensor, say, which would be that of one batch.
    """
    if mask is None or mask is False or isinstance(mask, str) or callable(mask):
        return mask
    raise TypeError(
        "mask must be the name of an argument of the model, a function of its arguments, or False "
        f"where all tokens are real, got {type(mask).__name__}: {advice}"
    )


class CallMask:
    """Which tokens are real in one call, and how many tokens it has.

    Parameters
    ----------
    mask : tensor (prompts, tokens) or None
    tokens : int or None
        As many as the mask has, if None. With a cache, the call has the last ones of the mask.
    """

    def __init__(self, mask: torch.Tensor | None = None, tokens: int | None = None) -> None:
        self.mask = mask
        self.tokens = tokens if tokens is not None or mask is None else mask.shape[1]
        self._known: dict[Any, tuple[torch.Tensor, int]] = {}

    def kept(
        self, states: torch.Tensor, drop_first: int = 0
    ) -> tuple[torch.Tensor, torch.Tensor, int]:
        """States as (prompts, tokens, d), which of their tokens are kept, and how many these are.

        Raises
        ------
        ValueError
            The states are of other tokens than the mask, or nothing is kept of a prompt.
        """
        plain, own = real_tokens(states)
        if plain.ndim != 3:
            raise ValueError(f"states must be (prompts, tokens, d), got {tuple(plain.shape)}")
        shape = (plain.shape[0], plain.shape[1])
        if own is not None:
            self._check_same(own)
            kept = kept_tokens(own, shape, drop_first)
            return plain, kept, int(kept.sum())
        if self.mask is not None and shape[1] != self.tokens:
            raise ValueError(
                f"it has {shape[1]} tokens a prompt, and the call of the model has {self.tokens}, "
                f"to which the mask belongs; {REMEDY}, or mask=False where all its tokens are real"
            )
        key = (shape, plain.device, drop_first)
        if key not in self._known:
            kept = kept_tokens(
                self.mask, shape, drop_first, device=plain.device, cached=True, remedies=CALLED
            )
            self._known[key] = kept, int(kept.sum())
        return plain, *self._known[key]

    def _check_same(self, own: torch.Tensor) -> None:
        """Nested states hold real tokens only: as many of each prompt as the mask has."""
        if self.mask is None:
            return
        here, there = own.sum(dim=1).tolist(), (self.mask != 0).sum(dim=1).tolist()
        if here != there:
            raise ValueError(
                f"its prompts have {_some(here)} real tokens, by the mask they have "
                f"{_some(there)}; {REMEDY}, or mask=False"
            )


class Call:
    """A call of a module that is under way.

    Parameters
    ----------
    arguments : mapping
        By the names of the parameters.
    """

    def __init__(self, arguments: Arguments) -> None:
        self.arguments = arguments
        self._found: dict[int, CallMask | None] = {}

    def argument(self, name: str) -> Any:
        """An argument by its name, perhaps in a mapping among the arguments; or None."""
        return argument(name, [*self.arguments.values()], self.arguments)

    def tensor(self, *names: str) -> torch.Tensor | None:
        """The first argument with one of these names that is a tensor."""
        found = (self.argument(name) for name in names)
        return next((one for one in found if isinstance(one, torch.Tensor)), None)

    def mask_named(self, name: str) -> Any:
        """The argument that is a mask, or None."""
        return self.argument(name)

    @property
    def has_tokens(self) -> bool:
        """Whether tokens are among its arguments, or what they are embedded as."""
        return self.tensor(*_TOKENS) is not None

    def mask(self, option: MaskOption) -> CallMask | None:
        """The mask that this call says, or None; it is looked for once, for all layers inside."""
        key = id(option)  # not every function has a hash
        if key not in self._found:
            self._found[key] = self._computed(option) if callable(option) else self._own(option)
        return self._found[key]

    def _computed(self, function: Callable[[Arguments], Any]) -> CallMask:
        mask = function(self.arguments)
        return CallMask(None if mask is None else checked_mask(mask, remedies=CALLED))

    def _own(self, option: str | bool | None) -> CallMask | None:
        name = option if isinstance(option, str) else NAME
        mask = self.mask_named(name)
        if option is None and not self._is_of_model and getattr(mask, "ndim", 0) != 2:
            return None  # masks inside of a model say of each token which others it sees
        if option is not None and mask is None:
            return None
        # Other masks may be of other tokens.
        tokens = self.tensor(*_TOKENS, _STATES) if name == NAME else None
        number = tokens.shape[1] if tokens is not None and tokens.ndim > 1 else None
        return CallMask(None if mask is None else checked_mask(mask, name, CALLED), number)

    @property
    def _is_of_model(self) -> bool:
        """Whether it has tokens of its own, of which it would have a mask."""
        if NAME in self.arguments and self.has_tokens:
            return True
        return self.tensor(*_OTHER_INPUTS) is not None


def mask_of_calls(calls: Sequence[Call], option: MaskOption = None) -> CallMask:
    """The mask of a layer, by the calls around it that are under way, from the innermost.

    Raises
    ------
    ValueError, TypeError
        There is a mask that is not (prompts, tokens), or none where the caller has named it.
    """
    odd: Exception | None = None
    for call in calls[-1:] if callable(option) else calls if option is not False else ():
        try:
            found = call.mask(option)
        except (TypeError, ValueError) as error:
            odd = error  # there may be one of the right shape further out
        else:
            if found is not None:
                return found
    if odd is not None:
        raise odd
    if isinstance(option, str) and calls and not any(option in call.arguments for call in calls):
        known = ", ".join(map(repr, calls[-1].arguments)) or "none"
        raise ValueError(
            f"mask={option!r}: the model is called without such an argument; it has {known}"
        )
    return CallMask()


class Calls:
    """The calls that are under way of the modules around some layers, and of the layers.

    Parameters
    ----------
    option : None, False, str or callable
        See `MaskOption`.
    """

    def __init__(self, option: MaskOption = None) -> None:
        self._option = checked_option(option)
        self._calls: dict[str, Call] = {}

    def begin(
        self, name: str, module: torch.nn.Module, arguments: Sequence[Any], keywords: dict[str, Any]
    ) -> None:
        """A module is called; the name of the model itself is empty."""
        self._calls[name] = Call(named_arguments(module, arguments, keywords))

    def end(self, name: str) -> None:
        """The call has ended."""
        self._calls.pop(name, None)

    def clear(self) -> None:
        """Forget calls that were broken off."""
        self._calls = {}

    def mask_of(self, layer: str) -> CallMask:
        """The mask of a layer that returns now; see `mask_of_calls`."""
        around = [self._calls[name] for name in _around(layer) if name in self._calls]
        return mask_of_calls(around, self._option)


def modules_around(
    model: torch.nn.Module, modules: Mapping[str, torch.nn.Module], layers: Sequence[str]
) -> dict[str, torch.nn.Module]:
    """The model, under an empty name, the layers and the modules between, by their names."""
    names = {name for layer in layers for name in _around(layer)}
    return {"": model, **{name: one for name, one in modules.items() if name in names}}


def may_name(
    name: str, module: torch.nn.Module, arguments: Sequence[Any], keywords: Mapping[str, Any]
) -> bool:
    """Whether a call may have an argument of this name; no binding is needed where it cannot."""
    if name in keywords or any(
        isinstance(one, Mapping) for one in (*arguments, *keywords.values())
    ):
        return True
    try:
        return name in _signature_of(module).parameters
    except (TypeError, ValueError):
        return False


def named_arguments(
    module: torch.nn.Module, arguments: Sequence[Any], keywords: Mapping[str, Any]
) -> dict[str, Any]:
    """The arguments of a call by the names that the module's `forward` gives them.

    Among them is "attention_mask", as None, where `forward` takes one and is given none.
    """
    try:
        signature = _signature_of(module)
        bound = signature.bind_partial(*arguments, **keywords).arguments
    except (TypeError, ValueError):
        return dict(keywords)
    known: dict[str, Any] = {NAME: None} if NAME in signature.parameters else {}
    for name, value in bound.items():
        kind = signature.parameters[name].kind
        if kind is inspect.Parameter.VAR_POSITIONAL:  # a batch among them may have the tokens
            value = next((one for one in value if isinstance(one, Mapping)), value)
        known.update(value if kind is inspect.Parameter.VAR_KEYWORD else {name: value})
    return known


def _signature_of(module: torch.nn.Module) -> inspect.Signature:
    """Of the `forward` of a module, which may have been given one of its own."""
    forward = module.forward
    if getattr(forward, "__func__", None) is not type(module).forward:
        return inspect.signature(forward)
    return _signature(type(module).forward)


@lru_cache(maxsize=256)  # each call of each layer asks; a class refers to no model
def _signature(method: Callable[..., Any]) -> inspect.Signature:
    whole = inspect.signature(method)
    return whole.replace(parameters=[*whole.parameters.values()][1:])  # without `self`


def _around(layer: str) -> list[str]:
    """The names of a layer and of the modules around it; the last one, empty, is the model's."""
    parts = layer.split(".")
    return [".".join(parts[:k]) for k in range(len(parts), -1, -1)]


def _some(numbers: Sequence[int], shown: int = 5) -> str:
    return ", ".join(map(str, numbers[:shown])) + (", ..." if len(numbers) > shown else "")
