"""The caller's own models: a module, a function of a batch, or the name of what returns them."""

from __future__ import annotations

import importlib
import inspect
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from eigentropy._support.signatures import nearest
from eigentropy.torch.features.extractors import (
    Extractor,
    FunctionExtractor,
    ModuleExtractor,
    Request,
)
from eigentropy.torch.features.own_preprocessing import own


def open_python(name: str, wanted: Request) -> Extractor:
    """What ``MODULE:FUNCTION`` returns: a model, or a model and its preprocessing."""
    module_name, _, function_name = name.partition(":")
    if not module_name or not function_name:
        raise ValueError(f"{wanted.source}: python:MODULE:FUNCTION is wanted")
    try:
        with _named(wanted.source, f"the import of {module_name}"):
            module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        raise ImportError(
            f"{wanted.source}: there is no module {module_name!r}; its folder must be in "
            "PYTHONPATH, or its package be installed"
        ) from error
    if not hasattr(module, function_name):
        near = nearest(function_name, dir(module))
        hint = f"; the nearest is {near!r}" if near else ""
        raise ValueError(f"{wanted.source}: {module_name} has no {function_name!r}{hint}")
    made = _made(getattr(module, function_name), wanted.source)
    if isinstance(made, tuple):
        made, preprocessing = made
        if wanted.preprocessing is None:
            wanted = replace(wanted, preprocessing=preprocessing)
    if isinstance(made, torch.nn.Module):
        made = made.to(wanted.device)
    return open_callable(made, wanted, lent=False)


@contextmanager
def _named(source: str, what: str) -> Iterator[None]:
    """An error of the caller's code as one of the source, with its place; it is the cause."""
    try:
        yield
    except Exception as error:
        module = source.split(":")[1]
        if isinstance(error, ModuleNotFoundError) and error.name and module.startswith(error.name):
            raise
        place = traceback.extract_tb(error.__traceback__)[-1]
        kind = ImportError if isinstance(error, ImportError) else ValueError
        raise kind(
            f"{source}: {what} raised {type(error).__name__}: {error} "
            f"({Path(place.filename).name}, line {place.lineno})"
        ) from error


def _made(function: Any, source: str) -> Any:
    try:
        if isinstance(function, torch.nn.Module):
            raise TypeError("it is a module")
        inspect.signature(function).bind()
    except TypeError as error:
        raise TypeError(
            f"{source} is called without arguments and returns a model, or a model and its "
            f"preprocessing; here {error}; name a function that makes the model"
        ) from None
    with _named(source, "the call"):
        made = function()
    model = made[0] if isinstance(made, tuple) and len(made) == 2 else made
    if not callable(model):
        raise TypeError(
            f"{source} must return a model, or a model and its preprocessing, got "
            f"{type(made).__name__}"
        )
    return made


def open_callable(model: Callable[..., Any], wanted: Request, *, lent: bool = True) -> Extractor:
    """A module, or a function of a batch; lent by the caller, who goes on using it."""
    if wanted.weights is not None:
        raise ValueError(
            f"{wanted.source} has the weights that it has; load others into it, and leave "
            f"weights={wanted.weights!r} out"
        )
    is_module = isinstance(model, torch.nn.Module)
    preparation = own(
        wanted.source, wanted.kind, wanted.preprocessing, wanted.offline, listed=not is_module
    )
    if not isinstance(model, torch.nn.Module):
        return FunctionExtractor(model, wanted, preparation)
    return ModuleExtractor(model, wanted, preparation, lent=lent)
