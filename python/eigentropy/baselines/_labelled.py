"""Rows and their labels, checked, for scores of how well the rows tell the labels."""

from __future__ import annotations

from typing import Any

import numpy as np

from eigentropy._backends.host_arrays import Matrix, as_matrix, as_numpy
from eigentropy._kernels.groups import Codes, group_codes


def labelled(Z: Any, Y: Any, each: int = 1, remedy: str = "") -> tuple[Matrix, Codes]:
    """The rows, and the class of each as 0 .. number of classes - 1.

    `each` is how many rows a class must have, and `remedy` what needs them and what else to do.

    Raises
    ------
    ValueError, TypeError
        As `as_matrix` and `group_codes`; a single class; no label twice; a class that is too small.
    """
    rows = as_matrix(Z)
    if Y is None:
        raise ValueError("Y is missing: pass labels, one for each row of Z")
    codes = group_codes(Y, len(rows), "labels", 1, None)
    sizes = np.bincount(codes)
    if len(sizes) == 1:
        raise ValueError(f"all {len(rows)} labels of Y are equal: a score needs two classes")
    if sizes.max() == 1:
        raise ValueError(
            f"no label of Y occurs twice in {len(rows)} rows: these look like numbers, not labels"
        )
    small = int(sizes.argmin())
    if sizes[small] < each:
        label = as_numpy(Y, "Y").ravel()[(codes == small).argmax()]
        raise ValueError(
            f"label {label!s} of Y has {sizes[small]} of the {each} rows that {remedy}, or leave "
            "out the rows of this label"
        )
    return rows, codes
