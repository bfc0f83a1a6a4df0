"""Which modules of a model are watched."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Sequence
from typing import TypeAlias, cast

import torch

# This many names of a model are shown where a pattern matches none.
SHOWN_NAMES = 5

# Names, patterns or modules of the model.
Layers: TypeAlias = "str | torch.nn.Module | Sequence[str | torch.nn.Module]"


def unwrapped(model: torch.nn.Module) -> torch.nn.Module:
    """The model inside of torch.compile, DataParallel and DistributedDataParallel."""
    parallel = (torch.nn.DataParallel, torch.nn.parallel.DistributedDataParallel)
    while True:
        if isinstance(model, parallel):
            model = model.module
        elif hasattr(
            model, "_orig_mod"
        ):  # PyTorch's: the wrapper of torch.compile has no public name
            model = cast(torch.nn.Module, model._orig_mod)
        else:
            return model


def find_layers(model: torch.nn.Module, layers: Layers) -> dict[str, torch.nn.Module]:
    """The modules that are given, or whose names match a pattern, in the order of the model.

    ``*`` stands for any part of a name without a dot, ``**`` for any part, ``?`` for one character.

    Raises
    ------
    ValueError
        A pattern matches nothing; the message has the nearest names. A module is not in the model.
    """
    wanted = as_sequence(layers)
    if not wanted:
        raise ValueError("layers is empty: give names, patterns, such as 'encoder.*', or modules")
    modules = modules_of(model)
    found = {name for one in wanted for name in _names(one, model, modules)}
    distinct: dict[str, torch.nn.Module] = {}
    for name, module in modules.items():
        if name in found and not any(module is known for known in distinct.values()):
            distinct[name] = module
    return distinct


def modules_of(model: torch.nn.Module) -> dict[str, torch.nn.Module]:
    """The modules inside of a model by all their names."""
    return {
        _without_wrappers(name): module
        for name, module in model.named_modules(remove_duplicate=False)
        if name
    }


def as_sequence(layers: Layers) -> list[str | torch.nn.Module]:
    """The argument `layers` as a list; a Sequential, which has a length, is one module."""
    if isinstance(layers, (str, torch.nn.Module)):
        return [layers]
    if not isinstance(layers, Iterable):
        raise TypeError(
            f"layers must be names or modules, or a list of them, got {layers!r}; a module of "
            "a Sequential is model[1]"
        )
    return list(layers)


def _names(
    wanted: object, model: torch.nn.Module, modules: dict[str, torch.nn.Module]
) -> list[str]:
    """The names of a module, or those that match a pattern."""
    if isinstance(wanted, torch.nn.Module):
        inside = unwrapped(wanted)
        names = [name for name, module in modules.items() if module is inside]
        if not names:
            raise ValueError(_no_module(inside, model, modules))
        return names
    if not isinstance(wanted, str):
        raise TypeError(
            f"layers must be names or patterns, such as '1', or modules, got {wanted!r}"
        )
    expression = _expression(wanted)
    names = [name for name in modules if expression.fullmatch(name)]
    if not names:
        raise ValueError(_no_match(wanted, list(modules)))
    return names


def _without_wrappers(name: str) -> str:
    """The name without the parts that torch.compile adds where a part of the model is compiled."""
    return ".".join(part for part in name.split(".") if part != "_orig_mod")


def _expression(pattern: str) -> re.Pattern[str]:
    parts = re.split(r"(\*\*|\*|\?)", pattern)
    known = {"**": ".*", "*": "[^.]*", "?": "[^.]"}
    return re.compile("".join(known.get(part, re.escape(part)) for part in parts))


def _no_match(pattern: str, names: list[str]) -> str:
    if not names:
        return f"layers: {pattern!r} matches nothing: the model has no modules inside"
    near = difflib.get_close_matches(pattern, names, n=SHOWN_NAMES, cutoff=0.4)
    kind = "the nearest names are" if near else "its first names are"
    return f"layers: {pattern!r} matches no module of the model; {kind} {_shown(near or names)}"


def _no_module(
    wanted: torch.nn.Module, model: torch.nn.Module, modules: dict[str, torch.nn.Module]
) -> str:
    kind = type(wanted).__name__
    if wanted is model:
        return f"layers: this {kind} is the model itself; name the module inside that comes last"
    parts = [name for name, module in modules.items() if module in list(wanted.children())]
    advice = f"its parts are {_shown(parts)}" if parts else f"its modules are {_shown(modules)}"
    return f"layers: this {kind} is not a module of the model; {advice}"


def _shown(names: Iterable[str]) -> str:
    """The first names of some."""
    some = list(names)
    quoted = ", ".join(repr(name) for name in some[:SHOWN_NAMES])
    return quoted + (", ..." if len(some) > SHOWN_NAMES else "")
