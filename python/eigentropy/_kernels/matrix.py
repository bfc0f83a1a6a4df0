"""What every matrix of a kernel has: its rows, its eigenvalues, its products with vectors."""

from __future__ import annotations

import copy
import math
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from eigentropy._backends.devices import HOST, Device
from eigentropy._backends.rows import Rows
from eigentropy._kernels.bandwidth import resolve_sigma
from eigentropy._kernels.given import samples_of
from eigentropy._support import memory
from eigentropy._support.options import random_seed, working_dtype
from eigentropy._support.progress import Callback, reporter

# Where products compute the kernel anew each time, rows that would take more of the free memory are
# read again whenever they are used.
ROWS_SHARE = 0.25


@dataclass(frozen=True)
class Eigenvalues:
    r"""All eigenvalues of a matrix, and what its solver says beside them.

    Attributes
    ----------
    values : array of shape (n,)
        Descending, clipped to where the exact ones lie, on the host, read-only.
    trace, frobenius2 : float
        tr A and \|A\|_F^2.
    kernel_sum : float
        Sum of all entries of G.
    outside : float
        How far the computed eigenvalues were outside of [0, 1], where the exact ones lie.
    reach : float
        Largest distance of a row from the centre, in units of sigma.
    """

    values: npt.NDArray[Any]
    trace: float
    frobenius2: float
    kernel_sum: float
    outside: float
    reach: float


