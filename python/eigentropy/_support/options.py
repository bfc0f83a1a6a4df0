"""The options that several functions share: checked once, here, with one message each."""

from __future__ import annotations

import math
import numbers
from typing import Any

METHODS = ("auto", "exact", "stochastic", "lowrank")


def positive(value: Any, name: str) -> float:
    """`value` as a finite float > 0."""
    number = _real(value, name)
    if not (math.isfinite(number) and number > 0):
        raise ValueError(f"{name} must be a finite number > 0, got {value!r}")
    return number


def nonnegative(value: Any, name: str) -> float:
    """`value` as a finite float >= 0."""
    number = _real(value, name)
    if not (math.isfinite(number) and number >= 0):
        raise ValueError(f"{name} must be a finite number >= 0, got {value!r}")
    return number


def integer(value: Any, name: str, at_least: int) -> int:
    """`value` as an int that is large enough."""
    if isinstance(value, bool) or not isinstance(value, numbers.Integral):
        raise TypeError(f"{name} must be an integer, got {value!r}")
    if value < at_least:
        raise ValueError(f"{name} must be at least {at_least}, got {value}")
    return int(value)


def one_of(value: Any, name: str, allowed: tuple[str, ...]) -> str:
    """`value`, if it is one of the allowed names."""
    if value not in allowed:
        names = ", ".join(repr(known) for known in allowed)
        raise ValueError(f"{name} must be one of {names}, got {value!r}")
    return str(value)


def logarithm_base(value: Any) -> float:
    """`value` as the base of a logarithm: > 0 and not 1."""
    number = positive(value, "base")
    if number == 1.0:
        raise ValueError("base must not be 1; 2 gives bits, math.e nats")
    return number


def working_dtype(dtype: Any) -> str:
    """The name of the precision of an operator: "float64" by default, or "float32"."""
    if dtype is None:
        return "float64"
    name = getattr(dtype, "__name__", None) or str(dtype).removeprefix("torch.")
    if name not in ("float32", "float64"):
        raise ValueError(f"dtype must be 'float32', 'float64' or None, got {dtype!r}")
    return name


def _real(value: Any, name: str) -> float:
    if isinstance(value, (bool, str, bytes)):
        raise TypeError(f"{name} must be a number, got {value!r}")
    try:
        return float(value)
    except (TypeError, ValueError):
        raise TypeError(f"{name} must be a number, got {value!r}") from None
