"""What a collapse alarm looks at in a layer: entropies, those of classes, spread and scale."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from eigentropy._measures.measurement import Measurement, MeasurementSettings, Variable, measure
from eigentropy._measures.results import Entropy
from eigentropy._support.warnings import (
    CollectedWarnings,
    PrecisionWarning,
    SaturationWarning,
    warn,
)
from eigentropy.report.measures import FAMILIES
from eigentropy.torch.monitoring.notices import Notice
from eigentropy.torch.monitoring.samples import Array

KINDS = ("entropy", "class", "spread", "scale")

# A class with fewer rows has an entropy that depends on single rows, and is not watched.
LEAST_ROWS = 10

# If there are more classes, none is watched: each would have too small a share of the evidence.
MOST_CLASSES = 100


class WatchedValue(NamedTuple):
    """A number that falls when a layer collapses.

    Attributes
    ----------
    name : str
        "dse" or "kernel", "class 3", "spread", "scale".
    kind : str
        Of `KINDS`.
    value : float
    most : float
        About the largest possible value: log n for an entropy of n rows, 1 for the spread, and 1
        for a class, since the median class has 1. Infinite for the scale.
    """

    name: str
    kind: str
    value: float
    most: float


class Look(NamedTuple):
    """What an alarm takes of a layer where its rows are. It can be sent to another process.

    Attributes
    ----------
    values : list of WatchedValue
    said : list of Notice
        What there is to say of the layer.
    groups : array (n,) or None
        The labels, where the rows are to be dumped.
    """

    values: list[WatchedValue]
    said: list[Notice]
    groups: Array | None = None


def values_of_layer(rows: Array, measured: Measurement) -> Iterator[WatchedValue]:
    """The entropies, the spread and the scale of the rows (n, d) of a layer."""
    most = math.log(len(rows)) if len(rows) else 0.0
    for family, (name, _) in FAMILIES.items():
        for entropy in _entropies(measured, family)[:1]:
            yield WatchedValue(name, "entropy", float(entropy), most / math.log(entropy.base))
    yield WatchedValue("spread", "spread", spread(rows), 1.0)
    yield WatchedValue("scale", "scale", scale(rows), math.inf)


def values_of_classes(
    rows: Array, measured: Measurement, labels: Variable, settings: MeasurementSettings
) -> Iterator[WatchedValue]:
    """The entropy of each class that has enough rows, over the median of these entropies.

    Relative to the median, classes that all become tighter, as in healthy training, are not a
    collapse. With the sigma of all rows, a class that shrinks to a point loses entropy, too. The
    entropy is the kernel entropy if that is measured, and otherwise the diffusion entropy.
    """
    sigma = _entropies(measured, _family(settings))[0].sigma
    found = {
        name: _entropy(rows[members], sigma, settings)
        for name, members in members_of_classes(labels)
        if len(members) >= LEAST_ROWS
    }
    median = float(np.median([*found.values()])) if found else 0.0
    for name, entropy in found.items():
        # The median is 0 where most classes are single points: these are collapsed, the others not.
        share = entropy / median if median > 0.0 else float(entropy > 0.0)
        yield WatchedValue(f"class {name}", "class", share, 1.0)


def members_of_classes(labels: Variable) -> Iterator[tuple[str, Array]]:
    """Name and rows of each class."""
    values, codes = np.unique(labels.values, return_inverse=True)
    for code, value in enumerate(values.tolist()):
        yield str(value), np.flatnonzero(codes.reshape(-1) == code)


def spread(rows: Array) -> float:
    """Standard deviation of the rows at length 1, times sqrt(d), on average over the columns.

    About 1 where the directions are even, and 0 where all rows have one direction: what SimSiam
    (Chen and He 2021) is watched by. It depends neither on the scale nor on sigma.
    """
    Z = _scaled(rows)
    lengths = np.linalg.norm(Z, axis=1, keepdims=True)
    unit = Z / np.where(lengths > 0.0, lengths, 1.0)
    return float(unit.std(axis=0).mean() * math.sqrt(Z.shape[1]))


def scale(rows: Array) -> float:
    """Root of the mean square distance of the rows from their mean."""
    Z = rows.astype(np.float64, copy=False)
    largest = float(np.abs(Z).max(initial=0.0))
    if not largest:
        return 0.0
    centred = Z / largest - (Z / largest).mean(axis=0)
    return largest * math.sqrt(float((centred * centred).sum()) / len(Z))


def _scaled(rows: Array) -> Array:
    """The rows in float64, each divided by its largest entry: their squares are numbers."""
    Z: Array = rows.astype(np.float64, copy=False)
    largest = np.abs(Z).max(axis=1, keepdims=True, initial=0.0)
    return Z / np.where(largest > 0.0, largest, 1.0)


def _entropies(measured: Measurement, family: str) -> Sequence[Entropy]:
    return measured.kernel_entropies if family == "kernel" else measured.entropies


def _entropy(rows: Array, sigma: float, settings: MeasurementSettings) -> float:
    """The entropy of the rows of a class, without warnings: they may all be alike."""
    if sigma == 0.0:
        return 0.0
    own = replace(settings, sigma=settings.sigma if math.isnan(sigma) else sigma, method="auto")
    with CollectedWarnings() as said:
        measured = measure(rows, {}, own, diffusion=not settings.kernel)
    for one in said:
        if not issubclass(one.category, (SaturationWarning, PrecisionWarning)):
            warn(*one)
    return float(_entropies(measured, _family(settings))[0])


def _family(settings: MeasurementSettings) -> str:
    return "kernel" if settings.kernel else "diffusion"
