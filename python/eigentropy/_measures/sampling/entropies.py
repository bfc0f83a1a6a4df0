"""How an entropy moves with its rows, by the way that suits it."""

from __future__ import annotations

from functools import partial
from typing import Any, NamedTuple

from eigentropy._measures.sampling.halves import entropy_halves
from eigentropy._measures.sampling.influence import influences, standing_for_all
from eigentropy._measures.sampling.variation import Variation, check_rows
from eigentropy._measures.sampling.width_influence import width_jumps
from eigentropy._spectra.functionals import Functional, Shannon
from eigentropy._spectra.plan import SpectrumPlan


class EntropySource(NamedTuple):
    """What an entropy was computed from: a matrix that knows its rows only, and how.

    Attributes
    ----------
    matrix : KernelMatrix
    plan : SpectrumPlan
    blocks : array of length n, or None
        Rows of one value belong together: a sample is one of blocks.
    """

    matrix: Any
    plan: SpectrumPlan
    blocks: Any = None


def entropy_variation(
    source: EntropySource, which: Functional, base: float, value: float
) -> Variation:
    """By leaving out rows, where S = -sum p log p of one matrix whose sigma does not jump.

    Otherwise, and where rows belong together, by subsets of the rows.
    """
    matrix, plan, blocks = source
    check_rows(matrix.n)
    if blocks is not None:
        return entropy_halves(matrix, which, plan, base, value, blocks)
    subsets = partial(entropy_halves, matrix, which, plan, base, value)
    if which != Shannon() or matrix.samples.device.is_sparse:
        return subsets()
    if width_jumps(matrix, standing_for_all(matrix)):
        return subsets()
    return influences(matrix, value, base, subsets)
