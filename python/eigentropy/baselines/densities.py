"""Conditional entropy, total correlation and divergence of densities, from nearest neighbours.

All are sums of the entropies and informations of `eigentropy.baselines.ksg`, whose errors add up,
but for the divergence, which is Wang, Kulkarni and Verdu's. Distances are in the maximum norm.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from eigentropy._backends.host_arrays import Matrix, as_matrix
from eigentropy._kernels.groups import Codes, group_codes
from eigentropy._support.options import integer, logarithm_base
from eigentropy._support.signatures import named_options
from eigentropy._support.warnings import warn
from eigentropy.baselines import ksg
from eigentropy.baselines._estimate import BaselineEstimate
from eigentropy.baselines._ksg_inputs import as_columns, as_points
from eigentropy.baselines._ksg_terms import beyond, waited_for
from eigentropy.baselines._neighbours import kth_distance_among


@named_options()
def conditional_entropy(
    Z: Any,
    W: Any,
    *,
    k: int = 3,
    base: float = 2.0,
    jitter: float = 1.0,
    seed: int = 0,
    search: str = "auto",
) -> BaselineEstimate:
    """Differential entropy of Z that is left once W is known, h(Z, W) - h(W).

    Where it fails: as `ksg.entropy`, whose errors in the two spaces do not cancel.

    Parameters
    ----------
    Z, W : array-like of shape (n, d), or (n,) for scalars
        Numbers; for labels as W there is `discrete_conditional_entropy`.
    k, base, jitter, seed, search
        As in `ksg.entropy`.

    Returns
    -------
    BaselineEstimate

    Raises
    ------
    ValueError, TypeError, ImportError
        As in `ksg.entropy`; Z and W of different lengths.

    Examples
    --------
    >>> w, noise = np.random.default_rng(0).uniform(size=(2, 2000))
    >>> round(float(conditional_entropy(w + 4 * noise, w)), 1)     # log2(4)
    2.0
    """
    options: dict[str, Any] = {
        "k": k,
        "base": base,
        "jitter": jitter,
        "seed": seed,
        "search": search,
    }
    rows, known = as_columns(Z, "Z"), as_columns(W, "W")
    _check_lengths(Z=rows, W=known)
    joint = ksg.entropy(np.hstack([rows, known]), **options)
    return _sum(float(joint) - float(ksg.entropy(known, **options)), joint)


@named_options()
def discrete_conditional_entropy(
    Z: Any,
    Y: Any,
    *,
    k: int = 3,
    base: float = 2.0,
    jitter: float = 1.0,
    seed: int = 0,
    search: str = "auto",
) -> BaselineEstimate:
    r"""Differential entropy of Z that is left once a label Y is known.

    .. math:: h(Z \mid Y) = \sum_y p_y\, h(Z \mid Y = y)

    h(Z) - h(Z | Y) is an information, too: `ksg.discrete_mutual_information` estimates it with
    errors that partly cancel. A label with at most k rows has no estimate of its own and counts
    with the entropy of all rows.

    Parameters
    ----------
    Z : array-like of shape (n, d), or (n,) for scalars
    Y : array-like of length n
        Labels.
    k, base, jitter, seed, search
        As in `ksg.entropy`.

    Returns
    -------
    BaselineEstimate

    Raises
    ------
    ValueError, TypeError, ImportError
        As in `ksg.entropy`; Y of another length; missing labels.

    Warns
    -----
    UserWarning
        Labels with at most k rows.

    Examples
    --------
    >>> labels = np.arange(2000) % 2
    >>> z = np.random.default_rng(0).uniform(0, 4, size=2000) + 100 * labels
    >>> round(float(discrete_conditional_entropy(z, labels)), 1)     # log2(4)
    2.0
    """
    options: dict[str, Any] = {
        "k": k,
        "base": base,
        "jitter": jitter,
        "seed": seed,
        "search": search,
    }
    rows = as_columns(Z, "Z")
    codes = group_codes(Y, len(rows), "labels", 1, None)
    whole = ksg.entropy(rows, **options)

    def entropy(group: Matrix) -> float:
        return float(ksg.entropy(group, **options))

    return _sum(mean_entropy(rows, codes, k, float(whole), entropy), whole)


def mean_entropy(
    rows: Matrix,
    codes: Codes,
    k: int,
    whole: float,
    entropy: Callable[[Matrix], float],
    *,
    warning: bool = True,
) -> float:
    """The mean of `entropy` over the groups, by size; `whole` for those of at most k rows."""
    sizes = np.bincount(codes)
    small = sizes <= k
    if warning and small.any():
        warn(
            f"{small.sum()} of the {len(sizes)} labels have at most k={k} rows, too few for an "
            f"entropy: the entropy of all rows is taken for these {sizes[small].sum()} rows"
        )
    groups = np.split(np.argsort(codes, kind="stable"), np.cumsum(sizes)[:-1])
    entropies = [
        whole if few else entropy(rows[group]) for few, group in zip(small, groups, strict=True)
    ]
    return float(sizes @ np.array(entropies)) / len(rows)


@named_options()
def total_correlation(
    X: Any,
    *,
    k: int = 3,
    base: float = 2.0,
    jitter: float = 1.0,
    seed: int = 0,
    search: str = "auto",
) -> BaselineEstimate:
    r"""What the columns of X say about each other (Watanabe's, or multi-information).

    .. math:: TC(X) = \sum_i h(X_i) - h(X)

    Where it fails: the entropy of many columns has a large bias, which is not that of single ones.

    Parameters
    ----------
    X : array-like of shape (n, d)
        One variable a column.
    k, base, jitter, seed, search
        As in `ksg.entropy`.

    Returns
    -------
    BaselineEstimate

    Raises
    ------
    ValueError, TypeError, ImportError
        As in `ksg.entropy`.

    References
    ----------
    Watanabe: Information theoretical analysis of multivariate correlation. IBM J. 4 (1960).

    Examples
    --------
    >>> x, noise = np.random.default_rng(1).normal(size=(2, 5000))
    >>> pair = np.stack([x, 0.8 * x + 0.6 * noise], axis=1)     # correlation 0.8: 0.74 bits
    >>> round(float(total_correlation(pair)), 1)
    0.7
    """
    options: dict[str, Any] = {
        "k": k,
        "base": base,
        "jitter": jitter,
        "seed": seed,
        "search": search,
    }
    rows = as_matrix(X, "X")
    joint = ksg.entropy(rows, **options)
    alone = sum(float(ksg.entropy(column[:, None], **options)) for column in rows.T)
    return _sum(alone - float(joint), joint)


@named_options()
def conditional_total_correlation(
    X: Any,
    W: Any,
    *,
    k: int = 3,
    base: float = 2.0,
    jitter: float = 1.0,
    seed: int = 0,
    search: str = "auto",
) -> BaselineEstimate:
    r"""What the columns of X say about each other once W is known.

    .. math:: TC(X \mid W) = \sum_i h(X_i \mid W) - h(X \mid W)

    Parameters
    ----------
    X : array-like of shape (n, d)
        One variable a column.
    W : array-like of shape (n, m), or (n,) for scalars
        One variable.
    k, base, jitter, seed, search
        As in `ksg.entropy`.

    Returns
    -------
    BaselineEstimate

    Raises
    ------
    ValueError, TypeError, ImportError
        As in `ksg.entropy`; X and W of different lengths.
    """
    options: dict[str, Any] = {
        "k": k,
        "base": base,
        "jitter": jitter,
        "seed": seed,
        "search": search,
    }
    rows, known = as_matrix(X, "X"), as_columns(W, "W")
    _check_lengths(X=rows, W=known)
    joint = conditional_entropy(rows, known, **options)
    alone = sum(float(conditional_entropy(column, known, **options)) for column in rows.T)
    return _sum(alone - float(joint), joint)


@named_options()
def correlation_explanation(
    X: Any,
    Y: Any,
    *,
    k: int = 3,
    base: float = 2.0,
    jitter: float = ksg.JITTER,
    seed: int = 0,
    search: str = "auto",
) -> BaselineEstimate:
    r"""How much of what the columns of X say about each other Y explains (CorEx).

    .. math:: TC(X; Y) = TC(X) - TC(X \mid Y) = \sum_i I(X_i; Y) - I(X; Y)

    by the informations of `ksg.mutual_information`.

    Parameters
    ----------
    X : array-like of shape (n, d)
        One variable a column.
    Y : array-like of shape (n, m), or (n,) for scalars
        One variable.
    k, base, jitter, seed, search
        As in `ksg.mutual_information`.

    Returns
    -------
    BaselineEstimate
        Negative where the columns say more about each other once Y is known.

    Raises
    ------
    ValueError, TypeError, ImportError
        As in `ksg.mutual_information`.

    References
    ----------
    Ver Steeg, Galstyan: Discovering structure in high-dimensional data through correlation
    explanation. NeurIPS 2014, arXiv:1406.1222.
    """
    options: dict[str, Any] = {
        "k": k,
        "base": base,
        "jitter": jitter,
        "seed": seed,
        "search": search,
    }
    rows = as_matrix(X, "X")
    joint = ksg.mutual_information(rows, Y, **options)
    alone = sum(float(ksg.mutual_information(column, Y, **options)) for column in rows.T)
    return _sum(alone - float(joint), joint)


@named_options()
def divergence(
    X: Any,
    Y: Any,
    *,
    k: int = 3,
    base: float = 2.0,
    jitter: float = 1.0,
    seed: int = 0,
    search: str = "auto",
) -> BaselineEstimate:
    r"""Kullback-Leibler divergence of the density of X from that of Y, by Wang, Kulkarni and Verdu.

    .. math:: D(X \| Y) = \frac{d}{n} \sum_i \log \frac{\nu_i}{\epsilon_i} + \log \frac{m}{n - 1}

    where epsilon_i is the distance of row i of X to its k-th nearest other row of X, and nu_i that
    to its k-th nearest row of Y. It is not symmetric.

    Where it fails: it is at most about d times the logarithm of a ratio of distances, so that it is
    finite, and far too low, where X has rows that no row of Y is near; densities with heavy tails
    and many columns need many rows.

    Parameters
    ----------
    X : array-like of shape (n, d), or (n,) for scalars
    Y : array-like of shape (m, d), or (m,) for scalars
        Another sample, of any length: rows do not belong together.
    k : int
        Neighbours, fewer than n, and at most m.
    base, jitter, seed, search
        As in `ksg.entropy`; a value that X and Y have in common occurs more than once.

    Returns
    -------
    BaselineEstimate
        Negative values are reported as they are. `n` is that of X.

    Raises
    ------
    ValueError, TypeError, ImportError
        As in `ksg.entropy`; different numbers of columns.

    References
    ----------
    Wang, Kulkarni, Verdu: Divergence estimation for multidimensional densities via
    k-nearest-neighbor distances. IEEE Trans. Inf. Theory 55 (2009).

    Examples
    --------
    >>> x, y = np.random.default_rng(0).normal(size=(2, 3000))
    >>> round(float(divergence(x, 2 * y, base=math.e)), 1)     # log 2 - 3/8 = 0.32 nats
    0.3
    """
    base = logarithm_base(base)
    integer(k, "k", at_least=1)
    rows, others = as_columns(X, "X"), as_columns(Y, "Y")
    n, m, d = len(rows), len(others), rows.shape[1]
    if others.shape[1] != d:
        raise ValueError(f"Y has {others.shape[1]} columns, X has {d}")
    if k >= n or k > m:
        raise ValueError(
            f"k must be less than the rows of X and at most those of Y, got k={k} for {n} and {m}"
        )
    (points,) = as_points(
        [np.concatenate([rows, others])], ["X and Y"], k, jitter, seed, spread=True
    )

    def log_distance(among: slice, number: int) -> float:
        found = waited_for(lambda: kth_distance_among(points, n, among, number, search), [points])
        return float(np.log(beyond(found, 0.0, k)).mean())

    ratio = log_distance(slice(n, None), k) - log_distance(slice(0, n), k + 1)
    settings = {"k": k, "m": m, "jitter": float(jitter), "seed": seed}
    value = (d * ratio + math.log(m / (n - 1))) / math.log(base)
    return BaselineEstimate(value, "Wang-Kulkarni-Verdu", n, base, settings=settings)


def _check_lengths(**variables: Matrix) -> None:
    (first, rows), (name, others) = variables.items()
    if len(rows) != len(others):
        raise ValueError(f"{name} has {len(others)} rows, {first} has {len(rows)}")


def _sum(value: float, part: BaselineEstimate) -> BaselineEstimate:
    """A sum of estimates with the settings of one of them."""
    return BaselineEstimate(value, part.method, part.n, part.base, settings=part.settings)
