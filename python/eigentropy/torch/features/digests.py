"""SHA-256 of weights, of data and of settings: whether two files hold the same features."""

from __future__ import annotations

import hashlib
import inspect
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import torch

# Bytes may be lent; a memoryview has to be flat, of single bytes.
Part: TypeAlias = "bytes | memoryview | str"

# What is read of a file at a time.
CHUNK = 2**22

# Where an object lies says nothing about it.
_ADDRESS = re.compile(r" at 0x[0-9a-f]+")


def of_parts(parts: Iterable[Part]) -> str:
    """SHA-256 of these parts, in which the length of each counts, too."""
    digest = hashlib.sha256()
    for part in parts:
        content = part.encode(errors="surrogateescape") if isinstance(part, str) else part
        digest.update(len(content).to_bytes(8, "little"))
        digest.update(content)
    return digest.hexdigest()


def of_file(path: Path) -> str:
    """SHA-256 of a file, as `sha256sum` prints it."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def of_array(array: npt.NDArray[Any]) -> str:
    """SHA-256 of the shape, the type and the bytes of an array."""
    whole = np.ascontiguousarray(array)
    return of_parts([str((whole.shape, whole.dtype.str)), whole.reshape(-1).view(np.uint8).data])


def of_settings(settings: Mapping[str, Any]) -> str:
    """SHA-256 of what JSON can hold, whatever the order of its keys."""
    return of_parts([json.dumps(settings, sort_keys=True)])


def of_weights(model: torch.nn.Module) -> str:
    """SHA-256 of the parameters and buffers of a model: their names, types, shapes and bytes."""
    return of_parts(_tensors(model))


def _tensors(model: torch.nn.Module) -> Iterator[Part]:
    for name, value in sorted(model.state_dict().items()):
        if isinstance(value, torch.Tensor):
            yield from tensor_parts(name, value)
        else:  # a module's extra state
            yield f"{name} {value!r}"


def tensor_parts(name: str, tensor: torch.Tensor) -> Iterator[Part]:
    """What `of_parts` takes of a tensor, of any type."""
    yield f"{name} {tensor.dtype} {tuple(tensor.shape)}"
    whole = tensor.detach().cpu().contiguous()
    yield whole.reshape(-1).view(torch.uint8).numpy().data if whole.numel() else b""


def described(function: Any) -> str | None:
    """A text that tells a function from others; None where there is none.

    Of a function that is its name and its source, unless it holds an object or variables;
    of any other object what it prints, unless that only says where it lies in memory.
    """
    if inspect.isroutine(function):
        if getattr(function, "__closure__", None) or inspect.ismethod(function):
            return None
        try:
            source = inspect.getsource(function)
        except (OSError, TypeError):
            return None
        name = f"{function.__module__}.{function.__qualname__}"
        defaults = repr(
            (getattr(function, "__defaults__", None), getattr(function, "__kwdefaults__", 0))
        )
        return f"{name}, source sha256 {of_parts([source, defaults])[:16]}"
    text = repr(function)
    return None if _ADDRESS.search(text) else text


def as_json(value: Any) -> str:
    """JSON with sorted keys; what JSON does not know is written as it prints."""
    return json.dumps(value, sort_keys=True, default=str)
