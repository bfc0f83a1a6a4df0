"""Checks that arrays on the host and on a device share: shape, type, finite entries."""

from __future__ import annotations

from typing import Any

import numpy as np


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


def float_dtype(dtype: np.dtype[Any], name: str) -> np.dtype[np.floating[Any]]:
    """float32 or float64, in native byte order, for numbers of this dtype."""
    if dtype.kind == "c":
        raise TypeError(
            f"{name} is complex ({dtype}); pass real features, such as "
            f"np.concatenate([{name}.real, {name}.imag], axis=1)"
        )
    if dtype.name == "bfloat16":  # ml_dtypes, as JAX uses it
        return np.dtype(np.float32)
    if dtype.kind not in "iubf":
        raise TypeError(f"{name} must hold numbers, got an array of dtype {dtype}")
    single = dtype.kind == "f" and dtype.itemsize <= 4
    return np.dtype(np.float32 if single else np.float64)


def check_finite(nonfinite: tuple[int, int], n: int, name: str) -> None:
    """Refuse n rows if some are not finite; `nonfinite` is their number and the first of them."""
    count, first = nonfinite
    if count:
        raise ValueError(
            f"{name} has NaN or infinity in {count} of its {n} rows; the first is row {first}"
        )
