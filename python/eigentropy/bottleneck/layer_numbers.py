"""The numbers of layers on the plane, as sums of informations that share their sampling errors."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cached_property

import numpy as np
import numpy.typing as npt

from eigentropy._measures.comparison.holm import holm
from eigentropy._measures.layer_profile import LayerNumber
from eigentropy._measures.sampling.halves import halves_of
from eigentropy._support.interval import student_p_value
from eigentropy.bottleneck.layer_informations import (
    BOTH,
    INPUT,
    KINDS,
    LABEL,
    PREVIOUS,
    LayerInformations,
    Numbers,
    table_of_sets,
)
from eigentropy.bottleneck.layer_plane import PlaneLayer

Doubles = npt.NDArray[np.float64]

# What the rounding of sums may leave of a change that is 0: informations are of the order of 1.
ROUNDING = 1e-9

# An information, how many layers before the layer it is of, and its factor in a sum.
Term = tuple[int, int, float]


def terms(beta: float) -> dict[str, list[Term]]:
    """What each number of a layer is a sum of."""
    lost: list[Term] = [(BOTH, 0, 1.0), (LABEL, 0, -1.0)]
    return {
        "about_input": [(INPUT, 0, 1.0)],
        "about_previous": [(PREVIOUS, 0, 1.0)],
        "about_label": [(LABEL, 0, 1.0)],
        "lost": lost,
        "gained": [(BOTH, 0, 1.0), (LABEL, 1, -1.0)],
        "change": [(LABEL, 0, 1.0), (LABEL, 1, -1.0)],
        "cost": [(PREVIOUS, 0, 1.0), *((which, back, beta * f) for which, back, f in lost)],
    }


class LayerNumbers:
    """Sums of the informations of all rows, with errors from those of subsets of the rows.

    All sums are of the same subsets, so that what two informations have in common cancels in the
    error of their difference.

    Parameters
    ----------
    informations : LayerInformations
    n : int
        Number of rows.
    n_null : int
        Random orders behind the informations of all rows.
    most : int
        At most this many rows are divided into subsets.
    sampling : bool
        Whether the numbers have sampling errors.
    seed : int
    """

    def __init__(
        self,
        informations: LayerInformations,
        n: int,
        *,
        n_null: int,
        most: int,
        sampling: bool,
        seed: int,
    ) -> None:
        self._informations, self._n_null, self._seed = informations, n_null, seed
        self._n, self._most, self._sampling = n, most, sampling
        self._of_sets: Doubles | None = None

    @cached_property
    def whole(self) -> Doubles:
        """The informations of all rows, shape (4, layers)."""
        return self._informations.of_rows(np.arange(self._n), self._n_null, self._seed)

    def number(self, sum_of: list[Term], layer: int) -> LayerNumber:
        """A sum of informations of a layer and the one before it."""
        weights = np.zeros((KINDS, self.whole.shape[1]))
        for which, back, factor in sum_of:
            weights[which, layer - back] += factor
        used = weights != 0.0
        value = float(self.whole[used] @ weights[used])
        if not self._sampling:
            return LayerNumber(value)

        def on_sets(sets: Sequence[Numbers]) -> Doubles:
            if self._of_sets is None:  # the sets are the same for every number
                self._of_sets = table_of_sets(self._informations, sets, self._seed)
            sums: Doubles = self._of_sets[:, :, used] @ weights[used]
            return sums

        variation = halves_of(value, on_sets, self._n, self._seed, most=self._most)
        return LayerNumber(value, variation.standard_error, variation.degrees)

    def layers(self, names: Sequence[str], beta: float) -> list[PlaneLayer]:
        """Every layer but the first, with its numbers and its p-value."""
        every = terms(beta)
        numbers = [
            {name: self.number(sum_of, layer) for name, sum_of in every.items()}
            for layer in range(1, len(names) + 1)
        ]
        p_values = _corrected([one["change"] for one in numbers])
        return [
            PlaneLayer(name, **one, p_value=p)
            for name, one, p in zip(names, numbers, p_values, strict=True)
        ]


def _corrected(changes: Sequence[LayerNumber]) -> list[float]:
    """One-sided p-values that a change is above 0, for all layers together."""
    if any(math.isnan(change.sampling_error) for change in changes):
        return [math.nan] * len(changes)
    return holm([_above_zero(change) for change in changes])


def _above_zero(change: LayerNumber) -> float:
    if not change.value > ROUNDING:
        return 1.0
    if change.sampling_error == 0.0:
        return 0.0
    return 0.5 * student_p_value(change.value / change.sampling_error, change.degrees)
