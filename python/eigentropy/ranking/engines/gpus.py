"""Which GPUs there are for the processes of this machine."""

from __future__ import annotations

import os
from pathlib import Path

# A third three times is one GPU, whatever floating point says.
GPU_ROUNDING = 1e-9


def gpu_shares(gpus_per_task: float) -> list[str]:
    """CUDA_VISIBLE_DEVICES for each task that has room at the same time.

    A share below 1 is taken from one GPU, and neighbours in the list are on different ones.
    """
    names = _names()
    if gpus_per_task < 1:
        return names * int(1 / gpus_per_task + GPU_ROUNDING) or _too_few(gpus_per_task, names)
    size = int(gpus_per_task)
    if size != gpus_per_task:
        raise ValueError(
            f"gpus_per_task must be a whole number from 1 on, got {gpus_per_task!r}; below 1 it is "
            "the share of one GPU"
        )
    starts = range(0, len(names) - size + 1, size)
    return [",".join(names[start : start + size]) for start in starts] or _too_few(size, names)


def _names() -> list[str]:
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None:
        return [name.strip() for name in visible.split(",") if name.strip() not in ("", "-1")]
    devices = Path("/dev").glob("nvidia[0-9]*")
    return [str(number) for number in range(len(list(devices)))]


def _too_few(wanted: float, names: list[str]) -> list[str]:
    raise ValueError(
        f"gpus_per_task is {wanted:g}, and {len(names)} GPUs are visible (CUDA_VISIBLE_DEVICES, "
        "/dev/nvidia0 and on); take 0 to work on the CPU, or another machine"
    )
