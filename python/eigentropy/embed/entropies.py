"""Numbers beside the picture: entropies over the units of a layer."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from eigentropy._kernels.bandwidth import MEDIAN_FACTOR
from eigentropy._measures.entropy import diffusion_spectral_entropy
from eigentropy._measures.kernel_entropy import kernel_entropy
from eigentropy._spectra.plan import SpectrumPlan
from eigentropy._support.options import logarithm_base, positive, random_seed, sigma_or_rule
from eigentropy._support.signatures import named_options
from eigentropy._support.warnings import SaturationWarning, recorded_warnings, warn
from eigentropy.embed.multislice import THRESHOLD, KernelSettings, kernel_of
from eigentropy.embed.operator import spectral_entropy, step_entropies
from eigentropy.embed.results import UnitEntropies
from eigentropy.embed.units import Doubles, z_scores


@named_options()
def unit_entropies(
    units: Any,
    *,
    sigma: float | str = "auto",
    t: float = 1.0,
    multislice_t: float = 2.0,
    knn: int | None = None,
    decay: float = 5.0,
    interslice_knn: int | None = None,
    threshold: float = THRESHOLD,
    base: float = 2.0,
    tol: float = 1e-3,
    seed: int = 0,
) -> UnitEntropies:
    r"""Entropies over the units at each epoch, and of the multislice operator of all epochs.

    At each epoch the units are the rows and the samples are the columns, z-scored: units that
    answer alike are one cluster, and the entropies are large where the units differ. All epochs
    have the same width, so that they can be compared with each other, and with another network on
    a probe of as many samples.

    The multislice diffusion :math:`P = D^{-1} K` (see `multislice_kernel`) has the stationary
    distribution :math:`\pi_x = D_x / \sum_y D_y`. With the probability :math:`w_x` that a step from
    x stays within its epoch, the share within epochs is :math:`\sum_x \pi_x w_x`, and the entropy
    of a step is by the chain rule

    .. math::

        \sum_x \pi_x H(P_x) = \sum_x \pi_x h(w_x) + \sum_x \pi_x w_x H(P_x \mid \text{within})
            + \sum_x \pi_x (1 - w_x) H(P_x \mid \text{between})

    with h the entropy of a choice of two. Standing still is a step within the epoch.

    Where it is weak: the shares depend on `knn` and `interslice_knn` and on how many epochs there
    are, so compare networks with as many epochs and the same options. Constant units are one point.

    Parameters
    ----------
    units : array-like of shape (epochs, units, samples)
        Activations of each unit on the same samples.
    sigma : float or "auto"
        Kernel width between z-scored units at one epoch; "auto" is 0.35 sqrt(2 samples). Two
        uncorrelated units are sqrt(2 samples) apart.
    t : float
        Diffusion time of the entropies at each epoch.
    multislice_t : float
        Diffusion time of the multislice operator. Its eigenvalues have both signs, and count by
        their magnitudes. At 2 and above, where powers of them are smooth at 0, the estimate is
        some 15 times as fast as at 1.
    knn, decay, interslice_knn, threshold
        As in `multislice_kernel`.
    base : float
        Of the logarithm: 2 for bits, math.e for nats.
    tol : float
        Relative error of a spectral entropy that an estimate may make; many units and epochs are
        estimated.
    seed : int
        Of estimates.

    Returns
    -------
    UnitEntropies

    Raises
    ------
    TypeError, ValueError
        units of another shape, with NaN, or all of them constant; an option out of its range.
    ImportError
        SciPy is missing.

    Warns
    -----
    UserWarning
        Some units are constant: they are placed at the origin.
    SaturationWarning
        The width does not fit the units, such as where all of them answer alike.

    Examples
    --------
    >>> units = np.random.default_rng(0).normal(size=(4, 16, 200))
    >>> found = unit_entropies(units)
    >>> found.dse.shape, bool(found.multislice <= np.log2(4 * 16))
    ((4,), True)
    """
    t, base, seed = positive(t, "t"), logarithm_base(base), random_seed(seed)
    multislice_t = positive(multislice_t, "multislice_t")
    plan = SpectrumPlan.checked("auto", tol, None)
    checked = sigma_or_rule(sigma, ("auto",))
    scores = z_scores(units)
    settings = KernelSettings.checked(scores.shape, knn, decay, interslice_knn, threshold)
    _, count, samples = scores.shape
    width = MEDIAN_FACTOR * math.sqrt(2.0 * samples) if isinstance(checked, str) else checked
    own: dict[str, Any] = {"sigma": width, "base": base, "tol": tol, "seed": seed}
    kernel = kernel_of(scores, settings)
    multislice = spectral_entropy(kernel, multislice_t, base, plan, seed)
    dse, density = _by_epoch(scores, t, own)
    return UnitEntropies(
        dse=dse,
        kernel_entropy=density,
        multislice=float(multislice),
        multislice_error=multislice.standard_error,
        step=step_entropies(kernel, count, base),
        sigma=width,
        t=t,
        multislice_t=multislice_t,
        base=base,
        kernel=settings,
    )


def _by_epoch(scores: Doubles, t: float, own: dict[str, Any]) -> tuple[Doubles, Doubles]:
    """Both entropies at each epoch, with one warning for all epochs whose width does not fit."""
    found, unfit = [], []
    for epoch, rows in enumerate(scores):
        with recorded_warnings() as lines:
            dse = diffusion_spectral_entropy(rows, t=t, **own)
            found.append((float(dse), float(kernel_entropy(rows, **own))))
        if lines:
            unfit.append(epoch)
    if unfit:
        warn(
            f"sigma={own['sigma']:.4g} does not fit the z-scored units at {len(unfit)} of "
            f"{len(scores)} epochs, the first is {unfit[0]}: the entropy is at an end of its "
            "range; pass a larger sigma where it is at its largest, a smaller one where it is 0",
            SaturationWarning,
        )
    dse_of, density_of = np.array(found).T
    return dse_of, density_of
