"""Which method obtains a spectrum: all eigenvalues, an estimate, or a factor of low rank.

docs/how_to/many_rows.md states the rule of method="auto"; benchmarks/accuracy/approaches.py
compares the predictions of `_backends/costs.py` with measured times.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from eigentropy._backends.costs import CPU_COSTS, Costs
from eigentropy._backends.devices import HOST, Device
from eigentropy._spectra import half_precision
from eigentropy._spectra.enclosure import low_rank_gives
from eigentropy._spectra.functionals import Functional
from eigentropy._spectra.lanczos import Products, norm_bound
from eigentropy._spectra.stochastic import FLOOR, PROBES, SKETCHED, supports
from eigentropy._support.options import METHODS, one_of, positive, working_dtype

# The number of rows from which 16 bits are preferred. One triangle of the kernel then takes 0.8 GB
# in float32. benchmarks/compare/kept_kernel.py measures how much sooner an estimate with 16 bits
# ends, whose steps stop where `tol` is met. With fewer rows every estimate is short, and a narrower
# interval is worth its time.
HALF_FROM = 20_000

SIZES = {"float16": 2.0, "float32": 4.0, "float64": 8.0}


@dataclass(frozen=True)
class SpectrumPlan:
    """What the caller asks of a spectrum, and the method that follows from it.

    Attributes
    ----------
    method : {"auto", "exact", "stochastic", "lowrank"}
    tol : float
        Relative error of S that every method but "exact" may make.
    dtype : {"float64", "float32"} or None
        The precision, if the caller has chosen one.
    device : Device
        Where the spectrum is computed; the fastest method depends on the device.
    costs : Costs or None
        What "auto" decides by; by default the device's.
    """

    method: str = "auto"
    tol: float = 1e-3
    dtype: str | None = None
    device: Device = HOST
    costs: Costs | None = None

    @classmethod
    def checked(cls, method: Any, tol: Any, dtype: Any) -> SpectrumPlan:
        """From what a caller passed; ValueError or TypeError for what no method can do."""
        return cls(
            one_of(method, "method", METHODS),
            positive(tol, "tol"),
            None if dtype is None else working_dtype(dtype),
        )

    def on(self, device: Device) -> SpectrumPlan:
        """The same on this device; ValueError for a method that the device does not have."""
        if self.method in ("stochastic", "lowrank") and not device.has_estimates:
            raise ValueError(
                f"method={self.method!r}: with kernel={device.holds!r} all eigenvalues are "
                "computed: use method='exact' or 'auto'"
            )
        if self.method == "lowrank" and device.is_sparse:
            raise ValueError(
                "method='lowrank' is for smooth kernels, and kernel='knn' is none: use "
                "method='stochastic', 'exact' or 'auto'"
            )
        if self.method == "lowrank" and not device.has_low_rank:
            raise ValueError(
                f"method='lowrank' is not there on {device.name}: use method='stochastic', or "
                "device='cpu' with an array on the host"
            )
        return self if device is self.device else replace(self, device=device)

    def giving(self, wanted: Iterable[Functional]) -> SpectrumPlan:
        """The same in float64 where a power below 1 magnifies the rounding of small eigenvalues."""
        magnifies = any(one.exponent < 1.0 for one in wanted)
        return replace(self, dtype="float64") if magnifies and self.dtype is None else self

    def may_solve_in_single(self, wanted: Iterable[Functional]) -> bool:
        """Whether all eigenvalues may be found, and in float32, for these entropies."""
        plan = self.giving(wanted)
        chosen = plan.dtype == "float32" and plan.method in ("auto", "exact")
        return chosen or plan.rounding_tol is not None

    @property
    def known_costs(self) -> Costs:
        """The costs that "auto" decides by."""
        return self.device.costs if self.costs is None else self.costs

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

    def may_try_low_rank(self, wanted: Iterable[Functional], has_unit: bool) -> bool:
        """Whether "auto" may try a factor of low rank before an estimate of these entropies."""
        possible = all(low_rank_gives(one, has_unit) for one in wanted)
        return self.method == "auto" and self.device.has_low_rank and possible

    def is_smooth(self, A: Products, has_unit: bool) -> bool:
        """Whether so few eigenvalues count that a factor of low rank is worth trying."""
        return A.trace < self.known_costs.smooth_trace * norm_bound(A, has_unit)

    def most_rank(self, n: int) -> int:
        """The rank up to which a factor of n rows is quicker than an estimate."""
        return max(1, int(self.known_costs.low_rank * n))

    def estimates(self, n: int, d: int, alpha: float | None) -> bool:
        """Whether the spectrum of n rows is estimated."""
        return bool(self.estimated_groups([n], d, alpha)[0])

    def estimated_groups(self, sizes: Iterable[int], d: int, alpha: float | None) -> list[bool]:
        """Which of some groups of rows have their spectra estimated, as one computation."""
        orders = [int(n) for n in sizes]
        if self.method == "stochastic":
            return [supports(n) for n in orders]
        possible = self.device.has_estimates and self.tol >= FLOOR[self.product_dtype]
        if self.method != "auto" or not possible or not supports(max(orders, default=0)):
            return [False for _ in orders]
        # Exactly, "auto" may also compute in float32; that is not known yet.
        dtype, costs = self.dtype or "float32", self.known_costs
        counts = Counter(orders)
        whole = sum(count * exact_cost(n, d, dtype, costs) for n, count in counts.items())
        wanted = {
            n: supports(n)
            and (
                not self.fits_exactly(n)
                or (whole > costs.soon and self._is_faster(n, d, alpha, dtype))
            )
            for n in counts
        }
        return [wanted[n] for n in orders]

    def cost(self, sizes: Iterable[int], d: int, alpha: float | None) -> float:
        """What the spectra of these groups of rows are predicted to cost, in all."""
        orders, costs = [int(n) for n in sizes], self.known_costs
        estimated = dict(zip(orders, self.estimated_groups(orders, d, alpha), strict=True))
        return sum(
            count * estimate_cost(n, d, alpha, self.product_dtype, self.has_room(n), costs)
            if estimated[n]
            else count * exact_cost(n, d, self.dtype or "float32", costs)
            for n, count in Counter(orders).items()
        )

    def share_of_kernel(self, n: int, d: int, alpha: float | None) -> float:
        """How much of an estimate's cost is over when its kernel, or the degrees, are known."""
        dtype, costs, kept = self.product_dtype, self.known_costs, self.has_room(n)
        passes = 1 if kept or not alpha else 2
        kernels = passes * _slowness(dtype) * _kernel_cost(n, d, costs)
        return kernels / estimate_cost(n, d, alpha, dtype, kept, costs)

    def _is_faster(self, n: int, d: int, alpha: float | None, dtype: str) -> bool:
        costs = self.known_costs
        estimate = estimate_cost(n, d, alpha, self.product_dtype, self.has_room(n), costs)
        return exact_cost(n, d, dtype, costs) > costs.preference * estimate

    def may_replace_solver(self, n: int) -> bool:
        """Whether an estimate may stand in where the device cannot compute all eigenvalues."""
        return self.device.solver_may_refuse and self.method == "auto" and supports(n)

    def stands_alone(self, n: int) -> bool:
        """Whether an estimate of n rows that is not good enough is the result all the same."""
        return self.method != "auto" or not self.fits_exactly(n)

    def only_estimates(self) -> SpectrumPlan:
        """The same without all eigenvalues."""
        return replace(self, method="stochastic")

    def fits_exactly(self, n: int) -> bool:
        """Whether there is memory for all eigenvalues of n rows."""
        return self._fits(n, self.dtype or "float64")

    def has_room(self, n: int) -> bool:
        """Whether the matrix of n rows, or what an estimate takes of it, leaves enough memory."""
        share: float = self.known_costs.kept**0.5
        return self._fits(n // (1.0 / share), self.product_dtype)

    def explicit(self, n: int, keeps_rows: bool = True) -> bool:
        """Whether an estimate of n rows keeps the matrix in the precision of its products.

        From `HALF_FROM` on the host keeps 16 bits in its place, which takes rows in memory.
        """
        prefers_halves = self.device.halves_come_first and n >= HALF_FROM and keeps_rows
        return self.has_room(n) and not (prefers_halves and self._may_be_in_half())

    def in_half(self, n: int) -> bool:
        """Whether an estimate of n rows tries to keep the matrix in 16 bits.

        On a device that does so, where more precision is not kept, and where rounding can change S
        by far less than `tol`: half_precision.py has the rest of the rule.
        The host keeps as much as there is room for, a GPU all or nothing.
        """
        return (
            self._may_be_in_half()
            and not self.explicit(n)
            and (self.device.halves_come_first or self._fits(n, "float16"))
        )

    def _may_be_in_half(self) -> bool:
        return (
            self.device.keeps_half_precision
            and self.product_dtype == "float32"
            and self.tol >= half_precision.SMALLEST_TOL
        )

    def limit_of_16_bits(self, n: int) -> float:
        """Bytes that 16 bits may take where they come with the first pass over the kernel."""
        if not (self.device.halves_come_first and self.in_half(n)):
            return 0.0
        return self.known_costs.memory * self.device.available()

    def _fits(self, n: float, dtype: str) -> bool:
        """Whether an n x n matrix leaves enough memory free."""
        return SIZES[dtype] * n**2 <= self.known_costs.memory * self.device.available()


def exact_cost(n: int, d: int, dtype: str, costs: Costs = CPU_COSTS) -> float:
    """Of all eigenvalues of n rows in d dimensions, from the rows on."""
    return _slowness(dtype) * (_kernel_cost(n, d, costs) + costs.eigenvalues * float(n) ** 3)


def estimate_cost(
    n: int, d: int, alpha: float | None, dtype: str, explicit: bool, costs: Costs = CPU_COSTS
) -> float:
    """Of an estimate with one block of vectors, which most kernels need."""
    product = 2.0 * costs.narrow * float(n) ** 2 * (SKETCHED + PROBES)
    passes = 1 if explicit else costs.steps + (2 if alpha else 1)
    work = passes * _kernel_cost(n, d, costs) + costs.steps * product
    return costs.start + _slowness(dtype) * work


def _kernel_cost(n: int, d: int, costs: Costs) -> float:
    return float(n) ** 2 * (d + costs.entry)


def _slowness(dtype: str) -> float:
    return 1.0 if dtype == "float32" else 2.0
