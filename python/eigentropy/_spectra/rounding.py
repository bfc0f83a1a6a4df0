"""How far an entropy from float32 eigenvalues may be from the exact one.

docs/explanations/mathematics.md derives the bound; benchmarks/accuracy/float32_accuracy.py measures
how well it holds.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from eigentropy import _core
from eigentropy._backends.costs import SINGLE_FROM
from eigentropy._backends.devices import HOST, Device
from eigentropy._backends.host_arrays import as_numpy
from eigentropy._spectra.functionals import Functional, MinEntropy, Renyi, Shannon, functional

EPS = float(np.finfo(np.float32).eps)
DOUBLE_EPS = float(np.finfo(np.float64).eps)

# Where rounding could change the exponent of the kernel by more than REFINED_ABOVE, the core
# computes distances again: by products in float64 on the CPU, if the rows fit a block of columns,
# otherwise by differences (csrc/cpu/rows/distances.cpp). That takes longer than float32 saves if
# there are more columns than this share of the rows: WIDENED_COLUMNS for products, REFINED_COLUMNS
# for differences.
REFINED_ABOVE = 1e-5
WIDENED_COLUMNS = 1.0
REFINED_COLUMNS = 0.25

Doubles = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Rounding:
    """What is known of the rounding in a spectrum: see `entropy_range`.

    Attributes
    ----------
    delta : float
        No eigenvalue is further than this from the exact one.
    trace : float
        The sum of the exact eigenvalues, to a relative error of 2 `delta`.
    has_unit : bool
        Whether the largest eigenvalue is 1.
    """

    delta: float
    trace: float
    has_unit: bool = True

    def entropy_error(self, eigenvalues: Any, which: Functional, base: float) -> float:
        """Bound of the error of an entropy, in the unit of `base`."""
        return self.nats(eigenvalues, which)[1] / math.log(base)

    def nats(self, eigenvalues: Any, which: Functional) -> tuple[float, float]:
        """An entropy of the computed eigenvalues and the bound of its error."""
        if isinstance(which, Shannon):
            return entropy_with_error(eigenvalues, which.t, self.delta, self.trace, self.has_unit)
        return which.of_eigenvalues(eigenvalues), renyi_error(eigenvalues, which, self.delta)


def eigenvalue_error(
    n: int, reach: float, outside: float = 0.0, eps: float = EPS, norm: float = 1.0
) -> float:
    """Bound of the error of each of n eigenvalues in float32, or with another eps.

    eps (10 + sqrt(n)/5) is above the measured errors of kernel and solver for n rows
    (benchmarks/accuracy/float32_accuracy.py: they are at most 0.69 of the whole bound). Rounding
    the coordinates changes the kernel by up to eps * reach. Both are relative to the norm of the
    matrix: entries of the kernel are positive. `outside` is how far computed
    eigenvalues lie outside of [0, 1], which is an error that is seen; it is larger where many rows
    coincide.
    """
    return _core.eigenvalue_error(n, reach, outside, eps, norm)


def eigenvalue_error_in_double(
    n: int, d: int, reach: float, outside: float = 0.0, norm: float = 1.0
) -> float:
    """The same in float64, for rows of d columns.

    Beside eps of float64 in place of float32's, there are the distances: where float32 computes
    them again in float64, float64 has nothing better, but for differences from `REFINED_ABOVE` on.
    """
    of_distances = min(REFINED_ABOVE, distance_error(d) * DOUBLE_EPS * 0.5 * reach**2)
    return min(1.0, eigenvalue_error(n, reach, outside, DOUBLE_EPS, norm) + norm * of_distances)


def may_use_single(
    sizes: Sequence[int],
    d: int,
    reach: Callable[[], float],
    wanted: Sequence[float | Functional],
    tol: float,
    device: Device = HOST,
) -> bool:
    """Whether float32 is worth trying, as far as can be told before solving.

    `reach` is called only where it decides: see `reach_for_single`.
    """
    limit = reach_for_single(sizes, d, wanted, tol, device)
    return limit > 0.0 and reach() < limit


def reach_for_single(
    sizes: Sequence[int],
    d: int,
    wanted: Sequence[float | Functional],
    tol: float,
    device: Device = HOST,
) -> float:
    """Float32 is worth trying where all rows are nearer to the centre than this, in units of sigma.

    `sizes` are the numbers of rows of all matrices, d that of columns. Powers below 1 magnify the
    smallest eigenvalues, which float32 does not resolve: the limit is 0 then. It is 0 for few rows,
    too, and where eigenvalues are wrong by `tol` wherever the rows are.
    """
    largest, work = max(sizes), sum([n**3 for n in sizes])
    if work < SINGLE_FROM**3 or any(functional(one).exponent < 1.0 for one in wanted):
        return 0.0
    # Eigenvalues are wrong by tol at the first reach. Distances are refined from the second one on.
    of_eigenvalues = max(0.0, (tol - eigenvalue_error(largest, 0.0)) / EPS)
    of_distances = math.sqrt(2.0 * REFINED_ABOVE / (distance_error(d) * EPS))
    widened = device.widens_distances and d <= _core.widest_block
    may_be_refined = d <= (WIDENED_COLUMNS if widened else REFINED_COLUMNS) * largest
    return of_eigenvalues if may_be_refined else min(of_eigenvalues, of_distances)


def distance_error(d: int) -> float:
    """Error of a squared distance in eps times the largest squared norm, as the core expects it."""
    if d <= _core.widest_block:
        return 4.0 + math.sqrt(d)
    return 16.0 + math.sqrt(math.ceil(d / _core.widest_block))


def within(error: float, entropy: float, tol: float, base: float = math.e) -> bool:
    """Whether an entropy meets the relative tolerance; one below `tol` nats counts as `tol`."""
    return error <= tol * max(entropy - error, tol / math.log(base))


def entropy_error(
    eigenvalues: Any, t: float, delta: float, trace: float, has_unit: bool = True
) -> float:
    r"""Bound of \|S(t) - exact S(t)\| in nats; see `entropy_range`."""
    return entropy_with_error(eigenvalues, t, delta, trace, has_unit)[1]


def entropy_with_error(
    eigenvalues: Any, t: float, delta: float, trace: float, has_unit: bool = True
) -> tuple[float, float]:
    """S(t) in nats, with the same bound."""
    values = as_numpy(eigenvalues, "eigenvalues")
    return _core.entropy_with_error(values, t, delta, trace, has_unit)


def renyi_error(eigenvalues: Any, which: Renyi | MinEntropy, delta: float) -> float:
    r"""Bound of \|S - exact S\| in nats for a spectrum within delta of these, whose sum is 1.

    Every Renyi entropy shrinks where one spectrum majorises another. Of all spectra with this sum
    within these intervals, one majorises all others, and one is majorised by all others.
    """
    values = as_numpy(eigenvalues, "eigenvalues")
    computed = which.of_eigenvalues(values)
    ordered = np.sort(values.astype(np.float64))[::-1]
    low, high = np.clip(ordered - delta, 0.0, 1.0), np.clip(ordered + delta, 0.0, 1.0)
    ends = [_farthest_apart(low, high, 1.0), np.clip(_level(low, high, 1.0), low, high)]
    own_rounding = len(values) * DOUBLE_EPS * (1.0 + math.log(len(values)))
    return max(abs(which.of_all(end) - computed) for end in ends) + own_rounding


def entropy_range(
    eigenvalues: Any, t: float, delta: float, trace: float, has_unit: bool = True
) -> tuple[float, float]:
    r"""Smallest and largest S(t) in nats of spectra within delta of these eigenvalues.

    The largest eigenvalue is 1 where `has_unit`. S grows with :math:`x_i = \lambda_i^t` while it is
    below the level :math:`X e^{-S}`, :math:`X = \sum x_i`, and falls above it. So it is largest
    where every x_i goes as far towards the level as its interval allows, and smallest where every
    x_i goes away from it.

    Eigenvalues below 2 delta cannot be told from 0 one by one. Together they are what the trace
    leaves beside the others; S is largest where they share it equally, and smallest without them.
    At t = 1 the trace narrows the range further (csrc/cpu/entropy/entropy_range.cpp).
    """
    return _core.entropy_range(np.asarray(eigenvalues), t, delta, trace, has_unit)


def _level(low: Doubles, high: Doubles, total: float) -> float:
    """The level at which numbers in descending intervals, as near to it as can be, have a sum."""
    low, high = low[::-1], high[::-1]
    levels = np.sort(np.concatenate([low, high]))
    below, above = np.searchsorted(high, levels), np.searchsorted(low, levels, side="right")
    sums_high = np.append(0.0, np.cumsum(high))
    sums_low = np.append(0.0, np.cumsum(low))
    sums = sums_high[below] + (sums_low[-1] - sums_low[above]) + levels * (above - below)
    return float(np.interp(total, sums, levels))


def _farthest_apart(low: Doubles, high: Doubles, total: float) -> Doubles:
    """Numbers in descending intervals with this sum, of which the first are at their upper ends."""
    missing = max(0.0, total - float(low.sum()))
    filled = np.minimum(np.cumsum(high - low), missing)
    apart: Doubles = low + np.diff(filled, prepend=0.0)
    return apart
