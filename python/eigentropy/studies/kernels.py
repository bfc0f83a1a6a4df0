"""Kernels with a width for each row instead of one sigma, and their entropies and informations.

They are compared with the rules of `eigentropy.bandwidth`; the package itself has none of them.
Everything behind the kernel is defined as there: alpha = 1/2, subsets are taken from one kernel of
all rows, and the same random partitions are the baseline. They need not be positive semidefinite,
so that eigenvalues may be negative; an entropy takes their magnitudes.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from eigentropy import _core
from eigentropy._kernels.groups import group_codes
from eigentropy._kernels.partitions import Partitions
from eigentropy._spectra.eigenvalues import eigvalsh, spectral_entropy

Array = npt.NDArray[np.float64]

# Zelnik-Manor and Perona (2004): distance to the 7th neighbour.
SELF_TUNING_NEIGHBOUR = 7

# Moon et al. (2019), PHATE: distance to the 5th neighbour, and how steeply the kernel decays.
DECAY_NEIGHBOUR = 5
DECAYS = {"alpha-decay": 40.0, "alpha-decay a=10": 10.0, "alpha-decay a=2": 2.0}

# The width is this factor times the row's median distance, as in the rule `median`.
LOCAL_MEDIAN_FACTOR = 0.35

KERNELS = ("self-tuning", "local medians", *DECAYS)

# As many random partitions as `diffusion_spectral_mutual_information` takes by default.
N_NULL = 20


def kernel(Z: Any, rule: str) -> Array:
    r"""G of all rows, by one of KERNELS; r is the distance between two rows, G_ii = 1.

    ===================== ======================================================================
    rule                  G_ij
    ===================== ======================================================================
    ``self-tuning``       exp(-r^2 / (s_i s_j)), s_i the distance of row i to its 7th neighbour
    ``local medians``     exp(-r^2 / (2 s_i s_j)), s_i 0.35 times its median distance to others
    ``alpha-decay``       (exp(-(r / s_i)^a) + exp(-(r / s_j)^a)) / 2, s_i the distance to the 5th
                          neighbour, a = 40, or what the name says
    ===================== ======================================================================

    Where the 7th or 5th neighbour is a duplicate of the row, s_i is the distance to the nearest
    row that is none.

    Returns
    -------
    array of shape (n, n)

    Raises
    ------
    ValueError
        Unknown rule.
    """
    r = distances(Z)
    if rule == "self-tuning":
        s = reach(r, SELF_TUNING_NEIGHBOUR)
        return _gaussian(r, s, 1.0)
    if rule == "local medians":
        return _gaussian(r, LOCAL_MEDIAN_FACTOR * reach(r, len(r) // 2), 2.0)
    if rule in DECAYS:
        s = reach(r, DECAY_NEIGHBOUR)
        with np.errstate(over="ignore"):  # far rows: a power of infinity, a kernel of 0
            G = np.exp(-((r / s[:, None]) ** DECAYS[rule]))
        return 0.5 * (G + G.T)
    raise ValueError(f"rule must be one of {', '.join(KERNELS)}, got {rule!r}")


def distances(Z: Any) -> Array:
    """Distances between all rows, up to a factor that none of these kernels depends on."""
    rows = np.ascontiguousarray(Z, dtype=np.float64)
    squared, _ = _core.squared_distances(rows, np.arange(len(rows)))
    r: Array = np.sqrt(squared)
    return r


def reach(r: Array, neighbour: int) -> Array:
    """Distance of each row to its neighbour of this rank, without the row itself; always > 0."""
    neighbour = min(neighbour, len(r) - 1)
    s: Array = np.partition(r, neighbour, axis=1)[:, neighbour]
    duplicated = s == 0.0
    # 1 where all rows are equal and every width does the same.
    others = np.where(r[duplicated] > 0, r[duplicated], np.inf).min(axis=1, initial=np.inf)
    s[duplicated] = np.where(np.isfinite(others), others, 1.0)
    return s


def _gaussian(r: Array, s: Array, divisor: float) -> Array:
    # The division comes before the square, so neither s^2 nor r^2 overflows or vanishes.
    root = np.sqrt(s)
    G: Array = np.exp(-((r / np.outer(root, root)) ** 2) / divisor)
    return G


def operators(G: Array) -> Array:
    """A = D^-1/2 K D^-1/2 with alpha = 1/2, of a kernel or of a stack of them."""
    K = _divided(G, np.sqrt(G.sum(axis=-1)))
    return _divided(K, np.sqrt(K.sum(axis=-1)))


def _divided(M: Array, by: Array) -> Array:
    """M_ij / (by_i by_j)."""
    quotient: Array = M / by[..., :, None] / by[..., None, :]
    return quotient


def eigenvalues(G: Array) -> Array:
    """All eigenvalues of the operators of these kernels, descending."""
    values: Array = eigvalsh(operators(G), overwrite=True)
    return values


@dataclass(frozen=True)
class GivenKernelInformation:
    """What `eigentropy.MutualInformation` has under the same names; `plain` is equation 8."""

    value: float
    standard_error: float
    adjusted: float
    plain: float
    p_value: float


def information(
    G: Array, labels: Any, *, n_null: int = N_NULL, t: float = 1.0, seed: int = 0
) -> GivenKernelInformation:
    """DSMI of labels and the rows that have this kernel, in bits.

    The definitions of `diffusion_spectral_mutual_information`, for a kernel that is given.

    Raises
    ------
    ValueError
        labels and G have different numbers of rows.
    """
    codes = group_codes(labels, len(G), "labels", 1, None)
    sizes = np.bincount(codes)
    p = sizes / len(G)
    partitions = Partitions.drawn(codes, n_null, seed).rows
    conditional = np.zeros(len(partitions))
    for share, group in zip(p, np.split(partitions, np.cumsum(sizes)[:-1], axis=1), strict=True):
        spectra = eigenvalues(G[group[:, :, None], group[:, None, :]])
        conditional += share * np.array([spectral_entropy(values, t=t) for values in spectra])
    observed, null = float(conditional[0]), conditional[1:]
    baseline, noise = float(null.mean()), float(null.std(ddof=1))
    whole = spectral_entropy(eigenvalues(G), t=t)
    label_entropy = max(0.0, -float(p @ np.log2(p)))
    room = label_entropy - (whole - baseline)
    defined = room > max(3.0 * noise, 1e-9 * label_entropy)
    at_least = int((null <= observed + 1e-12 * max(1.0, abs(observed))).sum())
    return GivenKernelInformation(
        value=baseline - observed,
        standard_error=noise / math.sqrt(n_null),
        adjusted=(baseline - observed) / room if defined else math.nan,
        plain=whole - observed,
        p_value=(1 + at_least) / (1 + n_null),
    )
