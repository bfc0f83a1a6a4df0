"""How the rows of Z lie, without labels: uniformity, self-clustering, decay of the spectrum."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from eigentropy._backends.host_arrays import Matrix, as_matrix
from eigentropy._support.interruption import interruptible
from eigentropy._support.options import integer, positive
from eigentropy._support.signatures import named_options
from eigentropy.baselines._directions import over_lengths, without_direction
from eigentropy.baselines._estimate import BaselineEstimate
from eigentropy.baselines._singular_values import squared_singular_values

Array = npt.NDArray[np.float64]

# Inner products of rows are computed in blocks of this many: 64 MiB.
BLOCK_ENTRIES = 2**23


@named_options()
def uniformity(Z: Any, *, t: float = 2.0) -> BaselineEstimate:
    r"""Uniformity of Wang and Isola: the log of the mean Gaussian potential of two rows, in nats.

    .. math:: \log \frac{2}{n (n - 1)} \sum_{i < j} e^{-t\, |u_i - u_j|^2}, \qquad
        u_i = z_i / |z_i|

    Between -4t, for two opposite rows, and 0, for equal directions; near -2t for many rows spread
    over a sphere of many dimensions: the lower, the more uniform. The lengths of the rows and
    rotations do not matter.

    Where it fails: a mean far from 0 puts all directions together, whatever the rows are.

    Parameters
    ----------
    Z : array-like of shape (n, d)
    t : float

    Returns
    -------
    BaselineEstimate

    Raises
    ------
    ValueError, TypeError
        An argument of the wrong value or type; NaN or infinity; one row; a row that is 0.

    References
    ----------
    Wang, Isola: Understanding contrastive representation learning through alignment and uniformity
    on the hypersphere. ICML 2020, arXiv:2005.10242.

    Examples
    --------
    >>> round(float(uniformity([[1.0, 0.0], [0.0, 3.0]])), 6)
    -4.0
    """
    t = positive(t, "t")
    directions = _unit_rows(as_matrix(Z))
    n = len(directions)
    potential = interruptible(lambda: _log_potential(directions, t), directions.size * n)
    value = potential - math.log(n * (n - 1))
    return BaselineEstimate(value, "uniformity", n, None, settings={"t": t})


@named_options()
def self_clustering(Z: Any, *, center: bool = False) -> BaselineEstimate:
    r"""Self-clustering: how much more alike the directions of rows are than on a sphere.

    .. math:: \frac{Q - E}{n^2 - E}, \qquad Q = \sum_{ij} (u_i \cdot u_j)^2, \qquad
        E = n + \frac{n (n - 1)}{d}, \qquad u_i = z_i / |z_i|

    with the mean E of Q for directions that are uniform in d dimensions, and its largest value
    n^2: 1 for rows of one direction or its opposite, about 0 for uniform ones, less for more even
    ones, such as -1 / (d - 1) for orthogonal rows. The lengths of the rows and rotations do not
    matter.

    Where it fails: it is a number of second moments, and so does not see clusters that lie evenly
    around 0; and a mean far from 0 alone makes it large (`center`).

    Parameters
    ----------
    Z : array-like of shape (n, d)
        d >= 2.
    center : bool
        Subtract the mean of each column before.

    Returns
    -------
    BaselineEstimate

    Raises
    ------
    ValueError, TypeError
        An argument of the wrong value or type; NaN or infinity; one row or one column; a row that
        is 0, or equals the mean if rows are centred.

    References
    ----------
    Tsitsulin, Munkhoeva, Perozzi: Unsupervised embedding quality evaluation. TAG-ML at ICML 2023,
    arXiv:2305.16562, definition 3.5, with Q as the square of the norm, whose mean and maximum it
    states.

    Examples
    --------
    >>> float(self_clustering([[1.0, 0.0], [2.0, 0.0], [-3.0, 0.0]]))
    1.0
    """
    rows = as_matrix(Z)
    n, d = rows.shape
    if d == 1:
        raise ValueError("Z has one column, in which all directions are alike: pass two or more")
    directions = _unit_rows(rows, center)
    expected = n + n * (n - 1) / d
    total = interruptible(lambda: _squared_products(directions), directions.size * n)
    value = (total - expected) / (n * float(n) - expected)
    return BaselineEstimate(value, "self-clustering", n, None, settings={"center": center})


@named_options()
def alpha_req(Z: Any, *, first: int = 1, last: int | None = None) -> BaselineEstimate:
    r"""alpha-ReQ: the exponent alpha by which the eigenvalues of the covariance decay.

    .. math:: \lambda_i \propto i^{-\alpha}

    fitted by least squares of log lambda_i on log i, i from `first` to `last`, by default over all
    eigenvalues that are not rounding noise. Representations that transfer well are said to have an
    alpha near 1. The scale of Z and rotations do not matter.

    Where it fails: few spectra are a power law, so that the value depends on the range; all
    eigenvalues alike, most of them are small ones, to which the fit then adheres.

    Parameters
    ----------
    Z : array-like of shape (n, d)
    first, last : int
        The first and the last eigenvalue of the fit, counted from 1.

    Returns
    -------
    BaselineEstimate
        `settings` has the range that was used.

    Raises
    ------
    ValueError, TypeError
        An argument of the wrong value or type; NaN or infinity; all rows equal; fewer than two
        eigenvalues in the range.
    MemoryError
        The product of Z with itself does not fit.

    References
    ----------
    Agrawal, Mondal, Ghosh, Richards: alpha-ReQ: assessing representation quality in self-supervised
    learning by measuring eigenspectrum decay. NeurIPS 2022.

    Examples
    --------
    >>> Z = np.kron(np.diag(1.0 / np.arange(1.0, 9.0)), [[1.0], [-1.0]])  # variances 1 / i^2
    >>> round(float(alpha_req(Z)), 6)
    2.0
    """
    first = integer(first, "first", at_least=1)
    last = None if last is None else integer(last, "last", at_least=first + 1)
    rows = as_matrix(Z)
    squares = squared_singular_values(rows, center=True)
    found = int(np.count_nonzero(squares))
    used = squares[first - 1 : min(found, last or found)]
    if len(used) < 2:
        raise ValueError(
            f"the covariance of Z has {found} eigenvalues that are not 0, and a slope needs two, "
            f"from first={first} on: pass a smaller first, or rows of more directions"
        )
    last = first + len(used) - 1
    x = np.log(np.arange(first, last + 1))
    x -= x.mean()
    value = -float(x @ np.log(used)) / float(x @ x)
    settings = {"first": first, "last": last}
    return BaselineEstimate(value, "alpha-ReQ", len(rows), None, settings=settings)


def _unit_rows(rows: Matrix, center: bool = False) -> Array:
    """The rows over their lengths."""
    if len(rows) < 2:
        raise ValueError("Z has one row: its direction is compared with those of others")
    values = rows.astype(np.float64)
    values /= float(np.abs(rows).max()) or 1.0
    if center:
        mean = values.mean(axis=0)
        values -= mean
        values[np.abs(values).max(axis=1) <= len(rows) * np.finfo(np.float64).eps] = 0.0
    still = without_direction(values)
    if len(still) > 0:
        which = "equals the mean of all rows" if center else "is 0"
        raise ValueError(
            f"row {still[0]} of Z {which}, {len(still)} rows in all: they have no direction; leave "
            "them out"
        )
    return over_lengths(values)


def _log_potential(directions: Array, t: float) -> float:
    """The log of the sum over all pairs of different rows, both ways."""
    n = len(directions)
    height = max(1, BLOCK_ENTRIES // n)
    total = -math.inf
    for start in range(0, n, height):
        block = directions[start : start + height]
        squares = np.maximum(2.0 - 2.0 * (block @ directions.T), 0.0)
        squares[np.arange(len(block)), start + np.arange(len(block))] = np.inf
        low = float(squares.min())  # without it, all would be 0 for a large t
        part = math.log(float(np.exp(-t * (squares - low)).sum())) - t * low
        total = float(np.logaddexp(total, part))
    return total


def _squared_products(directions: Array) -> float:
    """The squared Frobenius norm of the smaller product of the matrix with itself."""
    n, d = directions.shape
    small = directions if n > d else directions.T
    height = max(1, BLOCK_ENTRIES // small.shape[1])
    return sum(
        float(np.square(small[:, start : start + height].T @ small).sum())
        for start in range(0, small.shape[1], height)
    )
