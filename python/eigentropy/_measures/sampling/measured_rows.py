"""A measure of some rows of Z: what goes with a row goes with it into the subset."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from eigentropy._backends.host_arrays import as_matrix, as_numpy, chosen_rows, opened_array
from eigentropy._kernels.groups import check_length
from eigentropy._measures.sampling.measures import Measure


class Subsets:
    """The rows of Z, of which a measure takes some.

    Attributes
    ----------
    n : int
        Number of rows.
    """

    def __init__(self, measure: Measure, Z: Any, Y: Any = None, name: str = "Z") -> None:
        self._name = name
        self._array = opened_array(Z, name)
        shape = tuple(self._array.shape)
        if not shape:
            raise ValueError(f"{name} must have rows, got a single number")
        self.n = int(shape[0])
        if measure.is_square and shape != (self.n, self.n):
            raise ValueError(f"{name} must be square for this kernel, got shape {shape}")
        if measure.is_ours and isinstance(self._array, np.ndarray):
            self._array = as_matrix(self._array, name)  # which is looked at once, and as a whole
        self._measure = measure
        self._Y = None if Y is None else as_numpy(Y, "Y")
        if self._Y is not None:
            check_length(self._Y, self.n, "Y")

    def value(self, numbers: npt.NDArray[np.int64]) -> float:
        """The measure of the rows with these numbers.

        Raises
        ------
        ValueError
            It is no finite number.
        """
        numbers = np.sort(numbers)
        rows = chosen_rows(self._array, numbers)
        if self._measure.is_square:
            rows = rows[:, numbers]
        Y = None if self._Y is None else self._Y[numbers]
        value = float(self._measure.of_rows(numbers, self.n)(rows, Y))
        if not math.isfinite(value):
            raise ValueError(
                f"measure: {self._measure.name} is {value} on {len(numbers)} of the {self.n} rows "
                f"of {self._name}, which has no sampling error; use larger sizes, or another "
                "measure"
            )
        return value
