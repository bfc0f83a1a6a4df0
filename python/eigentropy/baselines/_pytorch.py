"""PyTorch, imported when it is needed, and how many threads it uses for small layers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

# Multiplications of a layer and a batch below which one thread is faster than two.
SMALL_LAYER = 2**23


def require_torch(what: str) -> Any:
    """The module.

    Raises
    ------
    ImportError
        It is missing; the message names the extra.
    """
    try:
        import torch
    except ImportError as error:
        raise ImportError(f"{what} PyTorch: pip install 'eigentropy[torch]'") from error
    return torch


@contextmanager
def usual_defaults(torch: Any) -> Iterator[None]:
    """PyTorch's own defaults for new tensors and layers, float32 on the CPU.

    For what takes no dtype and no device: `torch.set_default_dtype` and `torch.set_default_device`
    may have been called.
    """
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float32)
    try:
        with torch.device("cpu"):
            yield
    finally:
        torch.set_default_dtype(before)


@contextmanager
def usual_modes(torch: Any) -> Iterator[None]:
    """Gradients are kept, and float32 stays float32, in whatever block of PyTorch the caller is."""
    with ExitStack() as modes:
        modes.enter_context(torch.inference_mode(False))
        modes.enter_context(torch.enable_grad())
        modes.enter_context(torch.autocast("cpu", enabled=False))
        yield


@contextmanager
def threads_for(torch: Any, multiplications: int) -> Iterator[None]:
    """One thread for small layers: several, which wait for each other by spinning, take longer."""
    before = torch.get_num_threads()
    if multiplications < SMALL_LAYER:
        torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
