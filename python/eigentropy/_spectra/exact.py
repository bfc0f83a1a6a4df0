"""All eigenvalues, in float64 or, where a bound of the rounding allows it, in float32."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from eigentropy import _core
from eigentropy._backends.devices import HOST
from eigentropy._kernels.matrix import KernelMatrix
from eigentropy._spectra.functionals import Functional, functional
from eigentropy._spectra.rounding import (
    Rounding,
    eigenvalue_error,
    eigenvalue_error_in_double,
    may_use_single,
    within,
)
from eigentropy._spectra.spectrum import Spectrum, Which, smoothed_density
from eigentropy._support.units import unit
from eigentropy._support.warnings import PrecisionWarning, warn


@dataclass(frozen=True, eq=False)
class ExactSpectrum(Spectrum):
    """All eigenvalues.

    Attributes
    ----------
    values : array of shape (n,)
        Descending, on the host, read-only.
    returned : callable
        From an array on the host to one of the caller's library.
    rounding : Rounding or None
        What is known of the error of float32; None in float64, where the error is some 1e-13 for
        t >= 1 and `bound` is 0.
    double : callable or None
        Finds the same in float64, for `interval`, which few spectra are asked for.
    tol : float or None
        The relative error of S that float32 was chosen for; None where the caller chose the dtype.
    kernel_sum : float
        Sum of all entries of G.
    n : int
    dtype : str
    """

    values: npt.NDArray[Any]
    returned: Callable[[npt.NDArray[Any]], Any] = field(default=HOST.returned, repr=False)
    rounding: Rounding | None = None
    double: Callable[[], Rounding] | None = field(default=None, repr=False)
    tol: float | None = None
    kernel_sum: float = math.nan
    _nats: dict[Functional, tuple[float, float]] = field(default_factory=dict, repr=False)

    method: ClassVar[str] = "exact"

    @property
    def eigenvalues(self) -> Any:
        """All eigenvalues, descending, as the caller's library has arrays."""
        return self.returned(self.values)

    @property
    def n(self) -> int:  # type: ignore[override]
        """Number of eigenvalues."""
        return len(self.values)

    @property
    def dtype(self) -> str:  # type: ignore[override]
        """Precision of the computation."""
        return "float64" if self.rounding is None else "float32"

    def entropy(self, t: Which = 1.0, base: float = 2.0) -> float:
        """S(t) in the unit of `base`."""
        return self._known(t)[0] / math.log(base)

    def bound(self, t: Which = 1.0, base: float = 2.0) -> float:
        """Bound of the rounding error of S(t); 0 in float64."""
        return self._known(t)[1] / math.log(base)

    def nats(self, which: Functional) -> tuple[float, float, float]:
        """An entropy in nats, its standard error, which is 0, and its bound."""
        value, bound = self._known(which)
        return value, 0.0, bound

    def uncertainty(self, t: Which = 1.0, base: float = 2.0) -> float:
        """Bound of the rounding error of S(t), in float64, too."""
        known = self.double() if self.double is not None else self.rounding
        return known.entropy_error(self.values, functional(t), base) if known else 0.0

    def count(self, level: float) -> int:
        """How many eigenvalues are above this level."""
        return int(np.count_nonzero(self.values > level))

    def density(self, x: Any, width: float = 0.02) -> npt.NDArray[np.float64]:
        """Eigenvalues a unit of length at x, over n."""
        return smoothed_density(self.values, np.ones(self.n), x, width)

    def is_within(self, tol: float, t: Which) -> bool:
        """Whether rounding leaves S(t) within the relative error tol."""
        value, error = self._known(t)
        return within(error, value, tol)

    def warn_if_imprecise(self, t: Which, base: float) -> None:
        """A `PrecisionWarning` where float32 may cost more of S(t) than `tol`."""
        warn_if_rounded(self.bound(t, base), self.entropy(t, base), self.tol, base, functional(t))

    def _known(self, t: Which) -> tuple[float, float]:
        """S(t) and the bound of its rounding error in nats; the bound takes the longer of both."""
        which = functional(t)
        known = self._nats.get(which)
        if known is None:
            if self.rounding is None:
                known = which.of_eigenvalues(self.values), 0.0
            else:
                known = self.rounding.nats(self.values, which)
            self._nats[which] = known
        return known


