"""`eigentropy compare`: whether matrices differ by more than other samples would."""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Annotated, Any

import typer

from eigentropy._measures.comparison.compare import compare
from eigentropy._measures.comparison.comparison import Comparison
from eigentropy._measures.measurement import MeasurementSettings
from eigentropy._support.interval import LEVEL
from eigentropy.cli import console, options
from eigentropy.cli.documents import of_command
from eigentropy.cli.measurement_options import DEFAULTS, MeasurementOptions, taken_apart
from eigentropy.cli.running import collected_warnings
from eigentropy.io.inputs import read_shared, read_with_labels
from eigentropy.io.paths import shown

MeasureName = Annotated[
    str | None,
    typer.Option(
        "--measure",
        "-m",
        metavar="NAME",
        help="dse, dsmi, dsmi_adjusted, kernel_entropy, kernel_information, "
        "kernel_information_adjusted, kernel_information_bits, or a baseline such as rankme.",
        show_default="dse; with --labels dsmi",
        rich_help_panel=options.DATA,
    ),
]
Paired = Annotated[
    bool | None,
    typer.Option(
        "--paired/--unpaired",
        help="Whether the rows of all files are the same inputs in the same order.",
        show_default="paired where there are as many",
        rich_help_panel=options.DATA,
    ),
]
Pairs = Annotated[
    str,
    typer.Option(
        "--pairs",
        metavar="all|neighbours",
        help="Compare each file with each, or each with the next.",
        rich_help_panel=options.DATA,
    ),
]
AgainstFile = Annotated[
    str | None,
    typer.Option(
        "--against",
        metavar="FILE",
        help="One of the files, with which each other one is compared, in place of --pairs.",
        rich_help_panel=options.DATA,
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


@dataclass(frozen=True)
class ComparisonOptions:
    """The options of a measurement that a comparison has, too."""

    labels: options.Labels = None
    key: options.Key = None
    columns: options.Columns = None
    without: options.Without = None
    sigma: options.Sigma = str(DEFAULTS.sigma)
    alpha: options.Alpha = DEFAULTS.alpha
    base: options.Base = f"{DEFAULTS.base:g}"
    method: options.Method = DEFAULTS.method
    dtype: options.Dtype = "auto"
    device: options.Device = DEFAULTS.device
    tol: options.Tol = DEFAULTS.tol
    max_points: options.MaxPoints = DEFAULTS.max_points
    estimator: options.Estimator = DEFAULTS.estimator
    n_null: options.NNull = DEFAULTS.n_null
    kind: options.Kind = DEFAULTS.kind
    n_clusters: options.NClusters = DEFAULTS.n_clusters
    clusters: options.Clusters = DEFAULTS.clusters
    seed: options.Seed = DEFAULTS.seed

    def settings(self, t: str, order: str | None, is_of_kernel: bool) -> MeasurementSettings:
        """Make settings from the texts; ValueError and TypeError name what cannot be used."""
        same = {f.name: getattr(self, f.name) for f in fields(self)}
        orders = None if order is None else [order]
        found = MeasurementOptions(kernel=is_of_kernel, **same).settings([t], orders)
        for name, given in {"t": t, "order": order}.items():
            if len(getattr(found, name)) != 1:
                raise ValueError(f"{name} must be one number for compare, got {given!r}")
        return found


# Of the settings, what is no option of a measure.
OTHERS = ("t", "order", "kernel", "max_points", "seed")


def of_measure(settings: MeasurementSettings) -> dict[str, Any]:
    """The options that were given: those that the measure does not have are refused by it."""
    names = [f.name for f in fields(settings) if f.name not in OTHERS]
    single = {name: getattr(settings, name)[0] for name in ("t", "order")}
    usual = {name: getattr(DEFAULTS, name)[0] for name in ("t", "order")}
    known = {name: getattr(settings, name) for name in names}
    usual |= {name: getattr(DEFAULTS, name) for name in names}
    return {name: value for name, value in (single | known).items() if value != usual[name]}


@taken_apart("chosen", ComparisonOptions)
def compare_command(
    several: Annotated[
        list[str],
        typer.Argument(
            metavar="FILE FILE [FILE ...]",
            help="Matrices (n, d), such as the layers of a network or the snapshots of a training.",
        ),
    ],
    chosen: ComparisonOptions,
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
    settings = chosen.settings(t, order, name.startswith("kernel_"))
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
