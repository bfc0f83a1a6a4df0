"""Which source a text names, and the extractor that it opens."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import torch

from eigentropy._support.signatures import nearest
from eigentropy.torch.features.extractors import Extractor, Request
from eigentropy.torch.features.hugging_face import open_hugging_face
from eigentropy.torch.features.onnx_files import open_onnx
from eigentropy.torch.features.python_models import open_callable, open_python
from eigentropy.torch.features.timm_models import open_timm
from eigentropy.torch.features.torchvision_models import open_torchvision

OPENERS: dict[str, Callable[[str, Request], Extractor]] = {
    "timm": open_timm,
    "torchvision": open_torchvision,
    "hf": open_hugging_face,
    "onnx": open_onnx,
    "python": open_python,
}

# Packages whose versions are written down.
PACKAGES = {
    "timm": ("timm", "torchvision"),
    "torchvision": ("torchvision",),
    "hf": ("transformers", "tokenizers"),
    "onnx": ("onnxruntime", "onnx"),
}


def prefix_of(source: Any) -> str:
    """The prefix of a source; "" of a model itself.

    Raises
    ------
    ValueError, TypeError
        There is no such prefix, with the nearest; or it is no source.
    """
    if callable(source):
        return ""
    if not isinstance(source, str):
        raise TypeError(
            "source must be a text, such as 'timm:resnet18', or a model, got "
            f"{type(source).__name__}"
        )
    prefix, colon, name = source.partition(":")
    if not colon or prefix not in OPENERS or not name:
        known = ", ".join(f"{one}:..." for one in OPENERS)
        near = nearest(prefix, OPENERS) if colon else None
        hint = f"; the nearest is '{near}:{name}'" if near and name else ""
        raise ValueError(f"source must be one of {known}, or a model, got {source!r}{hint}")
    return prefix


def name_of(source: Any) -> str:
    """What messages and the file call a source."""
    if isinstance(source, str):
        return source
    if inspect.isroutine(source):
        return f"{source.__module__}.{source.__qualname__}"
    return f"{type(source).__module__}.{type(source).__qualname__}"


def opened(source: Any, wanted: Request) -> Extractor:
    """The extractor of a source, with its weights."""
    prefix = prefix_of(source)
    if not prefix:
        return open_callable(source, wanted)
    return OPENERS[prefix](source.partition(":")[2], wanted)


def device_for(source: Any, device: Any) -> torch.device:
    """Where a model runs: a module of the caller's where it is, others on a GPU if there is one.

    Raises
    ------
    ValueError
        A module of the caller's is on another device than the one that is asked for.
    """
    own = None
    if isinstance(source, torch.nn.Module):
        first = next((tensor for tensor in (*source.parameters(), *source.buffers())), None)
        own = torch.device("cpu") if first is None else first.device
    if device is None:
        has_gpu = torch.cuda.is_available() and prefix_of(source) not in ("onnx", "")
        return own or torch.device("cuda" if has_gpu else "cpu")
    found = torch.device(device)
    if own is not None and (found.type, found.index or 0) != (own.type, own.index or 0):
        raise ValueError(
            f"device={str(device)!r}, but the model is on {own}; move it by "
            f"model.to({str(device)!r})"
        )
    return found
