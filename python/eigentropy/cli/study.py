"""`eigentropy study`: an experiment, run to its end and judged."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from eigentropy.cli import console, documents, options
from eigentropy.cli.running import (
    collected_warnings,
    rows_are_kept,
    write_figure,
)
from eigentropy.io.paths import shown
from eigentropy.io.writing import write_atomically


def study_command(
    name: Annotated[
        str | None, typer.Argument(metavar="NAME", help="Which study; --list shows them.")
    ] = None,
    show_list: Annotated[bool, typer.Option("--list", help="List the studies.")] = False,
    full: options.Full = False,
    data: options.StudyData = None,
    models: options.StudyModels = None,
    output: options.OutputDirectory = "studies",
    seed: options.Seed = 0,
    repetitions: options.Repetitions = None,
    processes: options.Processes = None,
    ray: options.StudyRay = None,
    gpus: options.StudyGpus = 0.0,
    as_json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Run an experiment of the paper, or the model zoo: CSV, figure and verdict.

    Writes DIR/NAME.csv line by line and DIR/NAME.png; studies of training also DIR/runs and
    DIR/NAME.html. After an interruption, the same command continues the run.

    Example: eigentropy study dimension -o studies
    """
    from eigentropy import studies  # not needed by the other commands

    if show_list or name is None:
        _list_studies(studies.STUDIES, as_json)
        return
    study = studies.find(name)
    if data is not None and data not in study.data:
        known = f"one of {', '.join(study.data)}" if study.data else f"left out for {study.name}"
        raise ValueError(f"--data must be {known}, got {data!r}")
    for option, given, taken in (
        ("--models", models, study.takes_models),
        ("--ray", ray, study.by_engine),
        ("--gpus-per-model", gpus or None, study.by_engine),
    ):
        if given is not None and not taken:
            raise ValueError(f"{option} must be left out for {study.name}, got {str(given)!r}")
    table = Path(output) / f"{study.name}.csv"
    plan = studies.StudyPlan(
        full=full, seed=seed, repetitions=repetitions, data=data, models=models
    )
    done: list[Any] = []
    with collected_warnings(quiet) as warned, rows_are_kept(done, table):
        outcome = studies.run(
            study, plan, table,
            processes=processes, progress=not quiet, on_row=done.append, ray=ray, gpus=gpus,
        )  # fmt: skip
    written = [table, *_pictures(study, plan, outcome, table, warned, quiet)]
    if as_json:
        console.print_json(documents.of_study(study.name, plan, outcome, written, warned))
    else:
        console.print_outcome(study, outcome)
        console.print_lines([f"written: {' and '.join(map(shown, written))}"])


def _pictures(
    study: Any, plan: Any, outcome: Any, table: Path, warned: list[str], quiet: bool
) -> list[Path]:
    """Write the figure, and the page of the runs that the study has recorded."""
    from eigentropy.report import page, read_run
    from eigentropy.studies.figures import caption, figure_png

    figure, report = table.with_suffix(".png"), table.with_suffix(".html")
    below = caption(study, plan)
    drawn = write_figure(figure, lambda: figure_png(outcome.panels, below), warned, quiet)
    written = [figure] if drawn else []
    if outcome.runs:
        text = page([read_run(run) for run in outcome.runs], study.title)
        write_atomically(report, text.encode(errors="backslashreplace"))
        written.append(report)
    return written


def _list_studies(known: dict[str, Any], as_json: bool) -> None:
    titles = {name: study.title for name, study in known.items()}
    if as_json:
        console.print_json(titles)
    else:
        console.print_names(titles)
