"""How selective units are: whether a unit answers to all samples alike or to a few of them."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from eigentropy._backends.host_arrays import as_numpy, refuse_device_array
from eigentropy._backends.shapes import float_dtype


def selectivity(units: Any) -> npt.NDArray[np.float64]:
    r"""How selective each unit is for single samples: its lifetime sparseness, 0 to 1.

    .. math::

        \frac{1 - (\sum_s |a_s| / n)^2 / (\sum_s a_s^2 / n)}{1 - 1/n}

    with the activations a of a unit on n samples: 0 for a unit that answers to all samples alike,
    1 for a unit that answers to one sample only, as a memory of that sample would. A unit that
    answers to k of the samples, to each alike, has (1 - k/n) / (1 - 1/n). The scale of a does not
    matter; its zero does: pass activations after the ReLU, and not z-scored.

    Use it as ``from eigentropy.embed import selectivity``. It needs NumPy alone.

    Parameters
    ----------
    units : array-like of shape (..., samples)
        Such as (units, samples) at one epoch, or (epochs, units, samples).

    Returns
    -------
    array of shape (...)
        NaN for a unit that is 0 on every sample.

    Raises
    ------
    TypeError, ValueError
        No real numbers; fewer than two samples; NaN or infinity.

    References
    ----------
    Rolls, Tovee: Sparseness of the neuronal representation of stimuli in the primate temporal
    visual cortex. J. Neurophysiology 73 (1995). Vinje, Gallant: Sparse coding and decorrelation in
    primary visual cortex during natural vision. Science 287 (2000), for the range from 0 to 1.

    Examples
    --------
    >>> selectivity([[1.0, 1.0, 1.0, 1.0], [0.0, 0.0, 5.0, 0.0]]).tolist()
    [0.0, 1.0]
    """
    refuse_device_array(units, "units")
    array = as_numpy(units, "units", numbers=True)
    a = np.abs(array.astype(float_dtype(array.dtype, "units"), copy=False)).astype(np.float64)
    n = a.shape[-1] if a.ndim else 0
    if n < 2:
        raise ValueError(
            f"units must have shape (..., samples) with at least 2 samples, got shape {a.shape}"
        )
    if not np.isfinite(a).all():
        raise ValueError(
            f"units has NaN or infinity in {np.count_nonzero(~np.isfinite(a))} of its {a.size} "
            "entries: leave these units or samples out"
        )
    largest = a.max(axis=-1, keepdims=True)
    with np.errstate(invalid="ignore", divide="ignore"):  # 0 / 0 of a unit that is 0: NaN
        shares = a / largest
        spread = shares.mean(axis=-1) ** 2 / (shares**2).mean(axis=-1)
    found: npt.NDArray[np.float64] = np.clip((1.0 - spread) / (1.0 - 1.0 / n), 0.0, 1.0)
    return found
