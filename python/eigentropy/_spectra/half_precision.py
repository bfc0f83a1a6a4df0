"""The kernel kept in 16 bits: what that does to an estimate, and when it is done.

A GPU keeps entries in half precision, as its tensor cores take them; the host keeps their square
roots as multiples of 1 / 65535.

docs/explanations/stochastic.md derives the error; benchmarks/accuracy/half_kernel.py measures it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Protocol

import numpy as np

from eigentropy._spectra.estimated import EstimatedSpectrum
from eigentropy._spectra.functionals import Functional
from eigentropy._spectra.lanczos import Doubles, Products, norm_bound

# Rounding to half precision changes a number by at most 2^-11 of itself. The root mean square is
# smaller by two factors: sqrt(1 / 3), as of a uniform error, and sqrt(3 / (8 log 2)), the root mean
# square of 1 / fraction for fractions in [1, 2) whose logarithm is uniform.
LARGEST_ERROR = 2.0**-11
ROOT_MEAN_SQUARE = LARGEST_ERROR * math.sqrt(1.0 / (8.0 * math.log(2.0)))

# What rounding may do to S, as a share of the tolerance.
SHARE = 0.1

# For a smaller tolerance the rounding of the vectors and of the tensor cores' sums matters, too.
SMALLEST_TOL = 5e-4

# With a smaller trace of A, in units of its norm, nearly all eigenvalues are near 0, where rounding
# matters most: half precision would be tried in vain.
SMALLEST_TRACE = 6.0


# The host's steps between square roots.
ROOT_STEP = 1.0 / 65535.0


class Scaled(Products, Protocol):
    """A with what is known of it before the first product."""

    @property
    def kernel_sum(self) -> float:
        """Sum of all entries of G."""

    @property
    def scaling(self) -> Doubles:
        """S with A = diag(s) G diag(s)."""


def noise(A: Scaled) -> float:
    """Standard deviation of what rounding all G_ij, i != j, to half adds to the eigenvalues of A.

    Rounding errors of the entries are as good as independent, and those of the diagonal, which is
    1, are 0. So what they add to A is a random matrix, with eigenvalues in a semicircle: the root
    of their mean square is its Frobenius norm over sqrt(n).
    """
    squares = np.asarray(A.scaling, dtype=np.float64) ** 2
    beside = max(0.0, A.frobenius2 - float(squares @ squares))
    return ROOT_MEAN_SQUARE * math.sqrt(beside / A.n)


def noise_of_roots(A: Scaled) -> float:
    """The same for square roots in 16 bits, whose errors are uniform in a step.

    That of G_ij is 2 sqrt(G_ij) times as large, with the variance G_ij / 3 in steps. What is summed
    of the rest are the squares of s_i s_j.
    """
    s = np.asarray(A.scaling, dtype=np.float64)
    if np.ptp(s) == 0.0:
        total = float(s[0]) ** 4 * A.kernel_sum
    else:
        column = s[:, None].astype(np.float32)
        total = float(s @ A.matmul(column)[:, 0].astype(np.float64))
    beside = max(0.0, total - float((s**2) @ (s**2)))
    return ROOT_STEP * math.sqrt(beside / (3.0 * A.n))


def most_noise_of_roots(A: Scaled) -> float:
    r"""At least as much for A = diag(s) G diag(s) with the eigenvector sqrt(d), without a pass.

    With w = s sqrt(d), G w = d / w. So sum_ij s_i^2 G_ij s_j^2, where s_j^2 = w_j (w_j / d_j), is
    at most max_j (w_j / d_j) times sum_i s_i^2 d_i / w_i, which is sum_i w_i.
    """
    s, roots = (np.asarray(of, dtype=np.float64) for of in (A.scaling, np.sqrt(A.degrees)))
    total = float((s / roots).max() * (s @ roots))
    return ROOT_STEP * math.sqrt(max(0.0, total - float((s**2) @ (s**2))) / (3.0 * A.n))


def may_be_tried(A: Scaled, has_unit_eigenvalue: bool = False) -> bool:
    """Whether an estimate with G in half precision is likely to be good enough."""
    return A.trace >= SMALLEST_TRACE * norm_bound(A, has_unit_eigenvalue)


def is_good_enough(
    spectrum: EstimatedSpectrum, wanted: Sequence[Functional], width: float, tol: float
) -> bool:
    """Whether such noise changes each entropy by no more than a share of `tol`."""
    return all(
        spectrum.blurred(one, width) <= SHARE * tol * max(spectrum.at(one).value, tol)
        for one in wanted
    )
