"""The choice of a device for an array."""

from __future__ import annotations

from typing import Any, TypeAlias

from eigentropy._backends import plugin
from eigentropy._backends.cpu import Cpu
from eigentropy._backends.cuda import Cuda
from eigentropy._backends.device_arrays import device_array

Device: TypeAlias = Cpu | Cuda

HOST = Cpu()


def choose(device: Any, Z: Any, name: str = "Z") -> Device:
    """The device to compute on: where Z lies, unless `device` says otherwise.

    Raises
    ------
    ValueError
        `device` names no device; Z lies on a GPU and `device` is another one, or the CPU.
    DeviceError, ImportError
        CUDA cannot be used, or has no device of this number.
    """
    kind, index = parse(device)
    array = device_array(Z, name)
    if array is None:
        if kind != "cuda":
            return HOST
        index = index or 0
        plugin.require_device(index)
        return Cuda(index)
    home = array.device if array.device is not None else (index or 0)
    if kind == "cpu":
        raise ValueError(
            f"{name} lies on cuda:{home}, and device is 'cpu': leave it out to compute there, "
            f"or pass {name}.cpu() (torch) or {name}.get() (CuPy)"
        )
    if index is not None and index != home:
        raise ValueError(
            f"{name} lies on cuda:{home}, and device is 'cuda:{index}': leave it out to "
            f"compute there, or bring {name} to cuda:{index}"
        )
    plugin.require_device(home)
    return Cuda(home, array.library, array)


def parse(device: Any) -> tuple[str | None, int | None]:
    """Kind and number of a device that was asked for: "cpu", "cuda", "cuda:1", torch's, or None."""
    if device is None:
        return None, None
    kind, colon, number = str(device).partition(":")
    if kind == "cpu" and (not colon or number == "0"):
        return "cpu", None
    if kind == "cuda" and (not colon or number.isdecimal()):
        return "cuda", int(number) if colon else None
    raise ValueError(
        f"device must be 'cpu', 'cuda', one of several as 'cuda:1', or None, got {device!r}"
    )
