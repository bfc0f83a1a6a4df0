"""`eigentropy measure`: one matrix."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from eigentropy._measures.measurement import (
    Measurement,
    MeasurementSettings,
    Variable,
    measure,
)
from eigentropy.cli import console, documents, options
from eigentropy.cli.measurement_options import MeasurementOptions, taken_apart
from eigentropy.cli.ranks import all_ranks, own_rows
from eigentropy.cli.running import collected_warnings
from eigentropy.distributed.measurement import measure_over
from eigentropy.distributed.ranks import Ranks
from eigentropy.io.inputs import read_shared, read_with_labels
from eigentropy.io.paths import shown


@taken_apart("chosen", MeasurementOptions)
def measure_command(
    file: Annotated[
        str,
        typer.Argument(
            metavar="FILE",
            help="Matrix (n, d), one row a sample: .npy, .npz, .csv, .tsv, .parquet, .pt, .pth, "
            ".safetensors or .zarr.",
        ),
    ],
    chosen: MeasurementOptions,
    t: options.Times = None,
    order: options.Orders = None,
    distributed: options.Distributed = False,
    as_json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Entropy of a matrix, and its information about labels or other vectors.

    Example: eigentropy measure z.npy --labels y.npy -t 1,10
    """
    settings, name = chosen.settings(t or ["1"], order), shown(Path(file))
    if distributed:
        with all_ranks(chosen, settings) as ranks:
            _measure_over(ranks, file, name, chosen, settings, as_json, quiet)
        return
    with collected_warnings(quiet) as warned:
        shared, column = read_shared(chosen.labels, chosen.against, settings)
        Z, variables = read_with_labels(
            file, chosen.key, column, shared, settings, chosen.columns, chosen.without or ()
        )
        measured = measure(Z, variables, settings, progress=not quiet, name=name)
        # Computes `adjusted` and the sampling errors, too, while warnings are collected.
        results = documents.of_measurement(measured, variables, settings)
    _print(name, Z.shape, measured, variables, settings, chosen, as_json, results, warned)


def _measure_over(
    ranks: Ranks,
    file: str,
    name: str,
    chosen: MeasurementOptions,
    settings: MeasurementSettings,
    as_json: bool,
    quiet: bool,
) -> None:
    """The same for the rows of all ranks, which rank 0 prints."""
    quiet = quiet or not ranks.is_first
    with collected_warnings(quiet) as warned:
        with ranks.together():
            Z, _ = read_with_labels(file, chosen.key, None, {}, settings)
            own = own_rows(Z, ranks)
        shape = Z.shape
        measured = measure_over(ranks, own, settings, progress=not quiet, name=name)
        results = documents.of_measurement(measured, {}, settings)
    if ranks.is_first:
        _print(name, shape, measured, {}, settings, chosen, as_json, results, warned)


def _print(
    name: str,
    shape: tuple[int, ...],
    measured: Measurement,
    variables: dict[str, Variable],
    settings: MeasurementSettings,
    chosen: MeasurementOptions,
    as_json: bool,
    results: dict[str, Any],
    warned: list[str],
) -> None:
    if as_json:
        entries = {"file": name, "key": chosen.key, "n": shape[0], "d": shape[1], **results}
        document = documents.of_command("measure", settings, **entries)
        console.print_json({**document, "warnings": warned})
    else:
        console.print_measurement(name, shape, measured, variables, settings)
