"""The command `eigentropy`.

Exit codes: 0 done; 1 the computation failed; 2 bad input, with one line on stderr that says what
and where; 130 interrupted.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, ParamSpec

import typer

from eigentropy._backends import plugin
from eigentropy._core import SolverError
from eigentropy._measures.measurement import (
    MeasurementSettings,
    measure,
    read_sample,
    read_shared,
    recorded_warnings,
)
from eigentropy._support.lifetime import version
from eigentropy.cli import console, options
from eigentropy.cli.environment import environment
from eigentropy.io import files
from eigentropy.io.snapshots import Row, track, write_atomically

app = typer.Typer(
    name="eigentropy",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Diffusion spectral entropy (DSE) and mutual information (DSMI) of representations.",
)

# What the library raises for input that it cannot use, paths that the system refuses, and devices
# that are not there.
BAD_INPUT = (
    ValueError,
    TypeError,
    NotImplementedError,
    MemoryError,
    ImportError,
    OSError,
    plugin.DeviceError,
)

P = ParamSpec("P")


def main() -> None:
    """Entry point of the command."""
    try:
        app(prog_name="eigentropy")
    except KeyboardInterrupt:  # outside of a command
        sys.exit(130)


def _exit_codes(command: Callable[P, None]) -> Callable[P, None]:
    """Turn errors into one line on stderr and an exit code."""

    @functools.wraps(command)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            command(*args, **kwargs)
        except BrokenPipeError:  # the reader of stdout has left; typer ends quietly
            raise
        except BAD_INPUT as error:
            raise _failure("error", error, 2) from error
        except _computation_errors() as error:
            raise _failure("error", error, 1) from error
        except KeyboardInterrupt as error:
            raise _failure("interrupted", error, 130) from error

    return wrapped


def _computation_errors() -> tuple[type[Exception], ...]:
    """Asked for when an error is there: the plug-in has classes of its own once it is loaded."""
    return (SolverError, *plugin.plugin_errors())


def _failure(what: str, error: BaseException, code: int) -> typer.Exit:
    reason = " ".join(str(error).split())
    if not reason and what == "error":
        reason = type(error).__name__
    print(f"{what}: {reason}" if reason else what, file=sys.stderr)
    return typer.Exit(code)


@contextmanager
def _warnings(quiet: bool) -> Iterator[list[str]]:
    """Collect warnings and, also after an error, show them."""
    lines: list[str] = []
    try:
        with recorded_warnings() as lines:
            yield lines
    finally:
        if not quiet:
            console.print_warnings(lines)


def _progress(quiet: bool) -> bool:
    return sys.stderr.isatty() and not quiet


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


@app.command("measure")
@_exit_codes
def measure_command(
    file: Annotated[
        str,
        typer.Argument(
            metavar="FILE",
            help="Matrix (n, d), one row a sample: .npy, .npz, .csv, .tsv, .parquet, .pt, .pth, "
            ".safetensors or .zarr.",
        ),
    ],
    labels: options.Labels = None,
    against: options.Against = None,
    key: options.Key = None,
    sigma: options.Sigma = "auto",
    alpha: options.Alpha = 0.5,
    t: options.Times = None,
    base: options.Base = "2",
    method: options.Method = "auto",
    dtype: options.Dtype = "auto",
    device: options.Device = None,
    tol: options.Tol = 1e-3,
    max_points: options.MaxPoints = None,
    estimator: options.Estimator = "matched",
    n_null: options.NNull = 20,
    kind: options.Kind = "auto",
    n_clusters: options.NClusters = 10,
    clustering: options.Clustering = "spectral",
    seed: options.Seed = 0,
    as_json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Entropy of a matrix, and its information about labels or other vectors.

    Example: eigentropy measure z.npy --labels y.npy -t 1,10
    """
    settings = options.make_settings(
        t=t or ["1"],
        sigma=sigma,
        alpha=alpha,
        base=base,
        method=method,
        dtype=dtype,
        device=device,
        tol=tol,
        max_points=max_points,
        estimator=estimator,
        n_null=n_null,
        kind=kind,
        n_clusters=n_clusters,
        clusters=clustering,
        seed=seed,
    )
    name = files.shown(Path(file))
    with _warnings(quiet) as warned:
        shared, column = read_shared(labels, against, settings)
        Z, variables = read_sample(file, key, column, shared, settings)
        measured = measure(Z, variables, settings, progress=_progress(quiet), name=name)
        results = console.measurement_json(measured, variables)  # computes `adjusted`, too
    if as_json:
        shape = {"n": Z.shape[0], "d": Z.shape[1]}
        document = _document("measure", settings, file=name, key=key, **shape, **results)
        console.print_json({**document, "warnings": warned})
    else:
        console.print_measurement(name, Z.shape, measured, variables, settings)


