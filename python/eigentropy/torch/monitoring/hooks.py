"""Hooks that belong to one module: neither its copies nor what `backward` repeats call them."""

from __future__ import annotations

import contextlib
import functools
import weakref
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any

import torch
from torch._C import _len_torch_dispatch_stack
from torch._ops import _len_torch_dispatch_stack_pre_dispatch
from torch.utils._python_dispatch import _disable_current_modes

from eigentropy.torch.uncompiled import uncompiled

_probing: ContextVar[bool] = ContextVar("probing", default=False)


class Hook(functools.partial[None]):
    """A function that is called when one module runs in a forward pass of the loop.

    A copy of a module has its hooks, too, and a pickle wants to write them. Both get a method of
    the standard library in place of a `Hook`. It does nothing, and a model is loaded where this
    package is not installed.

    Parameters
    ----------
    module : torch.nn.Module
        That the hook is registered with. Copies of a module that share its hooks, as the replicas
        of DataParallel do, do not call the function.
    function : callable
        As for `register_forward_hook` or `register_forward_pre_hook`; what it returns is ignored.
    probing : bool
        Call it in the passes that a probe makes, and not in those of the loop.
    """

    def __new__(
        cls, module: torch.nn.Module, function: Callable[..., object], probing: bool = False
    ) -> Hook:
        """Make a hook that is registered with no other module than this one."""
        own = weakref.ref(module)

        def call(module: torch.nn.Module, *arguments: Any) -> None:
            in_turn = module is own() and _probing.get() == probing
            if not in_turn or _in_backward() or torch._C._get_tracing_state() is not None:
                return
            if not _in_mode():
                function(module, *arguments)
                return
            # Such a mode may keep what is computed, as selective checkpointing does, and give it
            # back when the model alone is computed again.
            with _disable_current_modes():
                function(module, *arguments)

        # A partial object, since the compiler looks into the method __call__ of a class. A probe
        # does not run compiled.
        return super().__new__(cls, call if probing else uncompiled(call))

    def __reduce__(self) -> tuple[Any, ...]:
        return getattr, (contextlib.nullcontext(), "__exit__")


def _in_mode() -> bool:
    """Whether a mode sees what PyTorch computes now, which costs less to ask than to leave all."""
    before: int = _len_torch_dispatch_stack_pre_dispatch()  # type: ignore[no-untyped-call]
    return before > 0 or _len_torch_dispatch_stack() > 0


def _in_backward() -> bool:
    """Whether this thread computes gradients: checkpointed parts run a second time then.

    PyTorch's own checkpointing asks the same; there is no public name for it.
    """
    return bool(torch._C._current_graph_task_id() != -1)


class Probing:
    """What runs inside is the pass of a probe, which no other monitor sees."""

    def __enter__(self) -> None:
        self._token = _probing.set(True)

    def __exit__(self, *_: object) -> None:
        _probing.reset(self._token)