@dataclass(frozen=True, eq=False)
class ExactSpectra:
    """The spectra of groups of rows that were solved as one batch.

    Most measurements ask for no more than the entropies, of all groups at once. So the spectra
    themselves are made where the first one is asked for.

    Attributes
    ----------
    matrix : KernelMatrix
        Of all rows.
    eigenvalues : array of shape (rows of all groups,)
        Of one group after the other, each descending.
    offsets : sequence of int
        Where the eigenvalues of each group begin, and where the last ones end.
    reach : float
    outside, traces, kernel_sums : lists of float
        Of each group, as in `spectrum_of`.
    dtype : str
    entropies : mapping of Functional to array of shape (groups,)
        Those that are known, in nats, and have no error.
    """

    matrix: KernelMatrix
    eigenvalues: npt.NDArray[Any]
    offsets: Sequence[int]
    reach: float
    outside: list[float]
    traces: list[float]
    kernel_sums: list[float]
    dtype: str
    entropies: Mapping[Functional, npt.NDArray[np.float64]]

    method: ClassVar[str] = "exact"

    def __len__(self) -> int:
        return len(self.outside)

    def __iter__(self) -> Iterator[ExactSpectrum]:
        return iter(self._made)

    def nats(self, which: Functional) -> npt.NDArray[np.float64]:
        """An entropy of each group in nats, its standard error and its bound, shape (groups, 3)."""
        found = np.zeros((len(self), 3))
        if which in self.entropies:
            found[:, 0] = self.entropies[which]
        else:
            found[:] = [spectrum.nats(which) for spectrum in self._made]
        return found

    @cached_property
    def _made(self) -> list[ExactSpectrum]:
        starts, ends = self.offsets[:-1], self.offsets[1:]
        parts = zip(starts, ends, self.outside, self.traces, self.kernel_sums, strict=True)
        entropies = {which: nats.tolist() for which, nats in self.entropies.items()}
        return [
            spectrum_of(
                self.matrix, self.eigenvalues[start:end], self.reach, outside, trace, total,
                self.dtype, {which: (nats[number], 0.0) for which, nats in entropies.items()},
            )
            for number, (start, end, outside, trace, total) in enumerate(parts)
        ]  # fmt: skip


def exact_spectrum(
    matrix: KernelMatrix, wanted: Sequence[Functional] = (), tol: float | None = None
) -> ExactSpectrum:
    """All eigenvalues of the matrix, in float32 where each of the entropies is then within tol.

    With tol = None, or where the eigenvalues are known already, in the precision of the matrix.
    docs/explanations/mathematics.md has the rule.
    """
    if tol is None or matrix.is_solved:
        return _solved(matrix, tol)
    worth_trying = may_use_single(
        [matrix.n], matrix.samples.d, matrix.reach, wanted, tol, matrix.samples.device
    )
    if worth_trying:
        try:
            single = _solved(matrix.in_single(), tol)
        except _core.SolverError:
            return _solved(matrix, tol)
        if all(single.is_within(tol, which) for which in wanted):
            return single
    return _solved(matrix, tol)


def _solved(matrix: KernelMatrix, tol: float | None) -> ExactSpectrum:
    """The spectrum in the precision of the matrix, which keeps it: entropies are found once."""
    solution = matrix.solved()
    if tol not in matrix.spectra:
        known = solution.reach, solution.outside, solution.trace, solution.kernel_sum
        returned = matrix.samples.device.without_source().returned  # a result does not keep Z
        beside: dict[str, Any] = {"returned": returned, "tol": tol}
        matrix.spectra[tol] = spectrum_of(matrix, solution.values, *known, matrix.dtype, **beside)
    spectrum: ExactSpectrum = matrix.spectra[tol]
    return spectrum


def spectrum_of(
    matrix: KernelMatrix,
    values: npt.NDArray[Any],
    reach: float,
    outside: float,
    trace: float,
    kernel_sum: float,
    dtype: str,
    nats: dict[Functional, tuple[float, float]] | None = None,
    **beside: Any,
) -> ExactSpectrum:
    """The spectrum of the matrix or of some of its rows, with what is known of its rounding.

    `reach` is the largest distance of a row from the centre, in units of sigma. The solver's
    eigenvalues were outside of [0, 1] by up to `outside`. `nats` has entropies that are known, with
    the bounds of their errors; `beside` other attributes of the spectrum.
    """
    n, unit = len(values), matrix.has_unit_eigenvalue
    norm = 1.0 if unit else float(values[0])
    rounding = double = None
    if dtype == "float32":
        rounding = Rounding(eigenvalue_error(n, reach, outside, norm=norm), trace, unit)
    else:
        double = partial(_in_double, n, matrix.samples.d, reach, outside, norm, trace, unit)
    return ExactSpectrum(
        values, rounding=rounding, double=double, kernel_sum=kernel_sum, _nats=nats or {}, **beside
    )


def _in_double(
    n: int, d: int, reach: float, outside: float, norm: float, trace: float, has_unit: bool
) -> Rounding:
    error = eigenvalue_error_in_double(n, d, reach, outside, norm)
    return Rounding(error, trace, has_unit)


def warn_if_rounded(
    error: float, entropy: float, tol: float | None, base: float, which: Functional
) -> None:
    """Warn where the rounding error of something may be more than tol of an entropy."""
    if tol is not None and not within(error, entropy, tol, base):
        warn(
            f"{which.label} needs more than the float32 that 'auto' has chosen for another: the "
            f"error may be {error:.2g} {unit(base)}, more than tol={tol:g} of the entropy; pass "
            f"dtype='float64', or {which.label} to the function itself",
            PrecisionWarning,
        )
