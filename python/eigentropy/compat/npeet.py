"""The 24 estimators of the package NPEET, by the functions of eigentropy.baselines.

Change ``from npeet import entropy_estimators as ee`` to
``from eigentropy.compat import npeet as ee``: names, order and defaults of the arguments are the
same, and so are the values, to 1e-9 for the same noise. Values are floats, in bits unless `base`
says otherwise.

What is computed, by which function of `eigentropy.baselines`:

- `entropy`, `centropy`: `ksg.entropy`, `densities.conditional_entropy`
- `mi`, `cmi`: `ksg.mutual_information`, `ksg.conditional_mutual_information`, with
  ``margin=1e-15``
- `tc`, `ctc`, `corex`: `total_correlation`, `conditional_total_correlation` and
  `correlation_explanation` of `densities`
- `kldiv`: `densities.divergence`
- `entropyd`, `centropyd`, `midd`, `cmidd`: `entropy`, `conditional_entropy`, `mutual_information`
  and `conditional_mutual_information` of `discrete`
- `tcd`, `ctcd`, `corexd`: `total_correlation`, `conditional_total_correlation` and
  `correlation_explanation` of `discrete`
- `micd`, `midc`: `ksg.entropy` less `densities.discrete_conditional_entropy`, without the sign
- `centropycd`, `centropydc`, `ctcdc`, `ctccd`, `corexcd`, `corexdc`: sums of these, see there

**Noise.** NPEET has no option for a seed. It adds noise in [0, 1e-10) to continuous samples, drawn
from the global state of ``numpy.random``, anew in each entropy that a function is a sum of. This
module draws the same numbers from the same state, in the same order, so that a program that calls
``numpy.random.seed`` first gets NPEET's values, and its own later draws are the same, too. It is
the only module of eigentropy that reads or changes that state. For other noise, or none, replace
`add_noise` of this module, as one replaces NPEET's.

What is different on purpose:

- The inputs are checked before any number is drawn: NaN, lengths that differ, k out of range. What
  NPEET refuses by an assertion, or fails at, is a ValueError or TypeError.
- Samples may be lists, arrays, tensors or tables in all functions, and labels of any type.
- Samples that equal k others even with the noise have no density: that is an error, where NPEET
  returns infinity or NaN.
- `alpha` needs as many neighbours as there are columns; NPEET's value is rounding noise with fewer.
- Variables of which one varies over 1000 times as much as the other give a UserWarning.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from eigentropy._backends.host_arrays import Matrix
from eigentropy._kernels.groups import Codes
from eigentropy._support.options import integer, positive
from eigentropy.baselines import densities, discrete, ksg
from eigentropy.baselines._contingency import check_lengths, value_codes
from eigentropy.baselines._ksg_terms import EqualRowsError
from eigentropy.compat._samples import (
    base_as_neighbours,
    checked,
    checked_alpha,
    labels_of_variables,
    same_length,
    vectors,
    vectors_or_scalars,
)

__all__ = [
    "centropy", "centropycd", "centropyd", "centropydc", "cmi", "cmidd", "corex", "corexcd",
    "corexd", "corexdc", "ctc", "ctccd", "ctcd", "ctcdc", "entropy", "entropyd", "kldiv", "mi",
    "micd", "midc", "midd", "shuffle_test", "tc", "tcd",
]  # fmt: skip

# By how much less than the distance to the k-th neighbour other samples are counted.
MARGIN = 1e-15


def add_noise(x: npt.NDArray[Any], intens: float = 1e-10) -> npt.NDArray[Any]:
    """The samples with noise in [0, intens) from the global state of ``numpy.random``."""
    return x + intens * np.random.random_sample(x.shape)  # noqa: NPY002  # as NPEET


# ---- Continuous --------------------------------------------------------------------------------


def entropy(x: Any, k: int = 3, base: float = 2) -> float:
    """Differential entropy by Kozachenko and Leonenko, see `eigentropy.baselines.ksg.entropy`.

    Parameters
    ----------
    x : array-like of shape (n, d)
        One row a sample. A flat list of scalars is refused, as by NPEET: pass x[:, None].
    k : int
        Neighbours, fewer than n.
    base : float
        Of the logarithm.

    Returns
    -------
    float

    Raises
    ------
    ValueError, TypeError
        NaN, wrong shapes, options out of range; samples that equal k others.
    ImportError
        SciPy is missing.

    Examples
    --------
    >>> np.random.seed(0)
    >>> round(entropy(8 * np.random.rand(2000, 1)), 1)     # log2(8)
    3.0
    """
    rows = vectors(x, "x")
    k, base = checked(k, base, rows)
    return _entropy(rows, k, base, "x")


def centropy(x: Any, y: Any, k: int = 3, base: float = 2) -> float:
    """Differential entropy of x given y, h(x, y) - h(y).

    Parameters
    ----------
    x : array-like of shape (n, d), or (n,) for scalars
    y : array-like of shape (n, m)
    k, base
        As in `entropy`.

    Returns
    -------
    float

    Raises
    ------
    ValueError, TypeError, ImportError
        As in `entropy`; x and y of different lengths.
    """
    rows, known = vectors_or_scalars(x, "x"), vectors(y, "y")
    same_length(x=rows, y=known)
    k, base = checked(k, base, rows)
    return _conditional_entropy(rows, known, k, base)


def tc(xs: Any, k: int = 3, base: float = 2) -> float:
    """Total correlation of the columns, sum_i h(xs_i) - h(xs).

    Parameters
    ----------
    xs : array-like of shape (n, d)
        One variable a column.
    k, base
        As in `entropy`.

    Returns
    -------
    float

    Raises
    ------
    ValueError, TypeError, ImportError
        As in `entropy`.
    """
    rows = vectors(xs, "xs")
    k, base = checked(k, base, rows)
    alone = sum(_entropy(column, k, base, "xs") for column in _split(rows))
    return alone - _entropy(rows, k, base, "xs")


def ctc(xs: Any, y: Any, k: int = 3, base: float = 2) -> float:
    """Total correlation of the columns given y, sum_i h(xs_i | y) - h(xs | y).

    Parameters
    ----------
    xs : array-like of shape (n, d)
        One variable a column.
    y : array-like of shape (n, m)
    k, base
        As in `entropy`.

    Returns
    -------
    float

    Raises
    ------
    ValueError, TypeError, ImportError
        As in `entropy`; xs and y of different lengths.
    """
    rows, known = vectors(xs, "xs"), vectors(y, "y")
    same_length(xs=rows, y=known)
    k, base = checked(k, base, rows)
    alone = sum(_conditional_entropy(column, known, k, base) for column in _split(rows))
    return alone - _conditional_entropy(rows, known, k, base)


def corex(xs: Any, ys: Any, k: int = 3, base: float = 2) -> float:
    """How much of the total correlation of xs ys explains, sum_i I(xs_i; ys) - I(xs; ys).

    Parameters
    ----------
    xs : array-like of shape (n, d)
        One variable a column.
    ys : array-like of shape (n, m), or (n,) for scalars
    k, base
        As in `entropy`.

    Returns
    -------
    float

    Raises
    ------
    ValueError, TypeError, ImportError
        As in `entropy`; xs and ys of different lengths.
    """
    rows, others = vectors(xs, "xs"), vectors_or_scalars(ys, "ys")
    same_length(xs=rows, ys=others)
    k, base = checked(k, base, rows)
    alone = sum(_information(column, others, k, base, None) for column in _split(rows))
    return alone - _information(rows, others, k, base, None)


def mi(x: Any, y: Any, z: Any = None, k: int = 3, base: float = 2, alpha: float = 0) -> float:
    """Mutual information of x and y, given z if there is one, by Kraskov and others.

    The first algorithm of `eigentropy.baselines.ksg.mutual_information`, or
    `conditional_mutual_information`, with ``margin=1e-15``.

    Parameters
    ----------
    x, y : array-like of shape (n, d), or (n,) for scalars
    z : array-like of shape (n, d), or (n,) for scalars, optional
        No noise is added to it.
    k, base
        As in `entropy`.
    alpha : float
        Threshold of Gao's correction for local non-uniformity, between 0 and 1; 0 for none. It is
        not used given z.

    Returns
    -------
    float
        May be negative.

    Raises
    ------
    ValueError, TypeError, ImportError
        As in `entropy`; different lengths; `alpha` with fewer neighbours than columns.

    Examples
    --------
    >>> x, y = [[1.3], [3.7], [5.1], [2.4], [3.4]], [[1.5], [3.32], [5.3], [2.3], [3.3]]
    >>> round(mi(x, y), 3)     # NPEET's own example
    0.168
    """
    rows, others = vectors_or_scalars(x, "x"), vectors_or_scalars(y, "y")
    same_length(x=rows, y=others)
    k, base = checked(k, base, rows)
    if z is None:
        threshold = checked_alpha(alpha, k, rows.shape[1] + others.shape[1])
        return _information(rows, others, k, base, threshold)
    known = vectors_or_scalars(z, "z")
    same_length(x=rows, z=known)
    noisy = add_noise(rows), add_noise(others)
    return _float(
        ksg.conditional_mutual_information,
        "x, y and z together",
        *noisy,
        known,
        k=k,
        base=base,
        margin=MARGIN,
        jitter=0,
    )


def cmi(x: Any, y: Any, z: Any, k: int = 3, base: float = 2) -> float:
    """Mutual information of x and y given z: `mi` with z.

    Parameters
    ----------
    x, y, z, k, base
        As in `mi`.

    Returns
    -------
    float
        May be negative.

    Raises
    ------
    ValueError, TypeError, ImportError
        As in `mi`.
    """
    return mi(x, y, z=z, k=k, base=base)


def kldiv(x: Any, xp: Any, k: int = 3, base: float = 2) -> float:
    """Kullback-Leibler divergence of x from xp, see `eigentropy.baselines.densities.divergence`.

    Parameters
    ----------
    x, xp : array-like of shape (n, d) and (m, d)
        Two samples. No noise is added.
    k : int
        Neighbours, fewer than n and than m.
    base : float
        Of the logarithm.

    Returns
    -------
    float

    Raises
    ------
    ValueError, TypeError, ImportError
        As in `entropy`; different numbers of columns.
    """
    rows, others = vectors(x, "x"), vectors(xp, "xp")
    if others.shape[1] != rows.shape[1]:
        raise ValueError(f"xp has {others.shape[1]} columns, x has {rows.shape[1]}")
    k, base = checked(k, base, rows, others)
    return _float(densities.divergence, "x or xp", rows, others, k=k, base=base, jitter=0)


# ---- Discrete ----------------------------------------------------------------------------------


def entropyd(sx: Any, base: float = 2) -> float:
    """Entropy of a discrete variable, see `eigentropy.baselines.discrete.entropy`.

    Parameters
    ----------
    sx : array-like of length n, or of shape (n, d)
        One value, or row of values, a sample.
    base : float
        Of the logarithm.

    Returns
    -------
    float

    Raises
    ------
    ValueError, TypeError
        Missing values, options out of range.

    Examples
    --------
    >>> entropyd([0, 0, 1, 1])
    1.0
    """
    return float(discrete.entropy(value_codes(sx, "sx"), base=base))


def midd(x: Any, y: Any, base: float = 2) -> float:
    """Mutual information of two discrete variables.

    Parameters
    ----------
    x, y : array-like of length n, or of shape (n, d)
    base : float
        Of the logarithm.

    Returns
    -------
    float

    Raises
    ------
    ValueError, TypeError
        As in `entropyd`; x and y of different lengths.
    """
    codes = {"x": value_codes(x, "x"), "y": value_codes(y, "y")}
    check_lengths(codes)
    return float(discrete.mutual_information(*codes.values(), base=base))


def cmidd(x: Any, y: Any, z: Any, base: float = 2) -> float:
    """Mutual information of two discrete variables given a third.

    Parameters
    ----------
    x, y, z : array-like of length n, or of shape (n, d)
    base : float
        Of the logarithm.

    Returns
    -------
    float

    Raises
    ------
    ValueError, TypeError
        As in `entropyd`; variables of different lengths.
    """
    codes = {"x": value_codes(x, "x"), "y": value_codes(y, "y"), "z": value_codes(z, "z")}
    check_lengths(codes)
    return float(discrete.conditional_mutual_information(*codes.values(), base=base))


def centropyd(x: Any, y: Any, base: float = 2) -> float:
    """Entropy of a discrete variable x given y.

    Parameters
    ----------
    x, y : array-like of length n, or of shape (n, d)
    base : float
        Of the logarithm.

    Returns
    -------
    float

    Raises
    ------
    ValueError, TypeError
        As in `entropyd`; x and y of different lengths.
    """
    codes = {"x": value_codes(x, "x"), "y": value_codes(y, "y")}
    check_lengths(codes)
    return float(discrete.conditional_entropy(*codes.values(), base=base))


def tcd(xs: Any, base: float = 2) -> float:
    """Total correlation of discrete columns.

    Parameters
    ----------
    xs : array-like of shape (n, d)
        One variable a column.
    base : float
        Of the logarithm.

    Returns
    -------
    float

    Raises
    ------
    ValueError, TypeError
        As in `entropyd`; a flat list.
    """
    return float(discrete.total_correlation(labels_of_variables(xs, "xs"), base=base))


def ctcd(xs: Any, y: Any, base: float = 2) -> float:
    """Total correlation of discrete columns given y.

    Parameters
    ----------
    xs : array-like of shape (n, d)
        One variable a column.
    y : array-like of length n, or of shape (n, m)
    base : float
        Of the logarithm.

    Returns
    -------
    float

    Raises
    ------
    ValueError, TypeError
        As in `tcd`; xs and y of different lengths.
    """
    variables, codes = labels_of_variables(xs, "xs"), value_codes(y, "y")
    same_length(xs=variables, y=codes)
    return float(discrete.conditional_total_correlation(variables, codes, base=base))


def corexd(xs: Any, ys: Any, base: float = 2) -> float:
    """How much of the total correlation of discrete columns ys explains.

    Parameters
    ----------
    xs : array-like of shape (n, d)
        One variable a column.
    ys : array-like of length n, or of shape (n, m)
    base : float
        Of the logarithm.

    Returns
    -------
    float

    Raises
    ------
    ValueError, TypeError
        As in `tcd`; xs and ys of different lengths.
    """
    variables, codes = labels_of_variables(xs, "xs"), value_codes(ys, "ys")
    same_length(xs=variables, ys=codes)
    return float(discrete.correlation_explanation(variables, codes, base=base))


# ---- Mixed -------------------------------------------------------------------------------------


def micd(x: Any, y: Any, k: int = 3, base: float = 2, warning: bool = True) -> float:
    """Mutual information of continuous x and discrete y, abs(h(x) - sum_y p_y h(x | y)).

    The errors of the entropies do not cancel, and the sign of what is left is dropped, so that
    independent variables come out above 0. `eigentropy.baselines.ksg.discrete_mutual_information`
    (Ross) does better.

    Parameters
    ----------
    x : array-like of shape (n, d)
    y : array-like of length n, or of shape (n, m)
        Labels, or rows of them.
    k, base
        As in `entropy`.
    warning : bool
        Whether to warn of labels with at most k samples, which count with the entropy of all.

    Returns
    -------
    float

    Raises
    ------
    ValueError, TypeError, ImportError
        As in `entropy`; x and y of different lengths; missing labels.

    Warns
    -----
    UserWarning
        See `warning`.
    """
    return _mixed_information(*_mixed("x", x, "y", y), "x", k, base, warning)


def midc(x: Any, y: Any, k: int = 3, base: float = 2, warning: bool = True) -> float:
    """Mutual information of discrete x and continuous y: `micd` with both exchanged.

    Parameters
    ----------
    x : array-like of length n, or of shape (n, m)
        Labels, or rows of them.
    y : array-like of shape (n, d)
    k, base, warning
        As in `micd`.

    Returns
    -------
    float

    Raises
    ------
    ValueError, TypeError, ImportError
        As in `micd`.
    """
    return _mixed_information(*_mixed("y", y, "x", x), "y", k, base, warning)


def centropycd(x: Any, y: Any, k: int = 3, base: float = 2, warning: bool = True) -> float:
    """Differential entropy of continuous x given discrete y, h(x) - `micd`.

    As in NPEET, h(x) is in bits whatever the base, and has `base` neighbours in place of k;
    `eigentropy.baselines.densities.discrete_conditional_entropy` does without either.

    Parameters
    ----------
    x, y, k, warning
        As in `micd`.
    base : float
        A whole number.

    Returns
    -------
    float

    Raises
    ------
    ValueError, TypeError, ImportError
        As in `micd`; a base that is no number of neighbours.
    """
    return _entropy_given_labels(*_mixed("x", x, "y", y), "x", k, base, warning)


def centropydc(x: Any, y: Any, k: int = 3, base: float = 2, warning: bool = True) -> float:
    """Differential entropy of continuous y given discrete x: `centropycd` with both exchanged.

    Parameters
    ----------
    x, y
        As in `midc`.
    k, base, warning
        As in `centropycd`.

    Returns
    -------
    float

    Raises
    ------
    ValueError, TypeError, ImportError
        As in `centropycd`.
    """
    return _entropy_given_labels(*_mixed("y", y, "x", x), "y", k, base, warning)


def ctcdc(xs: Any, y: Any, k: int = 3, base: float = 2, warning: bool = True) -> float:
    """For discrete columns xs and continuous y, sum_i h(y | xs_i) - h(y | xs).

    As in NPEET; a conditional total correlation would have the entropies of xs given y.

    Parameters
    ----------
    xs : array-like of shape (n, d)
        One discrete variable a column.
    y : array-like of shape (n, m)
        Continuous.
    k, base, warning
        As in `centropycd`.

    Returns
    -------
    float

    Raises
    ------
    ValueError, TypeError, ImportError
        As in `centropydc`; a flat list as xs.
    """
    return _sum_given_labels("xs", xs, "y", y, k, base, warning)


def ctccd(xs: Any, y: Any, k: int = 3, base: float = 2, warning: bool = True) -> float:
    """For continuous xs and discrete columns y: `ctcdc` with both exchanged.

    Parameters
    ----------
    xs : array-like of shape (n, m)
        Continuous.
    y : array-like of shape (n, d)
        One discrete variable a column.
    k, base, warning
        As in `centropycd`.

    Returns
    -------
    float

    Raises
    ------
    ValueError, TypeError, ImportError
        As in `ctcdc`.
    """
    return _sum_given_labels("y", y, "xs", xs, k, base, warning)


def corexcd(xs: Any, ys: Any, k: int = 3, base: float = 2, warning: bool = True) -> float:
    """For continuous xs and discrete columns ys: `corexdc` with both exchanged.

    Parameters
    ----------
    xs : array-like of shape (n, m)
        Continuous.
    ys : array-like of shape (n, d)
        One discrete variable a column.
    k, base, warning
        As in `centropycd`.

    Returns
    -------
    float

    Raises
    ------
    ValueError, TypeError, ImportError
        As in `corexdc`.
    """
    return _explained("ys", ys, "xs", xs, k, base, warning)


def corexdc(xs: Any, ys: Any, k: int = 3, base: float = 2, warning: bool = True) -> float:
    """For discrete columns xs and continuous ys, `tcd` of xs less `ctcdc`.

    Parameters
    ----------
    xs : array-like of shape (n, d)
        One discrete variable a column.
    ys : array-like of shape (n, m)
        Continuous.
    k, base, warning
        As in `centropycd`.

    Returns
    -------
    float

    Raises
    ------
    ValueError, TypeError, ImportError
        As in `ctcdc`.
    """
    return _explained("xs", xs, "ys", ys, k, base, warning)


# ---- Shuffled ----------------------------------------------------------------------------------


def shuffle_test(
    measure: Callable[..., float],
    x: Any,
    y: Any,
    z: Any = False,
    ns: int = 200,
    ci: float = 0.95,
    **kwargs: Any,
) -> tuple[float, tuple[float, float]]:
    """What a measure gives for x in random order: its mean, and an interval.

    Parameters
    ----------
    measure : callable
        Called as measure(x, y), or measure(x, y, z), such as `mi` and `cmi`.
    x, y, z
        Its samples; no z by default. x is shuffled by the global state of ``numpy.random``.
    ns : int
        How many times.
    ci : float
        The share of the values that the interval holds, between 0 and 1.
    **kwargs
        Options of the measure.

    Returns
    -------
    mean : float
    interval : tuple of two floats

    Raises
    ------
    ValueError, TypeError
        `ns` below 1, `ci` out of range, and what the measure raises.
    """
    ns = integer(ns, "ns", at_least=1)
    if positive(ci, "ci") >= 1.0:
        raise ValueError(f"ci must be below 1, got {ci!r}")
    shuffled = np.copy(x)
    given = () if z is None or z is False else (z,)
    values = []
    for _ in range(ns):
        np.random.shuffle(shuffled)  # noqa: NPY002  # as NPEET
        values.append(measure(shuffled, y, *given, **kwargs))
    values.sort()
    last = min(int((1.0 + ci) / 2 * ns), ns - 1)  # ci may be 1 but for its rounding
    interval = values[int((1.0 - ci) / 2 * ns)], values[last]
    return float(np.mean(values)), interval


# ---- Sums with noise ---------------------------------------------------------------------------


def _mixed(name: str, continuous: Any, other: str, labels: Any) -> tuple[Matrix, Codes]:
    """The samples of both, checked by the names that the caller knows."""
    rows, codes = vectors(continuous, name), value_codes(labels, other)
    same_length(**{name: rows, other: codes})
    return rows, codes


def _mixed_information(
    rows: Matrix, codes: Codes, name: str, k: int, base: float, warning: bool
) -> float:
    """abs(h(rows) - sum_y p_y h(rows | y))."""
    k, base = checked(k, base, rows)
    whole = _entropy(rows, k, base, name)
    known = densities.mean_entropy(
        rows, codes, k, whole, lambda group: _entropy(group, k, base, name), warning=warning
    )
    return abs(whole - known)


def _entropy_given_labels(
    rows: Matrix, codes: Codes, name: str, k: int, base: float, warning: bool
) -> float:
    """h(rows), with `base` neighbours and in bits, less the information."""
    checked(k, base, rows)
    neighbours, bits = checked(base_as_neighbours(base), 2, rows)
    whole = _entropy(rows, neighbours, bits, name)
    return whole - _mixed_information(rows, codes, name, k, base, warning)


def _sum_given_labels(
    labels: str, xs: Any, name: str, y: Any, k: int, base: float, warning: bool
) -> float:
    """sum_i h(y | xs_i) - h(y | xs)."""
    variables, rows = labels_of_variables(xs, labels), vectors(y, name)
    same_length(**{labels: variables, name: rows})

    def left(known: Codes) -> float:
        return _entropy_given_labels(rows, value_codes(known, labels), name, k, base, warning)

    return sum(left(column) for column in variables.T) - left(variables)


def _explained(
    labels: str, xs: Any, name: str, ys: Any, k: int, base: float, warning: bool
) -> float:
    """The total correlation of the labels, less the above."""
    total = discrete.total_correlation(labels_of_variables(xs, labels), base=base)
    return float(total) - _sum_given_labels(labels, xs, name, ys, k, base, warning)


def _split(rows: Matrix) -> list[Matrix]:
    """The columns, one matrix each."""
    return np.split(rows, rows.shape[1], axis=1)


def _entropy(rows: Matrix, k: int, base: float, name: str) -> float:
    return _float(ksg.entropy, name, add_noise(rows), k=k, base=base, jitter=0)


def _conditional_entropy(rows: Matrix, known: Matrix, k: int, base: float) -> float:
    joint = _entropy(np.hstack([rows, known]), k, base, "both together")
    return joint - _entropy(known, k, base, "y")


def _information(
    rows: Matrix, others: Matrix, k: int, base: float, threshold: float | None
) -> float:
    return _float(
        ksg.mutual_information,
        "both together",
        add_noise(rows),
        add_noise(others),
        k=k,
        base=base,
        margin=MARGIN,
        local_nonuniformity=threshold,
        jitter=0,
    )


def _float(estimate: Callable[..., Any], name: str, *samples: Any, k: int, **options: Any) -> float:
    """The estimate, with an error that names what NPEET calls the samples."""
    try:
        return float(estimate(*samples, k=k, **options))
    except EqualRowsError as error:
        raise ValueError(
            f"{error.rows} samples of {name} equal k={k} others or more, so that they have no "
            "density: raise k, use the discrete functions (entropyd, midd) for values that occur "
            "again and again, or divide by the scale of the data where the noise of 1e-10 is lost "
            "in rounding"
        ) from None
