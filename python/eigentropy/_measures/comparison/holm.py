"""Holm's correction of several p-values."""

from __future__ import annotations

from collections.abc import Sequence


def holm(p_values: Sequence[float]) -> list[float]:
    r"""The p-values for all hypotheses together, in the order of the given ones.

    The i-th smallest of m is multiplied by m - i + 1, is not below the one before it, and is at
    most 1. To reject where the result is at most :math:`\alpha` rejects any true hypothesis with at
    most that probability, however the p-values depend on each other.

    References
    ----------
    Holm: A simple sequentially rejective multiple test procedure. Scand. J. Statist. 6 (1979).
    """
    m = len(p_values)
    corrected, highest = [1.0] * m, 0.0
    for rank, index in enumerate(sorted(range(m), key=p_values.__getitem__)):
        highest = max(highest, min(1.0, (m - rank) * p_values[index]))
        corrected[index] = highest
    return corrected
