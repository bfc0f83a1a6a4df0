"""Which modules of a model are watched, and how their output becomes one row a sample."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

import torch

from eigentropy.torch.uncompiled import uncompiled

POOLINGS = ("flatten", "mean", "cls")

# This many names of a model are shown where a pattern matches none.
SHOWN_NAMES = 5

Pooling = Callable[[torch.Tensor], torch.Tensor]


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


def watch(
    model: torch.nn.Module,
    layers: Mapping[str, torch.nn.Module],
    start: Callable[[], None],
    record: Callable[[torch.nn.Module, str, Any], None],
    who: str,
) -> list[Any]:
    """Hooks: start() before each forward pass, record(module, name, output) after each layer.

    Returns their handles. Raises ValueError for DataParallel, which `who` cannot watch.
    """
    if isinstance(model, torch.nn.DataParallel) and len(model.device_ids) > 1:
        raise ValueError(f"{who} cannot watch the replicas of DataParallel; use a probe instead")
    # What a hook does is no part of the model.
    handles = [unwrapped(model).register_forward_pre_hook(uncompiled(lambda *_: start()))]
    for name, module in layers.items():

        def hook(module: torch.nn.Module, _: Any, output: Any, name: str = name) -> None:
            record(module, name, output)

        handles.append(module.register_forward_hook(uncompiled(hook)))
    return handles


def find_layers(
    model: torch.nn.Module, patterns: str | Sequence[str]
) -> dict[str, torch.nn.Module]:
    """The modules whose names match a pattern, in the order of the model.

    ``*`` stands for any part of a name without a dot, ``**`` for any part, ``?`` for one character.

    Raises
    ------
    ValueError
        A pattern matches nothing; the message has the nearest names.
    """
    wanted = [patterns] if isinstance(patterns, str) else list(patterns)
    for pattern in wanted:
        if not isinstance(pattern, str):
            raise TypeError(f"layers must be names or patterns, such as '1', got {pattern!r}")
    if not wanted:
        raise ValueError("layers is empty: give names or patterns, such as 'encoder.*'")
    modules = {
        _without_wrappers(name): module
        for name, module in model.named_modules(remove_duplicate=False)
        if name
    }
    expressions = [_expression(pattern) for pattern in wanted]
    for pattern, expression in zip(wanted, expressions, strict=True):
        if not any(expression.fullmatch(name) for name in modules):
            raise ValueError(_no_match(pattern, list(modules)))
    found: dict[str, torch.nn.Module] = {}
    for name, module in modules.items():
        matches = any(expression.fullmatch(name) for expression in expressions)
        if matches and not any(module is known for known in found.values()):
            found[name] = module
    return found


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
    shown = ", ".join(repr(name) for name in near or names[:SHOWN_NAMES])
    return f"layers: {pattern!r} matches no module of the model; {kind} {shown}"


def first_tensor(output: Any, layer: str) -> torch.Tensor:
    """The output, or the first tensor in it: an LSTM returns its output with its state."""
    if isinstance(output, torch.Tensor):
        return output
    values: Sequence[Any] = ()
    if isinstance(output, Mapping):
        values = list(output.values())
    elif isinstance(output, (tuple, list)):
        values = output
    for value in values:
        if isinstance(value, (torch.Tensor, tuple, list, Mapping)):
            return first_tensor(value, layer)
    raise TypeError(f"layer {layer!r} returns {type(output).__name__}, in which there is no tensor")


def checked_pooling(pooling: str | Pooling) -> Pooling:
    """The function behind the argument `pooling`."""
    if callable(pooling):
        return pooling
    if pooling not in POOLINGS:
        names = ", ".join(repr(name) for name in POOLINGS)
        raise ValueError(f"pooling must be one of {names} or a callable, got {pooling!r}")
    return {"flatten": _flatten, "mean": _mean, "cls": _first_token}[pooling]


def pooled(output: Any, layer: str, pooling: Pooling, n: int) -> torch.Tensor:
    """The output of a layer for n samples as (n, d), without graph; float16 becomes float32."""
    activation = first_tensor(output, layer).detach()
    rows = pooling(activation)
    if rows.ndim != 2 or len(rows) != n:
        raise ValueError(
            f"layer {layer!r} gives {tuple(activation.shape)}, which pooling makes "
            f"{tuple(rows.shape)}, for a batch of {n}: pooling must return one row a sample"
        )
    return rows if rows.dtype in (torch.float32, torch.float64) else rows.float()


def _flatten(activation: torch.Tensor) -> torch.Tensor:
    return activation.reshape(len(activation), -1)


def _mean(activation: torch.Tensor) -> torch.Tensor:
    """Over tokens of (n, tokens, d), over positions of (n, channels, ...)."""
    if activation.ndim == 3:
        return activation.mean(dim=1)
    if activation.ndim > 3:
        return activation.flatten(2).mean(dim=2)
    return _flatten(activation)


def _first_token(activation: torch.Tensor) -> torch.Tensor:
    if activation.ndim != 3:
        raise ValueError(
            f"pooling='cls' takes the first token of (n, tokens, d), got {tuple(activation.shape)}"
        )
    return activation[:, 0]
