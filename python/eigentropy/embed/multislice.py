"""The multislice kernel of M-PHATE as a sparse matrix."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from eigentropy._support.options import integer, nonnegative, positive
from eigentropy._support.signatures import named_options
from eigentropy.embed.units import Doubles, z_scores

# Of the reference implementation, where there are as many units and epochs.
NEIGHBOURS, EPOCHS = 2, 25

# Smaller weights are left out, as graphtools does.
THRESHOLD = 1e-4

# The least width between z-scored units: copies of a unit are at distance 0 from each other. What
# is nearer than the rounding of z-scores counts as a copy, in units of sqrt(samples).
LEAST_WIDTH = float(np.finfo(np.float64).eps)
ROUNDING = 64.0 * LEAST_WIDTH


@dataclass(frozen=True)
class KernelSettings:
    """What a multislice kernel was made with.

    Attributes
    ----------
    knn : int
        The width of a unit within an epoch is the distance to its neighbour of this number.
    decay : float
        The exponent of distances within an epoch.
    interslice_knn : int
        Which epoch, counted from the nearest, gives the width between epochs; 0 for one epoch.
    threshold : float
        Smaller weights were left out.
    """

    knn: int
    decay: float
    interslice_knn: int
    threshold: float

    @classmethod
    def checked(
        cls, shape: tuple[int, ...], knn: Any, decay: Any, interslice_knn: Any, threshold: Any
    ) -> KernelSettings:
        """The settings for (epochs, units, samples); ValueError for what these do not have."""
        epochs, units, _ = shape
        return cls(
            _neighbours(knn, "knn", NEIGHBOURS, units, "units"),
            positive(decay, "decay"),
            _neighbours(interslice_knn, "interslice_knn", EPOCHS, epochs, "epochs"),
            nonnegative(threshold, "threshold", at_most=1.0),
        )


@named_options()
def multislice_kernel(
    units: Any,
    *,
    knn: int | None = None,
    decay: float = 5.0,
    interslice_knn: int | None = None,
    threshold: float = THRESHOLD,
) -> Any:
    r"""The multislice kernel of M-PHATE between all units at all epochs, a sparse matrix.

    With z(e, i) the activations of unit i at epoch e, z-scored over the samples,

    .. math::

        K_{(e,i),(e,j)} = \frac{1}{2} (w_{ij} + w_{ji}), \qquad
        w_{ij} = e^{-(|z_{ei} - z_{ej}| / \sigma_{ei})^a}

    between units at one epoch,

    .. math::

        K_{(e,i),(f,i)} = e^{-(|z_{ei} - z_{fi}| / \varepsilon)^2}, \qquad e \neq f

    between two epochs of one unit, and 0 between different units at different epochs. The width
    :math:`\sigma_{ei}` is the distance of unit i to its neighbour number `knn` within epoch e, and
    a is `decay`. Between epochs there is one width :math:`\varepsilon`. For each unit at each epoch
    take its distance to itself at other epochs, and of these the one number `interslice_knn` from
    the smallest on; :math:`\varepsilon` is the median over the epochs, and then the mean over the
    units. K has ones on its diagonal. The diffusion of M-PHATE is :math:`P = D^{-1} K`, with D the
    sums of the rows.

    Where it is weak: on few epochs that are close in time, :math:`\varepsilon` is small, and what
    counts is how fast a unit moves beside its other epochs, not beside the other units.

    Parameters
    ----------
    units : array-like of shape (epochs, units, samples)
        Activations of each unit on the same samples.
    knn : int, optional
        From 1 to units - 1; by default 2, or units - 1 where that is less.
    decay : float
        > 0.
    interslice_knn : int, optional
        From 1 to epochs - 1; by default 25, or epochs - 1 where that is less.
    threshold : float
        Weights below it are 0, before and after the two directions are averaged, as graphtools has
        it. 0 keeps all.

    Returns
    -------
    scipy.sparse.csr_array of shape (epochs * units, epochs * units)
        Symmetric; row e * units + i is unit i at epoch e.

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

    References
    ----------
    Gigante, Charles, Krishnaswamy, Mishne: Visualizing the PHATE of neural networks. NeurIPS 2019,
    arXiv:1908.02831.

    Examples
    --------
    >>> units = np.random.default_rng(0).normal(size=(4, 6, 20))
    >>> kernel = multislice_kernel(units)
    >>> kernel.shape, bool((kernel != kernel.T).nnz == 0), float(kernel.diagonal().min())
    ((24, 24), True, 1.0)
    """
    scores = z_scores(units)
    settings = KernelSettings.checked(scores.shape, knn, decay, interslice_knn, threshold)
    return kernel_of(scores, settings)


def kernel_of(scores: Doubles, settings: KernelSettings) -> Any:
    """The kernel of z-scored units."""
    sparse, _ = _scipy()
    within = sparse.block_diag([_within(epoch, settings) for epoch in scores], format="csr")
    kernel = (within + within.T) * 0.5
    kernel.data[kernel.data < settings.threshold] = 0.0
    kernel.eliminate_zeros()
    if len(scores) > 1:
        kernel = kernel + _between(scores, settings)
    kernel = kernel.tocsr()
    kernel.sort_indices()
    return kernel


def transition(kernel: Any) -> Any:
    """P = D^-1 K: a sparse matrix whose rows add up to 1."""
    P = kernel.copy()
    P.data /= np.repeat(kernel.sum(axis=1), np.diff(kernel.indptr))
    return P


def _within(scores: Doubles, settings: KernelSettings) -> Any:
    """Weights from each unit to each other at one epoch, by the width of the first."""
    sparse, _ = _scipy()
    distances = _distances(scores)
    widths = np.partition(distances, settings.knn, axis=1)[:, settings.knn, None]
    with np.errstate(over="ignore"):  # to a weight of 0
        weights = np.exp(-((distances / np.maximum(widths, LEAST_WIDTH)) ** settings.decay))
    weights[weights < settings.threshold] = 0.0
    return sparse.csr_array(weights)


def _between(scores: Doubles, settings: KernelSettings) -> Any:
    """Weights between the epochs of each unit."""
    sparse, _ = _scipy()
    epochs, units, _ = scores.shape
    distances = np.stack([_distances(scores[:, unit]) for unit in range(units)], axis=-1)
    k = settings.interslice_knn
    reach = np.median(np.partition(distances, k, axis=1)[:, k], axis=0)
    with np.errstate(over="ignore"):
        weights = np.exp(-((distances / np.maximum(reach, LEAST_WIDTH).mean()) ** 2))
    weights[weights < settings.threshold] = 0.0
    weights[np.arange(epochs), np.arange(epochs)] = 0.0
    one, other, unit = np.nonzero(weights)
    places = one * units + unit, other * units + unit
    return sparse.csr_array((weights[one, other, unit], places), shape=(epochs * units,) * 2)


def _distances(rows: Doubles) -> Doubles:
    """By differences, so that they are accurate between rows that are near each other."""
    _, distance = _scipy()
    pairs = distance.pdist(rows)
    pairs[pairs < ROUNDING * np.sqrt(rows.shape[1])] = 0.0
    distances: Doubles = distance.squareform(pairs)
    return distances


def _neighbours(value: Any, name: str, usual: int, count: int, of: str) -> int:
    most = count - 1
    if value is None or most == 0:
        return min(usual, most)
    number = integer(value, name, at_least=1)
    if number > most:
        raise ValueError(
            f"{name}={number} needs at least {number + 1} {of}, and units has {count}: pass a "
            f"smaller {name}"
        )
    return number


def _scipy() -> tuple[Any, Any]:
    try:
        from scipy import sparse
        from scipy.spatial import distance
    except ImportError as error:
        raise ImportError(
            "the multislice kernel needs SciPy: pip install 'eigentropy[embed]'"
        ) from error
    return sparse, distance
