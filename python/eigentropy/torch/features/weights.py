"""Weights in the place of the published ones: drawn anew, or from a file of the caller's."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from eigentropy.baselines._pytorch import usual_defaults
from eigentropy.io.paths import FileError, named_errors, shown
from eigentropy.torch.features.packages import required

UNTRAINED = "untrained"


@contextmanager
def seeded() -> Iterator[None]:
    """Weights that are drawn inside are the same each time. The caller keeps the random state."""
    with usual_defaults(torch):
        torch.manual_seed(0)
        yield


def load_file(model: torch.nn.Module, path: str | os.PathLike[str], source: str) -> None:
    """Load a state dictionary, all of it.

    Raises
    ------
    FileError
        The file cannot be read, or it is for another model; the message names an entry.
    """
    file = Path(path)
    with named_errors(file):
        if file.suffix.lower() == ".safetensors":
            state = required("safetensors.torch", source).load_file(file)
        else:
            state = torch.load(file, map_location="cpu", weights_only=True)
    inner = next(
        (state[key] for key in ("state_dict", "model") if _is_state(state.get(key))), state
    )
    try:
        model.load_state_dict(inner)
    except RuntimeError as error:
        reason = " ".join(str(error).split())[:300]
        raise FileError(f"{shown(file)} does not fit {source}: {reason}") from None


def _is_state(value: Any) -> bool:
    return isinstance(value, dict) and any(isinstance(one, torch.Tensor) for one in value.values())
