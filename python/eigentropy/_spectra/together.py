"""Estimates of two matrices of one kernel, side by side: each pass over the kernel serves both."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from eigentropy._spectra.estimated import EstimatedSpectrum
from eigentropy._spectra.lanczos import Array, Doubles, Products
from eigentropy._spectra.stochastic import AskedProduct, Steps
from eigentropy._support.progress import Callback


class DensityProducts:
    """The density matrix G / n of a kernel whose diffusion operator is there for products.

    Attributes
    ----------
    operator : KernelOperator
        Of the core, made with `with_density`.
    """

    trace = 1.0

    def __init__(self, operator: Any) -> None:
        self.operator = operator
        self.n: int = operator.n
        self.frobenius2: float = operator.density_frobenius2
        self.kernel_sum: float = operator.kernel_sum
        self.degrees: Doubles = operator.kernel_sums
        self.scaling: Doubles = np.full(self.n, self.n**-0.5)

    def matmul(self, V: Array, progress: Callback | None = None) -> Array:
        """G V / n."""
        product: Array = self.operator.kernel_matmul(V, progress)
        product /= product.dtype.type(self.n)
        return product


class JointProgress:
    """Who tells a caller how far several computations are, which go on side by side."""

    def __init__(self, progress: Callback | None, count: int) -> None:
        self._progress, self._shares = progress, [0.0] * count

    def of(self, number: int) -> Callback | None:
        """What one of them calls."""
        return None if self._progress is None else lambda share: self._tell(number, share)

    def _tell(self, number: int, share: float) -> None:
        self._shares[number] = share
        if self._progress is not None:
            self._progress(sum(self._shares) / len(self._shares))


def side_by_side(
    operator: Any, matrices: Sequence[Products], steps: Sequence[Steps[EstimatedSpectrum]]
) -> list[EstimatedSpectrum]:
    """The estimates, whose blocks are multiplied with the kernel in one pass.

    Parameters
    ----------
    operator : KernelOperator
        Of the core, which has the kernel.
    matrices : sequence
        Each is diag(s) G diag(s), s its `scaling`.
    steps : sequence of generators
        The estimation of each.
    """
    scalings = [np.asarray(A.scaling)[:, None] for A in matrices]  # type: ignore[attr-defined]
    found: dict[int, EstimatedSpectrum] = {}
    asked = {number: next(one) for number, one in enumerate(steps)}
    while asked:
        columns = [scalings[i] * one.vectors for i, one in asked.items()]
        dtype = next(iter(asked.values())).vectors.dtype
        block = np.hstack(columns).astype(dtype)
        product = operator.kernel_matmul(block, _all_told([*asked.values()]))
        ends = np.cumsum([one.shape[1] for one in columns])[:-1]
        del columns, block
        parts = zip([*asked], np.split(product, ends, axis=1), strict=True)
        for i, part in parts:
            own = np.multiply(part, scalings[i], dtype=dtype, casting="same_kind", order="C")
            try:
                asked[i] = steps[i].send(own)
            except StopIteration as end:
                found[i] = end.value
                del asked[i]
    return [found[i] for i in range(len(steps))]


def _all_told(asked: Sequence[AskedProduct]) -> Callback | None:
    told = [one.progress for one in asked if one.progress is not None]
    if not told:
        return None

    def tell(share: float) -> None:
        for progress in told:
            progress(share)

    return tell
