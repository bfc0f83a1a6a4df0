"""A ranking as a table, as records, and in words."""

from __future__ import annotations

import csv as comma_separated
import io
import math
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

from eigentropy._measures.comparison.layout import Table, aligned, html_table
from eigentropy._measures.comparison.ties import letter
from eigentropy._support.interval import percent
from eigentropy.ranking.correlations import FEWEST_MODELS
from eigentropy.ranking.ranked import Correlation, Rank, Ranked
from eigentropy.ranking.scores import PROBES

# Models in a printed table, and names in a sentence.
MOST_PRINTED, MOST_NAMED = 30, 8

# Columns of the table that are left out without sampling errors: interval, group and error.
OF_ERRORS = (1, 3, 5)

# Where a reader in Python finds what the table has no room for.
IN_PYTHON = "to_rows() and to_csv() have"


def records(ranking: Ranked) -> list[dict[str, Any]]:
    """One for each model, best first."""
    ranks = {score: {one.model: one for one in ranking.ranks(score)} for score in ranking.scores}
    found = []
    for place, name in enumerate(ranking.models):
        record: dict[str, Any] = {"model": name}
        for key, known in _columns(ranking).items():
            record[key] = known.get(name)
        for score in ranking.scores:
            record |= _of_score(ranking, score, place, ranks[score].get(name))
        found.append(record)
    return found


def _columns(ranking: Ranked) -> dict[str, Mapping[str, Any]]:
    columns: dict[str, Mapping[str, Any]] = {
        "accuracy": ranking.accuracies, "family": ranking.families, "size": ranking.sizes
    }  # fmt: skip
    return {name: known for name, known in columns.items() if known}


def _of_score(ranking: Ranked, score: str, place: int, rank: Rank | None) -> dict[str, Any]:
    error = float(ranking.errors[score][place])
    compared = rank if ranking.has_errors(score) else None
    return {
        score: float(ranking.values[score][place]) if rank else None,
        f"{score}_error": error if math.isfinite(error) else None,
        f"{score}_rank": rank.rank if rank else None,
        f"{score}_rank_low": compared.low if compared else None,
        f"{score}_rank_high": compared.high if compared else None,
    }


