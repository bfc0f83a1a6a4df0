"""The numbers of few rows alone, without the results that they are usually read off.

A monitor measures a layer at every step, and keeps a few numbers of it. It needs neither a choice
of the method, which is known for few rows, nor results that could be asked for more. The numbers
are those of `measure`, bit for bit. They differ only where memory is so short that `measure` would
choose another method.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from eigentropy import _core
from eigentropy._backends.costs import SINGLE_FROM
from eigentropy._backends.devices import HOST
from eigentropy._backends.rows import Rows
from eigentropy._kernels.bandwidth import sigma_of_rule
from eigentropy._kernels.matrix import outside_of_range
from eigentropy._kernels.partitions import Partitions
from eigentropy._kernels.saturation import warn_if_saturated
from eigentropy._measures.forms import adjusted_information, mean_and_error
from eigentropy._measures.measurement import KEPT_NUMBERS, MeasurementSettings, Variable
from eigentropy._spectra.functionals import Shannon
from eigentropy._spectra.rounding import (
    eigenvalue_error,
    entropy_with_error,
    may_use_single,
    within,
)
from eigentropy._support.options import AUTO

# Up to this number of rows all eigenvalues take milliseconds, and no estimate is sooner.
FEW_ROWS = 1500

# A matrix of at most this size is not compared with the free memory: asking the system at every
# step takes time. A program that has less memory left fails at anything.
FEW_BYTES = 2**26


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
    """The numbers of rows (n, d), of finite floats.

    `settings` are such as `may_be_brief` accepts. None is left to `measure`: more rows or bytes
    than `FEW_ROWS` and `FEW_BYTES`, groups that are large enough to try float32 for them, and
    labels whose groups are not known or whose partitions are too many to be kept.

    Raises
    ------
    ValueError
        As `eigentropy.bandwidth`.
    MemoryError
        There is too little memory.
    SolverError
        LAPACK failed.

    Warns
    -----
    UserWarning, SaturationWarning
        As `measure`.
    """
    n, d = Z.shape
    if not 1 < n <= FEW_ROWS or HOST.matrix_bytes(n, d, "float64", n) > FEW_BYTES:
        return None
    partitions = None if labels is None else _few_partitions(labels, n, settings)
    if labels is not None and partitions is None:
        return None
    samples = Rows(Z)
    with samples.keeping_distances():
        sigma = sigma_of_rule(samples, "median", settings.seed)
        nats = _nats_of_all(samples, sigma, settings)
    entropy = nats / math.log(settings.base)
    if partitions is None:
        return BriefNumbers(entropy)
    return _about_groups(samples, sigma, partitions, entropy, settings)


def _few_partitions(labels: Variable, n: int, settings: MeasurementSettings) -> Partitions | None:
    """The observed groups and the random ones; None where `measure` is to find them."""
    n_null = int(settings.n_null)
    are_kept = (1 + n_null) * n <= KEPT_NUMBERS
    if not are_kept or not labels.is_prepared or len(labels.values) != n:
        return None
    partitions = labels.partitions(n_null, settings.seed)
    return partitions if partitions.cubes < SINGLE_FROM**3 else None


def _nats_of_all(samples: Rows, sigma: float, settings: MeasurementSettings) -> float:
    """The entropy of all rows, in float32 where the bound of its rounding allows it."""
    which, n = Shannon(settings.t[0]), samples.n
    if may_use_single([n], samples.d, lambda: samples.reach(sigma), [which], settings.tol):
        try:
            values, trace, kernel_sum, error = _spectrum(samples, sigma, settings, "float32")
            nats, bound = entropy_with_error(values, which.t, error, trace)
            if within(bound, nats, settings.tol):
                warn_if_saturated(n, kernel_sum, sigma)
                return nats
        except _core.SolverError:
            pass
    values, _, kernel_sum, _ = _spectrum(samples, sigma, settings, "float64")
    warn_if_saturated(n, kernel_sum, sigma)
    return which.of_eigenvalues(values)


def _spectrum(
    samples: Rows, sigma: float, settings: MeasurementSettings, dtype: str
) -> tuple[npt.NDArray[Any], float, float, float]:
    """All eigenvalues, the trace, the sum of the kernel, the error of an eigenvalue in float32."""
    values, trace, _, kernel_sum, reach = samples.spectrum(sigma, settings.alpha, dtype, None)
    outside = outside_of_range(values)
    if outside > 0.0:
        values.clip(0.0, 1.0, out=values)
    return values, trace, kernel_sum, eigenvalue_error(samples.n, reach, outside)


def _about_groups(
    samples: Rows,
    sigma: float,
    partitions: Partitions,
    entropy: float,
    settings: MeasurementSettings,
) -> BriefNumbers:
    """The information about the groups, in float64, which is sooner for small ones.

    The kernels of the groups are gathered from that of all rows, which has room.
    """
    partitions.warn_about_groups()
    starts, unit = partitions.offsets[:-1], math.log(settings.base)
    eigenvalues, kernel_sums, _ = samples.device.subset_spectra(
        samples.array, partitions.offsets, partitions.rows.ravel(), sigma, settings.alpha,
        "float64", math.inf, None,
    )  # fmt: skip
    nats = _core.shannon_nats(eigenvalues, starts, settings.t[0], clip=True)
    by_partition = (nats / unit).reshape(len(partitions), -1) @ partitions.shares
    observed, null = float(by_partition[0]), by_partition[1:]
    if partitions.pairs:
        total = float(np.add.reduce(kernel_sums[-len(partitions.sizes) :]))
        warn_if_saturated(samples.n, total, sigma, partitions.pairs)
    baseline, error = mean_and_error(null)
    adjusted, _ = adjusted_information(observed, null, (entropy, 0.0), partitions.label_nats / unit)
    return BriefNumbers(entropy, baseline - observed, error, adjusted)
