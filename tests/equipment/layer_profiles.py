"""Profiles of language models that were never measured: values and errors that are known."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np

from eigentropy._measures.comparison.difference import Difference
from eigentropy._measures.layer_profile import LayerDifference, LayerNumber, ProfiledLayer

N = 80
UNITS = {
    "dse": "bits",
    "kernel_information_next": "bits",
    "curvature": "radians",
    "anisotropy": "",
}
# The last layer has no next one.
WITHOUT_LAST = "kernel_information_next"


def values_of(measure, count, seed=0):
    """By layer: the first two are equal, all others far apart. Anisotropies begin below 0."""
    rng = np.random.default_rng([seed, *map(ord, measure)])
    steps = np.append(0.0, rng.uniform(0.05, 0.15, size=count - 1))
    steps[1:2] = 0.0
    return np.cumsum(steps) + (-0.3 if measure == "anisotropy" else 5.0)


def language_profile(count=5, *, names=None, sampling=True, shares=False, units=UNITS, **changes):
    """A profile of as many layers; `changes` are of its other fields."""
    from eigentropy.torch.layers.language_profile import LanguageProfile

    names = names or ["embedding", *(f"block {k}" for k in range(1, count))]
    error = 0.01 if sampling else math.nan
    by_measure = {
        measure: dict(zip(names, values_of(measure, count).tolist(), strict=True))
        for measure in units
    }
    if WITHOUT_LAST in by_measure:
        del by_measure[WITHOUT_LAST][names[-1]]
    layers = [
        ProfiledLayer(
            name, 16,
            {
                measure: LayerNumber(of[name], error, math.inf)
                for measure, of in by_measure.items() if name in of
            },
        )
        for name in names
    ]  # fmt: skip
    neighbours = [
        LayerDifference(measure, a, b, difference(measure, of[a], of[b]))
        for measure, of in by_measure.items()
        for a, b in pairwise(names)
        if sampling and b in of
    ]
    about = {
        "model": "a/model", "scope": "tokens" if shares else "prompts", "pooling": "mean",
        "normalize": "none", "drop_first": 0, "prompts": N, "tokens": 9 * N, "units": dict(units),
        "same_prompt": dict(zip(names, np.linspace(0.2, 0.9, count).tolist(), strict=True))
        if shares else {},
        "same_prompt_by_chance": 0.05 if shares else math.nan,
    }  # fmt: skip
    return LanguageProfile(layers=layers, neighbours=neighbours, n=N, **{**about, **changes})


def difference(measure, a, b, error=0.001):
    return Difference(
        value=b - a, standard_error=error, degrees=math.inf, a=a, b=b, measure=measure, base=2.0,
        paired=True, n=(N, N),
    )  # fmt: skip
