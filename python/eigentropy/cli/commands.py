"""The command `eigentropy`.

Exit codes: 0 done; 1 the computation failed; 2 bad input, with one line on stderr that says what
and where; 130 interrupted.
"""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from eigentropy._support.lifetime import version
from eigentropy.cli.compare import compare_command
from eigentropy.cli.environment import info_command
from eigentropy.cli.layers import layers_command
from eigentropy.cli.measure import measure_command
from eigentropy.cli.rank import rank_command
from eigentropy.cli.report import report_command
from eigentropy.cli.running import INTERRUPTED, exit_codes
from eigentropy.cli.study import study_command
from eigentropy.cli.track import track_command

app = typer.Typer(
    name="eigentropy",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Diffusion spectral entropy (DSE) and mutual information (DSMI) of representations.",
)
app.command("measure")(exit_codes(measure_command))
app.command("track")(exit_codes(track_command))
app.command("compare")(exit_codes(compare_command))
app.command("rank")(exit_codes(rank_command))
app.command("layers")(exit_codes(layers_command))
app.command("study")(exit_codes(study_command))
app.command("report")(exit_codes(report_command))
app.command("info")(exit_codes(info_command))


def main() -> None:
    """Entry point of the command."""
    try:
        app(prog_name="eigentropy")
    except KeyboardInterrupt:  # outside of a command
        sys.exit(INTERRUPTED)


def _print_version(wanted: bool) -> None:
    if wanted:
        print(version())
        raise typer.Exit


@app.callback()
def _root(
    show_version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version."
        ),
    ] = False,
) -> None:
    pass
