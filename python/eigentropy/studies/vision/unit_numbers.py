"""Numbers over the units of Z: how much they differ, and how few pictures each answers to."""

from __future__ import annotations

import math
import warnings

import numpy as np

from eigentropy.embed import selectivity, unit_entropies
from eigentropy.studies.courses import Numbers
from eigentropy.studies.vision.architectures import Network
from eigentropy.studies.vision.learning import outputs
from eigentropy.studies.vision.pictures import Pictures

DIVERSITIES = ("DSE of units", "kernel entropy of units")
SELECTIVITY = "selectivity of units"


def unit_numbers(network: Network, pictures: Pictures, place: str) -> Numbers:
    """The numbers of Z's units on these pictures; NaN where no unit tells two pictures apart."""
    units = outputs(network, pictures.X)[0].T.astype(float)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of units that are constant
        values = (*_diversities(units), _mean(selectivity(units)))
    names = (*DIVERSITIES, SELECTIVITY)
    return {(place, name): value for name, value in zip(names, values, strict=True)}


def _diversities(units: np.ndarray) -> tuple[float, float]:
    if not np.ptp(units, axis=1).any():
        return math.nan, math.nan
    found = unit_entropies(units[None])
    return float(found.dse[0]), float(found.kernel_entropy[0])


def _mean(values: np.ndarray) -> float:
    """Over the units that answer at all."""
    known = values[np.isfinite(values)]
    return float(known.mean()) if len(known) else math.nan
