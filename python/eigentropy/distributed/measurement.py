"""All entropies that a measurement asks for, of rows that lie on several ranks."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from eigentropy._measures.measurement import Measurement, MeasurementSettings, Progress, measure
from eigentropy._support.options import one_of
from eigentropy.distributed.bandwidth import sigma_over_ranks
from eigentropy.distributed.entropy import METHODS, Options, plan_over_ranks, speaking, split_rows
from eigentropy.distributed.ranks import Ranks


def measure_over(
    ranks: Ranks,
    Z: Any,
    settings: MeasurementSettings,
    progress: Progress = False,
    name: str = "Z",
) -> Measurement:
    """The entropies of the rows of all ranks, of which Z has those of this one.

    Raises
    ------
    ValueError
        An option is for rows in one process.
    """
    with ranks.together():
        one_of(settings.method, "method", METHODS)
        Options.checked(settings.sigma, settings.seed, settings.dtype, settings.device)
    ranks.require_same(settings=settings)
    with speaking(ranks):
        rows: Any = split_rows(Z, ranks)
        method = plan_over_ranks(settings.plan, rows).method
        sigma = sigma_over_ranks(settings.sigma, rows, settings.seed)
        own = replace(settings, sigma=sigma, method=method, device=None)
        return measure(rows, {}, own, progress=progress if ranks.is_first else False, name=name)
