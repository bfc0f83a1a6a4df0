"""Arrays on a device, for tests: of no known library, torch's, CuPy's.

Where the device is emulated they lie in the memory of the host, under a GPU's name.
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
import importlib.util
import sys
import types
from typing import ClassVar

import numpy as np
import pytest

from fake_cuda import fake_plugin

PACKAGE = "eigentropy_cuda13"
CHOICES = ("auto", "cuda", "stand-in")  # of the option --device; conftest.py sets what was chosen
choice = "auto"


@functools.cache
def installed_plugin():
    """The plug-in that is installed; None if there is none, or the stand-in is wanted."""
    if choice == "stand-in":
        return None
    if choice == "auto" and importlib.util.find_spec(PACKAGE) is None:
        return None
    return importlib.import_module(PACKAGE)


def plugin():
    """The installed plug-in, of a GPU or emulated, or else the stand-in."""
    return installed_plugin() or fake_plugin()


def require_chosen():
    """A device that was named and is not there is an error."""
    try:
        package = installed_plugin()
        if choice == "cuda":
            package._core.devices()
    except (ImportError, RuntimeError) as error:
        raise pytest.UsageError(f"--device {choice}: {error}") from error


def why_no_gpu():
    """Empty where the tests that are marked `gpu` can run."""
    package = installed_plugin()
    if package is None:
        return f"{PACKAGE} is not installed"
    if package._core.emulated:
        return f"{PACKAGE} is the build for the emulated device"
    try:
        return "" if package._core.devices() else "there is no CUDA device"
    except package._core.DeviceError as error:
        return str(error)


def description():
    """What the tests of CUDA run on."""
    package = installed_plugin()
    if package is None:
        return "a stand-in in NumPy"
    if package._core.emulated:
        return "the emulated device"
    return why_no_gpu() or package._core.devices()[0]["name"]


class Foreign:
    """An array that offers ``__cuda_array_interface__`` and nothing else."""

    def __init__(self, array, *, stream=None, version=3, **others):
        self._memory, pointer = array, array.__array_interface__["data"][0]
        package = sys.modules.get(PACKAGE)  # the stand-in, where a test has asked for it
        if array.size > 0 and package is not None and not package._core.emulated:
            self._memory, pointer = on_gpu(array, package._core)
        contiguous = array.flags.c_contiguous
        self.__cuda_array_interface__ = {
            "shape": array.shape,
            "typestr": array.dtype.str,
            "data": (pointer, False),
            "version": version,
            "strides": None if contiguous else array.strides,
            **({} if version < 3 else {"stream": stream}),
            **others,
        }


def on_gpu(array, core):
    """All the memory that the array spans, copied to the device, and where its first entry is."""
    spans = [(n - 1) * stride for n, stride in zip(array.shape, array.strides, strict=True)]
    first = array.__array_interface__["data"][0]
    before = -sum(span for span in spans if span < 0)
    size = before + sum(span for span in spans if span > 0) + array.itemsize
    raw = ctypes.string_at(first - before, size) + bytes(-size % 8)
    memory = core.upload(np.frombuffer(raw, dtype=np.float64)[None], 0, 0)
    return memory, memory.pointer + before


class OnAnotherDevice(Foreign):
    """It says on which device it lies, as far as DLPack goes."""

    def __init__(self, array, device):
        super().__init__(array)
        self._device = device

    def __dlpack_device__(self):
        return (2, self._device)


def on_host(array):
    """What was given back, as a NumPy array."""
    if isinstance(array, np.ndarray):
        return array
    if hasattr(array, "get"):
        return array.get()
    return np.asarray((array.cpu() if hasattr(array, "cpu") else array).numpy())


@functools.cache
def torch_on_gpu(index=0):
    """A class of tensors of the host that say they are on a GPU, and that NumPy cannot read."""
    return torch_elsewhere("cuda", index)


# The shapes of what was copied from such tensors to the host, of at least one entry.
copied = []


@functools.cache
def torch_elsewhere(kind, index=0):
    """A class of tensors of the host that say they are on some device."""
    torch = pytest.importorskip("torch")

    class TorchElsewhere(torch.Tensor):
        in_use: ClassVar = []  # the memory of tensors, and the streams that it is kept for

        @property
        def device(self):
            return torch.device(kind, index)

        def cpu(self):
            if self.numel():
                copied.append(tuple(self.shape))
            return self.as_subclass(torch.Tensor).clone()

        def numpy(self):
            raise TypeError(f"can't convert {self.device} device type tensor to numpy")

        def __array__(self, *_, **__):
            return self.numpy()

        def record_stream(self, stream):
            self.in_use.append((self.data_ptr(), stream.cuda_stream))

    return TorchElsewhere


def makes_tensors_on_gpu():
    """A context in which torch makes and moves tensors on a GPU that are on the host."""
    torch = pytest.importorskip("torch")

    def is_gpu(value):
        return isinstance(value, (str, torch.device)) and torch.device(value).type == "cuda"

    class Elsewhere(torch.overrides.TorchFunctionMode):
        def __torch_function__(self, function, types, args=(), kwargs=None):
            kwargs = dict(kwargs or {})
            there = is_gpu(kwargs.get("device", "cpu"))
            if there:
                kwargs["device"] = "cpu"
            if function is torch.Tensor.to and any(map(is_gpu, args[1:])):
                there, args = True, [arg for arg in args if not is_gpu(arg)]
            made = function(*args, **kwargs) if len(args) > 1 or kwargs or not there else args[0]
            return made.as_subclass(torch_on_gpu()) if there else made

    return Elsewhere()


def pretend_torch(monkeypatch, stream=0):
    """Let torch hand out tensors that say they are on a GPU, and a current stream."""
    torch = pytest.importorskip("torch")
    current = types.SimpleNamespace(cuda_stream=stream)
    monkeypatch.setattr(torch.cuda, "current_stream", lambda device: current)

    of_host = torch.tensor, torch.as_tensor

    def made(array, device):
        assert device == "cuda:0"
        return torch.from_numpy(array.copy()).as_subclass(torch_on_gpu())

    def tensor(values, *, device=None, **options):
        if torch.device(device or "cpu").type == "cpu":
            return of_host[0](values, device=device, **options)
        if isinstance(values, np.ndarray):
            return made(values, device)
        return of_host[0](values, **options).as_subclass(torch_on_gpu())

    def as_tensor(values, device=None, **options):
        if device is None:
            return of_host[1](values, **options)
        return made(values.numpy(), device)

    monkeypatch.setattr(torch, "tensor", tensor)
    monkeypatch.setattr(torch, "as_tensor", as_tensor)


def pretend_cupy(monkeypatch, stream=0):
    """A module `cupy` with what eigentropy uses of it."""

    class ndarray:  # noqa: N801
        def __init__(self, values):
            self._values = values
            self.dtype, self.shape, self.strides = values.dtype, values.shape, values.strides
            self.device = types.SimpleNamespace(id=0)
            self.data = types.SimpleNamespace(ptr=values.__array_interface__["data"][0])

        def astype(self, dtype):
            return ndarray(self._values.astype(dtype))

        def reshape(self, shape):
            return ndarray(self._values.reshape(shape))

        def get(self):
            return self._values.copy()

        def __getitem__(self, key):
            return ndarray(self._values[key._values if isinstance(key, ndarray) else key])

    def asarray(array):
        return ndarray(array if isinstance(array, np.ndarray) else array.numpy())

    cupy = types.ModuleType("cupy")
    cupy.ndarray, cupy.asarray = ndarray, asarray
    cupy.ascontiguousarray = lambda array: ndarray(np.ascontiguousarray(array._values))
    cupy.cuda = types.SimpleNamespace(
        Device=lambda index: contextlib.nullcontext(),
        get_current_stream=lambda: types.SimpleNamespace(ptr=stream),
    )
    monkeypatch.setitem(sys.modules, "cupy", cupy)
    return cupy
