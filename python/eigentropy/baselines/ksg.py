"""Entropy and mutual information of densities from the distances to nearest neighbours.

Kozachenko and Leonenko's entropy; Kraskov, Stoegbauer and Grassberger's mutual information, its
conditional form and Gao, Ver Steeg and Galstyan's correction; Ross's for labels. All distances are
in the maximum norm. The conventions are those of the package NPEET:
docs/explanations/baselines.md has them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from eigentropy._kernels.groups import group_codes
from eigentropy._support.options import logarithm_base, nonnegative
from eigentropy._support.progress import Callback
from eigentropy._support.signatures import named_options
from eigentropy.baselines._estimate import BaselineEstimate
from eigentropy.baselines._ksg_inputs import as_points, checked_threshold, without_single_rows
from eigentropy.baselines._ksg_terms import (
    TIES,
    beyond,
    box_corrections,
    digammas,
    over_rows,
    psi_within,
    up_to_boundary,
)
from eigentropy.baselines._neighbours import Counts, Distances, Neighbourhoods, Points

# Far below the distances of neighbours, and far above their rounding.
JITTER = 1e-3


@named_options()
def entropy(
    Z: Any,
    *,
    k: int = 3,
    base: float = 2.0,
    jitter: float = 1.0,
    seed: int = 0,
    search: str = "auto",
    progress: bool | Callback = False,
) -> BaselineEstimate:
    r"""Differential entropy of the density of the rows, by Kozachenko and Leonenko.

    .. math:: h = \psi(n) - \psi(k) + d \log 2 + \frac{d}{n} \sum_i \log \epsilon_i

    where epsilon_i is the distance of row i to its k-th nearest neighbour, psi the digamma
    function. It is negative for a density that is concentrated enough, depends on the scale,
    h(cZ) = h(Z) + d log c, and is not comparable with a diffusion spectral entropy.

    Where it fails: the density is taken to be constant out to the k-th neighbour, which it is not
    in many dimensions; and data on a set of lower dimension, or with a value that a share of the
    rows has (zeros of a ReLU), have h = -infinity, of which the estimate is some finite number.

    Parameters
    ----------
    Z : array-like of shape (n, d), or (n,) for scalars
    k : int
        Neighbours, fewer than n. More of them: less variance, more bias.
    base : float
        Of the logarithm: 2 gives bits, math.e nats.
    jitter : float
        Between 0 and 1. Entries that occur more than once in their column are taken for rounded:
        each is moved up at random by at most this share of the distance to the nearest other value
        of the column. With 1, h of rounded data is that of the data before; 0 for no noise.
    seed : int
        Of that noise.
    search : {"auto", "tree", "brute"}
        How neighbours are found. "tree" needs SciPy and is for few columns; "brute" computes all
        distances, a strip of rows at a time; "auto" takes the faster one, a tree for many rows of
        few columns. The result is the same.
    progress : bool or callable
        Show a bar on stderr, or call it with the fraction that is done.

    Returns
    -------
    BaselineEstimate

    Raises
    ------
    ValueError, TypeError
        An argument of the wrong value or type; k not below n; NaN or infinity; labels instead of
        numbers; rows that equal k others or more after the noise.
    ImportError
        A tree without SciPy.

    References
    ----------
    Kozachenko, Leonenko: Sample estimate of the entropy of a random vector. Probl. Inf. Transm.
    23 (1987).

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> round(float(entropy(rng.uniform(0, 8, size=(2000, 1)))), 1)     # log2(8) = 3
    3.0
    """
    base = logarithm_base(base)
    points = as_points([Z], ["Z"], k, jitter, seed, spread=True)
    n, d = points[0].n, points[0].d
    halves = beyond(over_rows(lambda near: near.kth_distance(k), points, search, progress), 0.0, k)
    psi = digammas(n)
    value = psi[n] - psi[k] + d * math.log(4.0) + d * float(np.log(halves).mean())
    return _estimate(value, "Kozachenko-Leonenko", n, base, k, jitter, seed)


@named_options()
def mutual_information(
    X: Any,
    Y: Any,
    *,
    k: int = 3,
    base: float = 2.0,
    algorithm: int = 1,
    local_nonuniformity: float | None = None,
    margin: float | None = None,
    jitter: float = JITTER,
    seed: int = 0,
    search: str = "auto",
    progress: bool | Callback = False,
) -> BaselineEstimate:
    r"""Mutual information of two continuous variables, by Kraskov, Stoegbauer and Grassberger.

    The k nearest neighbours of row i in the product space, whose distance is the larger of the
    two, say how far to look in each space. Algorithm 1 takes the distance epsilon_i to the k-th,
    and counts the rows that are nearer than that in X, and in Y:

    .. math:: I_1 = \psi(k) + \psi(n) - \langle \psi(n_x + 1) + \psi(n_y + 1) \rangle

    Algorithm 2 takes for each space the largest distance that the k neighbours have in it, and
    counts the rows that are no farther:

    .. math:: I_2 = \psi(k) - 1/k + \psi(n) - \langle \psi(n_x) + \psi(n_y) \rangle

    The row itself is not counted. Values may occur again and again in X or Y: rows that equal k
    others or more in both have psi of the number of equal rows, in the product, in X and in Y, in
    place of k, n_x + 1 and n_y + 1 (Gao, Kannan, Oh, Viswanath), and of other rows at equal
    distances a random part counts as nearer.

    With `local_nonuniformity`, for each row whose neighbours fill the box around them badly,
    log(V / V') / n is added, where V is the volume of that box and V' of one in the directions of
    their principal components; badly means that V' < alpha V.

    Where it fails: strong dependence needs a number of rows that grows as exp(I) (Gao et al.), so I
    is underestimated where X nearly determines Y. With many columns all distances are alike, the
    distance in the product is that of the larger space, and algorithm 1 comes out near 0, or
    below, whatever the dependence.

    Parameters
    ----------
    X, Y : array-like of shape (n, d), or (n,) for scalars
        Numbers, not labels: for these there is `discrete_mutual_information`.
    k : int
        Neighbours, fewer than n.
    base : float
        Of the logarithm: 2 gives bits, math.e nats.
    algorithm : {1, 2}
        1 has the smaller variance, 2 the smaller bias.
    local_nonuniformity : float, optional
        The alpha of the correction, between 0 and 1, such as 0.25; None for no correction. Needs
        at least as many neighbours as X and Y have columns together, and is meant for few.
    margin : float, optional
        For algorithm 1: count the rows that are at most epsilon_i - margin away, whatever the
        scale of the data, in place of those that are nearer, and make no exception for equal rows.
        NPEET does so, with 1e-15.
    jitter : float
        Between 0 and 1. Each value of a column is moved up at random by at most this share of the
        distance to the nearest other value of the column, so that no distance in X equals one in
        Y. Equal values stay equal. 0 for no noise.
    seed : int
        Of that noise, and of the order of rows at equal distances.
    search, progress
        As in `entropy`.

    Returns
    -------
    BaselineEstimate
        Negative values are reported as they are.

    Raises
    ------
    ValueError, TypeError
        As in `entropy`, but equal rows are welcome; X and Y of different lengths; a column that
        repeats each of several values more than k times, which is one of labels.
    ImportError
        A tree without SciPy.

    References
    ----------
    Kraskov, Stoegbauer, Grassberger: Estimating mutual information. Phys. Rev. E 69 (2004).
    Gao, Ver Steeg, Galstyan: Efficient estimation of mutual information for strongly dependent
    variables. AISTATS 2015, arXiv:1411.2003.
    Gao, Kannan, Oh, Viswanath: Estimating mutual information for discrete-continuous mixtures.
    NeurIPS 2017, arXiv:1709.06212.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> x, noise = rng.normal(size=(2, 2000))
    >>> y = 0.6 * x + 0.8 * noise                 # correlation 0.6: 0.32 bits
    >>> round(float(mutual_information(x, y)), 1)
    0.3
    """
    base = logarithm_base(base)
    if algorithm not in (1, 2):
        raise ValueError(f"algorithm must be 1 or 2, got {algorithm!r}")
    if margin is not None and algorithm == 2:
        raise ValueError(f"margin is for algorithm=1, got margin={margin!r} with algorithm=2")
    points = as_points([X, Y], ["X", "Y"], k, jitter, seed)
    threshold = checked_threshold(local_nonuniformity, points, k)
    n = points[0].n
    if algorithm == 2:
        local = _second_algorithm(points, k, seed, search, progress)
    else:
        psi, psi_x, psi_y = _psi_near([[0], [1]], points, k, margin, seed, search, progress)
        local = psi - psi_x - psi_y
    if threshold is not None:
        local += over_rows(
            lambda near: box_corrections(points, near, k, threshold), points, search, False
        )
    value = digammas(n)[n] + float(local.mean())
    method = f"KSG {algorithm}" + (", LNC" if threshold is not None else "")
    return _estimate(
        value, method, n, base, k, jitter, seed, local_nonuniformity=threshold, margin=margin
    )


def _psi_near(
    spaces: Sequence[Sequence[int]],
    points: Sequence[Points],
    k: int,
    margin: float | None,
    seed: int,
    search: str,
    progress: bool | Callback,
) -> Distances:
    """psi(k), and psi of the rows that are nearer than the k-th neighbour in each space."""

    def shells(near: Neighbourhoods) -> Counts:
        radius = near.kth_distance(k)
        return np.stack(
            [near.shell_of_kth(k, radius), *(near.shell(parts, radius) for parts in spaces)], axis=1
        )

    if margin is None:
        return psi_within(over_rows(shells, points, search, progress), k, seed).T
    half = nonnegative(margin, "margin") / 2.0  # as the distances are

    def counts(near: Neighbourhoods) -> Counts:
        reach = beyond(near.kth_distance(k), half, k) - half
        return np.stack([near.within(parts, reach) for parts in spaces], axis=1)

    psi = digammas(points[0].n)
    inside = psi[over_rows(counts, points, search, progress).T]
    return np.concatenate([np.full((1, points[0].n), psi[k]), inside])


def _second_algorithm(
    points: Sequence[Points], k: int, seed: int, search: str, progress: bool | Callback
) -> Distances:
    def shells(near: Neighbourhoods) -> Counts:
        """Of the product, and of each part within its extent; rank and number of candidates."""
        radius, neighbours = near.kth_distance(k), near.nearest(k)
        product = near.shell_of_kth(k, radius)
        rank = k + 1 - product[:, 0]
        found = [np.stack([*product.T, rank, product[:, 1] - product[:, 0]], axis=1)]
        for part in (0, 1):
            extent, attained = near.extent(part, neighbours)
            extent = np.where(radius == 0.0, 0.0, extent)
            shell = near.shell([part], extent)
            candidates = np.where((extent == radius)[:, None], found[0][:, 2:], attained[:, None])
            found.append(np.concatenate([shell, candidates], axis=1))
        return np.stack(found, axis=1)

    counts = over_rows(shells, points, search, progress)
    rng, psi = np.random.default_rng([seed, TIES]), digammas(len(counts))
    equal = psi[counts[:, 0, 1]] - psi[counts[:, 1, 1]] - psi[counts[:, 2, 1]]
    psi_x, psi_y = (psi[up_to_boundary(rng, *counts[:, part].T)] for part in (1, 2))
    local: Distances = np.where(counts[:, 0, 0] == 0, equal, psi[k] - 1.0 / k - psi_x - psi_y)
    return local


@named_options()
def conditional_mutual_information(
    X: Any,
    Y: Any,
    W: Any,
    *,
    k: int = 3,
    base: float = 2.0,
    margin: float | None = None,
    jitter: float = JITTER,
    seed: int = 0,
    search: str = "auto",
    progress: bool | Callback = False,
) -> BaselineEstimate:
    r"""What X and Y say about each other once W is known.

    .. math:: I(X; Y \mid W) = \psi(k) - \langle \psi(n_{xw} + 1) + \psi(n_{yw} + 1)
        - \psi(n_w + 1) \rangle

    with the rows, itself not counted, that are nearer to row i in (X, W), (Y, W) and W than its
    k-th neighbour in (X, Y, W).

    Where it fails: as `mutual_information`, and it is drawn to 0 in far fewer dimensions, since a
    strong dependence has to be seen within the few rows that agree in W.

    Parameters
    ----------
    X, Y, W : array-like of shape (n, d), or (n,) for scalars
        W may hold labels as numbers, which should differ by more than X and Y do.
    k, base, margin, jitter, seed, search, progress
        As in `mutual_information`; the noise is added to all three.

    Returns
    -------
    BaselineEstimate

    Raises
    ------
    ValueError, TypeError, ImportError
        As `mutual_information`.

    References
    ----------
    Frenzel, Pompe: Partial mutual information for coupling analysis of multivariate time series.
    Phys. Rev. Lett. 99 (2007).
    """
    base = logarithm_base(base)
    points = as_points([X, Y, W], ["X", "Y", "W"], k, jitter, seed)
    psi, psi_xw, psi_yw, psi_w = _psi_near(
        [[0, 2], [1, 2], [2]], points, k, margin, seed, search, progress
    )
    value = float((psi - psi_xw - psi_yw + psi_w).mean())
    return _estimate(value, "KSG 1, conditional", points[0].n, base, k, jitter, seed, margin=margin)


@named_options()
def discrete_mutual_information(
    Z: Any,
    Y: Any,
    *,
    k: int = 3,
    base: float = 2.0,
    jitter: float = JITTER,
    seed: int = 0,
    search: str = "auto",
    progress: bool | Callback = False,
) -> BaselineEstimate:
    r"""Mutual information of continuous Z and labels Y, by Ross.

    .. math:: I = \psi(n) + \langle \psi(k_i) - \psi(n_{y_i}) - \psi(m_i) \rangle

    where n_y is the number of rows with label y, k_i = min(k, n_y - 1), and m_i counts the rows of
    any label that are no farther from row i than its k_i-th neighbour with the same label, that
    neighbour among them. Values of Z may occur again and again, such as the zeros of a ReLU: a row
    that equals k_i others of its label or more has the numbers of equal rows, of its label and of
    all, in place of k_i and m_i, and of other rows at equal distances a random part is counted.
    Whatever Z is, the mean of I over all permutations of the labels is 0.

    Where it fails: groups that overlap look alike in many columns, as all distances do; groups
    that are far apart are told apart in any number. Groups of at most k rows have fewer neighbours
    and a larger variance.

    Parameters
    ----------
    Z : array-like of shape (n, d), or (n,) for scalars
        Numbers; counts as floats.
    Y : array-like of length n
        Labels: integers, booleans, strings, categoricals. Floats are taken as labels, too.
    k, base, jitter, seed, search, progress
        As in `mutual_information`.

    Returns
    -------
    BaselineEstimate
        n counts the rows whose label occurs twice or more: others have no neighbour.

    Raises
    ------
    ValueError, TypeError, ImportError
        As `mutual_information`; missing labels; no label that occurs twice.

    Warns
    -----
    UserWarning
        Labels with at most k rows, and rows left out.

    References
    ----------
    Ross: Mutual information between discrete and continuous data sets. PLoS ONE 9 (2014).
    Gao, Kannan, Oh, Viswanath: as in `mutual_information`.

    Examples
    --------
    >>> labels = np.arange(1000) % 2
    >>> Z = np.random.default_rng(0).normal(size=1000) + 100 * labels
    >>> round(float(discrete_mutual_information(Z, labels)), 2)
    1.0
    """
    base = logarithm_base(base)
    points = as_points([Z], ["Z"], k, jitter, seed, with_labels=True)
    codes = group_codes(Y, points[0].n, "labels", 1, None)
    points, codes = without_single_rows(points[0], codes, k)
    sizes = np.bincount(codes)[codes]
    neighbours = np.minimum(k, sizes - 1)
    n = points[0].n

    def shells(near: Neighbourhoods) -> Counts:
        radius = near.kth_distance_in_group(codes, neighbours)
        alike = near.shell_of_kth_in_group(codes, neighbours, radius)
        return np.stack([alike, near.shell([0], radius)], axis=1)

    counts = over_rows(shells, points, search, progress)
    psi_alike, psi_all = psi_within(counts, neighbours, seed).T
    psi = digammas(n)
    value = psi[n] + float((psi_alike - psi[sizes] - psi_all).mean())
    return _estimate(value, "Ross", n, base, k, jitter, seed)


def _estimate(
    nats: float,
    method: str,
    n: int,
    base: float,
    k: int,
    jitter: float,
    seed: int,
    **given: float | None,
) -> BaselineEstimate:
    extra = {name: value for name, value in given.items() if value is not None}
    settings = {"k": k, **extra, "jitter": float(jitter), "seed": seed}
    return BaselineEstimate(float(nats) / math.log(base), method, n, base, settings=settings)