def csv(rows: Sequence[Mapping[str, Any]]) -> str:
    """Records with one header; None is an empty cell."""
    out = io.StringIO()
    writer = comma_separated.DictWriter(out, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()


def text(ranking: Ranked, where: str = IN_PYTHON) -> str:
    """The table; `where` all scores are; which model may be the best; what is left out."""
    lines = [_title(ranking), *aligned(_table(ranking)), *_more(ranking, where)]
    lines += _about_ties(ranking)
    return "\n".join([*lines, *_left_out(ranking)])


def html(ranking: Ranked) -> str:
    """The same for a notebook."""
    notes = [_title(ranking), *_more(ranking, IN_PYTHON)]
    notes += [*_about_ties(ranking), *_left_out(ranking)]
    paragraphs = "".join(f"<p>{escape(note)}</p>" for note in notes)
    return f"{html_table(_table(ranking))}{paragraphs}"


def _title(ranking: Ranked) -> str:
    count = len(ranking.models)
    return f"{counted(count, 'model')} of {ranking.n} rows, by {ranking.by}"


def _table(ranking: Ranked) -> Table:
    others = [score for score in PROBES if score in ranking.scores and score != ranking.by]
    known = _columns(ranking)
    head = ["rank", f"{percent(ranking.level)} interval", "model", "group", ranking.by, "error"]
    ranks = {one.model: one for one in ranking.ranks()}
    marks = _marks(ranking)
    rows: Table = [[*head, *known, *others]]
    for place, name in enumerate(ranking.models[:MOST_PRINTED]):
        rank = ranks.get(name)
        own = [] if rank is None else [str(rank.rank), f"{rank.low} to {rank.high}"]
        numbers = [ranking.values[ranking.by][place], ranking.errors[ranking.by][place]]
        rows.append(
            [
                *(own or ["", ""]), name, marks.get(name, ""),
                _shown(numbers[0]), _shown(numbers[1], 2),
                *(_shown(column.get(name)) for column in known.values()),
                *(_shown(ranking.values[score][place]) for score in others),
            ]
        )  # fmt: skip
    left_out = () if ranking.has_errors() else OF_ERRORS
    return [[cell for place, cell in enumerate(row) if place not in left_out] for row in rows]


def _marks(ranking: Ranked) -> dict[str, str]:
    """The letters of the groups that each model is in: who shares one is not told apart."""
    marks: dict[str, str] = {}
    for number, group in enumerate(ranking.groups()):
        for name in group:
            marks[name] = marks.get(name, "") + letter(number)
    return marks


def _shown(value: Any, digits: int = 4) -> str:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    return value if isinstance(value, str) else f"{value:.{digits}g}"


def _more(ranking: Ranked, where: str) -> list[str]:
    more = len(ranking.models) - MOST_PRINTED
    lines = [f"and {counted(more, 'more model')}"] if more > 0 else []
    return [*lines, f"{where} all scores, with their errors and ranks"]


def sentences(ranking: Ranked) -> list[str]:
    """What the ranking says: of the best, of correlations, and of what is left out."""
    return [*_about_ties(ranking), *_about_correlations(ranking), *_left_out(ranking)]


def _about_ties(ranking: Ranked) -> list[str]:
    best, by = ranking.best(), ranking.by
    if not best:
        return []
    if len(ranking.ranks()) == 1:
        return [f"{best[0]} is the only model with a value of {by}"]
    if not ranking.has_errors():
        return [f"by {by}, {best[0]} is first; without sampling errors it is not known how surely"]
    if len(best) == 1:
        return [f"by {by}, {best[0]} is above all others"]
    return [f"by {by}, {_listed(best)} may each be the best: none is shown to be above them"]


def _about_correlations(ranking: Ranked) -> list[str]:
    lines: list[str] = []
    few: dict[int, list[str]] = {}
    for target in ranking.targets() if len(ranking.models) > 1 else ():
        found = [one for one in ranking.correlations() if one.target == target]
        most = max((one.models for one in found), default=FEWEST_MODELS)
        if most < FEWEST_MODELS:
            few.setdefault(most, []).append(target)
        else:
            known = [one for one in found if math.isfinite(one.spearman.low)]
            lines += _about_target(known, ranking.level)
    return lines + [
        f"{counted(most, 'model')} {'is' if most == 1 else 'are'} too few to say which score "
        f"correlates with {_listed(targets, 'or')}: it takes {FEWEST_MODELS}"
        for most, targets in few.items()
    ]


def _about_target(known: Sequence[Correlation], level: float) -> list[str]:
    """Which score goes with one target most, and of which low values do."""
    if not known:
        return []
    best = max(known, key=lambda one: max(one.spearman.low, -one.spearman.high))
    value, low, high = best.spearman
    numbers = (
        f"Spearman {value:.2f} ({percent(level)}: {low:.2f} to {high:.2f}) over "
        f"{best.models} models, the strongest of {counted(len(known), 'score')}"
    )
    if low <= 0.0 <= high:
        return [f"no score is shown to correlate with {best.target}: {best.score} has {numbers}"]
    lines = [f"{best.score} correlates most strongly with {best.target}: {numbers}"]
    against = [one.score for one in known if one.spearman.high < 0.0]
    if against:
        lines.append(f"models with a lower {_listed(against, 'or')} have the higher {best.target}")
    return lines


def _left_out(ranking: Ranked) -> list[str]:
    lines = [f"{name} is left out: {reason}" for name, reason in ranking.excluded.items()]
    reasons: dict[tuple[str, str], list[str]] = {}
    for (name, score), reason in ranking.failures.items():
        reasons.setdefault((score, reason), []).append(name)
    return lines + [
        f"{score} has no value for {_listed(names)}: {reason}"
        for (score, reason), names in reasons.items()
    ]


def _listed(names: Iterable[str], word: str = "and") -> str:
    every = list(names)
    if len(every) > MOST_NAMED:
        every = [*every[: MOST_NAMED - 1], f"{len(every) - MOST_NAMED + 1} more"]
    return every[0] if len(every) == 1 else f"{', '.join(every[:-1])} {word} {every[-1]}"


def counted(count: int, noun: str) -> str:
    """A number of things, the noun in the singular where it is one."""
    return f"{count} {noun}{'s' * (count != 1)}"
