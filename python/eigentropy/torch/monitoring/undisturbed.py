"""A forward pass that leaves no trace in the model or in the random numbers."""

from __future__ import annotations

import contextlib
import random
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import numpy.random  # NumPy loads it at its first use, which would be the first measurement
import torch

_NOTHING = contextlib.nullcontext()


@contextmanager
def undisturbed(model: torch.nn.Module) -> Iterator[list[torch.nn.Module]]:
    """Evaluation mode without gradients, uncompiled; afterwards everything is as it was.

    Yields the modules of the model.

    That is the mode of every module, every buffer and the random states of PyTorch, NumPy and
    Python. Modes are set module by module: a model may have overridden `train` to do more.
    """
    modules = [*model.modules()]
    # _buffers and _version are PyTorch's: there is no public way to see which tensor is the buffer
    # of a name, or whether a tensor was written to.
    held = [(module, dict(module._buffers)) for module in modules]
    training = [module for module in modules if module.training]
    all_buffers = [*model.buffers()] if any(buffers for _, buffers in held) else []
    copies = [(buffer, _version(buffer), buffer.detach().clone()) for buffer in all_buffers]
    random_states = _RandomStates()
    try:
        # no_grad would call set_grad_enabled in its turn, each time.
        with _forked(_gpus_of(model, all_buffers)), torch.set_grad_enabled(False), _uncompiled():
            _set_modes(training, False)
            yield modules
    finally:
        try:
            # What ran inside may have set modes, too.
            _set_modes([module for module in modules if module.training], False)
            _set_modes(training, True)
            for module, buffers in held:
                if buffers or module._buffers:
                    module._buffers.clear()
                    module._buffers.update(buffers)
            for buffer, version, copy in copies:
                if version is None or buffer._version != version:
                    with torch.inference_mode(buffer.is_inference()), torch.no_grad():
                        buffer.copy_(copy)
        finally:
            random_states.restore()


def _set_modes(modules: Sequence[torch.nn.Module], training: bool) -> None:
    """Set the mode of modules alone: PyTorch asks first whether it is a parameter or a module."""
    for module in modules:
        is_plain = type(module).__setattr__ is torch.nn.Module.__setattr__
        set_attribute = object.__setattr__ if is_plain else setattr
        set_attribute(module, "training", training)


def _gpus_of(model: torch.nn.Module, buffers: Sequence[torch.Tensor]) -> list[torch.device]:
    """The GPUs that a model with these buffers lies on; none before PyTorch has used CUDA."""
    if not torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
        return []
    devices = {one.device for one in (*model.parameters(), *buffers)}
    return [device for device in devices if device.type == "cuda"]


def _version(buffer: torch.Tensor) -> int | None:
    """How often a tensor was written to; None for one of inference mode, which does not count."""
    return None if buffer.is_inference() else buffer._version


@contextmanager
def same_random_numbers(cuda: Sequence[torch.device] = ()) -> Iterator[None]:
    """What runs inside draws no random numbers that would come next in PyTorch, NumPy or Python."""
    states = _RandomStates()
    try:
        with _forked(cuda):
            yield
    finally:
        states.restore()


class _RandomStates:
    """The states of the generators of the host, as they are now."""

    def __init__(self) -> None:
        self._python, self._numpy = random.getstate(), _state_of_numpy()
        self._torch = torch.get_rng_state()

    def restore(self) -> None:
        """Draw the same numbers again."""
        random.setstate(self._python)
        torch.set_rng_state(self._torch)
        # Last, since it fails where NumPy has been given another generator meanwhile.
        np.random.set_state(self._numpy)  # noqa: NPY002


def _forked(cuda: Sequence[torch.device]) -> contextlib.AbstractContextManager[Any]:
    """Inside, the generators of these GPUs are others."""
    # It looks at all kinds of devices, which takes longer than the rest of what is done here.
    return torch.random.fork_rng(devices=cuda) if cuda else _NOTHING


def _state_of_numpy() -> dict[str, Any]:
    """The state of NumPy's global generator, whichever it is, for `numpy.random.set_state`."""
    # With `legacy` NumPy warns where somebody has given it another bit generator.
    state: dict[str, Any] = np.random.get_state(legacy=False)  # noqa: NPY002
    if state["bit_generator"] == "MT19937":
        # NumPy takes its 624 numbers one by one, and an array would make an object of each.
        state["state"]["key"] = state["state"]["key"].tolist()
    return state


def _uncompiled() -> contextlib.AbstractContextManager[Any]:
    """A part that was compiled before the hooks were made would not run them."""
    if "torch._dynamo" not in sys.modules:  # the compiler: nothing has been compiled
        return _NOTHING
    if hasattr(torch.compiler, "set_stance"):  # from PyTorch 2.6 on
        stance: contextlib.AbstractContextManager[Any] = torch.compiler.set_stance("force_eager")
        return stance
    return _NOTHING