@app.command("track")
@_exit_codes
def track_command(
    snapshots: Annotated[
        list[str],
        typer.Argument(metavar="DIR|FILES", help="Matrices (n, d), or a directory of such files."),
    ],
    labels: options.Labels = None,
    against: options.Against = None,
    key: options.Key = None,
    sigma: options.Sigma = "auto",
    alpha: options.Alpha = 0.5,
    t: options.Time = "1",
    base: options.Base = "2",
    method: options.Method = "auto",
    dtype: options.Dtype = "auto",
    device: options.Device = None,
    tol: options.Tol = 1e-3,
    max_points: options.MaxPoints = None,
    estimator: options.Estimator = "matched",
    n_null: options.NNull = 20,
    kind: options.Kind = "auto",
    n_clusters: options.NClusters = 10,
    clustering: options.Clustering = "spectral",
    seed: options.Seed = 0,
    output: options.Output = "track",
    as_json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Entropy and information over the snapshots of a training run: table, CSV and figure.

    Snapshots are taken in natural order (epoch2 before epoch10). The CSV is written after each.

    Example: eigentropy track run/ --labels y.npy -o run
    """
    settings = options.make_settings(
        t=[t],
        sigma=sigma,
        alpha=alpha,
        base=base,
        method=method,
        dtype=dtype,
        device=device,
        tol=tol,
        max_points=max_points,
        estimator=estimator,
        n_null=n_null,
        kind=kind,
        n_clusters=n_clusters,
        clusters=clustering,
        seed=seed,
    )
    if len(settings.t) != 1:
        raise ValueError(f"t must be one number for track, got {t!r}")
    prefix = Path(output[:-4] if output.endswith((".csv", ".png")) else output)
    table, figure = (prefix.with_name(prefix.name + end) for end in (".csv", ".png"))
    done: list[Row] = []
    with _warnings(quiet) as warned, _telling_of(done, table):
        rows = track(
            snapshots,
            key=key,
            labels=labels,
            against=against,
            output=table,
            settings=settings,
            progress=_progress(quiet),
            on_row=done.append,
        )
    drawn = _draw(figure, rows, settings, warned, quiet)
    if as_json:
        written = {"csv": files.shown(table), "png": files.shown(figure) if drawn else None}
        document = _document("track", settings, **written)
        console.print_json({**document, "rows": [r.flat() for r in rows], "warnings": warned})
    else:
        console.print_rows(rows, settings)
        also = f" and {files.shown(figure)}" if drawn else ""
        console.print_lines([f"written: {files.shown(table)}{also}"])


@contextmanager
def _telling_of(done: list[Row], table: Path) -> Iterator[None]:
    """Let Ctrl-C say what is in the CSV already."""
    try:
        yield
    except KeyboardInterrupt:
        where = f"rows in {files.shown(table)}: {len(done)}"
        raise KeyboardInterrupt(where if done else "") from None


def _draw(
    path: Path, rows: list[Row], settings: MeasurementSettings, warned: list[str], quiet: bool
) -> bool:
    from eigentropy.io.figure import figure_png

    return _written(path, lambda: figure_png(rows, settings), warned, quiet)


def _written(path: Path, draw: Callable[[], bytes], warned: list[str], quiet: bool) -> bool:
    """Write the figure; without matplotlib, warn."""
    try:
        write_atomically(path, draw())
    except ImportError as error:
        line = f"no figure was drawn: {error}"
        warned.append(line)
        if not quiet:
            console.print_warnings([line])
        return False
    return True


@app.command("study")
@_exit_codes
def study_command(
    name: Annotated[
        str | None, typer.Argument(metavar="NAME", help="Which study; --list shows them.")
    ] = None,
    show_list: Annotated[bool, typer.Option("--list", help="List the studies.")] = False,
    full: options.Full = False,
    data: options.StudyData = None,
    output: options.OutputDirectory = "studies",
    seed: options.Seed = 0,
    repetitions: options.Repetitions = None,
    processes: options.Processes = None,
    as_json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Run an experiment of the paper, or the model zoo: CSV, figure and verdict.

    Writes DIR/NAME.csv line by line and DIR/NAME.png; studies of training also DIR/runs and
    DIR/NAME.html. The same command goes on where an earlier run was interrupted.

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
    table = Path(output) / f"{study.name}.csv"
    plan = studies.Plan(full=full, seed=seed, repetitions=repetitions, data=data)
    done: list[Any] = []
    with _warnings(quiet) as warned, _telling_of(done, table):
        outcome = studies.run(
            study,
            plan,
            table,
            processes=processes,
            progress=_progress(quiet),
            on_row=done.append,
        )
    drawn = _draw_study(table.with_suffix(".png"), outcome, study.name, plan, warned, quiet)
    written = [table, table.with_suffix(".png")] if drawn else [table]
    if outcome.runs:
        written.append(_report_study(table.with_suffix(".html"), outcome, study.title))
    if as_json:
        console.print_json(_study_document(study.name, plan, outcome, written, warned))
    else:
        console.print_outcome(study, outcome)
        console.print_lines([f"written: {' and '.join(map(files.shown, written))}"])


def _report_study(path: Path, outcome: Any, title: str) -> Path:
    """The page of the runs that a study has recorded."""
    from eigentropy.report import page, read_run

    text = page([read_run(run) for run in outcome.runs], title)
    write_atomically(path, text.encode())
    return path


def _list_studies(known: dict[str, Any], as_json: bool) -> None:
    titles = {name: study.title for name, study in known.items()}
    if as_json:
        console.print_json(titles)
    else:
        console.print_names(titles)


def _draw_study(
    path: Path, outcome: Any, name: str, plan: Any, warned: list[str], quiet: bool
) -> bool:
    from eigentropy.studies.figures import figure_png

    size = "the paper's size" if plan.full else "quick size"
    caption = f"{name}, {size}; shaded: 95 % confidence over repetitions"
    return _written(path, lambda: figure_png(outcome.panels, caption), warned, quiet)


def _study_document(
    name: str, plan: Any, outcome: Any, written: list[Path], warned: list[str]
) -> dict[str, Any]:
    return {
        "eigentropy": version(),
        "command": "study",
        "study": name,
        "settings": asdict(plan),
        "rows": len(outcome.rows),
        "measured": outcome.measured,
        "findings": [asdict(finding) for finding in outcome.findings],
        "listing": asdict(outcome.listing) if outcome.listing else None,
        "written": [files.shown(path) for path in written],
        "warnings": [*warned, *outcome.notes],
    }


@app.command("report")
@_exit_codes
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
    known = [report.read_run(run) for run in runs]
    content = report.page(known, title).encode()
    write_atomically(path, content)
    said = [f"{run.title}: {text}" for run in known for text in report.remarks(run)]
    said = [*report.differences(known), *said]
    if as_json:
        document = {"eigentropy": version(), "command": "report", "title": title}
        written = {"written": files.shown(path), "bytes": len(content)}
        shown = [{"title": run.title, "file": run.source, "steps": run.steps} for run in known]
        console.print_json({**document, "runs": shown, **written, "warnings": said})
    else:
        console.print_lines([f"written: {files.shown(path)}"])
        if not quiet:
            console.print_warnings(said)


@app.command("info")
@_exit_codes
def info_command(as_json: options.Json = False) -> None:
    """Version, instruction set, BLAS, threads, memory, devices and optional packages."""
    if as_json:
        console.print_json(environment())
    else:
        console.print_environment(environment())


def _document(command: str, settings: MeasurementSettings, **entries: Any) -> dict[str, Any]:
    asked = console.settings_json(settings)
    return {"eigentropy": version(), "command": command, **entries, "settings": asked}
