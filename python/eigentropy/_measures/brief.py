"""The numbers of few rows alone, without the results that they are usually read off.

A monitor measures a layer at every step, and keeps a few numbers of it. It needs neither a choice
of the method, which is known for few rows, nor results that could be asked for more. The numbers
are those of `measure`, bit for bit. They differ only where memory is so short that `measure` would
choose another method.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from eigentropy import _core
from eigentropy._backends.costs import SINGLE_FROM
from eigentropy._backends.devices import HOST
from eigentropy._backends.rows import may_keep_distances
from eigentropy._kernels.bandwidth import MEDIAN_FACTOR, SHORTEST, sample_size
from eigentropy._kernels.partitions import Partitions
from eigentropy._kernels.saturation import warn_if_saturated
from eigentropy._measures.forms import adjusted_of_moments, mean_and_error
from eigentropy._measures.measurement import KEPT_NUMBERS, MeasurementSettings, Variable
from eigentropy._spectra.rounding import reach_for_single
from eigentropy._support.options import AUTO

# Up to this number of rows all eigenvalues take milliseconds, and no estimate is sooner.
FEW_ROWS = 1500

# A matrix of at most this size is not compared with the free memory: asking the system at every
# step takes time. A program that has less memory left fails at anything.
FEW_BYTES = 2**26

_NO_GROUPS = np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0)


class BriefNumbers(NamedTuple):
    """What is measured of the rows, in the unit of the base.

    Attributes
    ----------
    entropy : float
        The diffusion spectral entropy.
    information : float
        The matched information about the labels. NaN without labels, as the next two.
    null_error : float
        Its standard error over the random partitions.
    adjusted : float
        The information over the most that it may be.
    """

    entropy: float
    information: float = math.nan
    null_error: float = math.nan
    adjusted: float = math.nan


def may_be_brief(settings: MeasurementSettings) -> bool:
    """Whether `brief_numbers` knows what these settings ask for."""
    s = settings
    return (
        (s.method, s.dtype, s.device, s.max_points) == ("auto", None, None, None)
        and s.sigma in ("auto", "median")  # with which no row is ever alone: see `warn_if_alone`
        and s.t[1:] == ()
        and s.t[0] >= 1.0  # a smaller power is never tried in float32, and keeps no distances
        and not s.kernel
        and s.estimator == "matched"
        and s.n_null != AUTO
    )


def brief_numbers(
    Z: npt.NDArray[Any], labels: Variable | None, settings: MeasurementSettings
) -> BriefNumbers | None:
    """The numbers of rows (n, d) of floats.

    `settings` are such as `may_be_brief` accepts. None is left to `measure`: rows that are not
    finite, more rows, columns or bytes than are few, groups that are large enough to try float32
    for them, labels whose groups are not known or whose partitions are too many to be kept, a width
    that does not fit the entries of Z, and a solver that failed.

    Raises
    ------
    MemoryError
        There is too little memory.

    Warns
    -----
    UserWarning, SaturationWarning
        As `measure`.
    """
    n, d = Z.shape
    t, tol = settings.t[0], settings.tol
    if not _are_few(n, d):
        return None
    partitions = None if labels is None else _few_partitions(labels, n, settings)
    if labels is not None and partitions is None:
        return None
    subsets = _NO_GROUPS if partitions is None else partitions.as_subsets
    unit = math.log(settings.base)
    try:
        found = _core.brief_entropies(
            Z, *subsets, MEDIAN_FACTOR, SHORTEST, settings.alpha, t, unit, tol,
            may_keep_distances(n, d), _reach_for_single(n, d, t, tol),
        )  # fmt: skip
    except _core.SolverError:
        found = None
    if found is None:
        return None
    sigma, entropy, kernel_sum, given_partition, kernel_sum_of_last = found
    warn_if_saturated(n, kernel_sum, sigma)
    if partitions is None:
        return BriefNumbers(entropy)
    partitions.warn_about_groups()
    if partitions.pairs:
        warn_if_saturated(n, kernel_sum_of_last, sigma, partitions.pairs)
    observed, *null = given_partition
    baseline, error = mean_and_error(null)
    adjusted, _ = adjusted_of_moments(
        observed, len(null), baseline, error, (entropy, 0.0), partitions.label_nats / unit
    )
    return BriefNumbers(entropy, baseline - observed, error, adjusted)


@lru_cache(maxsize=64)
def _are_few(n: int, d: int) -> bool:
    """Whether nothing but all eigenvalues comes into question, of a matrix that surely fits.

    The median must be that of all pairs: where there are many columns it takes a sample of rows.
    """
    fits = HOST.matrix_bytes(n, d, "float64", n) <= FEW_BYTES
    return fits and 1 < n <= min(FEW_ROWS, sample_size(d))


@lru_cache(maxsize=64)
def _reach_for_single(n: int, d: int, t: float, tol: float) -> float:
    return reach_for_single([n], d, [t], tol)


def _few_partitions(labels: Variable, n: int, settings: MeasurementSettings) -> Partitions | None:
    """The observed groups and the random ones; None where `measure` is to find them."""
    n_null = int(settings.n_null)
    are_kept = (1 + n_null) * n <= KEPT_NUMBERS
    if not are_kept or not labels.is_prepared or len(labels.values) != n:
        return None
    partitions = labels.partitions(n_null, settings.seed)
    return partitions if partitions.cubes < SINGLE_FROM**3 else None
