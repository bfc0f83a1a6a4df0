"""`eigentropy track`: the snapshots of a training run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from eigentropy.cli import console, documents, options
from eigentropy.cli.measurement_options import MeasurementOptions, taken_apart
from eigentropy.cli.running import (
    collected_warnings,
    rows_are_kept,
    write_figure,
)
from eigentropy.io.paths import shown
from eigentropy.io.snapshot_rows import SnapshotRow
from eigentropy.io.snapshots import track
from eigentropy.io.writing import require_new


@taken_apart("chosen", MeasurementOptions)
def track_command(
    snapshots: Annotated[
        list[str],
        typer.Argument(metavar="DIR|FILES", help="Matrices (n, d), or a directory of such files."),
    ],
    chosen: MeasurementOptions,
    t: options.Time = "1",
    order: options.Order = None,
    output: options.Output = "track",
    force: options.Force = False,
    as_json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Entropy and information over the snapshots of a training run: table, CSV and figure.

    Snapshots are taken in natural order (epoch2 before epoch10). The CSV is written after each.

    Example: eigentropy track run/ --labels y.npy -o run
    """
    settings = chosen.settings([t], None if order is None else [order])
    for name, given in {"t": t, "order": order}.items():
        if len(getattr(settings, name)) != 1:
            raise ValueError(f"{name} must be one number for track, got {given!r}")
    prefix = Path(output[:-4] if output.endswith((".csv", ".png")) else output)
    table, figure = (prefix.with_name(prefix.name + end) for end in (".csv", ".png"))
    for path in (table, figure):
        require_new(path, force)
    done: list[SnapshotRow] = []
    with collected_warnings(quiet) as warned, rows_are_kept(done, table):
        rows = track(
            snapshots,
            key=chosen.key,
            labels=chosen.labels,
            against=chosen.against,
            columns=chosen.columns,
            without=chosen.without or (),
            output=table,
            overwrite=force,
            settings=settings,
            progress=not quiet,
            on_row=done.append,
        )

    def draw() -> bytes:
        from eigentropy.io.figure import figure_png

        return figure_png(rows, settings)

    drawn = write_figure(figure, draw, warned, quiet)
    if as_json:
        written = {"csv": shown(table), "png": shown(figure) if drawn else None}
        document = documents.of_command("track", settings, **written)
        console.print_json({**document, "rows": [r.flat() for r in rows], "warnings": warned})
    else:
        console.print_rows(rows, settings)
        also = f" and {shown(figure)}" if drawn else ""
        console.print_lines([f"written: {shown(table)}{also}"])
