"""Whether an error says that memory is out."""

from __future__ import annotations

import torch

# What libraries say when memory is out, in errors of no class of their own.
_OUT_OF_MEMORY = ("can't allocate memory", "Failed to allocate memory", "out of memory")


def is_out_of_memory(error: Exception) -> bool:
    """By its class, or by what it says."""
    classes = (MemoryError, torch.cuda.OutOfMemoryError)
    return isinstance(error, classes) or any(text in str(error) for text in _OUT_OF_MEMORY)
