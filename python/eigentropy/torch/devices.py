"""Where rows are measured: on the GPU that they lie on, if its plug-in is there, or on the host."""

from __future__ import annotations

import torch

from eigentropy._backends import plugin
from eigentropy._backends.device_arrays import is_on_cuda


def lies_on_gpu(tensor: torch.Tensor) -> bool:
    """Whether a tensor lies on a device of CUDA; on other devices eigentropy does not compute."""
    return is_on_cuda(tensor)


def refusal(tensor: torch.Tensor) -> str | None:
    """Why the plug-in cannot measure a tensor on the GPU that it lies on; None where it can."""
    try:
        plugin.require_device(tensor.device.index or 0)
    except (ImportError, plugin.DeviceError) as error:
        return f"{type(error).__name__}: {error}"
    return None


def measured_there(tensor: torch.Tensor) -> bool:
    """Whether a tensor lies on a GPU and is measured there."""
    return lies_on_gpu(tensor) and refusal(tensor) is None
