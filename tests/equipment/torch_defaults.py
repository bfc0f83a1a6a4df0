"""PyTorch with other defaults for new tensors, as a user may have set them."""

from __future__ import annotations

from contextlib import contextmanager

import pytest

# "meta" has no numbers: a tensor that is made there by mistake is an error wherever it is used.
OTHER_DEFAULTS = [("float64", None), ("float16", None), ("float32", "meta"), ("float64", "cpu")]

with_other_defaults = pytest.mark.parametrize("dtype_and_device", OTHER_DEFAULTS)


@contextmanager
def defaults(dtype_and_device):
    """`torch.set_default_dtype` and `torch.set_default_device`, until the end of the block."""
    import torch

    dtype, device = dtype_and_device
    before = torch.get_default_dtype()
    torch.set_default_dtype(getattr(torch, dtype))
    torch.set_default_device(device)
    try:
        yield
        assert torch.get_default_dtype() == getattr(torch, dtype)
        assert torch.empty(0).device.type == (device or "cpu")
    finally:
        torch.set_default_dtype(before)
        torch.set_default_device(None)
