"""How an entropy moves with its rows, by the way that suits it."""

from __future__ import annotations

from typing import Any, NamedTuple

from eigentropy._measures.sampling.halves import entropy_halves
from eigentropy._measures.sampling.influence import influences
from eigentropy._measures.sampling.variation import Variation
from eigentropy._spectra.functionals import Functional, Shannon
from eigentropy._spectra.plan import SpectrumPlan


class EntropySource(NamedTuple):
    """What an entropy was computed from: a matrix that knows its rows only, and how.

    Attributes
    ----------
    matrix : KernelMatrix
    plan : SpectrumPlan
    """

    matrix: Any
    plan: SpectrumPlan


def entropy_variation(
    source: EntropySource, which: Functional, base: float, value: float
) -> Variation:
    """By leaving out rows where the entropy is -sum p log p of one matrix, otherwise by halves."""
    matrix, plan = source
    if which == Shannon() and not matrix.samples.device.is_sparse:
        return influences(matrix, value, base)
    return entropy_halves(matrix, which, plan, base, value)
