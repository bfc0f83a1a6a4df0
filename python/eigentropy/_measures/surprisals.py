"""What each row contributes to the entropy of the density matrix."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
from numpy.lib.mixins import NDArrayOperatorsMixin

from eigentropy._kernels.density import DensityMatrix
from eigentropy._kernels.matrix import require_matrix_memory
from eigentropy._spectra.diagonal import estimated_diagonal, exact_diagonal
from eigentropy._spectra.plan import SpectrumPlan
from eigentropy._spectra.stochastic import SMALLEST_N, supports
from eigentropy._support.options import one_of
from eigentropy._support.progress import part, reporter
from eigentropy._support.units import unit

Doubles = npt.NDArray[np.float64]

METHODS = ("auto", "exact", "stochastic")

# All eigenvectors of this number of rows take some seconds.
EXACT_UP_TO = 2000


@dataclass(frozen=True, eq=False, repr=False)
class Surprisals(NDArrayOperatorsMixin):
    r"""The surprisal of each row, whose mean is the von Neumann entropy. Works as an array (n,).

    .. math:: s_i = n\,(-\rho \log \rho)_{ii}

    A row among many like it has a small surprisal, and a row like no other one has log n. To first
    order, it is also how the entropy grows as the row gains weight.

    Attributes
    ----------
    values : array of shape (n,)
        In the unit of `base`.
    standard_errors : array of shape (n,)
        Of the estimates; 0 where all eigenvectors were computed.
    method : {"exact", "stochastic"}
    base : float
    """

    values: Doubles
    standard_errors: Doubles = field(repr=False)
    method: str
    base: float

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> npt.NDArray[Any]:
        return np.array(self.values, dtype=dtype)

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **options: Any) -> Any:
        """NumPy's functions see the values, and return arrays."""
        values = [one.values if isinstance(one, Surprisals) else one for one in inputs]
        return getattr(ufunc, method)(*values, **options)

    def __getattr__(self, name: str) -> Any:
        """What an array has beside: shape, mean, argsort, ..."""
        if name.startswith("_") or name == "values":
            raise AttributeError(name)
        return getattr(self.values, name)

    def __len__(self) -> int:
        return len(self.values)

    def __getitem__(self, key: Any) -> Any:
        return self.values[key]

    def __repr__(self) -> str:
        low, high = self.values.min(), self.values.max()
        error = f"+- {self.standard_errors.max():.2g}, " if self.standard_errors.any() else ""
        return (
            f"Surprisals({len(self)} rows, {low:.4g} to {high:.4g} {unit(self.base)}, {error}"
            f"{self.method})"
        )


def surprisals_of(
    matrix: DensityMatrix, plan: SpectrumPlan, method: str, base: float
) -> Surprisals:
    """The surprisals of all rows; see `KernelEntropy.surprisals`."""
    one_of(method, "method", METHODS)
    if method == "stochastic" and not supports(matrix.n):
        raise ValueError(
            f"method='stochastic' needs at least {SMALLEST_N} rows, got {matrix.n}: use 'exact'"
        )
    exact = method == "exact" or (method == "auto" and matrix.n <= EXACT_UP_TO)
    device = matrix.samples.device
    with reporter(matrix.progress, "surprisals") as report:
        if exact:
            # Eigenvectors, and a copy of the matrix, lie beside it.
            require_matrix_memory(2 * matrix.n, matrix.samples.d, "float64")
            dense, *_ = device.matrix(matrix.rows, matrix.sigma, None, "float64", report)
            found = exact_diagonal(device.as_host(dense) / matrix.n)
        else:
            dtype, explicit = plan.product_dtype, plan.has_room(matrix.n)
            A = matrix.products(dtype, explicit, part(report, 0.0, 0.3))
            rest = part(report, 0.3, 1.0)
            found = estimated_diagonal(A, matrix.seed, rest, dtype=dtype, device=device)
    scale = matrix.n / math.log(base)
    how = "exact" if exact else "stochastic"
    return Surprisals(scale * found.values, scale * found.standard_errors, how, base)
