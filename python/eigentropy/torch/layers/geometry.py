"""Measures of rows, or of the tokens of each prompt, that are no entropy of a Gaussian kernel."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from eigentropy._spectra.eigenvalues import spectral_entropy
from eigentropy.baselines import tokens as baselines
from eigentropy.baselines._singular_values import squared_singular_values

Doubles = npt.NDArray[np.float64]

RANKS = ("effective_rank", "rankme")
OF_ORDER = ("prompt_entropy", "curvature")
MEASURES = (*OF_ORDER, *RANKS, "anisotropy")

# RankMe adds this to each share, as published.
EPSILON = 1e-7


def of_rows(names: Sequence[str], rows: Any) -> dict[str, float]:
    """Ranks and anisotropy of rows (m, d); NaN where there is none."""
    found = {}
    if set(RANKS) & set(names):
        found = _ranks(rows)
    if "anisotropy" in names:
        found["anisotropy"] = or_nan(lambda: baselines.anisotropy(rows))
    return {name: found[name] for name in names}


def of_prompts(names: Sequence[str], prompts: Sequence[Any]) -> dict[str, Doubles]:
    """Each measure of the tokens (l, d) of each prompt; NaN where it has none."""
    found = {}
    if set(RANKS) & set(names):
        ranks = [_ranks(one) for one in prompts]
        found = {name: np.array([one[name] for one in ranks]) for name in RANKS}
    for name, function in (
        ("prompt_entropy", baselines.prompt_entropy),
        ("curvature", baselines.curvature),
        ("anisotropy", baselines.anisotropy),
    ):
        if name in names:
            found[name] = _each(function, prompts)
    return {name: found[name] for name in names}


def _each(function: Callable[[list[Any]], Any], prompts: Sequence[Any]) -> Doubles:
    """Of all prompts at once; one by one where one of them has no value."""
    try:
        values: Doubles = function(list(prompts)).by_prompt
    except ValueError:
        if len(prompts) == 1:
            return np.array([math.nan])
        return np.concatenate([_each(function, [one]) for one in prompts])
    return values


def _ranks(rows: Any) -> dict[str, float]:
    """Both ranks, from the same singular values."""
    try:
        s = np.sqrt(squared_singular_values(rows, center=False))
    except ValueError:  # nothing but 0
        return dict.fromkeys(RANKS, math.nan)
    return {
        "effective_rank": math.exp(spectral_entropy(s, base=math.e)),
        "rankme": _exp_of_entropy(s / s.sum() + EPSILON),
    }


def _exp_of_entropy(p: Doubles) -> float:
    return math.exp(-float(p @ np.log(p)))


def or_nan(value: Callable[[], Any]) -> float:
    """A value as a float; NaN where it is not defined for these rows."""
    try:
        return float(value())
    except ValueError:
        return math.nan
