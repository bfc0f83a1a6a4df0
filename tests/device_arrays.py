"""Arrays on a device, for tests: of no known library, torch's, CuPy's.

Where the device is emulated they lie in the memory of the host, under a GPU's name.
"""

from __future__ import annotations

import contextlib
import os
import sys
import types

import numpy as np
import torch

from fake_cuda import fake_plugin

# As they are before a test replaces them.
TENSOR, AS_TENSOR = torch.tensor, torch.as_tensor

PACKAGE = "eigentropy_cuda13"
CHOICE = os.environ.get("EIGENTROPY_TEST_CUDA", "auto")  # fake, installed, auto


def installed_plugin():
    """The plug-in that is installed; None if there is none, or the stand-in is wanted."""
    if CHOICE == "fake":
        return None
    try:
        return __import__(PACKAGE)
    except ModuleNotFoundError:
        if CHOICE == "installed":
            raise
        return None


def plugin():
    """The installed plug-in, of a GPU or emulated, or else the stand-in."""
    return installed_plugin() or fake_plugin()


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
        if not why_no_gpu():
            base = array if array.base is None else array.base
            self._memory = torch.from_numpy(base).cuda()
            pointer += self._memory.data_ptr() - base.__array_interface__["data"][0]
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
    if isinstance(array, torch.Tensor):
        return array.cpu().as_subclass(torch.Tensor).numpy()
    return array.get() if hasattr(array, "get") else array.numpy()


class TorchOnGpu(torch.Tensor):
    """A tensor of the host that says it is on cuda:0, or on the device in `index`."""

    index = 0

    @property
    def device(self):
        return torch.device("cuda", self.index)


class TorchOnSecondGpu(TorchOnGpu):
    index = 1


def pretend_torch(monkeypatch, stream=0):
    """Let torch hand out tensors that say they are on a GPU, and a current stream."""
    current = types.SimpleNamespace(cuda_stream=stream)
    monkeypatch.setattr(torch.cuda, "current_stream", lambda device: current)

    def made(array, device=None):
        if device is None:  # a test's own
            return TENSOR(array)
        assert device == "cuda:0"
        return AS_TENSOR(array.copy()).as_subclass(TorchOnGpu)

    monkeypatch.setattr(torch, "tensor", made)
    monkeypatch.setattr(torch, "as_tensor", lambda array, device: made(array.numpy(), device))


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
