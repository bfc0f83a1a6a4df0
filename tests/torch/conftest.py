"""What all tests of eigentropy.torch share."""

from __future__ import annotations

import sys

import pytest

import device_arrays


@pytest.fixture(autouse=True)
def one_thread():
    """Matrices of this size are not worth more, and the threads of a busy machine spin."""
    torch = sys.modules.get("torch")
    if torch is None:  # the tests are skipped
        yield
        return
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


class Gpu:
    """A GPU for tensors and models: a real one, or memory of the host that says it is one.

    Attributes
    ----------
    copied : list of shapes
        What PyTorch has copied to the host.
    """

    def __init__(self, is_real):
        self.is_real, self.copied = is_real, device_arrays.copied

    def put(self, *several):
        """Tensors and models, on the device; a model of the host passes on where its input lies."""
        torch = sys.modules["torch"]
        if self.is_real:
            return [one.cuda() for one in several]
        return [
            one.as_subclass(device_arrays.torch_on_gpu()) if isinstance(one, torch.Tensor) else one
            for one in several
        ]


@pytest.fixture
def gpu(cuda_core, monkeypatch):
    torch = pytest.importorskip("torch")
    device_arrays.copied.clear()
    is_real = not device_arrays.why_no_gpu() and torch.cuda.is_available()
    if is_real:
        plain = torch.Tensor.cpu

        def cpu(tensor, *options, **others):
            if tensor.is_cuda and tensor.numel():
                device_arrays.copied.append(tuple(tensor.shape))
            return plain(tensor, *options, **others)

        monkeypatch.setattr(torch.Tensor, "cpu", cpu)
        yield Gpu(is_real)
    else:
        device_arrays.pretend_torch(monkeypatch)
        with device_arrays.makes_tensors_on_gpu():
            yield Gpu(is_real)
