"""How one score of several models moves with the rows that they share."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from eigentropy._measures.comparison.items import ROUNDING
from eigentropy._measures.sampling.halves import DIVISIONS, MOST_ROWS, variances
from eigentropy.ranking.measured import ModelScores

Doubles = npt.NDArray[np.float64]


class Errors(NamedTuple):
    """Standard errors over other samples, and their degrees of freedom for Student's t.

    NaN where there is none.
    """

    standard: Doubles
    degrees: Doubles


@dataclass(frozen=True)
class Moves:
    """One score of m models, and how it moves with the rows that they share.

    Attributes
    ----------
    values : array of shape (m,)
    n : int
        Rows.
    subsets : array of shape (m, divisions, 2, 2, 2), or None
        Values on halves and on three quarters of the rows, each of these on both subsets of a
        division, each measured twice; as in `Halves`.
    hits : array of shape (m, n), or None
        Of a score that is a mean over rows, these.
    nulls : array of shape (m, partitions), or None
        What each random partition of a matched information gave: the same ones for all models.
    computed : array of shape (m, 2)
        Standard errors of estimated entropies, and bounds of rounding.
    """

    values: Doubles
    n: int
    subsets: Doubles | None
    hits: Doubles | None
    nulls: Doubles | None
    computed: Doubles

    @property
    def is_known(self) -> bool:
        """Whether there are sampling errors."""
        return self.subsets is not None or self.hits is not None

    def errors(self) -> Errors:
        """Sampling errors of all values."""
        return _errors(self.n, self.subsets, self.hits)

    def beside(self, one: int) -> Errors:
        """Errors of the differences of all models from one of them, its own among them.

        Those by subsets are `Variances.most`: at the small p-values that many models ask for,
        degrees of freedom are worth more than an error that is not too large.
        """

        def less(values: Doubles | None) -> Doubles | None:
            return None if values is None else values - values[one]

        parts = [_errors(self.n, less(self.subsets), less(self.hits), most=True)]
        if self.nulls is not None:
            count = self.nulls.shape[1]
            spread = (self.nulls - self.nulls[one]).std(axis=1, ddof=1) / math.sqrt(count)
            parts.append(Errors(spread, np.full_like(spread, count - 1.0)))
        estimated = self.computed[:, 0]
        both = np.hypot(estimated, estimated[one])
        parts.append(Errors(both, np.full_like(both, math.inf)))
        return _combined(parts)

    def rounding(self, one: int) -> Doubles:
        """What rounding may have changed of the differences from one model."""
        bounds = np.maximum(self.computed[:, 1], ROUNDING * np.abs(self.values))
        found: Doubles = bounds + bounds[one]
        return found


def _errors(n: int, subsets: Doubles | None, hits: Doubles | None, most: bool = False) -> Errors:
    if hits is not None:
        error = hits.std(axis=1, ddof=1) / math.sqrt(n)
        return Errors(error, np.full_like(error, n - 1.0))
    assert subsets is not None
    found = variances(subsets[:, :, 0], subsets[:, :, 1], n, min(n, MOST_ROWS))
    if most:
        return Errors(np.sqrt(found.most), found.degrees_of_most)
    return Errors(np.sqrt(found.value), found.degrees)


def _combined(parts: list[Errors]) -> Errors:
    """Of sums of independent parts: the degrees are Welch's and Satterthwaite's."""
    squares = np.array([part.standard**2 for part in parts])
    total = squares.sum(axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        spread = sum(s**2 / part.degrees for s, part in zip(squares, parts, strict=True))
        degrees = np.where(spread > 0.0, total**2 / spread, math.inf)
    return Errors(np.sqrt(total), degrees)


def moves_of(models: Sequence[ModelScores], score: str) -> tuple[tuple[int, ...], Moves | None]:
    """The places of the models that have the score, and its moves; None where no model has it."""
    places = tuple(place for place, one in enumerate(models) if score in one.values)
    if not places:
        return places, None
    known = [models[place] for place in places]

    def stacked(of: Callable[[ModelScores], Mapping[str, tuple[float, ...]]]) -> Doubles | None:
        several = [of(one).get(score) for one in known]
        rows = [np.asarray(values) for values in several if values is not None]
        return np.array(rows) if len(rows) == len(known) else None

    subsets = stacked(lambda one: one.subsets)
    computed = np.array([one.computed.get(score, (0.0, 0.0)) for one in known])
    return places, Moves(
        values=np.array([one.values[score] for one in known]),
        n=known[0].n,
        subsets=None if subsets is None else _divided(subsets),
        hits=stacked(lambda one: one.hits),
        nulls=stacked(lambda one: one.nulls),
        computed=computed,
    )


def _divided(subsets: Doubles) -> Doubles:
    """Shape (models, divisions, 2, 2, 2): halves and rests, both of each, each found twice."""
    models, count = subsets.shape
    values = subsets.reshape(models, DIVISIONS, 2, 2, count // (4 * DIVISIONS))
    found: Doubles = np.broadcast_to(values, (*values.shape[:-1], 2))
    return found
