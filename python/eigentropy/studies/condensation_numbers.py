"""How condensed the tokens of a layer are, and how much entropy they have."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from eigentropy import diffusion_spectral_entropy, kernel_entropy
from eigentropy._support.warnings import SaturationWarning
from eigentropy.baselines.spectral import effective_rank
from eigentropy.baselines.tokens import anisotropy, prompt_entropy

# Tokens of one sequence at a time, mean over sequences; the mean of each sequence; one token of
# each sequence, so that no two rows are of one sequence.
WITHIN, PROMPTS, TOKENS = "within", "prompts", "tokens"

ANISOTROPY = f"anisotropy {WITHIN}"
PROMPT_ENTROPY = f"prompt_entropy {WITHIN}"
KERNEL = f"kernel_entropy {WITHIN}"
RANK = f"effective_rank {TOKENS}"
ENTROPIES: dict[str, Callable[..., Any]] = {
    "dse": diffusion_spectral_entropy,
    "kernel_entropy": kernel_entropy,
}
OF_ENTROPY = tuple(f"{name} {of}" for name in ENTROPIES for of in (WITHIN, PROMPTS, TOKENS))
NUMBERS = (ANISOTROPY, f"anisotropy {TOKENS}", PROMPT_ENTROPY, *OF_ENTROPY, RANK)


class CondensationProbe(NamedTuple):
    """How many held-out sequences are measured. Tests take fewer."""

    sequences: int = 512
    within: int = 32  # of them, whose tokens are compared with one another


def numbers_of(states: npt.NDArray[Any], probe: CondensationProbe) -> dict[str, float]:
    """Every number of the states (sequences, tokens, features) of a layer.

    The prompt entropy is in nats, and of tokens of length 1, as published; the others are in bits.
    """
    spread = np.linspace(0, len(states) - 1, min(probe.within, len(states))).astype(int)
    within = states[spread].astype(np.float64)
    directions = within / np.linalg.norm(within, axis=-1, keepdims=True)
    places = np.random.default_rng(0).integers(states.shape[1], size=len(states))
    rows = states[np.arange(len(states)), places]
    found = {
        ANISOTROPY: float(anisotropy(within)),
        f"anisotropy {TOKENS}": float(anisotropy(rows)),
        PROMPT_ENTROPY: float(prompt_entropy(directions, base=math.e)),
        RANK: float(effective_rank(rows)),
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SaturationWarning)  # of tokens that have all condensed
        for name, entropy in ENTROPIES.items():
            found[f"{name} {WITHIN}"] = float(np.mean([float(entropy(each)) for each in within]))
            found[f"{name} {PROMPTS}"] = float(entropy(states.mean(axis=1)))
            found[f"{name} {TOKENS}"] = float(entropy(rows))
    return found
