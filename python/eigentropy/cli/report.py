"""`eigentropy report`: recorded runs on one HTML page."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from eigentropy._support.warnings import recorded_warnings
from eigentropy.cli import console, documents, options
from eigentropy.io.paths import shown
from eigentropy.io.writing import require_new, write_atomically


def report_command(
    runs: Annotated[
        list[str],
        typer.Argument(
            metavar="RUN...",
            help="Directories that a Monitor has recorded, its .csv or .jsonl logs, or the .csv "
            "of track.",
        ),
    ],
    output: options.PageFile = "report.html",
    force: options.Force = False,
    title: options.Title = "Training report",
    as_json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Draw recorded training runs on one HTML page that opens without a network.

    Example: eigentropy report runs/a runs/b -o report.html
    """
    from eigentropy import report  # not needed by the other commands

    path = Path(output)
    if path.suffix.lower() not in (".html", ".htm"):
        raise ValueError(f"--output must end in .html, got {output!r}")
    require_new(path, force)
    known = [report.read_run(run) for run in runs]
    with recorded_warnings() as warned:
        content = report.page(known, title).encode(errors="backslashreplace")
    write_atomically(path, content)
    said = [f"{run.title}: {text}" for run in known for text in report.remarks(run)]
    said = [*report.differences(known), *said, *warned]
    if as_json:
        console.print_json(documents.of_report(title, known, path, len(content), said))
    else:
        console.print_lines([f"written: {shown(path)}"])
        if not quiet:
            console.print_warnings(said)
