"""How the spectrum is obtained: all eigenvalues, an estimate, or a factor of low rank.

docs/choosing.md states the rule of method="auto"; benchmarks/approaches.py compares its
predictions with measured times.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from eigentropy import _memory
from eigentropy._options import METHODS, one_of, positive, working_dtype
from eigentropy.stochastic import FLOOR, PROBES, SKETCHED, supports

# Costs are counted in multiplications and additions of float32 products; float64 takes two each.
# An entry of the kernel, beside its product: exponential, sums, scaling.
ENTRY = 60.0
# All eigenvalues, in units of n^3: 4/3 of them are needed, at 0.9 of the rate of a product.
EIGENVALUES = 1.5
# Products with the first block, as most kernels need them, and how much slower than a large product
# one with so few columns is.
STEPS = 10
NARROW = 2.0
# What an estimate takes however few the rows are: small matrices, and Python.
START = 6e10

# All eigenvalues are worth more than an estimate: an estimate must be predicted to be so much
# faster, and they are computed anyway where that takes a second or two.
PREFERENCE = 3.0
SOON = 4e11

# The matrix may take this share of the free memory.
MATRIX_SHARE = 0.5

# A factor of low rank is tried where tr A is below: the eigenvalues add up to it, and the largest
# is 1. Its rank must stay below this share of n.
SMOOTH_TRACE = 50.0
LOW_RANK_SHARE = 0.1


@dataclass(frozen=True)
class Approach:
    """What the caller asks for: the method, the relative error of S, and maybe a precision."""

    method: str = "auto"
    tol: float = 1e-3
    dtype: str | None = None

    @classmethod
    def checked(cls, method: Any, tol: Any, dtype: Any) -> Approach:
        """From what a caller passed; ValueError or TypeError for what no method can do."""
        return cls(
            one_of(method, "method", METHODS),
            positive(tol, "tol"),
            None if dtype is None else working_dtype(dtype),
        )

    @property
    def rounding_tol(self) -> float | None:
        """What float32 may cost; None where method or dtype fix the precision."""
        return self.tol if self.method == "auto" and self.dtype is None else None

    @property
    def product_dtype(self) -> str:
        """Of the products of an estimate: float32 where that allows `tol`."""
        if self.dtype is not None:
            return self.dtype
        return "float32" if self.tol >= FLOOR["float32"] else "float64"

    def estimates(self, n: int, d: int, alpha: float) -> bool:
        """Whether the entropy of n rows is estimated."""
        return bool(self.estimated_groups([n], d, alpha)[0])

    def estimated_groups(self, sizes: Iterable[int], d: int, alpha: float) -> list[bool]:
        """Which of some groups of rows have their entropies estimated, as one computation."""
        orders = [int(n) for n in sizes]
        if self.method == "stochastic":
            return [supports(n) for n in orders]
        if self.method != "auto" or self.tol < FLOOR[self.product_dtype]:
            return [False for _ in orders]
        # Exactly, "auto" may also compute in float32; that is not known yet.
        dtype = self.dtype or "float32"
        soon = sum(exact_cost(n, d, dtype) for n in orders) <= SOON
        wanted = {
            n: supports(n)
            and (not self.fits_exactly(n) or (not soon and self._is_faster(n, d, alpha, dtype)))
            for n in set(orders)
        }
        return [wanted[n] for n in orders]

    def _is_faster(self, n: int, d: int, alpha: float, dtype: str) -> bool:
        estimate = estimate_cost(n, d, alpha, self.product_dtype, self.explicit(n))
        return exact_cost(n, d, dtype) > PREFERENCE * estimate

    def fits_exactly(self, n: int) -> bool:
        """Whether there is memory for all eigenvalues of n rows."""
        return fits(n, self.dtype or "float64")

    def explicit(self, n: int) -> bool:
        """Whether an estimate of n rows keeps the matrix, of which it takes one half."""
        return fits(n // 2**0.5, self.product_dtype)


def fits(n: float, dtype: str) -> bool:
    """Whether an n x n matrix leaves enough memory free."""
    size = 4.0 if dtype == "float32" else 8.0
    return size * n**2 <= MATRIX_SHARE * _memory.available()


def exact_cost(n: int, d: int, dtype: str) -> float:
    """Of all eigenvalues of n rows in d dimensions, from the rows on."""
    return _slowness(dtype) * (_kernel_cost(n, d) + EIGENVALUES * float(n) ** 3)


def estimate_cost(n: int, d: int, alpha: float, dtype: str, explicit: bool) -> float:
    """Of an estimate with one block of vectors, which most kernels need."""
    product = 2.0 * NARROW * float(n) ** 2 * (SKETCHED + PROBES)
    passes = 1 if explicit else STEPS + (1 if alpha == 0.0 else 2)
    return START + _slowness(dtype) * (passes * _kernel_cost(n, d) + STEPS * product)


def _kernel_cost(n: int, d: int) -> float:
    return float(n) ** 2 * (d + ENTRY)


def _slowness(dtype: str) -> float:
    return 1.0 if dtype == "float32" else 2.0
