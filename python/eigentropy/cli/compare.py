"""`eigentropy compare`: whether matrices differ by more than other samples would."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Annotated, Any

import typer

from eigentropy._measures.comparison.compare import compare
from eigentropy._measures.comparison.comparison import Comparison
from eigentropy._measures.measurement import MeasurementSettings
from eigentropy._support.interval import LEVEL
from eigentropy.cli import console, options
from eigentropy.cli.documents import of_command
from eigentropy.cli.measurement_options import DEFAULTS, SharedOptions, taken_apart
from eigentropy.cli.running import collected_warnings
from eigentropy.io.inputs import read_shared, read_with_labels
from eigentropy.io.paths import shown


def _about_data(*names: str, **shown: Any) -> Any:
    return typer.Option(*names, rich_help_panel=options.DATA, **shown)


MeasureName = Annotated[
    str | None,
    _about_data(
        "--measure",
        "-m",
        metavar="NAME",
        help="dse, dsmi, dsmi_adjusted, kernel_entropy, kernel_information, "
        "kernel_information_adjusted, kernel_information_bits, or a baseline such as rankme.",
        show_default="dse; with --labels dsmi",
    ),
]
Paired = Annotated[
    bool | None,
    _about_data(
        "--paired/--unpaired",
        help="Whether the rows of all files are the same inputs in the same order.",
        show_default="paired where there are as many",
    ),
]
Pairs = Annotated[
    str,
    _about_data(
        "--pairs",
        metavar="all|neighbours",
        help="Compare each file with each, or each with the next.",
    ),
]
AgainstFile = Annotated[
    str | None,
    _about_data(
        "--against",
        metavar="FILE",
        help="One of the files, with which each other one is compared, in place of --pairs. Give "
        "the files of a training in the order of its steps.",
    ),
]
Level = Annotated[
    float,
    typer.Option(
        "--level",
        metavar="NUMBER",
        help="Of the intervals; files differ where p is at most 1 less it.",
        rich_help_panel=options.OUTPUT,
    ),
]


def single_settings(
    chosen: SharedOptions, t: str, order: str | None, is_of_kernel: bool
) -> MeasurementSettings:
    """The settings of one measure: with one t, and one order."""
    found = chosen.settings([t], None if order is None else [order], kernel=is_of_kernel)
    for name, given in {"t": t, "order": order}.items():
        if len(getattr(found, name)) != 1:
            raise ValueError(f"{name} must be one number for compare, got {given!r}")
    return found


# Settings that are no options of a measure, and those that have one value of several.
OTHERS = ("t", "order", "kernel", "max_points", "seed")


def of_measure(settings: MeasurementSettings) -> dict[str, Any]:
    """The options that are not the usual ones: the measure refuses those that it does not have."""
    usual = _single(DEFAULTS)
    return {name: value for name, value in _single(settings).items() if value != usual[name]}


def _single(settings: MeasurementSettings) -> dict[str, Any]:
    """Each option by its name; of t and of order, the first."""
    known = {f.name: getattr(settings, f.name) for f in fields(settings) if f.name not in OTHERS}
    return {**known, "t": settings.t[0], "order": settings.order[0]}


@taken_apart("chosen", SharedOptions)
def compare_command(
    several: Annotated[
        list[str],
        typer.Argument(
            metavar="FILE FILE [FILE ...]",
            help="Matrices (n, d), such as the layers of a network or the snapshots of a training.",
        ),
    ],
    chosen: SharedOptions,
    measure: MeasureName = None,
    paired: Paired = None,
    pairs: Pairs = "all",
    against: AgainstFile = None,
    level: Level = LEVEL,
    t: options.Time = "1",
    order: options.Order = None,
    as_json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Whether a measure of several matrices differs by more than other samples would.

    Example: eigentropy compare layer1.npy layer2.npy layer3.npy --labels y.npy
    """
    name = measure or ("dsmi" if chosen.labels else "dse")
    settings = single_settings(chosen, t, order, name.startswith("kernel_"))
    names = [shown(Path(file)) for file in several]
    if len(set(names)) < len(names) or len(names) < 2:
        raise ValueError(f"compare needs two or more different files, got {', '.join(names)}")
    with collected_warnings(quiet) as warned:
        shared, column = read_shared(chosen.labels, None, settings)
        matrices, labels, kinds = {}, {}, set()
        for one, file in zip(names, several, strict=True):
            Z, variables = read_with_labels(
                file, chosen.key, column, shared, settings, chosen.columns, chosen.without or ()
            )
            matrices[one] = Z
            if "labels" in variables:
                labels[one] = variables["labels"].values
                kinds.add(variables["labels"].kind)
        given = of_measure(settings)
        if kinds - {DEFAULTS.kind}:
            given["kind"] = kinds.pop()
        found = compare(
            matrices,
            measure=name,
            Y=labels or None,
            paired=paired,
            pairs=pairs,
            against=None if against is None else shown(Path(against)),
            max_points=settings.max_points,
            level=level,
            seed=settings.seed,
            progress=not quiet,
            **given,
        )
    if as_json:
        document = of_command("compare", settings, **document_of(found))
        console.print_json({**document, "warnings": warned})
    else:
        console.print_lines(str(found).splitlines())


def document_of(found: Comparison) -> dict[str, Any]:
    """List all that a comparison has found."""
    items = {}
    for name in found.names:
        (error, degrees), interval = found.errors[name], found.interval(name)
        ends = {"low": interval.low, "high": interval.high}
        known = {"value": found.values[name], "sampling_error": error, "degrees": degrees}
        items[name] = {**known, **ends, "sigma": getattr(found.results[name], "sigma", None)}
    since = {} if found.against is None else {"changed_at": found.changed_at}
    return {
        "measure": found.measure,
        "level": found.level,
        "pairs": found.pairs if found.against is None else None,
        "against": found.against,
        "files": items,
        "differences": found.to_rows(),
        "ties": found.ties(),
        **since,
        "sentences": found.sentences(),
    }
