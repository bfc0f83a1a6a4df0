"""What the baselines return: a number that remembers how it was obtained."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from eigentropy._support.number import Number
from eigentropy._support.units import unit


@dataclass(frozen=True, eq=False, repr=False)
class BaselineEstimate(Number):
    """An entropy, information, effective number or score. Works as the float `value`.

    Attributes
    ----------
    value : float
        In the unit of `base`. Negative estimates are reported as they are.
    method : str
        Which estimator.
    n : int
        Number of rows.
    base : float or None
        Of the logarithm; None where there is none, such as an effective rank or an accuracy.
    standard_error : float
        NaN where the method has none. Of a matched information it is that of its baseline over the
        `n_null` random groupings, printed as `null se`, and says nothing of other samples.
    settings : mapping
        The options that the value depends on.
    sampling_error : float
        Standard deviation of the value over other samples of as many rows, where
        `with_sampling_error` has found it; otherwise NaN.
    """

    value: float
    method: str
    n: int
    base: float | None
    standard_error: float = math.nan
    settings: Mapping[str, Any] = field(default_factory=dict)
    sampling_error: float = math.nan

    def __repr__(self) -> str:
        parts = [f"{self.value:.6g}" + (f" {unit(self.base)}" if self.base is not None else "")]
        if "n_null" in self.settings:
            parts.append(f"null se {self.standard_error:.2g}")
        elif not math.isnan(self.standard_error):
            parts[0] = f"{parts[0]} +- {self.standard_error:.2g}"
        if not math.isnan(self.sampling_error):
            parts.append(f"sampling se {self.sampling_error:.2g}")
        parts += [self.method, f"n={self.n}"]
        parts += [f"{name}={value}" for name, value in self.settings.items()]
        return f"BaselineEstimate({', '.join(parts)})"