class KernelMatrix:
    r"""A symmetric positive semidefinite matrix that the Gaussian kernel G of the rows of Z makes.

    Its eigenvalues are in [0, 1]. Which matrix it is, a subclass says.

    Attributes
    ----------
    samples : Rows
    n : int
    sigma : float
    rule : str or None
        What chose sigma; None where the caller has, or where there is none.
    alpha : float or None
        Exponent of the density normalisation; None for a matrix that has no normalisation.
    dtype : str
    seed : int
    progress : bool or callable
    """

    # Whether 1 is an eigenvalue, with the square roots of the degrees as its eigenvector.
    has_unit_eigenvalue: ClassVar[bool]
    # What the caller calls the rows, and their sigma; None: no sigma is the caller's.
    rows_name: ClassVar[str] = "Z"
    sigma_name: ClassVar[str | None] = "sigma"
    # What the progress of its eigenvalues is called.
    spectrum_name: ClassVar[str]
    alpha: float | None

    def __init__(
        self,
        Z: Any,
        *,
        sigma: float | str = "auto",
        dtype: Any = None,
        device: Any = None,
        seed: int = 0,
        progress: bool | Callback = False,
        kernel: str = "gaussian",
    ) -> None:
        self.dtype = working_dtype(dtype)
        self.seed = random_seed(seed)
        self.samples = samples_of(Z, kernel, device, progress)
        self.n = self.samples.n
        self.sigma = resolve_sigma(sigma, self.samples, self.seed)
        self.rule = sigma if isinstance(sigma, str) and not math.isnan(self.sigma) else None
        self.progress = progress
        self._reach: float | None = None
        self._single: Any = None
        self.forget()

    def forget(self) -> None:
        """Forget what was computed, to free its memory."""
        self._solution: Eigenvalues | None = None
        # What was made of the eigenvalues, by the tolerance that they were chosen for.
        self.spectra: dict[float | None, Any] = {}

    @property
    def rows(self) -> Any:
        """Z as it is read, shape (n, d)."""
        return self.samples.array

    @property
    def device(self) -> str:
        """Where it is computed: "cpu", "cuda:0"."""
        return self.samples.device.name

    @property
    def is_solved(self) -> bool:
        """Whether all eigenvalues are known."""
        return self._solution is not None

    @property
    def is_solved_in_single(self) -> bool:
        """Whether all eigenvalues are known in float32, beside those in its own precision."""
        return self._single is not None and self._single.is_solved

    def solved(self) -> Eigenvalues:
        """All eigenvalues on the host; computed once."""
        if self._solution is None:
            self._require_memory()
            with reporter(self.progress, self.spectrum_name) as report:
                values, trace, frobenius2, kernel_sum, reach = self._computed_spectrum(report)
            outside = outside_of_range(values)
            if outside > 0.0:
                values.clip(0.0, 1.0, out=values)
            values.flags.writeable = False
            self._solution = Eigenvalues(values, trace, frobenius2, kernel_sum, outside, reach)
        return self._solution

    def subset_spectra(
        self,
        offsets: npt.NDArray[np.int64],
        indices: npt.NDArray[np.int64],
        dtype: str,
        memory_limit: float,
        progress: Callback | None,
    ) -> tuple[npt.NDArray[Any], npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        """The eigenvalues, sums of the kernel and traces of the matrices of subsets of the rows.

        Each subset, indices[offsets[s]:offsets[s + 1]], is taken by itself.
        """
        return self.samples.device.subset_spectra(
            self.rows, offsets, indices, self.sigma, self.alpha, dtype, memory_limit, progress
        )

    def auto_sigma(self) -> float:
        """The sigma that the rule "auto" takes for these rows."""
        return resolve_sigma("auto", self.samples, self.seed)

    def reach(self) -> float:
        """Largest distance of a row from the centre, in units of sigma; computed once."""
        if self._reach is None:
            self._reach = self.samples.reach(self.sigma)
        return self._reach

    def of_rows(self, numbers: npt.NDArray[np.int64]) -> Any:
        """The matrix of some rows by themselves, with their own sigma where a rule chose it."""
        own = copy.copy(self)
        own.take(self.samples.chosen(numbers))
        if self.rule is not None:
            own.sigma = resolve_sigma(self.rule, own.samples, self.seed)
        return own

    def __copy__(self) -> Any:
        """The same matrix, with the same results; `copy.copy` itself looks for more in it."""
        own = object.__new__(type(self))
        own.__dict__.update(self.__dict__)
        return own

    def without_results(self) -> Any:
        """The matrix of the same rows, of which nothing is known yet."""
        own = copy.copy(self)
        own.take(self.samples)
        return own

    def at_width(self, sigma: float) -> Any:
        """The matrix of the same rows with another sigma."""
        other = self.without_results()
        other.sigma, other.rule = sigma, None
        return other

    def take(self, samples: Rows) -> None:
        """Become the matrix of these rows, of which nothing is known yet."""
        self.samples, self.n = samples, samples.n
        self.progress, self._reach, self._single = False, None, None
        self.forget()

    def in_single(self) -> Any:
        """The same matrix in float32; it is made once."""
        if self._single is None:
            self._single = copy.copy(self)
            self._single.dtype = "float32"
            self._single.forget()
        return self._single

    def keeps_rows(self, n: int, dtype: str) -> bool:
        """Whether `products` of n rows has them in memory; otherwise each product reads them."""
        size = float(n) * self.samples.d * np.dtype(dtype).itemsize
        return size <= ROWS_SHARE * self.samples.device.available()

    def products(
        self,
        dtype: str,
        explicit: bool,
        progress: Callback | None,
        chosen: Any = None,
        **beside: Any,
    ) -> Any:
        """The matrix for products with blocks of vectors, as the core of the device makes it.

        Parameters
        ----------
        dtype : {"float32", "float64"}
            Of the vectors.
        explicit : bool
            Keep the matrix; otherwise each product computes the kernel anew.
        progress : callable or None
        chosen : array of int, optional
            The matrix of these rows by themselves.
        **beside
            What the operator has besides, on the host: `Cpu.kernel_operator_with` says it.
        """
        device = self.samples.device
        limit = ROWS_SHARE * device.available()
        make: Any = device.kernel_operator
        if beside:
            make = partial(device.kernel_operator_with, **beside)  # type: ignore[union-attr]
        return make(self.rows, chosen, self.sigma, self.alpha, dtype, explicit, limit, progress)

    def _computed_spectrum(
        self, progress: Callback | None
    ) -> tuple[npt.NDArray[Any], float, float, float, float]:
        """All eigenvalues, descending; the trace, |.|_F^2, the sum of the kernel, `reach`."""
        return self.samples.spectrum(self.sigma, self.alpha, self.dtype, progress)

    def _require_memory(self) -> None:
        require_matrix_memory(self.n, self.samples.d, self.dtype, device=self.samples.device)


def require_matrix_memory(
    n: int,
    d: int,
    dtype: str,
    rows: int = 0,
    device: Device = HOST,
    free: float | None = None,
) -> None:
    """Refuse a matrix of n x n, with what is needed beside it, that does not fit.

    `rows` rows of d columns are copied besides, unless they are too long for that. `free` bytes
    are there, if that is known.
    """
    needed = device.matrix_bytes(n, d, dtype, rows)
    free = device.available() if free is None else free
    if needed <= free:
        return
    half = ", or dtype='float32' for half of it" if dtype == "float64" else ""
    where = "" if device.name == HOST.name else f" on {device.name}"
    remedy = "method='stochastic' or 'auto', which need no matrix"
    memory.require(
        needed,
        f"the {n} x {n} matrix in {dtype}{where}",
        f"use {remedy if device.has_estimates else 'max_points'}{half}",
        free=free,
    )


def outside_of_range(eigenvalues: npt.NDArray[Any]) -> float:
    """How far computed eigenvalues, descending, leave [0, 1], where the exact ones lie."""
    return max(0.0, -float(eigenvalues[-1]), float(eigenvalues[0]) - 1.0)
