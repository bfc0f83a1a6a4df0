"""Entropies that are known in closed form."""

from __future__ import annotations

import math

from eigentropy._support.options import integer, logarithm_base, positive
from eigentropy._support.signatures import named_options


@named_options()
def gaussian_entropy(n: int, d: int, sigma: float, base: float = 2.0) -> float:
    r"""Upper bound of the expected DSE of n standard Gaussian samples in d dimensions.

    .. math::

        \log\frac{n}{1-\beta} - \Big(\frac1n + \frac{n-1}{n}\beta\Big)
        \log\Big(1 + \frac{\beta n}{1-\beta}\Big), \qquad \beta = (1 + 2/\sigma^2)^{-d/2}

    for alpha = 1/2 and t = 1 (Proposition 4.3 of the paper, where sigma_paper = 2 sigma^2). beta
    is the mean of G_ij, and replacing every entry by its mean is what makes it a bound: 1 to 4
    per cent above S at d = 512, about twice S at d = 2 (n = 1000, sigma_paper = d and 2d).

    Parameters
    ----------
    n, d : int
        Number of samples and of dimensions.
    sigma : float
        Kernel width.
    base : float
        Of the logarithm.
    """
    n, log_beta = integer(n, "n", at_least=1), _log_mean_kernel(d, sigma)
    if n == 1:
        return 0.0
    beta, rest = math.exp(log_beta), -math.expm1(log_beta)  # rest = 1 - beta, also near 0
    top = math.log1p(beta * n / rest)
    nats = math.log(n / rest) - (1.0 / n + (n - 1.0) / n * beta) * top
    return nats / math.log(logarithm_base(base))


@named_options()
def cluster_gain(n: int, d: int, sigma: float, k: int, base: float = 2.0) -> float:
    r"""By how much k far clusters raise the expected DSE of Gaussian samples: beta log k.

    beta = (1 + 2/sigma^2)^(-d/2) as in `gaussian_entropy` (Proposition 4.4 of the paper; it
    does not depend on n).
    """
    integer(n, "n", at_least=1)
    beta = math.exp(_log_mean_kernel(d, sigma))
    return beta * math.log(integer(k, "k", at_least=1)) / math.log(logarithm_base(base))


def _log_mean_kernel(d: int, sigma: float) -> float:
    """Log E exp(-|x - y|^2 / (2 sigma^2)) for independent standard Gaussian x, y."""
    d, sigma = integer(d, "d", at_least=1), positive(sigma, "sigma")
    return -0.5 * d * math.log1p(2.0 / sigma / sigma)  # sigma^2 may overflow
