"""How far the informations of a sample may be from those of the population."""

from __future__ import annotations

import math
from typing import NamedTuple

from eigentropy._support.options import integer, logarithm_base, positive


class SamplingBound(NamedTuple):
    """What the errors of I(T; X) and I(T; Y) are below, each with the probability 1 - delta."""

    information_x: float
    information_y: float


def sampling_bound(
    n: int, n_clusters: int, n_y: int, *, delta: float = 0.05, base: float = 2.0
) -> SamplingBound:
    r"""Bound of the difference between the information in n observations and in the population.

    With K values of T, natural logarithms and the probability 1 - delta each,

    .. math::

        |I(T; X) - \hat I(T; X)| &\le (K \log n + \log K) \sqrt{\log(4/\delta) / (2n)}
            + (K - 1) / n \\
        |I(T; Y) - \hat I(T; Y)| &\le (3 K + 2) \log n \sqrt{\log(4/\delta) / (2n)}
            + ((|Y| + 1)(K + 1) - 4) / n

    So the error is O(K / sqrt n), up to the logarithm, whatever the number of x. The last terms
    bound the bias of plug-in entropies; the first ones are McDiarmid's inequality.

    Parameters
    ----------
    n : int
        Observations of (x, y).
    n_clusters : int
        Values of T.
    n_y : int
        Values of Y.
    delta : float
        Between 0 and 1.
    base : float
        Of the logarithms of the result: 2 for bits.

    Returns
    -------
    SamplingBound
        (information_x, information_y).

    Raises
    ------
    ValueError, TypeError
        Numbers below 1; delta that is not between 0 and 1; base not above 1.

    Notes
    -----
    The encoder p(t|x) is fixed: it is not chosen by the same observations. And the bound is the
    worst case over all distributions: the errors that are seen are far smaller, so that it tells
    how the error scales rather than what it is.

    References
    ----------
    Shamir, Sabato, Tishby, "Learning and generalization with the information bottleneck",
    Theoretical Computer Science 411, 2010.
    """
    n = integer(n, "n", at_least=1)
    K = integer(n_clusters, "n_clusters", at_least=1)
    n_y = integer(n_y, "n_y", at_least=1)
    unit = math.log(logarithm_base(base))
    if not positive(delta, "delta") < 1.0:
        raise ValueError(f"delta must be a probability below 1, got {delta!r}")
    spread = math.sqrt(math.log(4.0 / delta) / (2.0 * n))
    of_x = (K * math.log(n) + math.log(K)) * spread + (K - 1) / n
    of_y = (3 * K + 2) * math.log(n) * spread + ((n_y + 1) * (K + 1) - 4) / n
    return SamplingBound(of_x / unit, of_y / unit)
