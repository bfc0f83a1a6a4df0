"""How the spectrum is obtained: all eigenvalues, an estimate, or a factor of low rank.

docs/choosing.md states the rule of method="auto"; benchmarks/accuracy/approaches.py compares its
predictions with measured times.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from eigentropy import half
from eigentropy._devices import HOST, Device
from eigentropy._options import METHODS, one_of, positive, working_dtype
from eigentropy.stochastic import FLOOR, PROBES, SKETCHED, supports

# Costs are counted in multiplications and additions of float32 products; float64 takes two each.
# The following are of the CPU; those of a GPU are at the end of this block.
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


@dataclass(frozen=True)
class Costs:
    """What the costs of a kind of device are made of; the names are those of the constants."""

    entry: float
    eigenvalues: float
    start: float
    soon: float
    kept: float  # of a matrix that an estimate keeps, the share that it takes

    @staticmethod
    def of(device: Device) -> Costs:
        """Of the host, or of a GPU."""
        return GPU if device.on_gpu else Costs(ENTRY, EIGENVALUES, START, SOON, kept=0.5)


# GUESSES until a GPU has been measured, made from what a data centre's GPU has: products at some
# 2e13 of the unit a second; a tridiagonal reduction at the speed of its memory, which is a tenth
# of that; half a second for what an estimate does on the host; and two seconds are soon. All
# eigenvalues are then computed up to some 15 000 rows.
GPU = Costs(entry=60.0, eigenvalues=12.0, start=1e13, soon=4e13, kept=1.0)

# The matrix may take this share of the free memory.
MATRIX_SHARE = 0.5

# A factor of low rank is tried where tr A is below: the eigenvalues add up to it, and the largest
# is 1. Its rank must stay below this share of n.
SMOOTH_TRACE = 50.0
LOW_RANK_SHARE = 0.1


@dataclass(frozen=True)
class Approach:
    """What the caller asks for: the method, the relative error of S, and maybe a precision.

    `device` is where that is computed, on which the cheapest way depends.
    """

    method: str = "auto"
    tol: float = 1e-3
    dtype: str | None = None
    device: Device = HOST

    @classmethod
    def checked(cls, method: Any, tol: Any, dtype: Any) -> Approach:
        """From what a caller passed; ValueError or TypeError for what no method can do."""
        return cls(
            one_of(method, "method", METHODS),
            positive(tol, "tol"),
            None if dtype is None else working_dtype(dtype),
        )

    def on(self, device: Device) -> Approach:
        """The same on this device; ValueError for a method that it does not have."""
        if device.on_gpu and self.method == "lowrank":
            raise ValueError(
                f"method='lowrank' is not there on {device.name}: use method='stochastic', or "
                "device='cpu' with an array on the host"
            )
        return replace(self, device=device)

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
        costs = Costs.of(self.device)
        soon = sum(exact_cost(n, d, dtype, costs) for n in orders) <= costs.soon
        wanted = {
            n: supports(n)
            and (not self.fits_exactly(n) or (not soon and self._is_faster(n, d, alpha, dtype)))
            for n in set(orders)
        }
        return [wanted[n] for n in orders]

    def _is_faster(self, n: int, d: int, alpha: float, dtype: str) -> bool:
        costs, explicit = Costs.of(self.device), self.explicit(n)
        estimate = estimate_cost(n, d, alpha, self.product_dtype, explicit, costs)
        return exact_cost(n, d, dtype, costs) > PREFERENCE * estimate

    def may_replace_solver(self, n: int) -> bool:
        """Whether an estimate may stand in where all eigenvalues cannot be computed on a GPU.

        What cuSOLVER takes, and up to which size, is known only once it is asked.
        """
        return self.device.on_gpu and self.method == "auto" and supports(n)

    def only_estimates(self) -> Approach:
        """The same without all eigenvalues."""
        return replace(self, method="stochastic")

    def fits_exactly(self, n: int) -> bool:
        """Whether there is memory for all eigenvalues of n rows."""
        return fits(n, self.dtype or "float64", self.device)

    def explicit(self, n: int) -> bool:
        """Whether an estimate of n rows keeps the matrix, or what it takes of it."""
        share: float = Costs.of(self.device).kept ** 0.5
        return fits(n // (1.0 / share), self.product_dtype, self.device)

    def in_half(self, n: int) -> bool:
        """Whether an estimate of n rows tries to keep the matrix in half precision.

        On a GPU, where there is room for that and not for more, and what rounding does to S can be
        far below `tol`: eigentropy.half has the rest of the rule.
        """
        return (
            self.device.on_gpu
            and self.product_dtype == "float32"
            and self.tol >= half.SMALLEST_TOL
            and not self.explicit(n)
            and fits(n, "float16", self.device)
        )


SIZES = {"float16": 2.0, "float32": 4.0, "float64": 8.0}


def fits(n: float, dtype: str, device: Device = HOST) -> bool:
    """Whether an n x n matrix leaves enough memory free."""
    size = SIZES[dtype]
    return size * n**2 <= MATRIX_SHARE * device.available()


def exact_cost(n: int, d: int, dtype: str, costs: Costs | None = None) -> float:
    """Of all eigenvalues of n rows in d dimensions, from the rows on."""
    costs = costs or Costs.of(HOST)
    return _slowness(dtype) * (_kernel_cost(n, d, costs) + costs.eigenvalues * float(n) ** 3)


def estimate_cost(
    n: int, d: int, alpha: float, dtype: str, explicit: bool, costs: Costs | None = None
) -> float:
    """Of an estimate with one block of vectors, which most kernels need."""
    costs = costs or Costs.of(HOST)
    product = 2.0 * NARROW * float(n) ** 2 * (SKETCHED + PROBES)
    passes = 1 if explicit else STEPS + (1 if alpha == 0.0 else 2)
    return costs.start + _slowness(dtype) * (passes * _kernel_cost(n, d, costs) + STEPS * product)


def _kernel_cost(n: int, d: int, costs: Costs) -> float:
    return float(n) ** 2 * (d + costs.entry)


def _slowness(dtype: str) -> float:
    return 1.0 if dtype == "float32" else 2.0
