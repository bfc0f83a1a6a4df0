"""Models with several scores: their ranks, which are told apart, and correlations."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from eigentropy._support.signatures import nearest
from eigentropy.ranking.correlations import Correlated, correlated
from eigentropy.ranking.moves import Moves
from eigentropy.ranking.pairs import RankIntervals, ranks_of, shown_above, tied_runs
from eigentropy.ranking.scores import FIRST, PROBES

Doubles = npt.NDArray[np.float64]

# What the accuracies that the caller knows are called beside the names of probes.
ACCURACY = "accuracy"


@dataclass(frozen=True)
class Rank:
    """Where a model stands by one score: from 1, the best; `low` .. `high` is its interval."""

    model: str
    rank: int
    low: int
    high: int


# Those of a `Correlation`.
COEFFICIENTS = ("pearson", "spearman", "weighted_tau")


@dataclass(frozen=True)
class Correlation:
    """How one score goes with an accuracy, over models.

    Each of the three is the number with the ends of its interval; NaN where there is none. A sign
    below 0 says that models with a lower score have the higher accuracy.
    """

    score: str
    target: str
    models: int
    pearson: Correlated
    spearman: Correlated
    weighted_tau: Correlated


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class Ranked:
    """Models with several scores, and what these say of each other.

    Rank 1 has the highest score, whichever score it is: of some, such as `self_clustering`, low
    values are the better ones. `correlations` has the sign.

    Attributes
    ----------
    models : tuple of str
        Their names, best first by `by`; those without that score come last.
    scores : tuple of str
    by : str
        The score by which the table is ordered.
    values : dict
        From each score to its values in the order of `models`; NaN where one has none.
    errors : dict
        From each score to its sampling errors, alike: standard deviations over other samples of as
        many rows. NaN where there is none.
    n : int
        Rows, the same ones for all models.
    accuracies, families, sizes : dict
        From names of models to what is known of them; may be empty.
    failures : dict
        From (model, score) to why there is no value.
    excluded : dict
        From the name of a model that was left out to the reason.
    level : float
        Of intervals, and of the statement that two models are told apart.
    """

    models: tuple[str, ...]
    scores: tuple[str, ...]
    by: str
    values: dict[str, Doubles]
    errors: dict[str, Doubles]
    n: int
    accuracies: dict[str, float]
    families: dict[str, str]
    sizes: dict[str, float]
    failures: dict[tuple[str, str], str]
    excluded: dict[str, str]
    level: float
    moves: dict[str, tuple[tuple[int, ...], Moves]] = field(repr=False)
    kept: dict[str, Any] = field(default_factory=dict, repr=False)

    def ranks(self, score: str | None = None) -> list[Rank]:
        """The rank of each model that has the score, in the order of `models`.

        The intervals hold the true ranks of all models at once with probability `level`, over other
        samples of the rows: they follow from the differences of all pairs, see `ties`. Without
        sampling errors they are 1 .. number of models: nothing is known.

        Raises
        ------
        ValueError
            There is no such score.
        """
        places, _, _, ranks = self._told_apart(score)
        known = zip(places, *(part.tolist() for part in ranks), strict=True)
        return [Rank(self.models[place], *rest) for place, *rest in known]

    def has_errors(self, score: str | None = None) -> bool:
        """Whether there are sampling errors of a score, without which no two are compared."""
        name = chosen_score(self.by if score is None else score, self.scores, "score")
        return bool(np.isfinite(self.errors[name]).any())

    def ties(self, score: str | None = None) -> list[tuple[str, ...]] | None:
        """Models that are not told apart, best first, in groups of two or more.

        None without sampling errors, when it is not known which are.

        In the order of the score, the longest runs of models of which none is shown to be above
        another one. A difference of two is judged by how it moves with the rows that both share, in
        Student's test, corrected by Holm for all ordered pairs. Two models may share no group and
        still not be told apart, where one between them is; `shown_above` has each pair.
        """
        return (
            [run for run in self.groups(score) if len(run) > 1] if self.has_errors(score) else None
        )

    def groups(self, score: str | None = None) -> list[tuple[str, ...]]:
        """`ties`, with those that stand alone as groups of one; none without sampling errors."""
        if not self.has_errors(score):
            return []
        places, values, above, _ = self._told_apart(score)
        runs = tied_runs(values, above)
        return [tuple(self.models[places[one]] for one in run) for run in runs]

    def best(self, score: str | None = None) -> list[str]:
        """The models that may be the best by a score: none is shown to be above them."""
        return [one.model for one in self.ranks(score) if one.low == 1]

    def shown_above(self, a: str, b: str, score: str | None = None) -> bool:
        """Whether a score of model a is shown to be above that of b."""
        places, _, above, _ = self._told_apart(score)
        for name in (a, b):
            if name not in self.models or self.models.index(name) not in places:
                raise ValueError(f"{name!r} has no {score or self.by}; models are {self.models}")
        one, other = (places.index(self.models.index(name)) for name in (a, b))
        return bool(above[one, other])

    def _told_apart(self, score: str | None) -> tuple[tuple[int, ...], Doubles, Any, RankIntervals]:
        """The models that have a score, its values, who is above whom, and ranks; found once."""
        name = chosen_score(self.by if score is None else score, self.scores, "score")
        if name not in self.kept:
            places, moves = self.moves.get(name, ((), None))
            values = self.values[name][list(places)]
            count = len(places)
            above = np.zeros((count, count), dtype=bool)
            if moves is not None and moves.is_known:
                above = shown_above(moves, self.level)
            self.kept[name] = places, values, above, ranks_of(values, above)
        found: tuple[tuple[int, ...], Doubles, Any, RankIntervals] = self.kept[name]
        return found

    def targets(self) -> dict[str, Doubles]:
        """What scores are correlated with, in the order of `models`: accuracies and probes."""
        found = {probe: self.values[probe] for probe in PROBES if probe in self.scores}
        if not self.accuracies:
            return found
        known = np.array([self.accuracies.get(name, np.nan) for name in self.models])
        return {ACCURACY: known, **found}

    def correlations(self) -> list[Correlation]:
        """Of each score with the accuracies and with the probes, over the models that have both.

        Pearson's and Spearman's correlation, and Kendall's tau with weights of 1 / rank, each with
        an interval over the models: Spearman's by Fisher's transformation, the others by a
        bootstrap. Fewer than 8 models have none. The probes are of the same rows as the scores.

        Raises
        ------
        ImportError
            SciPy is missing.
        """
        if "correlations" not in self.kept:
            self.kept["correlations"] = [
                Correlation(score, target, *correlated(self.values[score], values, self.level))
                for target, values in self.targets().items()
                for score in self.scores
                if score != target
            ]
        found: list[Correlation] = self.kept["correlations"]
        return found


def chosen_score(name: str | None, known: tuple[str, ...], argument: str = "by") -> str:
    """A name that there is; by default the score that models are ordered by."""
    if name is None:
        return FIRST if FIRST in known else known[0]
    if name not in known:
        meant = nearest(str(name), known)
        advice = "" if meant is None else f": the nearest is {meant!r}"
        raise ValueError(f"{argument}={name!r} is none of {', '.join(known)}{advice}")
    return name
