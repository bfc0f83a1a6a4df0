"""Checks that arrays on the host and on a device share: shape, type, finite entries."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from eigentropy._support.warnings import ShapeWarning, warn


def check_shape(shape: tuple[int, ...], name: str) -> None:
    if len(shape) < 2:
        what = "a scalar" if len(shape) == 0 else f"a 1-d array of length {shape[0]}"
        raise ValueError(
            f"{name} must have shape (n, d), one row a sample, got {what}; "
            f"use {name}[:, None] for n scalars and {name}[None, :] for one sample"
        )
    if 0 in shape:
        raise ValueError(f"{name} is empty: its shape is {shape}")


def check_square(shape: tuple[int, ...], name: str) -> None:
    """Refuse what is not a stack of square matrices, or has no entry."""
    if len(shape) < 2 or shape[-1] != shape[-2]:
        raise ValueError(f"{name} must have shape (n, n) or (..., n, n), got {shape}")
    if 0 in shape:
        raise ValueError(f"{name} is empty: its shape is {shape}")


def check_numbers(dtype: str, name: str) -> None:
    """Refuse vectors whose dtype, given by its name, is not of real numbers."""
    if "complex" in dtype:
        raise TypeError(
            f"{name} is complex ({dtype}): pass {name}.real and {name}.imag one after the other"
        )
    if not any(kind in dtype for kind in ("int", "float", "bool")):
        raise TypeError(f"{name} must hold numbers, got an array of dtype {dtype}")


def float_dtype(dtype: np.dtype[Any], name: str) -> np.dtype[np.floating[Any]]:
    """float32 or float64, in native byte order, for numbers of this dtype."""
    if dtype.kind == "c":
        raise TypeError(
            f"{name} is complex ({dtype}); pass real features, such as "
            f"np.column_stack([{name}.real, {name}.imag])"
        )
    if dtype.kind not in "iubf":
        if dtype.name == "bfloat16":  # ml_dtypes, as JAX uses it
            return np.dtype(np.float32)
        raise TypeError(
            f"{name} must hold numbers, got an array of dtype {dtype}: convert what are numbers, "
            f"such as {_converted(dtype, name)}"
        )
    single = dtype.kind == "f" and dtype.itemsize <= 4
    return np.dtype(np.float32 if single else np.float64)


def _converted(dtype: np.dtype[Any], name: str) -> str:
    """The expression that makes numbers of what holds some."""
    if dtype.names:
        return f"numpy.lib.recfunctions.structured_to_unstructured({name})"
    each = f", or numpy.stack({name}) where each entry is a vector" if dtype.hasobject else ""
    return f"{name}.astype(float){each}"


def check_finite(nonfinite: tuple[int, int], n: int, name: str) -> None:
    """Refuse n rows if some are not finite; `nonfinite` is their number and the first of them."""
    count, first = nonfinite
    if count:
        raise ValueError(
            f"{name} has NaN or infinity in {count} of its {n} rows; the first is row {first}; "
            f"{_LEAVE_OUT}"
        )


def check_present(missing: npt.NDArray[np.bool_], name: str, details: str = "") -> None:
    """Refuse rows of which something is missing; `missing` says of which."""
    count = int(missing.sum())
    if count:
        raise ValueError(
            f"{name} has missing entries in {count} of its {len(missing)} rows{details}; the first "
            f"is row {int(missing.argmax())}; {_LEAVE_OUT}"
        )


def is_missing(entry: Any, absent: Any = None) -> bool:
    """Whether it is None, NaN, NaT, NA or masked, or the text that stands for these in a dtype."""
    if isinstance(entry, str):
        return bool(entry == absent)
    if entry is None or np.ma.is_masked(entry) or type(entry).__name__ == "NAType":
        return True
    try:
        return bool(entry != entry)
    except (TypeError, ValueError, ArithmeticError):  # an array, or a number that signals
        return False


_LEAVE_OUT = "leave such rows out of all arguments, or fill them"


def warn_if_flattened(shape: tuple[int, ...], floats: bool, name: str) -> None:
    """Warn where the activations of several tokens of each text become one row.

    Images have four dimensions, and integers are no activations.
    """
    if not floats or len(shape) != 3 or shape[1] == 1:
        return
    n, tokens, d = shape
    short = name if name.isidentifier() else "Z"
    warn(
        f"{name} of shape {shape} is taken for {n} rows of {tokens} x {d} = {tokens * d} numbers. "
        f"If it holds {tokens} tokens of each of {n} texts, that is one long row a text: pass "
        f"{short}.mean(1) for the mean of the tokens, or {short}.reshape(-1, {d}) for one row a "
        f"token, {n * tokens} rows. Where one long row is meant, {short}.reshape({n}, -1) says so",
        ShapeWarning,
    )
