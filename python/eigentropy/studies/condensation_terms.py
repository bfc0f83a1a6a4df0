"""Further terms of a decoder's loss, which keep the tokens of a sequence apart."""

from __future__ import annotations

from collections.abc import Callable

import torch

from eigentropy.studies.condensation_layers import DISPERSION, NONE
from eigentropy.torch import DispersionLoss, SequenceEntropyLoss

# Sequences of a batch whose entropy is taken: each has eigenvalues of its own.
WITH_ENTROPY = 4


def term_of(name: str, weight: float) -> Callable[[list[torch.Tensor]], torch.Tensor] | None:
    """The mean over blocks of a term of this name and weight; None for no term."""
    if name == NONE:
        return None
    if name == DISPERSION:
        dispersion = DispersionLoss(weight)
        return lambda blocks: torch.stack([dispersion(states) for states in blocks]).mean()
    entropy = SequenceEntropyLoss(weight, "raise", measure="kernel_entropy")
    return lambda blocks: torch.stack([entropy(s[:WITH_ENTROPY]) for s in blocks]).mean()
