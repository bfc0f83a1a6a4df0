"""Units as an array (epochs, units, samples): what is accepted, and z-scores over the samples."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from eigentropy._backends.host_arrays import as_numpy, refuse_device_array
from eigentropy._backends.shapes import float_dtype
from eigentropy._support.warnings import warn

Doubles = npt.NDArray[np.float64]

# How many of each there must be, in the order of the axes.
LEAST = {"epochs": 1, "units": 2, "samples": 2}

# A unit whose activations differ by less than this many roundings of the largest is constant:
# z-scores of it would be noise.
ROUNDINGS = 8.0


def checked_units(units: Any) -> npt.NDArray[Any]:
    """The activations as an array (epochs, units, samples) of finite floats.

    Raises
    ------
    TypeError, ValueError
        Not real numbers; another shape; fewer than two units or samples; NaN or infinity.
    """
    refuse_device_array(units, "units")
    array = as_numpy(units, "units", numbers=True)
    array = array.astype(float_dtype(array.dtype, "units"), copy=False)
    if array.ndim != 3:
        raise ValueError(
            "units must have shape (epochs, units, samples), the activations of each unit on the "
            f"same samples at each epoch, got shape {array.shape}; units[None] is one epoch"
        )
    for size, (name, least) in zip(array.shape, LEAST.items(), strict=True):
        if size < least:
            raise ValueError(
                f"units has {size} {name}, and at least {least} are needed: its shape is "
                f"{array.shape}, which is read as (epochs, units, samples)"
            )
    finite = np.isfinite(array).all(axis=2)
    if not finite.all():
        epoch, unit = np.argwhere(~finite)[0]
        raise ValueError(
            f"units has NaN or infinity in {np.count_nonzero(~finite)} of {finite.size} pairs of "
            f"epoch and unit; the first is units[{epoch}, {unit}]: leave these epochs or units out"
        )
    return array


def is_constant(array: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
    """Of each unit at each epoch, whether it says the same of all samples."""
    low, high = array.min(axis=2), array.max(axis=2)
    rounding = ROUNDINGS * np.finfo(array.dtype).eps
    # Halves, for the difference of the largest numbers overflows.
    constant: npt.NDArray[np.bool_] = 0.5 * high - 0.5 * low <= 0.5 * rounding * np.maximum(
        np.abs(low), np.abs(high)
    )
    return constant


def z_scores(units: Any) -> Doubles:
    """Activations with mean 0 and standard deviation 1 over the samples of each epoch and unit.

    A unit that is constant on the samples, such as a ReLU that never fires, is put at the origin.

    Raises
    ------
    TypeError, ValueError
        As `checked_units`; every unit is constant at every epoch.

    Warns
    -----
    UserWarning
        Some units are constant: how many.
    """
    array = checked_units(units)
    constant = is_constant(array)
    _judge_constant(constant)
    largest = np.abs(array).max(axis=2, keepdims=True).astype(np.float64)
    scores: Doubles = array / np.where(largest > 0.0, largest, 1.0)  # so that no square overflows
    scores -= scores.mean(axis=2, keepdims=True)
    deviations = scores.std(axis=2)
    scores /= np.where(constant, 1.0, deviations)[:, :, None]
    scores[constant] = 0.0
    return scores


def _judge_constant(constant: npt.NDArray[np.bool_]) -> None:
    epochs, units = constant.shape
    if constant.all():
        raise ValueError(
            f"units: each of the {units} units is constant on the samples at each of the {epochs} "
            "epochs, so that there is nothing to compare; pass activations on different samples"
        )
    if constant.any():
        always = np.count_nonzero(constant.all(axis=0))
        ever = np.count_nonzero(constant.any(axis=0))
        warn(
            f"{ever} of the {units} units are constant on the samples at some of the {epochs} "
            f"epochs, {always} of them at all: they are placed at the origin there, where they "
            "look like one unit; leave them out by units[:, np.ptp(units, axis=2).min(axis=0) > 0]"
        )
