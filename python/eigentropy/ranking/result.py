"""What `eigentropy.rank` returns."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, SupportsFloat, TypeVar

import numpy as np
import numpy.typing as npt

from eigentropy._support.interval import LEVEL, checked_level, percent, student_quantile
from eigentropy._support.signatures import nearest
from eigentropy._support.warnings import warn
from eigentropy.plot import ranking as figure
from eigentropy.ranking import tables
from eigentropy.ranking.engines import reason_beside
from eigentropy.ranking.measured import ModelScores
from eigentropy.ranking.moves import Moves, moves_of
from eigentropy.ranking.ranked import ACCURACY, Correlation, Rank, Ranked, chosen_score
from eigentropy.ranking.scores import PROBES

Doubles = npt.NDArray[np.float64]
T = TypeVar("T")

__all__ = ["Correlation", "Rank", "Ranking"]


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class Ranking(Ranked):
    """Models ranked by several scores. Prints as a table.

    `Ranked` has its attributes, ranks, ties and correlations.
    """

    @classmethod
    def of(
        cls,
        scores: Sequence[ModelScores],
        *,
        accuracies: Mapping[str, float] | None = None,
        families: Mapping[str, str] | None = None,
        sizes: Mapping[str, float] | None = None,
        by: str | None = None,
        level: float = LEVEL,
        excluded: Mapping[str, str] | None = None,
    ) -> Ranking:
        """From models that were measured one by one, as by the tasks of an engine.

        Raises
        ------
        ValueError
            No model, or two of one name; models of other rows, labels or settings than the first;
            `by` is no score of theirs; accuracies of which none is of these models.
        TypeError
            An accuracy or a size that is no number.

        Warns
        -----
        UserWarning
            Names in `accuracies`, `families` or `sizes` that are no models.
        """
        level = checked_level(level)
        left_out = {name: reason_beside(name, why) for name, why in (excluded or {}).items()}
        _check_alike(scores, left_out)
        names = scores[0].scores
        by = chosen_score(by, names)
        order = sorted(scores, key=lambda one: -one.values.get(by, -np.inf))
        known = {one.name for one in scores} | set(left_out)
        moves = {score: moves_of(order, score) for score in names}
        return cls(
            models=tuple(one.name for one in order),
            scores=names,
            by=by,
            values={score: _values(order, score) for score in names},
            errors={score: _spread(*moves[score], len(order)) for score in names},
            n=scores[0].n,
            accuracies=_numbers_of_models(accuracies, "accuracies", known),
            families=_of_models(families, "families", known),
            sizes=_numbers_of_models(sizes, "sizes", known),
            failures={(m.name, score): why for m in order for score, why in m.failures.items()},
            excluded=left_out,
            level=level,
            moves={score: (places, found) for score, (places, found) in moves.items() if found},
        )

    def to_rows(self) -> list[dict[str, Any]]:
        """One record a model, best first.

        With accuracy, family and size where they are known, and of each score its value, sampling
        error, rank and the ends of the rank's interval; None where a model has none, and without
        sampling errors.
        """
        return tables.records(self)

    def to_csv(self) -> str:
        """`to_rows` as CSV, with a header."""
        return tables.csv(self.to_rows())

    def sentences(self) -> list[str]:
        """What the ranking says, in words."""
        return tables.sentences(self)

    def plot(self, score: str | None = None, against: str | None = None, **options: Any) -> Any:
        """Draw an accuracy over a score, and return the axes: colour by family, area by size.

        A bar is the interval of a score at `level`, over other samples of the rows. Up to 30 models
        have their names, the best ones first, as far as there is room.

        Parameters
        ----------
        score : str, optional
            By default `by`.
        against : str, optional
            "accuracy", or the name of a score; by default the accuracies, or a probe where none are
            known.
        **options
            `ax`, the axes to draw on, and what ``ax.scatter`` takes.

        Raises
        ------
        ValueError
            There is no such score, or nothing to draw it against.
        ImportError
            matplotlib is missing.
        """
        score = chosen_score(self.by if score is None else score, self.scores, "score")
        targets = {**{one: self.values[one] for one in self.scores}, **self.targets()}
        known = [one for one in (ACCURACY, *PROBES[::-1]) if one in targets and one != score]
        if against is None and not known:
            raise ValueError("there is nothing to draw scores against: pass accuracies= to rank")
        against = chosen_score(known[0] if against is None else against, tuple(targets), "against")
        bars = f" (bars: {percent(self.level)} interval)" if self.has_errors(score) else ""
        return figure.scores(
            self.values[score],
            targets[against],
            names=(f"{score}{bars}", against),
            models=self.models,
            bars=student_quantile(self.level, math.inf) * self.errors[score],
            families=[self.families.get(name) for name in self.models],
            sizes=[self.sizes.get(name) for name in self.models],
            **options,
        )

    def _repr_html_(self) -> str:
        return tables.html(self)

    def __repr__(self) -> str:
        return tables.text(self)


def _values(order: Sequence[ModelScores], score: str) -> Doubles:
    return np.array([one.values.get(score, np.nan) for one in order])


def _spread(places: Sequence[int], moves: Moves | None, count: int) -> Doubles:
    errors = np.full(count, np.nan)
    if moves is not None and moves.is_known:
        errors[list(places)] = moves.errors().standard
    return errors


def _check_alike(scores: Sequence[ModelScores], left_out: Mapping[str, str]) -> None:
    """Whether all models were measured on the same rows, with the same settings."""
    if not scores:
        reasons = "; ".join(f"{name}: {reason}" for name, reason in left_out.items())
        which = f"none of {len(left_out)} models can" if len(left_out) > 1 else "the model cannot"
        raise ValueError(
            f"{which} be ranked: {reasons}" if left_out else "there is no model to rank"
        )
    names = [one.name for one in scores]
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"two models have the name {twice!r}: each needs a name of its own")
    first = scores[0]
    for one in scores:
        if one.n != first.n:
            raise ValueError(
                f"{one.name} has {one.n} rows and {first.name} has {first.n}: models are ranked on "
                "the same rows in the same order"
            )
        if one.shared != first.shared:
            raise ValueError(
                f"{one.name} was measured with other labels, scores, options or another seed than "
                f"{first.name}: measure both the same way"
            )


def _numbers_of_models(
    given: Mapping[str, Any] | None, argument: str, models: set[str]
) -> dict[str, float]:
    known = _of_models(given, argument, models)
    for name, value in known.items():
        if isinstance(value, (str, bool)) or not isinstance(value, SupportsFloat):
            raise TypeError(
                f"{argument} must have a number for each model, got {value!r} for {name}; leave "
                "out models without one"
            )
    return {name: float(value) for name, value in known.items()}


def _of_models(given: Mapping[str, T] | None, argument: str, models: set[str]) -> dict[str, T]:
    """What is known of these models; names that are none are warned about."""
    if not given:
        return {}
    unknown = [name for name in given if name not in models]
    if not unknown:
        return dict(given)
    meant = nearest(str(unknown[0]), models)
    near = "" if meant is None else f"; the nearest is {meant!r}"
    others = f" and {len(unknown) - 1} more" if len(unknown) > 1 else ""
    text = f"{argument} has names that are no models: {unknown[0]!r}{others}{near}"
    if len(unknown) == len(given):
        raise ValueError(f"{text}: none is of these models, {', '.join(sorted(models))}")
    warn(text)
    return {name: value for name, value in given.items() if name in models}
