"""The curve of jointly Gaussian variables, in closed form."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from eigentropy._backends.host_arrays import as_matrix, as_numpy
from eigentropy._support.options import integer, logarithm_base
from eigentropy.bottleneck.bifurcations import Bifurcation
from eigentropy.bottleneck.grids import checked_betas
from eigentropy.bottleneck.information_curve import InformationCurve
from eigentropy.bottleneck.joint import Doubles

# Squared canonical correlations below are none: rounding leaves some 1e-16.
NONE = 1e-14
# A squared canonical correlation above 1 by more is no rounding of 1.
IMPOSSIBLE = 1e-6


def gaussian_curve(
    X: Any = None,
    Y: Any = None,
    *,
    covariance: Any = None,
    n_x: int | None = None,
    betas: Any = None,
    base: float = 2.0,
) -> InformationCurve:
    r"""The information curve of jointly Gaussian X and Y.

    The best T is A X with Gaussian noise. With the squared canonical correlations
    :math:`\rho_i^2 = 1 - \lambda_i`, where :math:`\lambda_i` are the eigenvalues of
    :math:`\Sigma_{x|y} \Sigma_x^{-1}`, direction i is part of T from the critical beta
    :math:`1 / \rho_i^2` on, and over these directions

    .. math::

        I(T; X) = \frac12 \sum_i \log\Big((\beta - 1) \frac{1 - \lambda_i}{\lambda_i}\Big), \qquad
        I(T; Y) = I(T; X) - \frac12 \sum_i \log\big(\beta (1 - \lambda_i)\big)

    Parameters
    ----------
    X, Y : arrays (n, d_x) and (n, d_y), optional
        Rows, whose covariance is taken. The curve is that of Gaussian variables with this
        covariance: what other variables tell beyond linear dependence is not in it.
    covariance : array (d, d), optional
        Of X and Y together, instead of rows.
    n_x : int, optional
        With `covariance`: how many of its first rows and columns are X.
    betas : array, optional
        > 0. By default 60, up to 100 times the first critical beta.
    base : float
        Of the logarithms: 2 for bits.

    Returns
    -------
    InformationCurve
        Without branches. `n_clusters` is the number of directions in T, and `bifurcations` has
        every critical beta within `betas`.

    Raises
    ------
    ValueError
        Neither rows nor a covariance, or both; a covariance that is not symmetric, or of no
        variables; X or Y whose covariance is not positive definite (a column that is a combination
        of others, or fewer rows than columns); X that determines a direction of Y, of which the
        information has no bound.

    References
    ----------
    Chechik, Globerson, Tishby, Weiss, "Information bottleneck for Gaussian variables", JMLR 2005.
    """
    base = logarithm_base(base)
    squared = _squared_correlations(*_covariance(X, Y, covariance, n_x))
    linked = squared[squared > NONE]
    critical = 1.0 / linked
    grid = checked_betas(betas, critical[0] if len(critical) else 1.0)
    unit = math.log(base)
    kept = grid[:, None] > critical
    excess = np.where(kept, grid[:, None] - 1.0, 1.0)
    of_x = 0.5 * np.log(np.where(kept, excess * linked / (1.0 - linked), 1.0)).sum(axis=1)
    lost = 0.5 * np.log(np.where(kept, grid[:, None] * linked, 1.0)).sum(axis=1)
    return InformationCurve(
        betas=grid,
        information_x=of_x / unit,
        information_y=(of_x - lost) / unit,
        n_clusters=kept.sum(axis=1),
        information_xy=float(0.0 - 0.5 * np.log1p(-linked).sum() / unit),
        base=base,
        bifurcations=tuple(
            Bifurcation(
                beta=float(beta), n_before=int((critical < beta).sum()),
                n_after=int((critical <= beta).sum()),
            )
            for beta in np.unique(critical)
            if grid[0] <= beta <= grid[-1]
        ),
    )  # fmt: skip


def _covariance(X: Any, Y: Any, covariance: Any, n_x: Any) -> tuple[Doubles, int]:
    """The covariance of X and Y together, and how many columns are X's."""
    if (X is None) != (Y is None) or (X is None) == (covariance is None):
        raise ValueError("pass rows as X and Y, or covariance= and n_x=, and not both")
    if X is not None:
        rows = [_columns(value, name) for value, name in ((X, "X"), (Y, "Y"))]
        if len(rows[0]) != len(rows[1]):
            raise ValueError(f"X has {len(rows[0])} rows, Y has {len(rows[1])}")
        centred = [each - each.mean(axis=0) for each in rows]
        both = np.hstack(centred)
        return both.T @ both / len(both), centred[0].shape[1]
    C = as_matrix(covariance, "covariance").astype(np.float64)
    if C.shape[0] != C.shape[1]:
        raise ValueError(f"covariance must be square, got shape {C.shape}")
    if not np.allclose(C, C.T, rtol=1e-8, atol=1e-8 * float(np.abs(C).max())):
        raise ValueError("covariance must be symmetric; pass (C + C.T) / 2 of a noisy one")
    if n_x is None:
        raise ValueError(f"n_x is missing: how many of the {len(C)} rows of covariance are X")
    return C, integer(n_x, "n_x", at_least=1, at_most=len(C) - 1)


def _columns(value: Any, name: str) -> Doubles:
    array = as_numpy(value, name, numbers=True)
    return as_matrix(array.reshape(len(array), -1) if array.ndim else array, name).astype(
        np.float64
    )


def _squared_correlations(C: Doubles, n_x: int) -> Doubles:
    """Squared canonical correlations, the largest first."""
    roots = [_cholesky(C[:n_x, :n_x], "X"), _cholesky(C[n_x:, n_x:], "Y")]
    whitened = np.linalg.solve(roots[1], np.linalg.solve(roots[0], C[:n_x, n_x:]).T)
    squared: Doubles = np.linalg.svd(whitened, compute_uv=False) ** 2
    if squared[0] > 1.0 + IMPOSSIBLE:
        raise ValueError(
            "covariance is that of no variables: it has a canonical correlation of "
            f"{math.sqrt(squared[0]):.6g}, and 1 is the largest that there is; look for a wrong "
            "entry between X and Y"
        )
    if squared[0] > 1.0 - NONE:
        raise ValueError(
            "X determines a direction of Y (a squared canonical correlation of "
            f"{squared[0]:.15g}): the information has no bound. Add the noise "
            "that Y has, or leave the direction out"
        )
    return squared


def _cholesky(block: Doubles, name: str) -> Doubles:
    scale = np.sqrt(np.maximum(np.diagonal(block), 0.0))
    try:
        if not (scale > 0.0).all():
            raise np.linalg.LinAlgError
        # Of the correlations: columns of very different units are no defect.
        root: Doubles = np.linalg.cholesky(block / np.outer(scale, scale))
        if np.diagonal(root).min() ** 2 < NONE:
            raise np.linalg.LinAlgError
    except np.linalg.LinAlgError:
        raise ValueError(
            f"the covariance of {name} ({len(block)} columns) is not positive definite: a column "
            "is constant or a combination of others, or there are no more rows than columns; "
            "leave columns out"
        ) from None
    return scale[:, None] * root
