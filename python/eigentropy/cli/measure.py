"""`eigentropy measure`: one matrix."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from eigentropy._measures.measurement import measure
from eigentropy.cli import console, documents, options
from eigentropy.cli.measurement_options import MeasurementOptions, taken_apart
from eigentropy.cli.running import collected_warnings
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
    as_json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Entropy of a matrix, and its information about labels or other vectors.

    Example: eigentropy measure z.npy --labels y.npy -t 1,10
    """
    settings, name = chosen.settings(t or ["1"], order), shown(Path(file))
    with collected_warnings(quiet) as warned:
        shared, column = read_shared(chosen.labels, chosen.against, settings)
        Z, variables = read_with_labels(
            file, chosen.key, column, shared, settings, chosen.columns, chosen.without or ()
        )
        measured = measure(Z, variables, settings, progress=not quiet, name=name)
        # Computes `adjusted` and the sampling errors, too, while warnings are collected.
        results = documents.of_measurement(measured, variables, settings)
    if as_json:
        shape = {"n": Z.shape[0], "d": Z.shape[1]}
        entries = {"file": name, "key": chosen.key, **shape, **results}
        document = documents.of_command("measure", settings, **entries)
        console.print_json({**document, "warnings": warned})
    else:
        console.print_measurement(name, Z.shape, measured, variables, settings)
