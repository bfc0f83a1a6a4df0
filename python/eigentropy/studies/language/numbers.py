"""What the study `layers` measures of the states of a layer, at each of the three scopes.

PROMPTS: one vector a prompt, the mean of its tokens. TOKENS: some tokens of all prompts together.
WITHIN: the tokens of each prompt by themselves, averaged over prompts.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any

import numpy as np

import eigentropy as eg
from eigentropy.baselines import BaselineEstimate, probes, spectral, tokens
from eigentropy.studies.data import Labels
from eigentropy.studies.language.networks import States

PROMPTS, TOKENS, WITHIN = SCOPES = ("prompts", "tokens", "within")

MOST_TOKENS = 512  # of a layer, in the scope TOKENS; the same ones in all layers
MOST_PROMPTS = 50  # whose kernels are measured one by one, in the scope WITHIN

# How the vector of a prompt is made: the mean of its tokens, or of these and of padding.
MEAN, PADDED = "mean", "padded"

LABELS = "kernel_information_adjusted"
NEXT = "kernel_information_next"
KNN, LINEAR = PROBES = ("knn_accuracy", "linear_accuracy")

CODE = ", code"

# A value and its standard error over prompts, NaN where none is known.
Value = tuple[float, float]

SPREAD: dict[str, Callable[[States, int], Any]] = {
    "dse": lambda Z, seed: eg.dse(Z, seed=seed),
    "kernel_entropy": lambda Z, seed: eg.kernel_entropy(Z),
    "effective_rank": lambda Z, seed: spectral.effective_rank(Z),
    "rankme": lambda Z, seed: spectral.rankme(Z),
    "anisotropy": lambda Z, seed: tokens.anisotropy(Z),
}
OF_LABELS: dict[str, Callable[[States, Labels, int], Any]] = {
    LABELS: lambda Z, y, seed: eg.kernel_information(
        Z, y, kind="labels", n_null=20, seed=seed
    ).adjusted(),
    KNN: lambda Z, y, seed: probes.knn_accuracy(Z, y),
    LINEAR: lambda Z, y, seed: probes.linear_accuracy(Z, y),
}
OF_PROMPT: dict[str, Callable[..., Any]] = {
    "anisotropy": tokens.anisotropy,
    "curvature": tokens.curvature,
    "prompt_entropy": partial(tokens.prompt_entropy, normalization="max"),
}
# As the authors of the papers compute it, who take the mean of the tokens away and make each one of
# length 1 themselves: only of tokens as they are.
AS_CODED: dict[str, Callable[..., Any]] = {
    name + CODE: partial(OF_PROMPT[name], variant="code")
    for name in ("curvature", "prompt_entropy")
}

NAMES = {
    PROMPTS: (*SPREAD, *OF_LABELS, NEXT),
    TOKENS: tuple(SPREAD),
    WITHIN: ("dse", "kernel_entropy", "effective_rank", *OF_PROMPT),
}


def of_prompts(Z: States, y: Labels, following: States | None, seed: int) -> dict[str, Value]:
    """Of one vector a prompt; `following` are those of the next layer, None of the last one."""
    found = {name: _value(of, Z, seed) for name, of in SPREAD.items()}
    found |= {name: _value(of, Z, y, seed) for name, of in OF_LABELS.items()}
    if following is not None:
        found[NEXT] = _value(_shared, Z, following, seed)
    return found


def _shared(Z: States, following: States, seed: int) -> Any:
    """By the joint kernel of two that are as wide as the median distance, as `profile` does.

    Of narrower kernels the joint one has hardly an entry left.
    """
    sigma, sigma_y = (_median_distance(rows) for rows in (Z, following))
    return eg.kernel_information(
        Z, following, kind="vectors", sigma=sigma, sigma_y=sigma_y, n_null=20, seed=seed
    )


def _median_distance(rows: States) -> float:
    squares = np.square(rows.astype(float)).sum(axis=1)
    distances = squares[:, None] + squares - 2.0 * (rows @ rows.T)
    return math.sqrt(float(np.median(distances[np.triu_indices(len(rows), 1)])))


def of_tokens(states: Sequence[States], seed: int) -> dict[str, Value]:
    """Of some tokens of all prompts, drawn at random."""
    rows = np.concatenate(states)
    chosen = np.random.default_rng([seed, 62]).permutation(len(rows))[:MOST_TOKENS]
    Z = rows[np.sort(chosen)]
    return {name: _value(of, Z, seed) for name, of in SPREAD.items()}


def within_prompts(states: Sequence[States], seed: int) -> dict[str, Value]:
    """Of the tokens of each prompt, as means over prompts."""
    found = {name: _value(of, list(states)) for name, of in {**OF_PROMPT, **AS_CODED}.items()}
    few = states[:MOST_PROMPTS]
    for name in NAMES[WITHIN]:
        if name not in found:
            found[name] = _mean(_value(SPREAD[name], Z, seed)[0] for Z in few)
    return found


def _mean(values: Iterable[float]) -> Value:
    known = np.array([value for value in values if not math.isnan(value)])
    if len(known) < 2:
        return (float(known[0]) if len(known) else math.nan), math.nan
    return float(known.mean()), float(known.std(ddof=1)) / math.sqrt(len(known))


def _value(of: Callable[..., Any], *given: Any) -> Value:
    """NaN where the measure is not defined, as where all rows are equal."""
    with warnings.catch_warnings():
        # Rows that are equal, and more columns than rows, are results here, not mistakes.
        warnings.simplefilter("ignore", UserWarning)
        try:
            found = of(*given)
        except ValueError:
            return math.nan, math.nan
    error = found.standard_error if isinstance(found, BaselineEstimate) else math.nan
    return float(found), error
