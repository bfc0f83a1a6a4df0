"""Scores of how well a linear model would tell labels from Z, without training one.

They rank pretrained networks for a task: LogME, H-score, TransRate. `eigentropy.baselines.probes`
has the classifiers themselves.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from eigentropy._backends.host_arrays import Matrix
from eigentropy._kernels.groups import Codes
from eigentropy._support import memory
from eigentropy._support.interruption import interruptible
from eigentropy._support.options import logarithm_base, nonnegative, one_of, positive
from eigentropy._support.signatures import named_options
from eigentropy._support.warnings import warn
from eigentropy.baselines._estimate import BaselineEstimate
from eigentropy.baselines._labelled import labelled
from eigentropy.baselines._singular_values import squared_singular_values

Array = npt.NDArray[np.float64]

# The shrinkage that is computed from the rows.
LEDOIT_WOLF = "ledoit-wolf"

# The evidence is looked at on a grid of log(alpha / beta), from far below the smallest eigenvalue
# to far above the largest, where it no longer changes, and then on finer grids around the best.
BELOW, ABOVE, STEP = 45.0, 25.0, 0.25
FINER, ZOOMS = 21, 7


@named_options()
def logme(Z: Any, Y: Any) -> BaselineEstimate:
    r"""LogME: the logarithm of the maximum evidence of labels given Z, a row, in nats.

    .. math:: \frac{1}{n K} \sum_y \max_{\alpha, \beta} \log
        \mathcal{N}\big(e_y;\; 0,\; Z Z' / \alpha + I / \beta\big)

    with the column e_y of class y, 1 in the rows of the class and 0 in others: the evidence of a
    Bayesian linear regression on Z, whose weights have the precision alpha and whose noise has the
    precision beta. The scale of Z and rotations do not matter; its mean does, as the regression has
    no constant.

    With the singular values and vectors of Z, and beta at its best for alpha / beta, the evidence
    depends on alpha / beta alone. Its maximum is looked for on a grid and refined; the authors
    iterate to a fixed point, which may be another, lower maximum.

    Where it fails: it is infinite where fewer than n directions of Z give the labels without an
    error. It counts errors of a regression, so that it sees little of classes that a line cannot
    separate.

    Parameters
    ----------
    Z : array-like of shape (n, d)
    Y : array-like of length n
        Labels of two classes or more.

    Returns
    -------
    BaselineEstimate

    Raises
    ------
    ValueError, TypeError
        An argument of the wrong value or type; NaN or infinity; one class.
    MemoryError
        A copy of Z and its singular vectors do not fit.

    References
    ----------
    You, Liu, Wang, Long: LogME: practical assessment of pre-trained models for transfer learning.
    ICML 2021, arXiv:2102.11005.

    Examples
    --------
    >>> labels, other = np.repeat([0, 1], 50), np.tile([0, 1], 50)
    >>> Z = np.random.default_rng(0).normal(size=(100, 3)) + 4 * labels[:, None]
    >>> bool(logme(Z, labels) > logme(Z, other))
    True
    """
    rows, codes = labelled(Z, Y)
    values = _scaled(rows)
    U, s = _directions(values)
    classes = np.eye(codes.max() + 1)[codes]
    along = U.T @ classes
    rest = ((classes - U @ along) ** 2).sum(axis=0)
    rest[rest <= (len(rows) * np.finfo(float).eps) ** 2 * classes.sum(axis=0)] = 0.0
    value = log_evidence(s * s, along**2, rest, len(rows)).mean() / len(rows)
    return BaselineEstimate(float(value), "LogME", len(rows), None)


@named_options()
def h_score(Z: Any, Y: Any, *, shrinkage: float | str = 0.0) -> BaselineEstimate:
    r"""H-score: how much of the variance of Z is between the classes, direction by direction.

    .. math:: \operatorname{tr}\big(\Sigma^{-1} \Sigma_Y\big)

    with the covariance of the rows and that of their class means, each row having the mean of its
    class. Between 0, as for equal rows, and min(K - 1, d) for K classes; linear maps of Z do not
    matter. Of a singular covariance the pseudo-inverse is taken.

    With a shrinkage a in (0, 1] it is that of Ibrahim et al.,

    .. math:: (1 - a) \operatorname{tr}\big(\Sigma_a^{-1} \Sigma_Y\big), \qquad
        \Sigma_a = (1 - a) \Sigma + a\, \frac{\operatorname{tr} \Sigma}{d} I,

    which rotations and the scale of Z leave as it is, and other linear maps do not. "ledoit-wolf"
    takes the a that Ledoit and Wolf estimate from the rows,

    .. math:: a = \frac{1}{n} \cdot
        \frac{\tfrac{1}{n} \sum_i |z_i|^4 - |\Sigma|_F^2}{|\Sigma|_F^2 - (\operatorname{tr}
        \Sigma)^2 / d} \quad \text{(of centred rows, at most 1).}

    Where it fails: with d >= n - 1 columns and no shrinkage it is K - 1 for any labels, which is
    warned about.

    Parameters
    ----------
    Z : array-like of shape (n, d)
    Y : array-like of length n
        Labels of two classes or more.
    shrinkage : float in [0, 1], or "ledoit-wolf"

    Returns
    -------
    BaselineEstimate
        `settings["shrinkage"]` is the number.

    Raises
    ------
    ValueError, TypeError
        An argument of the wrong value or type; NaN or infinity; one class.
    MemoryError
        A copy of Z and its singular vectors do not fit.

    References
    ----------
    Bao, Li, Huang, Zhang, Zheng, Zamir, Guibas: An information-theoretic approach to
    transferability in task transfer learning. ICIP 2019, arXiv:2212.10082. Ibrahim, Ponomareva,
    Mazumder: Newer is not always better: rethinking transferability metrics, their peculiarities,
    stability and performance. ECML 2022, arXiv:2110.06893. Ledoit, Wolf: A well-conditioned
    estimator for large-dimensional covariance matrices. J. Multivariate Analysis 88 (2004).

    Examples
    --------
    >>> round(float(h_score([[0.0], [0.0], [1.0], [1.0]], ["a", "a", "b", "b"])), 6)
    1.0
    """
    if isinstance(shrinkage, str):
        one_of(shrinkage, "shrinkage", (LEDOIT_WOLF,))
    else:
        shrinkage = nonnegative(shrinkage, "shrinkage", at_most=1.0)
    rows, codes = labelled(Z, Y)
    n, d = rows.shape
    values = _scaled(rows)
    values -= values.mean(axis=0)
    U, s = _directions(values)
    variances = s * s / n
    if isinstance(shrinkage, str):
        shrinkage = ledoit_wolf(values, float(variances.sum()), float(variances @ variances))
    elif shrinkage == 0.0 and len(s) == n - 1:
        warn(
            f"the {n} rows of Z span {len(s)} directions, so that any labels of as many classes "
            "have this H-score: pass more rows, or shrinkage='ledoit-wolf'"
        )
    shrunk = (1.0 - shrinkage) * variances + shrinkage * variances.sum() / d
    shares = (1.0 - shrinkage) * variances / shrunk
    value = float(shares @ _between_classes(U, codes))
    return BaselineEstimate(value, "H-score", n, None, settings={"shrinkage": shrinkage})


@named_options()
def transrate(Z: Any, Y: Any, *, epsilon: float = 0.01, base: float = 2.0) -> BaselineEstimate:
    r"""TransRate: how many bits a row fewer its class needs than all rows do, at a distortion.

    .. math:: R(Z) - \sum_y p_y R(Z_y), \qquad
        R(Z) = \tfrac12 \log \det\Big(I + \frac{Z' Z}{n\, \epsilon^2}\Big)

    with Z centred, and Z_y its rows of class y, n_y for n: the rate of Gaussian data at a
    distortion epsilon^2 in each column. It is DSMI's difference with another entropy. The authors'
    code has epsilon^2 = 1e-4 and counts all classes alike; where classes are as large as each
    other, it is this value in nats.

    Where it fails: it depends on the scale of Z, as epsilon has one. Classes are not centred, so
    that two of them, at opposite ends of a line, have a value of 0. Small classes span few
    directions whatever the labels are, so that it is above 0 for random labels of many columns.

    Parameters
    ----------
    Z : array-like of shape (n, d)
    Y : array-like of length n
        Labels of two classes or more.
    epsilon : float
        In the unit of Z.
    base : float
        Of the logarithm: 2 gives bits, math.e nats.

    Returns
    -------
    BaselineEstimate

    Raises
    ------
    ValueError, TypeError
        An argument of the wrong value or type; NaN or infinity; one class.
    MemoryError
        The product of Z with itself does not fit.

    References
    ----------
    Huang, Huang, Rong, Yang, Wei: Frustratingly easy transferability estimation. ICML 2022,
    arXiv:2106.09362.

    Examples
    --------
    >>> Z = np.repeat(np.eye(3), 4, axis=0)
    >>> transrate(Z, np.repeat([0, 1, 2], 4)) > transrate(Z, np.tile([0, 1, 2], 4))
    True
    """
    epsilon, base = positive(epsilon, "epsilon"), logarithm_base(base)
    rows, codes = labelled(Z, Y)
    n = len(rows)
    scale = float(np.abs(rows).max()) or 1.0
    values = _scaled(rows)
    values -= values.mean(axis=0)
    distortion = epsilon / scale
    within = sum(
        len(group) / n * _rate(group, distortion)
        for group in (values[codes == y] for y in range(codes.max() + 1))
    )
    value = (_rate(values, distortion) - within) / math.log(base)
    return BaselineEstimate(value, "TransRate", n, base, settings={"epsilon": epsilon})


def _scaled(rows: Matrix) -> Array:
    """The rows as float64 over their largest entry, so that no square overflows."""
    values = rows.astype(np.float64)
    values /= float(np.abs(rows).max()) or 1.0
    return values


def _directions(values: Array) -> tuple[Array, Array]:
    """The left singular vectors and the singular values above the rounding; there may be none."""
    n, d = values.shape
    needed = 8.0 * (2.0 * n * d + min(n, d) * (n + d))
    memory.require(needed, f"the singular vectors of Z, {n} x {d},", "use fewer rows or columns")
    U, s, _ = interruptible(
        lambda: np.linalg.svd(values, full_matrices=False), 10.0 * n * d * min(n, d)
    )
    rounding = max(n, d) * float(np.finfo(np.float64).eps)
    kept = s > max(rounding, rounding * s[0])  # the largest entry was 1 before rows were centred
    return U[:, kept], s[kept]


def log_evidence(squares: Array, along: Array, rest: Array, n: int, zooms: int = ZOOMS) -> Array:
    """The largest log evidence of each column, given what of its square is along each direction."""
    if len(squares) == 0:
        return _evidence_at(np.zeros(1), squares, along, rest, n).ravel()
    start = math.log(squares[-1]) - BELOW
    grid = np.arange(start, math.log(squares[0]) + ABOVE, STEP)
    coarse = _evidence_at(grid, squares, along, rest, n)
    found = np.empty(along.shape[1])
    for column in range(along.shape[1]):
        best, step = grid[coarse[:, column].argmax()], STEP
        own = squares, along[:, [column]], rest[[column]], n
        for _ in range(zooms):
            finer = best + step * np.linspace(-1.0, 1.0, FINER)
            best, step = finer[_evidence_at(finer, *own).argmax()], 2.0 * step / (FINER - 1)
        found[column] = _evidence_at(np.array([best]), *own)[0, 0]
    found[(rest == 0.0) & (len(squares) < n)] = math.inf
    return found


def _evidence_at(logs: Array, squares: Array, along: Array, rest: Array, n: int) -> Array:
    """For each log(alpha / beta) and column, with the best beta: n over the sum of squares."""
    ratios = squares / np.exp(logs)[:, None]
    errors = (1.0 / (1.0 + ratios)) @ along + rest
    with np.errstate(divide="ignore"):  # of a column without an error, which is infinite
        fit = np.log(n / (2.0 * math.pi * errors)) - 1.0
    evidence: Array = 0.5 * (n * fit - np.log1p(ratios).sum(axis=1, keepdims=True))
    return evidence


def ledoit_wolf(values: Array, trace: float, square: float) -> float:
    """The share of the scaled identity, from centred rows and the trace and squared norm of S."""
    n, d = values.shape
    distance = square - trace**2 / d
    noise = (float(((values**2).sum(axis=1) ** 2).mean()) - square) / n
    return 1.0 if noise >= distance else max(0.0, noise / distance)


def _between_classes(U: Array, codes: Codes) -> Array:
    """Which share of each column's square is that of its class means."""
    sums = np.zeros((codes.max() + 1, U.shape[1]))
    np.add.at(sums, codes, U)
    shares: Array = (sums**2 / np.bincount(codes)[:, None]).sum(axis=0)
    return shares


def _rate(values: Array, distortion: float) -> float:
    """The rate of centred rows, in nats; of the logarithms, so that nothing overflows."""
    largest = float(np.abs(values).max())
    if largest <= np.finfo(np.float64).eps:  # what is left of equal rows, whose largest entry was 1
        return 0.0
    squares = squared_singular_values(values, center=False)
    logs = np.log(squares[squares > 0.0]) + 2.0 * math.log(largest / distortion)
    return 0.5 * float(np.logaddexp(0.0, logs - math.log(len(values))).sum())
