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
from eigentropy._backends.devices import HOST, Device
from eigentropy._backends.host_arrays import as_numpy
from eigentropy._spectra.eigenvalues import NOISE_FLOOR_EPS, shannon_nats
from eigentropy._spectra.functionals import Functional, MinEntropy, Renyi, Shannon, functional

EPS = float(np.finfo(np.float32).eps)
DOUBLE_EPS = float(np.finfo(np.float64).eps)

# Smaller matrices take some milliseconds in either precision. Several that take as long together
# count as one of this order.
SINGLE_FROM = 1000

# Where rounding could change the exponent of the kernel by more than REFINED_ABOVE, the core
# computes distances again: by products in float64 on the CPU, if the rows fit a block of columns,
# otherwise by differences (csrc/cpu/rows/distances.cpp). That takes longer than float32 saves if
# there are more columns than this share of the rows: WIDENED_COLUMNS for products, REFINED_COLUMNS
# for differences.
REFINED_ABOVE = 1e-5
WIDENED_COLUMNS = 1.0
REFINED_COLUMNS = 0.25

# The level of the largest entropy is sought until a step gains less than this share.
LEVEL_TOLERANCE = 1e-14
LEVEL_STEPS = 50

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
        known = self.delta, self.trace
        if isinstance(which, Shannon):
            nats = entropy_error(eigenvalues, which.t, *known, has_unit=self.has_unit)
        else:
            nats = renyi_error(eigenvalues, which, self.delta)
        return nats / math.log(base)


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
    return min(1.0, max(norm * eps * (10.0 + 0.2 * math.sqrt(n) + reach), 2.0 * outside))


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
    sizes: npt.ArrayLike,
    d: int,
    reach: Callable[[], float],
    wanted: Sequence[float | Functional],
    tol: float,
    device: Device = HOST,
) -> bool:
    """Whether float32 is worth trying, as far as can be told before solving.

    `sizes` are the numbers of rows of all matrices, d that of columns. Powers below 1 magnify the
    smallest eigenvalues, which float32 does not resolve. `reach` is called only where it decides.
    """
    orders = np.atleast_1d(np.asarray(sizes, dtype=np.float64))
    largest = int(orders.max())
    if (
        float((orders**3).sum()) < SINGLE_FROM**3
        or min(functional(one).exponent for one in wanted) < 1.0
    ):
        return False
    if eigenvalue_error(largest, reach()) >= tol:
        return False
    exponent_error = distance_error(d) * EPS * 0.5 * reach() ** 2
    widened = device.widens_distances and d <= _core.widest_block
    columns = (WIDENED_COLUMNS if widened else REFINED_COLUMNS) * largest
    return exponent_error <= REFINED_ABOVE or d <= columns


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
    values = as_numpy(eigenvalues, "eigenvalues")
    computed = shannon_nats(values, t)
    low, high = entropy_range(values, t, delta, trace, has_unit)
    # All three are sums in float64, which matters where they are nearly 0.
    n = len(values)
    own_rounding = n * DOUBLE_EPS * (1.0 + math.log(n))
    return max(high - computed, computed - low) + own_rounding


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
    At t = 1 the trace narrows the range further: `_range_of_sum`.
    """
    given = np.asarray(eigenvalues)
    eps = DOUBLE_EPS if given.dtype == np.float64 else EPS
    values = np.sort(given.astype(np.float64))[::-1]
    if has_unit:
        values[0] = 1.0
    cut = max(2.0 * delta, NOISE_FLOOR_EPS * eps * float(values[0]))
    resolved = values[: max(1, int((values > cut).sum()))]
    low = np.clip(resolved - delta, 0.0, 1.0) ** t
    high = np.clip(resolved + delta, 0.0, 1.0) ** t
    if has_unit:
        low[0] = high[0] = 1.0

    unresolved = len(values) - len(resolved)
    hidden = max(0.0, trace - float(resolved.sum())) + (len(resolved) + 2.0 * trace) * delta
    top = min(1.0, cut + delta)  # of the unresolved
    hidden = min(hidden, unresolved * top)
    rest = _power_sum(hidden, unresolved, t, top)
    smallest = _smallest_entropy(low, high)
    largest = _largest_entropy(low, high, rest, unresolved)
    if t != 1.0:
        return smallest, largest
    of_sum = _range_of_sum(values, delta, trace, has_unit)
    return max(smallest, of_sum[0]), min(largest, of_sum[1])


def _range_of_sum(
    values: Doubles, delta: float, trace: float, has_unit: bool
) -> tuple[float, float]:
    r"""Smallest and largest S(1) of spectra within delta whose sum T is the trace.

    :math:`S = \log T + F / T` with :math:`F = -\sum \lambda_i \log \lambda_i`. Where the sum is
    given, an eigenvalue can only grow if another one shrinks. F hardly changes if the two are about
    equally large, so that the entropy of a flat spectrum changes only to second order in delta.
    """
    low, high = np.clip(values - delta, 0.0, 1.0), np.clip(values + delta, 0.0, 1.0)
    if has_unit:
        low[0] = high[0] = 1.0
    totals = max(float(low.sum()), trace * (1.0 - 2.0 * delta)), trace * (1.0 + 2.0 * delta)
    least, most = totals[0], min(float(high.sum()), totals[1])
    if least > most:  # of no such spectrum
        return 0.0, math.inf
    smallest = math.log(least) + _smallest_moment(low, high, least, most) / most
    return smallest, math.log(most) + _largest_moment(low, high, least, most) / least


def _smallest_moment(low: Doubles, high: Doubles, least: float, most: float) -> float:
    """Smallest F of numbers in descending intervals whose sum is between `least` and `most`.

    For a given sum, the first k numbers are at their upper ends and the others at their lower ends,
    except one in between, where F is above its chord. Along the chords F is convex in the sum.
    """
    sums = float(low.sum()) + np.append(0.0, np.cumsum(high - low))
    raised = np.cumsum(_x_log_x(high) - _x_log_x(low))
    moments = -float(_x_log_x(low).sum()) - np.append(0.0, raised)
    at = min(max(float(sums[moments.argmin()]), least), most)
    return float(np.interp(at, sums, moments))


def _largest_moment(low: Doubles, high: Doubles, least: float, most: float) -> float:
    """Largest F of numbers in descending intervals whose sum is between `least` and `most`.

    For a given sum all are as near to one level as they may be. F is concave in the sum, with the
    slope -(1 + log(level)).
    """
    level = _level(low, high, most)
    slope = 1.0 + math.log(max(level, np.finfo(np.float64).tiny))
    return -float(_x_log_x(np.clip(level, low, high)).sum()) + max(0.0, slope) * (most - least)


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


def _power_sum(total: float, count: int, t: float, at_most: float) -> float:
    """Largest sum of t-th powers of `count` numbers in 0 .. at_most that add up to `total`."""
    if count == 0:
        return 0.0
    if t <= 1.0:
        return float(count * (total / count) ** t)
    return float(total * at_most ** (t - 1.0))


def _smallest_entropy(low: Doubles, high: Doubles) -> float:
    """The first k at their upper ends and the others at their lower ones, for the best k >= 1."""
    totals = float(low.sum()) + np.cumsum(high - low)
    moments = float(_x_log_x(low).sum()) + np.cumsum(_x_log_x(high) - _x_log_x(low))
    return float((np.log(totals) - moments / totals).min())


def _largest_entropy(low: Doubles, high: Doubles, rest: float, count: int) -> float:
    """All as near to the level as they may be, and `count` equal ones that add up to `rest`.

    The level belongs to the entropy that is sought. Each step takes it from the last one, and
    brings it nearer, since only the numbers that are at the level follow it.
    """
    rest_moment = rest * (math.log(rest) - math.log(count)) if rest > 0.0 else 0.0
    largest, level = -1.0, 1.0
    for _ in range(LEVEL_STEPS):
        x = np.clip(level, low, high)
        total = float(x.sum()) + rest
        entropy = math.log(total) - (float(_x_log_x(x).sum()) + rest_moment) / total
        if entropy <= largest + LEVEL_TOLERANCE * abs(largest):
            break
        largest, level = entropy, total * math.exp(-entropy)
    return max(largest, entropy)


def _x_log_x(x: Doubles) -> Doubles:
    logarithms = np.log(x, out=np.zeros_like(x), where=x > 0.0)  # 0 log 0 = 0
    product: Doubles = x * logarithms
    return product
