"""Linear discriminants between samples, each a class of its views."""

from __future__ import annotations

from typing import Any

import numpy as np

from eigentropy._backends.host_arrays import Matrix, as_matrix, as_numpy, refuse_device_array
from eigentropy._support import memory
from eigentropy._support.interruption import interruptible
from eigentropy.baselines._singular_values import Spectrum, squared_singular_values


def discriminants(views: Any, delta: float) -> tuple[Spectrum, int, int]:
    """Eigenvalues of W^-1/2 B W^-1/2 up to a common factor; numbers of samples and of views.

    B is the covariance of the means of the samples, W that of the views about them plus delta I.
    """
    rows, n, q = _checked(views)
    d = rows.shape[1]
    memory.require(
        8.0 * (float(n) * q * d + 3.0 * n * d + 2.0 * d * d),
        f"the covariance of {n} x {q} views in {d} columns",
        "use fewer samples, views or columns",
    )
    largest = float(np.abs(rows).max())
    scale = largest or 1.0
    each = (rows / scale).astype(np.float64, copy=False).reshape(n, q, d)
    means = each.mean(axis=1)
    between = means - means.mean(axis=0)
    if np.abs(between).max() <= max(n, q) * np.finfo(np.float64).eps:
        raise ValueError(
            f"the means of the views are equal for all {n} samples: there is nothing between them. "
            "views has shape (n, q, d), the views of a sample in its second axis"
        )
    within = (each - means[:, None, :]).reshape(n * q, d)
    # The scale is divided by twice, since its square may overflow.
    product = interruptible(lambda: within.T @ within, within.size * d)
    W = product / (n * q) + delta / scale / scale * np.eye(d)
    try:
        factor = np.linalg.cholesky(W)
    except np.linalg.LinAlgError as error:
        raise ValueError(
            f"delta={delta:g} is too small beside views of up to {largest:.3g}, which vary in "
            f"fewer than d={d} directions about their means: use a larger delta"
        ) from error
    # With W = L L', the eigenvalues are those of L^-1 B L'^-1.
    return squared_singular_values(np.linalg.solve(factor, between.T).T, center=False), n, q


def _checked(views: Any) -> tuple[Matrix, int, int]:
    """All views as rows, and the numbers of samples and of views of each."""
    refuse_device_array(views, "views")
    array = as_numpy(views, "views", numbers=True)
    if array.ndim != 3:
        raise ValueError(
            f"views must have shape (n, q, d), q views of each of n samples, got {array.shape}"
        )
    n, q, d = array.shape
    if n < 2 or q < 2:
        raise ValueError(
            f"views must have two samples and two views of each at least, got shape {array.shape}"
        )
    return as_matrix(array.reshape(n * q, d), "views"), n, q
