"""The options that several functions share: checked once, here, with one message each."""

from __future__ import annotations

import math
import operator
from typing import Any

# Sizes and counts beyond are no int64, in which rows are numbered.
LARGEST = 2**63 - 1

# Python refuses to print integers of more than 4300 digits.
SHOWN_BITS = 256

METHODS = ("auto", "exact", "stochastic", "lowrank")

# As many random partitions as `tol` takes, by the rule of `_measures/null_counts.py`.
AUTO = "auto"
# What every function of a matched information takes where the caller says nothing.
N_NULL = AUTO


def positive(value: Any, name: str) -> float:
    """`value` as a finite float > 0."""
    number = _real(value, name)
    if not (math.isfinite(number) and number > 0):
        raise ValueError(f"{name} must be a finite number > 0, got {_shown(value)}")
    return number


def renyi_order(value: Any) -> float:
    """The order of a Renyi entropy: > 0, and infinity is one."""
    order = _real(value, "order")
    if not order > 0.0:
        raise ValueError(f"order must be a number > 0, infinity included, got {_shown(value)}")
    return order


def nonnegative(value: Any, name: str, at_most: float = math.inf) -> float:
    """`value` as a finite float >= 0."""
    number = _real(value, name)
    if not (math.isfinite(number) and number >= 0):
        raise ValueError(f"{name} must be a finite number >= 0, got {_shown(value)}")
    if number > at_most:
        raise ValueError(f"{name} must be at most {at_most:g}, got {_shown(value)}")
    return number


def integer(value: Any, name: str, at_least: int, at_most: int | None = LARGEST) -> int:
    """`value` as an int within these limits; None is no limit."""
    scalar = _scalar(value)
    try:
        number = operator.index(scalar)
    except TypeError:
        raise TypeError(f"{name} must be an integer, got {_shown(value)}") from None
    if number < at_least:
        raise ValueError(f"{name} must be at least {at_least}, got {_shown(number)}")
    if at_most is not None and number > at_most:
        raise ValueError(f"{name} must be at most {at_most}, got {_shown(number)}")
    return number


def null_count(value: Any, at_least: int) -> int | str:
    """`value` as a number of random partitions, or "auto"."""
    if isinstance(value, str):
        if value != AUTO:
            raise ValueError(f"n_null must be an integer or {AUTO!r}, got {_shown(value)}")
        return AUTO
    try:
        return integer(value, "n_null", at_least)
    except TypeError:
        raise TypeError(f"n_null must be an integer or {AUTO!r}, got {_shown(value)}") from None


def random_seed(value: Any, name: str = "seed") -> int:
    """`value` as a seed of NumPy: an integer >= 0 of any size, such as one of 128 bits."""
    return integer(value, name, at_least=0, at_most=None)


def one_of(value: Any, name: str, allowed: tuple[str, ...]) -> str:
    """`value`, if it is one of the allowed names."""
    if not isinstance(value, str) or value not in allowed:
        names = ", ".join(repr(known) for known in allowed)
        raise ValueError(f"{name} must be one of {names}, got {value!r}")
    return value


def logarithm_base(value: Any) -> float:
    """`value` as the base of a logarithm: above 1, since below 1 it turns every order around."""
    number = positive(value, "base")
    if number <= 1.0:
        raise ValueError(f"base must be above 1, got {number!r}; 2 gives bits, math.e nats")
    return number


def sigma_or_rule(value: Any, rules: tuple[str, ...], name: str = "sigma") -> float | str:
    """`value` as a kernel width: a finite float > 0, or the name of a rule."""
    if isinstance(value, str) and value not in rules:
        names = ", ".join(repr(rule) for rule in rules)
        raise ValueError(f"{name} must be a number > 0 or one of {names}, got {value!r}")
    return value if isinstance(value, str) else positive(value, name)


def working_dtype(dtype: Any) -> str:
    """The name of the precision of an operator: "float64" by default, or "float32"."""
    if dtype is None:
        return "float64"
    name = getattr(dtype, "__name__", None) or str(dtype).removeprefix("torch.")
    if name not in ("float32", "float64"):
        raise ValueError(f"dtype must be 'float32', 'float64' or None, got {dtype!r}")
    return name


def _real(value: Any, name: str) -> float:
    scalar = _scalar(value)
    try:
        if isinstance(scalar, (str, bytes)):
            raise TypeError
        return float(scalar)
    except (TypeError, ValueError):
        raise TypeError(f"{name} must be a real number, got {_shown(value)}") from None
    except OverflowError:  # an integer or a fraction
        return math.inf if scalar > 0 else -math.inf


def _scalar(value: Any) -> Any:
    """`value` as Python has it, if it is one number; None for what only looks like a number.

    Arrays and tensors without an axis are numbers. Truth values, time spans and arrays of one entry
    are not, and neither are masked or complex ones, of which `float` would return a part.
    """
    if type(value) in (int, float):
        return value
    if hasattr(value, "item"):
        kind = getattr(getattr(value, "dtype", None), "kind", None)  # torch's types have none
        if getattr(value, "ndim", 0) != 0 or kind in ("m", "M") or getattr(value, "mask", False):
            return None
        value = value.item()
    return None if isinstance(value, (bool, complex)) else value


def _shown(value: Any) -> str:
    """`value` for a message, however large it is."""
    if isinstance(value, int) and value.bit_length() > SHOWN_BITS:
        return f"an integer of {value.bit_length()} bits"
    try:
        return repr(value)
    except ValueError:  # a fraction of large integers
        return f"a {type(value).__name__}"
