"""What two views of the same samples share, as prompts and their paraphrases: DiME, InfoNCE."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from eigentropy._backends.host_arrays import Matrix, as_matrix
from eigentropy._spectra.eigenvalues import eigvalsh, renyi_nats
from eigentropy._support import memory
from eigentropy._support.interruption import interruptible
from eigentropy._support.options import (
    integer,
    logarithm_base,
    one_of,
    positive,
    random_seed,
    renyi_order,
)
from eigentropy._support.signatures import named_options
from eigentropy.baselines._directions import Array, over_lengths, without_direction
from eigentropy.baselines._estimate import BaselineEstimate

# The formula of the paper, or what the code of Layer by Layer computes.
VARIANTS = ("paper", "code")

# Similarities of views are computed in blocks of this many: 64 MiB.
BLOCK_ENTRIES = 2**23


@named_options()
def dime(
    A: Any,
    B: Any,
    *,
    n_null: int = 10,
    order: float = 1.0,
    base: float = 2.0,
    variant: str = "paper",
    seed: int = 0,
) -> BaselineEstimate:
    r"""DiME of Skean et al.: by how much it lowers the joint entropy that views belong together.

    .. math:: \operatorname{E}_P\, S_q(G_A \circ P G_B P') - S_q(G_A \circ G_B), \qquad
        G_Z = Z Z'

    with the matrix-based Renyi entropy S_q of a product over its trace, the product :math:`\circ`
    entry by entry, and the mean over random permutations P of the samples: row i of A and of B are
    views of sample i, and P pairs views of different samples. About 0 for views that share nothing,
    negative by chance; at most log n. The scale and rotations of either view do not matter, nor
    does the order of the samples.

    Where it fails: with a linear kernel a mean far from 0 makes all entries alike, so that nothing
    is lost by a permutation. Samples that are all orthogonal to each other lose nothing either: it
    needs samples that are alike. It grows with n. `eigentropy.kernel_information` with vectors Y is
    the information of the same product with a kernel of Gaussians.

    Parameters
    ----------
    A, B : array-like of shape (n, d) and (n, e)
        Two views of the same samples in the same order, such as the mean tokens of prompts and of
        their paraphrases.
    n_null : int
        Number of permutations.
    order : float
        q > 0; 2 needs no eigenvalues.
    base : float
        Of the logarithm: 2 gives bits; math.e nats, as published.
    variant : "paper" or "code"
        Only with n > d: the code of *Layer by Layer* then takes Z'Z for G and permutes columns. Of
        one view, Z'Z has the eigenvalues of Z Z'; of the product of two it has not, so that the
        value is about columns rather than samples.
    seed : int
        Of the permutations.

    Returns
    -------
    BaselineEstimate
        `standard_error` is that of the mean over permutations.

    Raises
    ------
    ValueError, TypeError
        An argument of the wrong value or type; NaN or infinity; different numbers of samples, or
        one; a view of nothing but 0.
    MemoryError
        Three matrices n x n do not fit.

    References
    ----------
    Skean, Hoyos Osorio, Brockmeier, Sanchez Giraldo: DiME: maximizing mutual information by a
    difference of matrix-based entropies. arXiv:2301.08164.

    Examples
    --------
    >>> A = np.repeat(np.eye(4), 25, axis=0)  # four directions
    >>> dime(A, A) > dime(A, A[::2].repeat(2, axis=0)) > dime(A, np.tile(np.eye(4), (25, 1)))
    True
    """
    n_null = integer(n_null, "n_null", at_least=1)
    order, base, seed = renyi_order(order), logarithm_base(base), random_seed(seed)
    one_of(variant, "variant", VARIANTS)
    views = _pair(A, B)
    n, d = views[0].shape
    by_columns = variant == "code" and n > d
    if by_columns and views[1].shape[1] != d:
        raise ValueError(
            f"variant='code' with n={n} > d={d} compares column by column, but B has "
            f"{views[1].shape[1]} columns: use variant='paper'"
        )
    size = d if by_columns else n
    memory.require(
        8.0 * size * (3.0 * size + 300.0), f"three {size} x {size} products", "use fewer samples"
    )
    G_A, G_B = (
        _gram(view.T if by_columns else view, name) for view, name in zip(views, "AB", strict=True)
    )
    rng = np.random.default_rng(seed)
    nulls = np.empty(n_null)
    for number in range(n_null):
        P = rng.permutation(size)
        nulls[number] = _joint_entropy(G_A, G_B[np.ix_(P, P)], order)
    value = float(nulls.mean()) - _joint_entropy(G_A, G_B, order)
    error = float(nulls.std(ddof=1)) / math.sqrt(n_null) if n_null > 1 else math.nan
    settings = {"order": order, "n_null": n_null, "variant": variant}
    unit = math.log(base)
    return BaselineEstimate(value / unit, "DiME", n, base, error / unit, settings)


@named_options()
def infonce(
    A: Any, B: Any, *, temperature: float = 0.1, base: float = 2.0, variant: str = "paper"
) -> BaselineEstimate:
    r"""InfoNCE: how surprising the partner of a view is among all other views, a loss.

    .. math:: -\frac{1}{2n} \sum_{i=1}^{2n} \log \frac{e^{s_{i p(i)} / \tau}}
        {\sum_{j \ne i} e^{s_{ij} / \tau}}, \qquad s_{ij} = \frac{z_i \cdot z_j}{|z_i|\, |z_j|}

    over the 2n rows of both views, with the partner p(i), the other view of the sample: SimCLR's
    NT-Xent. Between 0 and :math:`2 / \tau + \log(2n - 1)`; log(2n - 1) where all rows are alike, so
    that :math:`\log(2n - 1)` less it is taken for the information that the views share. Lengths,
    rotations of both views together and the order of the samples do not matter.

    Where it fails: that difference is at most log(2n - 1), whatever the information is; both depend
    on tau, and on the mean of all rows, which makes all cosines alike.

    Parameters
    ----------
    A, B : array-like of shape (n, d)
        Two views of the same samples in the same order.
    temperature : float
        tau > 0.
    base : float
        Of the logarithm: 2 gives bits; math.e nats, as published.
    variant : "paper" or "code"
        "code" leaves out the lengths, :math:`s_{ij} = z_i \cdot z_j`: the code of *Layer by Layer*
        passes means of centred tokens of length 1, which are shorter than 1.

    Returns
    -------
    BaselineEstimate
        `standard_error` is over samples, given the others.

    Raises
    ------
    ValueError, TypeError
        An argument of the wrong value or type; NaN or infinity; different shapes, or one sample; a
        row that is 0.

    References
    ----------
    van den Oord, Li, Vinyals: Representation learning with contrastive predictive coding.
    arXiv:1807.03748. Chen, Kornblith, Norouzi, Hinton: A simple framework for contrastive learning
    of visual representations. ICML 2020, arXiv:2002.05709.

    Examples
    --------
    >>> A = [[1.0, 0.0], [1.0, 0.0]]
    >>> round(2 ** float(infonce(A, A)), 6)
    3.0
    """
    temperature, base = positive(temperature, "temperature"), logarithm_base(base)
    one_of(variant, "variant", VARIANTS)
    first, second = _pair(A, B)
    if first.shape[1] != second.shape[1]:
        raise ValueError(
            f"A and B must have the same columns, got {first.shape[1]} and {second.shape[1]}: "
            "their rows are compared with each other"
        )
    rows = np.concatenate([first, second]).astype(np.float64)
    if variant == "paper":
        _check_directions(rows)
        over_lengths(rows)
    losses = interruptible(lambda: _losses(rows, temperature), float(rows.size) * len(rows))
    pairs = losses.reshape(2, -1).mean(axis=0) / math.log(base)
    n = len(pairs)
    error = float(pairs.std(ddof=1)) / math.sqrt(n)
    settings = {"temperature": temperature, "variant": variant}
    return BaselineEstimate(float(pairs.mean()), "InfoNCE", n, base, error, settings)


def _pair(A: Any, B: Any) -> tuple[Matrix, Matrix]:
    first, second = as_matrix(A, "A"), as_matrix(B, "B")
    if len(first) != len(second):
        raise ValueError(
            f"A has {len(first)} rows, B has {len(second)}: row i of each must be a view of sample "
            "i"
        )
    if len(first) < 2:
        raise ValueError("A and B have one row each: a sample is compared with others")
    return first, second


def _gram(rows: Matrix, name: str) -> Array:
    """The products of rows over their largest entry, so that nothing overflows."""
    largest = float(np.abs(rows).max())
    if largest == 0.0:
        raise ValueError(f"{name} is 0 everywhere: it has no spectrum")
    values = rows.astype(np.float64) / largest
    product: Array = interruptible(lambda: values @ values.T, float(values.size) * len(values))
    return product


def _joint_entropy(G_A: Array, G_B: Array, order: float) -> float:
    """In nats. Products of two positive semidefinite matrices, entry by entry, are so, too."""
    product = G_A * G_B
    trace = float(np.trace(product))
    if trace == 0.0:
        raise ValueError("A and B have no row that is not 0 in both: they have no joint entropy")
    product /= trace
    if order == 2.0:
        return -math.log(float(np.einsum("ij,ij->", product, product)))
    return renyi_nats(np.maximum(eigvalsh(product, overwrite=True), 0.0), order)


def _check_directions(rows: Array) -> None:
    still = without_direction(rows)
    if len(still) > 0:
        name, row = "AB"[int(still[0] >= len(rows) // 2)], still[0] % (len(rows) // 2)
        raise ValueError(
            f"row {row} of {name} is 0, {len(still)} rows in all: they have no direction; leave "
            "these samples out"
        )


def _losses(rows: Array, temperature: float) -> Array:
    """-log of the softmax of each row's partner among all other rows."""
    n = len(rows)
    partner = np.roll(np.arange(n), n // 2)
    height = max(1, BLOCK_ENTRIES // n)
    losses = np.empty(n)
    for start in range(0, n, height):
        at = np.arange(start, min(start + height, n))
        logits = rows[at] @ rows.T / temperature
        logits[at - start, at] = -np.inf
        largest = logits.max(axis=1)
        totals = np.exp(logits - largest[:, None]).sum(axis=1)
        losses[at] = largest + np.log(totals) - logits[at - start, partner[at]]
    return losses
