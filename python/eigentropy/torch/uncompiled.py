"""Functions that PyTorch's compiler must not look into."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from typing import ParamSpec, TypeVar, cast

import torch

P = ParamSpec("P")
R = TypeVar("R")


def uncompiled(function: Callable[P, R]) -> Callable[P, R]:
    """`torch.compiler.disable`, once the compiler is loaded: until then nothing is compiled.

    It would import the compiler, which takes longer than the rest of PyTorch, and 50 MB.
    """
    disabled: Callable[P, R] | None = None

    @functools.wraps(function)
    def call(*args: P.args, **options: P.kwargs) -> R:
        nonlocal disabled
        if "torch._dynamo" not in sys.modules:
            return function(*args, **options)
        if disabled is None:
            disabled = cast(
                "Callable[P, R]",
                torch.compiler.disable(function),  # type: ignore[no-untyped-call]
            )
        return disabled(*args, **options)

    return call
