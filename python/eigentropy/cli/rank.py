"""`eigentropy rank`: many models, ordered by scores of their features."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from eigentropy._support.lifetime import version
from eigentropy.cli import console, options
from eigentropy.cli.measurement_options import taken_apart
from eigentropy.cli.ranking_options import Force, OutputDirectory, RankingOptions
from eigentropy.cli.ranking_words import words_of_options
from eigentropy.cli.running import collected_warnings, write_figure
from eigentropy.io.paths import FileError, OutputExistsError, listed, shown
from eigentropy.io.writing import write_atomically

if TYPE_CHECKING:
    from eigentropy.ranking.result import Correlation, Ranking


@taken_apart("chosen", RankingOptions)
def rank_command(
    several: Annotated[
        list[str],
        typer.Argument(
            metavar="DIR|FILE|MODEL...",
            help="Files of features (n, d), one model each, of the same n samples; directories of "
            "such files; models: timm:NAME, torchvision:NAME, hf:NAME, onnx:FILE, "
            "python:MODULE:FUNCTION.",
        ),
    ],
    chosen: RankingOptions,
    output: OutputDirectory = "ranking",
    force: Force = False,
    title: options.Title = "Ranking of models",
    as_json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Rank models by scores of their features: table, CSV, figure and page.

    The scores of each model are kept: after an interruption, the same command goes on.

    Example: eigentropy rank features/ --labels y.npy --accuracies known.csv -o ranking
    """
    from eigentropy.cli import ranking_correlations, ranking_runs  # no other command needs them
    from eigentropy.ranking import tables
    from eigentropy.report.ranking_page import ranking_page

    folder = Path(output)
    table, figure, page = (folder / f"ranking{end}" for end in (".csv", ".png", ".html"))
    related = folder / "correlations.csv"
    if folder.exists():
        if not folder.is_dir():
            raise FileError(f"--output {shown(folder)} is a file; a directory is wanted")
        # The table is written last: the others without it are what a killed command has left.
        is_left = (folder / ranking_runs.RESULTS).is_dir() and not table.exists()
        _require_new([table, figure, page, related], force or is_left)
    with collected_warnings(quiet) as warned, words_of_options():
        ranking, facts = ranking_runs.ranked(
            several, chosen, folder, [table, related], progress=not quiet
        )
    say = _nothing if quiet else _say
    say("correlations of the scores ...")
    has_correlations = bool(ranking.correlations())
    say("figure and page ...")
    about = {**facts, **chosen.described()}
    text = ranking_page(ranking, title, settings=about, remarks=warned)
    drawn = write_figure(figure, lambda: ranking_runs.figure_png(ranking), warned, quiet)
    contents = {page: text}
    if has_correlations:
        contents[related] = ranking_correlations.to_csv(ranking)
    for path, content in {**contents, table: ranking.to_csv()}.items():
        write_atomically(path, content.encode(errors="backslashreplace"))
    written = [table, *([figure] if drawn else []), *contents]
    if as_json:
        ends = {"written": [shown(path) for path in written], "warnings": warned}
        console.print_json({**document_of(ranking), "settings": about, **ends})
    else:
        console.print_lines(tables.text(ranking, f"{shown(table)} has").splitlines())
        console.print_lines(ranking_correlations.lines(ranking))
        console.print_lines([f"written: {', '.join(map(shown, written))}"])
    if ranking.excluded:  # also with --quiet: the exit code says that others were ranked
        count = len(ranking.excluded)
        _say(f"{count} model{'s' * (count != 1)} left out: {listed([*ranking.excluded])}")


def _require_new(paths: list[Path], may_replace: bool) -> None:
    there = [path for path in paths if os.path.lexists(path)]
    if there and not may_replace:
        raise OutputExistsError(
            f"{shown(there[0])} exists and is left as it is; --force replaces the results, and "
            "measures only what is new, has changed or has failed: scores of models that are "
            "there are kept. Or choose another directory by --output"
        )


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _nothing(line: str) -> None:
    pass


def document_of(ranking: Ranking) -> dict[str, Any]:
    """List all that a ranking has found."""
    return {
        "eigentropy": version(),
        "command": "rank",
        "by": ranking.by,
        "level": ranking.level,
        "scores": ranking.scores,
        "models": ranking.to_rows(),
        "ties": {score: ranking.ties(score) for score in ranking.scores},
        "correlations": [_correlation(one) for one in ranking.correlations()],
        "excluded": ranking.excluded,
        "failures": [
            {"model": model, "score": score, "reason": reason}
            for (model, score), reason in ranking.failures.items()
        ],
        "sentences": ranking.sentences(),
    }


def _correlation(found: Correlation) -> dict[str, Any]:
    """One entry for each coefficient: its value, and the ends of its interval."""
    from eigentropy.ranking.ranked import COEFFICIENTS

    ends = ("value", "low", "high")
    known = {name: dict(zip(ends, getattr(found, name), strict=True)) for name in COEFFICIENTS}
    return {"score": found.score, "target": found.target, "models": found.models, **known}
