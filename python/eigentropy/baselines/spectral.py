"""Effective numbers and entropies of other spectra: relatives of DSE that are cheap.

Of the singular values of Z: effective rank, RankMe, participation ratio. Of the discriminants of
several views of each sample: LiDAR. Of a kernel matrix without the normalisation of a diffusion
operator: Vendi score, matrix-based Renyi entropy.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from eigentropy._backends.host_arrays import as_matrix
from eigentropy._spectra.eigenvalues import renyi_nats, spectral_entropy
from eigentropy._support.options import logarithm_base, nonnegative, renyi_order
from eigentropy._support.signatures import named_options
from eigentropy.baselines._discriminants import discriminants
from eigentropy.baselines._estimate import BaselineEstimate
from eigentropy.baselines._kernel_spectra import kernel_eigenvalues
from eigentropy.baselines._singular_values import Spectrum, squared_singular_values


@named_options()
def effective_rank(Z: Any, *, center: bool = False) -> BaselineEstimate:
    r"""Effective rank of Z: exp of the entropy of its singular values.

    .. math:: \exp\Big(-\sum_k p_k \log p_k\Big), \qquad p_k = s_k / \sum_j s_j

    Between 1 and min(n, d): the number of directions that Z would fill evenly with this entropy.
    The scale of Z does not matter. The singular values are roots of eigenvalues of the smaller of
    Z Z' and Z' Z: those below some 1e-6 of the largest come out as 0.

    Where it fails: it sees the linear span and nothing else. Clusters and curved sheets that span
    all directions have full rank; and a mean far from 0 is one large direction (`center`).

    Parameters
    ----------
    Z : array-like of shape (n, d)
        Mapped files are read in blocks.
    center : bool
        Subtract the mean of each column.

    Returns
    -------
    BaselineEstimate

    Raises
    ------
    ValueError, TypeError
        An argument of the wrong value or type; NaN or infinity; nothing but 0, or equal rows if
        they are centred.
    MemoryError
        The product does not fit.

    References
    ----------
    Roy, Vetterli: The effective rank: a measure of effective dimensionality. EUSIPCO 2007.

    Examples
    --------
    >>> round(float(effective_rank(np.eye(5))), 6)
    5.0
    """
    rows = as_matrix(Z)
    s = np.sqrt(squared_singular_values(rows, center))
    value = math.exp(spectral_entropy(s, base=math.e))
    return BaselineEstimate(value, "effective rank", len(rows), None, settings={"center": center})


@named_options()
def rankme(Z: Any, *, epsilon: float = 1e-7) -> BaselineEstimate:
    r"""RankMe of Garrido et al., the effective rank with a constant.

    .. math:: \exp\Big(-\sum_{k=1}^{\min(n, d)} p_k \log p_k\Big), \qquad
        p_k = s_k / \sum_j s_j + \epsilon

    As published, the p_k are not scaled to add up to 1, so the value may exceed min(n, d) a little.

    Parameters
    ----------
    Z : array-like of shape (n, d)
    epsilon : float

    Returns
    -------
    BaselineEstimate

    Raises
    ------
    ValueError, TypeError, MemoryError
        As `effective_rank`.

    References
    ----------
    Garrido, Balestriero, Najman, LeCun: RankMe: assessing the downstream performance of
    pretrained self-supervised representations by their rank. ICML 2023, arXiv:2210.02885.
    """
    epsilon = nonnegative(epsilon, "epsilon")
    rows = as_matrix(Z)
    value = _smooth_rank(np.sqrt(squared_singular_values(rows, center=False)), epsilon)
    return BaselineEstimate(value, "RankMe", len(rows), None, settings={"epsilon": epsilon})


@named_options()
def lidar(views: Any, *, delta: float = 1e-4, epsilon: float = 1e-7) -> BaselineEstimate:
    r"""LiDAR of Thilak et al., RankMe of the linear discriminants between samples.

    .. math:: \exp\Big(-\sum_k p_k \log p_k\Big), \qquad
        p_k = \lambda_k / \sum_j \lambda_j + \epsilon

    with the eigenvalues of :math:`\Sigma_w^{-1/2} \Sigma_b \Sigma_w^{-1/2}`. A sample is a class,
    whose members are its views: :math:`\Sigma_b` is the covariance of the means over the views,
    and :math:`\Sigma_w` that of the views about these means, plus delta times the identity. So a
    direction counts by how well it tells samples apart, beside how much the views move it. Between
    1 and min(n - 1, d), up to what epsilon adds.

    Where it fails: delta has the unit of the views squared. Where the views move a direction by
    less than its root, LiDAR depends on the scale, and rows that shrink to a point end as the rank
    of the means.

    Parameters
    ----------
    views : array-like of shape (n, q, d)
        Row j of sample i is what becomes of the j-th augmented view of sample i. The authors have
        q = 50 views of n = 1000 samples.
    delta : float
        0 is allowed where the views of a sample vary in all d directions.
    epsilon : float

    Returns
    -------
    BaselineEstimate
        `n` is the number of samples.

    Raises
    ------
    ValueError, TypeError
        An argument of the wrong value or type; NaN or infinity; fewer than two samples or views;
        samples with equal means; a delta that is too small beside the views.
    MemoryError
        The matrices do not fit.

    References
    ----------
    Thilak, Huang, Saremi, Dinh, Goh, Nakkiran, Susskind, Littwin: LiDAR: sensing linear probing
    performance in joint embedding SSL architectures. ICLR 2024, arXiv:2312.04000.

    Examples
    --------
    >>> corners = 100.0 * np.eye(4)[:, None, :]
    >>> views = corners + np.concatenate([np.eye(4), -np.eye(4)])[None, :, :]
    >>> round(float(lidar(views)), 4)
    3.0
    """
    delta, epsilon = nonnegative(delta, "delta"), nonnegative(epsilon, "epsilon")
    eigenvalues, n, q = discriminants(views, delta)
    value = _smooth_rank(eigenvalues, epsilon)
    settings = {"views": q, "delta": delta, "epsilon": epsilon}
    return BaselineEstimate(value, "LiDAR", n, None, settings=settings)


def _smooth_rank(weights: Spectrum, epsilon: float) -> float:
    """RankMe of these weights as shares, to each of which the constant is added."""
    p = weights / weights.sum() + epsilon
    p = p[p > 0.0]  # 0 log 0 = 0, for epsilon = 0
    return math.exp(-float(p @ np.log(p)))


@named_options()
def participation_ratio(Z: Any, *, center: bool = True) -> BaselineEstimate:
    r"""Participation ratio of the covariance of Z: how many principal components matter.

    .. math:: \Big(\sum_k \lambda_k\Big)^2 \Big/ \sum_k \lambda_k^2

    with its eigenvalues lambda, between 1 and min(n - 1, d). It is exp of their Renyi entropy of
    order 2, and is ruled by the largest.

    Parameters
    ----------
    Z : array-like of shape (n, d)
    center : bool
        False: of the second moments about 0.

    Returns
    -------
    BaselineEstimate

    Raises
    ------
    ValueError, TypeError, MemoryError
        As `effective_rank`.

    References
    ----------
    Gao, Trautmann, Yu, Santhanam, Ryu, Shenoy, Ganguli: A theory of multineuronal dimensionality,
    dynamics and measurement. bioRxiv 214262 (2017).
    """
    rows = as_matrix(Z)
    variances = squared_singular_values(rows, center)
    value = math.exp(renyi_entropy(variances, order=2.0, base=math.e))
    return BaselineEstimate(
        value, "participation ratio", len(rows), None, settings={"center": center}
    )


@named_options()
def vendi_score(
    Z: Any,
    *,
    order: float = 1.0,
    kernel: str = "gaussian",
    sigma: float | str = "auto",
    seed: int = 0,
) -> BaselineEstimate:
    r"""Vendi score: the effective number of different rows.

    .. math:: \exp S_q(K / n)

    with the matrix-based Renyi entropy S_q, in nats, of order q: 1 for n equal rows, n for rows
    that are all unlike. `matrix_renyi_entropy` has the parameters, and what is raised. With order 1
    it is the score as first published.

    Where it fails: it depends on the kernel's width as DSE does, and grows with n.

    Returns
    -------
    BaselineEstimate

    References
    ----------
    Friedman, Dieng: The Vendi score: a diversity evaluation metric for machine learning. TMLR
    2023, arXiv:2210.02410. Pasarkar, Dieng: Cousins of the Vendi score. AISTATS 2024,
    arXiv:2310.12952, for the orders.

    Examples
    --------
    >>> Z = np.repeat([[0.0, 0.0], [100.0, 0.0], [0.0, 100.0]], 5, axis=0)
    >>> round(float(vendi_score(Z, sigma=1.0)), 6)
    3.0
    """
    order = renyi_order(order)
    eigenvalues, n, settings = kernel_eigenvalues(Z, kernel, sigma, seed)
    value = math.exp(renyi_entropy(eigenvalues, order=order, base=math.e))
    return BaselineEstimate(value, "Vendi score", n, None, settings={"order": order, **settings})


@named_options()
def matrix_renyi_entropy(
    Z: Any,
    *,
    order: float = 2.0,
    kernel: str = "gaussian",
    sigma: float | str = "auto",
    base: float = 2.0,
    seed: int = 0,
) -> BaselineEstimate:
    r"""Matrix-based Renyi entropy of Sanchez Giraldo et al.

    .. math:: S_q(A) = \frac{1}{1 - q} \log \operatorname{tr} A^q, \qquad
        A_{ij} = \frac{1}{n} \frac{K_{ij}}{\sqrt{K_{ii} K_{jj}}}

    and its limits: the von Neumann entropy for q = 1, minus the logarithm of the largest eigenvalue
    for q = inf. Between 0 and log n.

    Where it fails: as DSE, it depends on the kernel's width and on n. The entropy of a diffusion
    operator differs from it in the normalisation by the degrees, and takes powers of the
    eigenvalues before they are scaled to a distribution.

    Parameters
    ----------
    Z : array-like of shape (n, d), or (n, n) for kernel="precomputed"
    order : float
        q > 0, called alpha by the authors; `math.inf` is one.
    kernel : {"gaussian", "cosine", "precomputed"}
        exp(-r^2 / (2 sigma^2)); the inner product of rows of length 1; or Z is K itself,
        symmetric and positive semidefinite with a positive diagonal.
    sigma : float or str
        Of the Gaussian kernel, or a rule of `eigentropy.bandwidth`.
    base : float
        Of the logarithm: 2 gives bits, math.e nats.
    seed : int
        Of the sample of rows that a rule for sigma takes.

    Returns
    -------
    BaselineEstimate

    Raises
    ------
    ValueError, TypeError
        An argument of the wrong value or type; NaN or infinity; a row of length 0 with "cosine"; a
        precomputed kernel that is none.
    MemoryError
        The matrix does not fit.

    Warns
    -----
    SaturationWarning
        sigma is so small or so large that the result says nothing about Z.

    References
    ----------
    Sanchez Giraldo, Rao, Principe: Measures of entropy from data using infinitely divisible
    kernels. IEEE Trans. Inf. Theory 61 (2015), arXiv:1211.2459.

    Examples
    --------
    >>> round(float(matrix_renyi_entropy(np.eye(4), kernel="precomputed")), 6)
    2.0
    """
    order, base = renyi_order(order), logarithm_base(base)
    eigenvalues, n, settings = kernel_eigenvalues(Z, kernel, sigma, seed)
    value = renyi_entropy(eigenvalues, order=order, base=base)
    settings = {"order": order, **settings}
    return BaselineEstimate(value, "matrix-based Renyi entropy", n, base, settings=settings)


def renyi_entropy(eigenvalues: Any, *, order: float = 2.0, base: float = 2.0) -> float:
    r"""Renyi entropy of any spectrum, such as the `eigenvalues` of an `eigentropy.Entropy`.

    .. math:: S_q = \frac{1}{1 - q} \log \sum_i a_i^q, \qquad a_i = \lambda_i / \sum_j \lambda_j

    and its limits: the Shannon entropy for q = 1, -log max a for q = inf. Signs are ignored, and
    noise below 10 eps of the largest counts as 0, as in `eigentropy.spectral_entropy`.

    Parameters
    ----------
    eigenvalues : array-like of shape (n,)
    order : float
        q > 0; `math.inf` is one.
    base : float

    Returns
    -------
    float

    Raises
    ------
    ValueError, TypeError
        As `eigentropy.spectral_entropy`; order <= 0.

    Examples
    --------
    >>> round(renyi_entropy([1, 1, 1, 1], order=3), 6)
    2.0
    """
    order, base = renyi_order(order), logarithm_base(base)
    return renyi_nats(eigenvalues, order) / math.log(base)
