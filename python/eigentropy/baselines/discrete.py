"""Entropy, information and total correlation of discrete variables, from how often values occur.

The values are labels of any type, and a row of several columns is one value. Nothing is cut into
bins: that is `eigentropy.baselines.binning`.

All functions have three estimators of an entropy. With the share p_v of the n samples that have
value v, of K values that occur,

- "plug-in" is the entropy of these shares, -sum_v p_v log p_v. It is too small on average, by
  about (K - 1) / (2n) nats.
- "miller-madow" adds (K - 1) / (2n). An information, whose joint entropy has the most values,
  becomes smaller and may be negative.
- "shrinkage" (James and Stein; Hausser and Strimmer) is the entropy of the shares
  lambda / K + (1 - lambda) p_v, with the lambda that makes their expected squared error smallest,
  as estimated: (1 - sum_v p_v^2) / ((n - 1) sum_v (1/K - p_v)^2), at most 1. Of several variables K
  is the number of all combinations of their values, and the entropies are those of the margins of
  this one distribution.

All three fail where most values occur once: K is then known no better than n says.

References: Miller: Note on the bias of information estimates. 1955. Hausser, Strimmer: Entropy
inference and the James-Stein estimator. JMLR 10 (2009), arXiv:0811.3579.
"""

from __future__ import annotations

import math
from typing import Any

from eigentropy._kernels.groups import Codes
from eigentropy._support.options import integer, logarithm_base
from eigentropy._support.signatures import named_options
from eigentropy.baselines._contingency import Joint, check_lengths, column_codes, value_codes
from eigentropy.baselines._estimate import BaselineEstimate


@named_options()
def entropy(
    Z: Any, *, estimator: str = "plug-in", n_values: int | None = None, base: float = 2.0
) -> BaselineEstimate:
    r"""Shannon entropy of a discrete variable.

    .. math:: H = -\sum_v p_v \log p_v

    Parameters
    ----------
    Z : array-like of length n, or of shape (n, d)
        Labels of any type, or rows of them.
    estimator : {"plug-in", "miller-madow", "shrinkage"}
        See above.
    n_values : int, optional
        How many values could occur, the K of "shrinkage"; by default those that do.
    base : float
        Of the logarithm: 2 gives bits, math.e nats.

    Returns
    -------
    BaselineEstimate

    Raises
    ------
    ValueError, TypeError
        An argument of the wrong value or type; missing labels; fewer `n_values` than occur.

    Examples
    --------
    >>> float(entropy(["a", "b", "a", "b"]))
    1.0
    """
    joint = Joint.of([value_codes(Z, "Z")], estimator)
    if n_values is not None:
        occur = joint.n_values[0]
        if integer(n_values, "n_values", at_least=1) < occur:
            raise ValueError(f"n_values is {n_values}, but {occur} values occur in Z")
        joint = Joint(joint.variables, estimator, [n_values])
    return _estimate(joint.entropy(0), joint, base)


@named_options()
def conditional_entropy(
    Z: Any, W: Any, *, estimator: str = "plug-in", base: float = 2.0
) -> BaselineEstimate:
    """Entropy of Z that is left once W is known, H(Z, W) - H(W).

    Parameters
    ----------
    Z, W : array-like of length n, or of shape (n, d)
    estimator, base
        As in `entropy`.

    Returns
    -------
    BaselineEstimate

    Raises
    ------
    ValueError, TypeError
        As in `entropy`; Z and W of different lengths.

    Examples
    --------
    >>> float(conditional_entropy([0, 1, 0, 1], [0, 0, 1, 1]))
    1.0
    """
    joint = _joint({"Z": value_codes(Z, "Z"), "W": value_codes(W, "W")}, estimator)
    return _estimate(joint.entropy(0, 1) - joint.entropy(1), joint, base)


@named_options()
def mutual_information(
    X: Any, Y: Any, *, estimator: str = "plug-in", base: float = 2.0
) -> BaselineEstimate:
    """What two discrete variables say about each other, H(X) + H(Y) - H(X, Y).

    Parameters
    ----------
    X, Y : array-like of length n, or of shape (n, d)
    estimator, base
        As in `entropy`.

    Returns
    -------
    BaselineEstimate
        Not below 0, but for "miller-madow".

    Raises
    ------
    ValueError, TypeError
        As in `entropy`; X and Y of different lengths.

    Examples
    --------
    >>> float(mutual_information([0, 0, 1, 1], ["a", "a", "b", "b"]))
    1.0
    """
    joint = _joint({"X": value_codes(X, "X"), "Y": value_codes(Y, "Y")}, estimator)
    value = joint.entropy(0) + joint.entropy(1) - joint.entropy(0, 1)
    return _estimate(value, joint, base)


