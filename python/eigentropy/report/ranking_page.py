"""A ranking of models as one HTML page: table, figure of any two numbers, correlations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from eigentropy._measures.comparison.ties import letters
from eigentropy._support.printable import encodable
from eigentropy.ranking.ranked import COEFFICIENTS
from eigentropy.ranking.result import Correlation, Ranking
from eigentropy.report.result_page import DIGITS, OF_ERRORS, number, result_page, texts

SCRIPTS = (
    "colours.js", "drawing.js", "selection.js", "labels.js", "models.js", "model_table.js",
    "model_scatter.js", "correlations.js", "texts.js", "ranking.js",
)  # fmt: skip

# Digits of a correlation.
OF_CORRELATIONS = 4

# What models without a family have.
NO_FAMILY = ""


def ranking_page(
    ranking: Ranking,
    title: str = "Ranking of models",
    *,
    settings: Mapping[str, Any] | None = None,
    remarks: Sequence[str] = (),
) -> str:
    """Draw a ranking on one page.

    Parameters
    ----------
    ranking : Ranking
        From `eigentropy.rank`.
    title : str
        Of the page.
    settings : mapping, optional
        Names and values for the table at the end of the page.
    remarks : sequence of str
        What a reader should know before the numbers are believed, such as warnings.

    Returns
    -------
    str
        A whole HTML document. It loads nothing, which its content security policy guarantees.
    """
    return result_page(
        title, "ranking.html", SCRIPTS, ranking.level, _entries(ranking),
        settings=settings, remarks=remarks,
    )  # fmt: skip


def _entries(ranking: Ranking) -> dict[str, Any]:
    return {
        "by": ranking.scores.index(ranking.by),
        "models": [_model(ranking, place) for place in range(len(ranking.models))],
        "scores": [_score(ranking, score) for score in ranking.scores],
        "hasAccuracies": bool(ranking.accuracies),
        "correlations": [_correlation(one) for one in ranking.correlations()],
        "sentences": texts(ranking.sentences()),
    }


def _model(ranking: Ranking, place: int) -> dict[str, Any]:
    name = ranking.models[place]
    return {
        "name": encodable(name),
        "family": encodable(ranking.families.get(name, NO_FAMILY)),
        "size": number(ranking.sizes.get(name), DIGITS),
        "accuracy": number(ranking.accuracies.get(name), DIGITS),
    }


def _score(ranking: Ranking, score: str) -> dict[str, Any]:
    """For each model, in their order, its value, error, rank with interval, and letters.

    Models that share a letter are a group of ties.
    """
    ranks = {rank.model: [rank.rank, rank.low, rank.high] for rank in ranking.ranks(score)}
    places = {name: place for place, name in enumerate(ranking.models)}
    groups = [tuple(places[name] for name in group) for group in ranking.groups(score)]
    return {
        "name": score,
        "values": [number(value, DIGITS) for value in ranking.values[score]],
        "errors": [number(error, OF_ERRORS) for error in ranking.errors.get(score, ())],
        "ranks": [ranks.get(name) for name in ranking.models],
        "groups": groups,
        "letters": letters(groups, len(places)),
    }


def _correlation(found: Correlation) -> dict[str, Any]:
    numbers = {name: getattr(found, name) for name in COEFFICIENTS}
    rounded = {
        name: [number(value, OF_CORRELATIONS) for value in three] for name, three in numbers.items()
    }
    return {"score": found.score, "target": found.target, "models": found.models, **rounded}
