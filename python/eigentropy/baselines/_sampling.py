"""How far a baseline varies over other samples of the data."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from eigentropy._measures.sampling.halves import variation_of
from eigentropy.baselines._estimate import BaselineEstimate


def with_sampling_error(
    function: Callable[..., BaselineEstimate],
    Z: Any,
    Y: Any = None,
    *,
    seed: int = 0,
    **options: Any,
) -> BaselineEstimate:
    """What a baseline returns, with its `sampling_error`.

    The baseline is called with all rows, 16 times with halves of them, and 16 times with three
    quarters; docs/explanations/mathematics.md says what follows from these. What is random in the
    baseline, such as the initialisation of a network, counts as sampling error, too.

    Parameters
    ----------
    function : callable
        One of the baselines, such as `spectral.rankme`.
    Z : array-like of shape (n, d)
        16 rows or more.
    Y : array-like of length n, optional
        For a baseline that takes one.
    seed : int
        Of the subsets of the rows.
    **options
        Of the baseline.

    Returns
    -------
    BaselineEstimate

    Raises
    ------
    ValueError, TypeError
        Too few rows; Y of another length; what the baseline raises, also where a subset of the rows
        is too small for it.

    Examples
    --------
    >>> import numpy as np
    >>> from eigentropy.baselines import spectral, with_sampling_error
    >>> Z = np.random.default_rng(0).normal(size=(100, 5)) * [3, 2, 1, 1, 1]
    >>> 0 < with_sampling_error(spectral.participation_ratio, Z).sampling_error < 1
    True
    """
    made: list[BaselineEstimate] = []  # the first one is of all rows

    def kept(*columns: Any) -> BaselineEstimate:
        made.append(function(*columns, **options))
        return made[-1]

    found = variation_of(kept, Z, Y, seed=seed)
    return replace(made[0], sampling_error=found.standard_error)
