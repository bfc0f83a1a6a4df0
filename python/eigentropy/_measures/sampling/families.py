"""The matrices whose entropies are measured, and how they change with their rows and with sigma."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Doubles = npt.NDArray[np.float64]

# A row's share of its own degree, or of another's, counts as less than 1 by this.
LEAST_REST = 1e-12


class Normalized(NamedTuple):
    """A symmetric matrix of a kernel.

    Attributes
    ----------
    A : array of shape (m, m)
    change : array of shape (m, m), or None
        dA / d log(sigma), where that was asked for.
    scale : array of shape (m, m), or None
        log c_ji: without row i, the other rows have A_jk c_ji c_ki. None where nothing is
        normalised.
    """

    A: Doubles
    change: Doubles | None
    scale: Doubles | None


def density(G: Doubles, growth: Doubles | None) -> Normalized:
    """G itself: what it is divided by does not matter to S.

    `growth` is d log G / d log(sigma) = r^2 / sigma^2.
    """
    return Normalized(G, None if growth is None else G * growth, None)


def diffusion(G: Doubles, alpha: float, growth: Doubles | None) -> Normalized:
    r"""The symmetric diffusion matrix.

    .. math::

        K_{ij} = G_{ij} (q_i q_j)^{-\alpha}, \quad A_{ij} = K_{ij} (d_i d_j)^{-1/2}

    with the row sums q of G and d of K. Without row i, q_j is smaller by :math:`G_{ij}`, which
    changes all of K.
    """
    q = G.sum(axis=1)
    K = G * np.multiply.outer(q**-alpha, q**-alpha)
    d = K.sum(axis=1)
    A = K * np.multiply.outer(d**-0.5, d**-0.5)
    change = None
    if growth is not None:
        of_q = (G * growth).sum(axis=1) / q
        of_K = growth - alpha * np.add.outer(of_q, of_q)
        of_d = (K * of_K).sum(axis=1) / d
        change = A * (of_K - 0.5 * np.add.outer(of_d, of_d))
    return Normalized(A, change, _scale(G / q[:, None], K / d[:, None], alpha))


def _scale(of_q: Doubles, P: Doubles, alpha: float) -> Doubles:
    """Log c: `of_q` is G_ij / q_i, P the transition matrix."""
    np.fill_diagonal(of_q, 0.0)
    lost = -alpha * np.log1p(-np.minimum(of_q, 1.0 - LEAST_REST))  # log of K's growth on one side
    kept = 1.0 + P @ lost if alpha else np.ones_like(P)
    np.fill_diagonal(P, 0.0)
    found: Doubles = 0.5 * (lost - np.log(np.maximum(kept - P, LEAST_REST)))
    np.fill_diagonal(found, 0.0)
    return found
