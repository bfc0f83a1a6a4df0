"""The tokens of a prompt in a layer of a language model: how alike, how bent, how many.

`states` are what a layer returns, of shape (prompts, tokens, d), with a `mask` of the tokens that
count; or a list of arrays (tokens, d), one for each prompt; or one such array. A measure is of one
prompt, and its mean over prompts is returned. The standard error is that of the mean over prompts:
these are independent, the tokens of a prompt are not.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from eigentropy._backends.host_arrays import Matrix, as_matrix, opened_array, refuse_device_array
from eigentropy._spectra.eigenvalues import eigvalsh, renyi_nats
from eigentropy._support import memory
from eigentropy._support.options import logarithm_base, one_of, renyi_order
from eigentropy._support.signatures import named_options
from eigentropy.baselines._directions import Array, over_lengths, without_direction
from eigentropy.baselines._estimate import BaselineEstimate
from eigentropy.baselines._prompts import (
    BLOCK_ENTRIES,
    PromptEstimate,
    PromptTokens,
    is_ragged,
    mean_over_prompts,
)

# The formula of the paper, or what the authors' code computes.
VARIANTS = ("paper", "code")

NORMALIZATIONS = ("none", "max")


@named_options()
def anisotropy(Z: Any, *, mask: Any = None) -> BaselineEstimate:
    r"""Anisotropy: the mean cosine between two rows, or between two tokens of a prompt.

    .. math:: \frac{1}{n (n - 1)} \sum_{i \ne j} u_i \cdot u_j
        = \frac{|\sum_i u_i|^2 - n}{n (n - 1)}, \qquad u_i = z_i / |z_i|

    1 for rows of one direction, 0 for orthogonal ones, -1 / (n - 1) at least. The second form takes
    O(n d). The lengths of the rows, their order and rotations do not matter. It is what *embedding
    condensation* raises.

    Where it fails: it is a number of the mean direction alone. A mean far from 0, often that of a
    few large columns, makes it large however the rows vary; and rows in two opposite bundles have
    a value near 0, as evenly spread ones do.

    Parameters
    ----------
    Z : array-like of shape (n, d) or (prompts, tokens, d), or list of arrays (tokens, d)
        Rows; or the tokens of prompts, of which each prompt is measured by itself.
    mask : array-like of shape (prompts, tokens), optional
        1 where a token counts.

    Returns
    -------
    BaselineEstimate
        Its standard error is over rows, as if they were independent; of prompts, a
        `PromptEstimate`, over prompts. A prompt of one token is left out.

    Raises
    ------
    ValueError, TypeError
        An argument of the wrong value, shape or type; NaN or infinity; one row; a row that is 0.

    References
    ----------
    Ethayarajh: How contextual are contextualized word representations? EMNLP 2019,
    arXiv:1909.00512. Within a prompt: Liu et al., arXiv:2602.00217, whose code has the pairs i = j
    in the mean, too, so that it shows :math:`a + (1 - a) / n` for a value a.

    Examples
    --------
    >>> float(anisotropy([[1.0, 0.0], [0.0, 2.0]]))
    0.0
    >>> alike, opposite = [[1.0, 1.0], [2.0, 2.0]], [[1.0, 0.0], [-3.0, 0.0]]
    >>> round(abs(float(anisotropy([alike, opposite]))), 6)  # of two prompts: 1 and -1
    0.0
    """
    if not is_ragged(Z):
        refuse_device_array(Z, "Z")
        Z = opened_array(Z)
        if len(Z.shape) != 3:
            if mask is not None:
                raise ValueError("mask is for prompts, of shape (prompts, tokens, d): Z has rows")
            return _anisotropy_of_rows(as_matrix(Z))
    return mean_over_prompts(Z, mask, _mean_cosines, "anisotropy", None, "two tokens", {})


@named_options()
def curvature(states: Any, mask: Any = None, *, variant: str = "paper") -> PromptEstimate:
    r"""Curvature of Hosseini and Fedorenko: by which angle a prompt turns at a token, in radians.

    .. math:: \frac{1}{l - 2} \sum_{k=1}^{l-2} \arccos
        \frac{v_k \cdot v_{k+1}}{|v_k|\, |v_{k+1}|}, \qquad v_k = z_{k+1} - z_k

    for the l tokens of a prompt in their order: 0 on a straight line, 2 pi / m along the
    corners of a regular m-gon, at most pi. In many dimensions it is about pi / 2 where steps are
    independent, and 2 pi / 3 where tokens are. Scale, shifts and rotations do not matter, the order
    does.

    Where it fails: in many dimensions most values are near those two of noise, so that layers
    differ by little. A step of length 0, between equal tokens, has no direction:
    the angles at its ends are left out.

    Parameters
    ----------
    states : array-like of shape (prompts, tokens, d) or (tokens, d), or list of arrays (tokens, d)
    mask : array-like of shape (prompts, tokens) or (tokens,), optional
        1 where a token counts. Steps go from each token that counts to the next one.
    variant : "paper" or "code"
        "code" is what the code of *Layer by Layer* computes under this name: tokens less their mean
        over the prompt, and the mean angle between one and the next, :math:`\arccos (u_k \cdot
        u_{k+1})`; a token that equals the mean has none.

    Returns
    -------
    PromptEstimate
        Prompts without an angle are left out.

    Raises
    ------
    ValueError, TypeError
        An argument of the wrong value, shape or type; NaN or infinity; no prompt has an angle.

    References
    ----------
    Hosseini, Fedorenko: Large language models implicitly learn to straighten neural sentence
    trajectories to construct a predictive representation of natural language. NeurIPS 2023. Skean
    et al.: Layer by layer: uncovering hidden representations in language models. ICML 2025,
    arXiv:2502.02013.

    Examples
    --------
    >>> corner = [[0.0, 0.0], [1.0, 0.0], [1.0, 1.0]]
    >>> round(float(curvature(corner)) / math.pi, 6)
    0.5
    """
    one_of(variant, "variant", VARIANTS)
    settings = {"variant": variant}
    if variant == "code":
        needs = "two different tokens in a row"
        return mean_over_prompts(states, mask, _mean_turns, "curvature", None, needs, settings)
    needs = "three tokens in a row, each unlike the one before"
    return mean_over_prompts(states, mask, _mean_bends, "curvature", None, needs, settings)


@named_options()
def prompt_entropy(
    states: Any,
    mask: Any = None,
    *,
    order: float = 1.0,
    normalization: str = "none",
    base: float = 2.0,
    variant: str = "paper",
) -> PromptEstimate:
    r"""Prompt entropy of *Layer by Layer*: the matrix-based entropy of the tokens of a prompt.

    .. math:: S_q\Big(\frac{Z Z'}{\operatorname{tr} Z Z'}\Big), \qquad
        S_q(A) = \frac{1}{1 - q} \log \sum_k \lambda_k(A)^q

    with the l tokens of a prompt as the rows of Z, and the von Neumann entropy for q = 1: 0 for
    tokens of one direction, log l for orthogonal ones of one length, at most log min(l, d). Scale,
    rotations and the order of tokens do not matter. The smaller of Z Z' and Z' Z is solved, which
    have the same eigenvalues.

    Where it fails: with a linear kernel it sees the span of the tokens, not clusters within; it
    grows with l, for which "max" corrects in part; and a few tokens of a length far above the
    others, which many models have, are all that it sees. The authors give all tokens the length 1,
    ``Z / np.linalg.norm(Z, axis=-1, keepdims=True)``.

    Parameters
    ----------
    states : array-like of shape (prompts, tokens, d) or (tokens, d), or list of arrays (tokens, d)
    mask : array-like of shape (prompts, tokens) or (tokens,), optional
        1 where a token counts.
    order : float
        q > 0; `math.inf` is one.
    normalization : "none" or "max"
        "max" divides by log min(l, d): between 0 and 1, without a unit. A prompt of one token is
        then left out.
    base : float
        Of the logarithm: 2 gives bits; math.e nats, as published.
    variant : "paper" or "code"
        "code" is what the authors' code computes, which differs from the formula: tokens less their
        mean over the prompt, then over their lengths; entries of the smaller product that are
        negative are set to 0; what this makes negative among the eigenvalues does not count.

    Returns
    -------
    PromptEstimate

    Raises
    ------
    ValueError, TypeError
        An argument of the wrong value, shape or type; NaN or infinity; a prompt of nothing but 0.
    MemoryError
        The product of a prompt does not fit.

    References
    ----------
    Skean et al.: Layer by layer: uncovering hidden representations in language models. ICML 2025,
    arXiv:2502.02013.

    Examples
    --------
    >>> round(float(prompt_entropy([[3.0, 0.0, 0.0], [0.0, 3.0, 0.0]])), 6)
    1.0
    """
    order, base = renyi_order(order), logarithm_base(base)
    one_of(normalization, "normalization", NORMALIZATIONS)
    one_of(variant, "variant", VARIANTS)

    def measured(tokens: PromptTokens) -> Array:
        nats = _entropies(_as_in_code(tokens) if variant == "code" else tokens, order, variant)
        if normalization == "none":
            return nats / math.log(base)
        return _ratio(nats, np.log(np.minimum(tokens.lengths, tokens.rows.shape[1])))

    unit = base if normalization == "none" else None
    settings = {"order": order, "normalization": normalization, "variant": variant}
    needs = "two tokens and two columns"
    return mean_over_prompts(states, mask, measured, "prompt entropy", unit, needs, settings)


def _anisotropy_of_rows(rows: Matrix, entries: int = BLOCK_ENTRIES) -> BaselineEstimate:
    """Of all rows together, which are read twice, in blocks."""
    n, d = rows.shape
    if n < 2:
        raise ValueError("Z has one row: its direction is compared with those of others")
    height = max(1, entries // d)

    def directions(start: int) -> Array:
        block = rows[start : start + height].astype(np.float64)
        still = without_direction(block)
        if len(still) > 0:
            raise ValueError(f"row {start + still[0]} of Z is 0, which has no direction: leave out")
        return over_lengths(block)

    starts = range(0, n, height)
    total = sum((directions(start).sum(axis=0) for start in starts), np.zeros(d))
    value = float(total @ total - n) / (n * (n - 1.0))
    # The mean over pairs varies as twice the mean over rows of their mean cosine with others.
    cosines = np.concatenate([directions(start) @ total - 1.0 for start in starts]) / (n - 1.0)
    error = 2.0 * float(cosines.std(ddof=1)) / math.sqrt(n) if n > 2 else math.nan
    return BaselineEstimate(value, "anisotropy", n, None, error)


def _mean_cosines(tokens: PromptTokens) -> Array:
    still = without_direction(tokens.rows)
    if len(still) > 0:
        raise ValueError(
            f"a token of prompt {tokens.prompt_of(int(still[0]))} is 0, {len(still)} tokens in "
            "all: they have no direction; leave them out by mask"
        )
    sums = np.add.reduceat(over_lengths(tokens.rows), tokens.starts, axis=0)
    n = tokens.lengths.astype(np.float64)
    return _ratio((sums * sums).sum(axis=1) - n, n * (n - 1.0))


def _mean_bends(tokens: PromptTokens) -> Array:
    """The mean angle between one step and the next of each prompt."""
    steps = np.diff(tokens.rows, axis=0)
    steps[tokens.starts[1:] - 1] = 0.0  # from one prompt to the next
    return _mean_angles(steps, tokens)


def _mean_turns(tokens: PromptTokens) -> Array:
    """The mean angle between one token and the next of each prompt, of centred tokens."""
    rows = _as_in_code(tokens).rows
    first = tokens.starts[1:]
    between = np.insert(rows, first, 0.0, axis=0)  # no angle is at a 0
    moved = replace(tokens, rows=between, starts=tokens.starts + np.arange(len(tokens.starts)))
    return _mean_angles(between, moved)


def _mean_angles(vectors: Array, tokens: PromptTokens) -> Array:
    """Between each vector and the next; by the prompt of the first. Those with a 0 do not count."""
    known: npt.NDArray[np.bool_] = np.any(vectors, axis=1)
    vectors[known] = over_lengths(vectors[known])
    a, b = vectors[:-1], vectors[1:]
    angles = 2.0 * np.arctan2(_lengths(a - b), _lengths(a + b))  # exact for small angles, too
    counts = known[:-1] & known[1:]
    prompt = np.searchsorted(tokens.starts, np.arange(len(angles)), side="right") - 1
    n = len(tokens.starts)
    sums = np.bincount(prompt, np.where(counts, angles, 0.0), n).astype(np.float64)
    return _ratio(sums, np.bincount(prompt, counts, n))


def _ratio(sums: Array, counts: npt.NDArray[Any]) -> Array:
    """NaN where there is nothing to count."""
    ratios = np.full(len(sums), math.nan)
    np.divide(sums, counts, out=ratios, where=counts > 0)
    return ratios


def _lengths(rows: Array) -> Array:
    lengths: Array = np.sqrt(np.einsum("ij,ij->i", rows, rows))
    return lengths


def _as_in_code(tokens: PromptTokens) -> PromptTokens:
    """Less the mean of the prompt, and over their lengths; a token that equals the mean is 0."""
    means = np.add.reduceat(tokens.rows, tokens.starts, axis=0) / tokens.lengths[:, None]
    rows = tokens.rows - np.repeat(means, tokens.lengths, axis=0)
    rows[np.abs(rows).max(axis=1) <= 4.0 * np.finfo(np.float64).eps] = 0.0
    known = rows.any(axis=1)
    rows[known] = over_lengths(rows[known])
    return replace(tokens, rows=rows)


def _entropies(tokens: PromptTokens, order: float, variant: str) -> Array:
    """Of each prompt, in nats: those with products of one size are solved together."""
    d = tokens.rows.shape[1]
    sizes = np.minimum(tokens.lengths, d)
    prompts = list(tokens.prompts())
    found = np.empty(len(prompts))
    for size in np.unique(sizes):
        several = np.flatnonzero(sizes == size)
        height = max(1, BLOCK_ENTRIES // int(size) ** 2)
        for start in range(0, len(several), height):
            some = several[start : start + height]
            memory.require(
                16.0 * len(some) * float(size) ** 2,
                f"the products of the tokens of {len(some)} prompts, {size} x {size},",
                "use shorter prompts",
            )
            products = np.empty((len(some), size, size))
            for product, number in zip(products, some, strict=True):
                rows = prompts[number]
                np.matmul(*((rows, rows.T) if len(rows) <= d else (rows.T, rows)), out=product)
            _check_traces(products, tokens.first + some)
            if variant == "code":
                products = np.maximum(products, 0.0)
            for number, spectrum in zip(some, eigvalsh(products), strict=True):
                found[number] = renyi_nats(np.maximum(spectrum, 0.0), order)
    return found


def _check_traces(products: Array, numbers: Any) -> None:
    traces = np.einsum("kii->k", products)
    if not traces.all():
        raise ValueError(
            f"prompt {numbers[int(traces.argmin())]} of states is 0 everywhere, or, with "
            "variant='code', all its tokens are equal: it has no spectrum; leave it out"
        )