@named_options()
def conditional_mutual_information(
    X: Any, Y: Any, W: Any, *, estimator: str = "plug-in", base: float = 2.0
) -> BaselineEstimate:
    """What X and Y say about each other once W is known, H(X, W) + H(Y, W) - H(X, Y, W) - H(W).

    Parameters
    ----------
    X, Y, W : array-like of length n, or of shape (n, d)
    estimator, base
        As in `entropy`.

    Returns
    -------
    BaselineEstimate

    Raises
    ------
    ValueError, TypeError
        As in `entropy`; variables of different lengths.

    Examples
    --------
    >>> float(conditional_mutual_information([0, 0, 1, 1], [0, 1, 0, 1], [0, 1, 1, 0]))
    1.0
    """
    variables = {"X": value_codes(X, "X"), "Y": value_codes(Y, "Y"), "W": value_codes(W, "W")}
    joint = _joint(variables, estimator)
    value = joint.entropy(0, 2) + joint.entropy(1, 2) - joint.entropy(0, 1, 2) - joint.entropy(2)
    return _estimate(value, joint, base)


@named_options()
def total_correlation(X: Any, *, estimator: str = "plug-in", base: float = 2.0) -> BaselineEstimate:
    r"""What the columns of X say about each other (Watanabe's, or multi-information).

    .. math:: TC(X) = \sum_i H(X_i) - H(X)

    Parameters
    ----------
    X : array-like of shape (n, d)
        One variable a column.
    estimator, base
        As in `entropy`.

    Returns
    -------
    BaselineEstimate

    Raises
    ------
    ValueError, TypeError
        As in `entropy`.

    References
    ----------
    Watanabe: Information theoretical analysis of multivariate correlation. IBM J. 4 (1960).

    Examples
    --------
    >>> round(float(total_correlation([[0, 0, 0], [1, 1, 1]])), 6)
    2.0
    """
    joint = Joint.of(column_codes(X, "X"), estimator)
    every = range(len(joint.variables))
    value = sum(joint.entropy(i) for i in every) - joint.entropy(*every)
    return _estimate(value, joint, base)


@named_options()
def conditional_total_correlation(
    X: Any, W: Any, *, estimator: str = "plug-in", base: float = 2.0
) -> BaselineEstimate:
    r"""What the columns of X say about each other once W is known.

    .. math:: TC(X \mid W) = \sum_i H(X_i \mid W) - H(X \mid W)

    Parameters
    ----------
    X : array-like of shape (n, d)
        One variable a column.
    W : array-like of length n, or of shape (n, m)
        One variable.
    estimator, base
        As in `entropy`.

    Returns
    -------
    BaselineEstimate

    Raises
    ------
    ValueError, TypeError
        As in `entropy`; X and W of different lengths.

    Examples
    --------
    >>> float(conditional_total_correlation([[0, 0], [1, 1]], [0, 1]))
    0.0
    """
    joint = _columns_with(X, value_codes(W, "W"), "W", estimator)
    return _estimate(_conditional_total_correlation(joint), joint, base)


@named_options()
def correlation_explanation(
    X: Any, Y: Any, *, estimator: str = "plug-in", base: float = 2.0
) -> BaselineEstimate:
    r"""How much of what the columns of X say about each other Y explains (CorEx).

    .. math:: TC(X; Y) = TC(X) - TC(X \mid Y) = \sum_i I(X_i; Y) - I(X; Y)

    Parameters
    ----------
    X : array-like of shape (n, d)
        One variable a column.
    Y : array-like of length n, or of shape (n, m)
        One variable.
    estimator, base
        As in `entropy`.

    Returns
    -------
    BaselineEstimate
        Negative where the columns say more about each other once Y is known.

    Raises
    ------
    ValueError, TypeError
        As in `entropy`; X and Y of different lengths.

    References
    ----------
    Ver Steeg, Galstyan: Discovering structure in high-dimensional data through correlation
    explanation. NeurIPS 2014, arXiv:1406.1222.

    Examples
    --------
    >>> float(correlation_explanation([[0, 0], [1, 1]], [0, 1]))
    1.0
    """
    joint = _columns_with(X, value_codes(Y, "Y"), "Y", estimator)
    every = range(len(joint.variables) - 1)
    alone = sum(joint.entropy(i) for i in every) - joint.entropy(*every)
    return _estimate(alone - _conditional_total_correlation(joint), joint, base)


def _columns_with(X: Any, codes: Codes, name: str, estimator: str) -> Joint:
    """The columns of X, and a last variable."""
    columns = column_codes(X, "X")
    check_lengths({"X": columns[0], name: codes})
    return Joint.of([*columns, codes], estimator)


def _conditional_total_correlation(joint: Joint) -> float:
    """Of all variables but the last, given the last."""
    *every, last = range(len(joint.variables))
    known = joint.entropy(last)
    left = sum(joint.entropy(i, last) - known for i in every)
    return left - (joint.entropy(*every, last) - known)


def _joint(variables: dict[str, Codes], estimator: str) -> Joint:
    check_lengths(variables)
    return Joint.of(list(variables.values()), estimator)


def _estimate(nats: float, joint: Joint, base: float) -> BaselineEstimate:
    base = logarithm_base(base)
    shrunk = joint.estimator == "shrinkage"
    settings = {"uniform_share": joint.uniform_share} if shrunk else {}
    return BaselineEstimate(
        nats / math.log(base), joint.estimator, joint.n, base, settings=settings
    )
