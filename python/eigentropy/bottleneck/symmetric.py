"""The curve of a binary symmetric channel, in closed form."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from eigentropy._support.options import logarithm_base, nonnegative
from eigentropy.bottleneck.bifurcations import Bifurcation
from eigentropy.bottleneck.grids import checked_betas
from eigentropy.bottleneck.information_curve import InformationCurve
from eigentropy.bottleneck.joint import Doubles

# Halvings of the interval for the crossover of the encoder: all bits of a float64 and some.
HALVINGS = 200


def binary_symmetric_curve(p: float, betas: Any = None, *, base: float = 2.0) -> InformationCurve:
    r"""The information curve of a fair bit X and of Y, which is X flipped with probability p.

    The best T is X flipped with some probability e, so that with h the entropy of a bit and
    a * b = a (1 - b) + b (1 - a)

    .. math::

        I(T; X) = 1 - h(e), \qquad I(T; Y) = 1 - h(e * p)

    in bits: Mrs. Gerber's lemma. e follows from the slope 1 / beta,

    .. math::

        \beta (1 - 2p) \log \frac{1 - e * p}{e * p} = \log \frac{1 - e}{e}

    which has a solution below 1/2 from the critical beta 1 / (1 - 2p)^2 on.

    Parameters
    ----------
    p : float
        Crossover probability, 0 to 1/2.
    betas : array, optional
        > 0, in any order. By default 60, up to 100 times the critical one.
    base : float
        Of the logarithms: 2 for bits.

    Returns
    -------
    InformationCurve
        Without branches; its bifurcation is the critical beta, which is infinite for p = 1/2 and
        then left out.

    Raises
    ------
    ValueError, TypeError
        p outside of 0 to 1/2; betas that are not > 0; base not above 1.

    References
    ----------
    Wyner, Ziv, "A theorem on the entropy of certain binary sequences and applications", 1973.
    """
    p, base = nonnegative(p, "p", at_most=0.5), logarithm_base(base)
    contrast = (1.0 - 2.0 * p) ** 2
    betas = checked_betas(betas, 1.0 / contrast if contrast > 0.0 else 1.0)
    e = np.array([_crossover(p, beta) for beta in betas])
    bits = math.log(2.0) / math.log(base)
    critical = 1.0 / contrast if contrast > 0.0 else math.inf
    return InformationCurve(
        betas=betas,
        information_x=bits * (1.0 - _bit_entropy(e)),
        information_y=bits * (1.0 - _bit_entropy(_flipped(e, p))),
        n_clusters=np.where(e < 0.5, 2, 1),
        information_xy=float(bits * (1.0 - _bit_entropy(np.array(p)))),
        base=base,
        bifurcations=(
            (Bifurcation(beta=critical, n_before=1, n_after=2),)
            if betas[0] <= critical <= betas[-1]
            else ()
        ),
    )


def _flipped(a: Any, b: float) -> Any:
    return a * (1.0 - b) + b * (1.0 - a)


def _crossover(p: float, beta: float) -> float:
    """e: the root below 1/2 of the equation for the slope, in z = log((1 - e) / e)."""

    def excess(z: float) -> float:  # > 0 below the root
        # log((1 - e*p) / (e*p)) of the flipped bit; its contrast is (1 - 2p) tanh(z / 2).
        return beta * (1.0 - 2.0 * p) * 2.0 * math.atanh((1.0 - 2.0 * p) * math.tanh(z / 2.0)) - z

    if beta * (1.0 - 2.0 * p) ** 2 <= 1.0:
        return 0.5
    if p == 0.0:
        return 0.0  # T = X
    low, high = 0.0, beta * (1.0 - 2.0 * p) * math.log((1.0 - p) / p)
    for _ in range(HALVINGS):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if excess(middle) > 0.0 or middle == 0.0 else (low, middle)
    return 1.0 / (1.0 + math.exp(min(0.5 * (low + high), 700.0)))


def _bit_entropy(e: Doubles) -> Doubles:
    inside = np.clip(e, 1e-300, 1.0)
    other: Doubles = -inside * np.log2(inside) - (1.0 - e) * np.log1p(-e) / math.log(2.0)
    return other
