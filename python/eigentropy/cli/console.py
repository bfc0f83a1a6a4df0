"""What people see on the terminal and what programs read: tables, JSON, warnings."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from rich import box
from rich.console import Console
from rich.measure import Measurement as Width
from rich.table import Table
from rich.text import Text

from eigentropy._measures.measurement import Measurement, MeasurementSettings, Variable
from eigentropy._measures.results import DiffusionEntropy, DiffusionInformation
from eigentropy._support.interval import LEVEL, student_quantile
from eigentropy._support.units import unit
from eigentropy.cli.documents import largest_entropy, plain
from eigentropy.io.snapshot_rows import SnapshotRow

if TYPE_CHECKING:  # not needed by the other commands
    from eigentropy.studies.study import Listing, Outcome, Study

TITLES = {"labels": "DSMI with labels", "against": "DSMI with vectors"}


def print_json(document: dict[str, Any]) -> None:
    """Print one JSON document on stdout; NaN, which JSON lacks, becomes null."""
    sys.stdout.write(json.dumps(plain(document), indent=2, allow_nan=False) + "\n")


def print_warnings(lines: Iterable[str]) -> None:
    """Print one line each on stderr."""
    for line in lines:
        print(f"warning: {line}", file=sys.stderr)


def print_lines(lines: Iterable[str]) -> None:
    """Print plain lines on stdout, which the terminal may wrap."""
    console = _console()
    for line in lines:
        console.print(Text(line), soft_wrap=True)


def print_measurement(
    name: str,
    shape: tuple[int, ...],
    measured: Measurement,
    variables: dict[str, Variable],
    settings: MeasurementSettings,
) -> None:
    """Print the table of `eigentropy measure`."""
    first = measured.entropies[0]
    table = _table()
    for heading in ("", "t", unit(settings.base), "null se", "adjusted", "p", "log n, H(Y)"):
        table.add_column(heading, justify="left" if heading == "" else "right", no_wrap=True)
    for entropy in measured.entropies:
        maximum = f"{largest_entropy(entropy):.4f}"
        table.add_row("DSE", f"{entropy.t:g}", f"{entropy.value:.4f}", "", "", "", maximum)
    for role, results in measured.informations.items():
        for result in results:
            table.add_row(TITLES[role], *_information_cells(result))
    print_lines([f"{name}: {shape[0]} rows, {shape[1]} columns"])
    _print_table(table)
    print_lines(_notes(first, measured, variables, settings))


def _information_cells(result: DiffusionInformation) -> list[str]:
    error = f"{result.standard_error:.4f}" if result.estimator == "matched" else ""
    return [
        f"{result.t:g}",
        f"{result.value:.4f}",
        error,
        _number(result.adjusted(), ".3f"),
        _number(result.p_value, ".2g"),
        f"{result.label_entropy:.4f}",
    ]


def _notes(
    first: DiffusionEntropy,
    measured: Measurement,
    variables: dict[str, Variable],
    settings: MeasurementSettings,
) -> list[str]:
    rule = f" ({settings.sigma})" if isinstance(settings.sigma, str) else ""
    lines = [
        f"sigma {first.sigma:.4g}{rule}, alpha {first.alpha:g}, {first.method}, {first.dtype}, "
        f"seed {first.seed}"
    ]
    lines += [_where(entropy) for entropy in measured.entropies if entropy.method != "exact"]
    for role, results in measured.informations.items():
        sizes = results[0].group_sizes
        span = f"{sizes.min()}" if len(set(sizes)) == 1 else f"{sizes.min()} to {sizes.max()}"
        lines.append(
            f"{role}: {variables[role].source}, {_count(len(sizes), 'group')} of {span} rows; "
            f"{settings.estimator} estimator, {_count(settings.n_null, 'null partition')}"
        )
        notes = dict.fromkeys(r.adjusted_note() for r in results if r.adjusted_note())
        lines += [f"adjusted is not defined for {role}: {note}" for note in notes]
    if settings.estimator == "matched" and measured.informations:
        quantile = student_quantile(LEVEL, settings.n_null - 1.0)
        lines.append(
            f"null se: of the mean of {settings.n_null} null partitions, not over other samples; "
            f"{quantile:.3g} of it are the 95 % interval"
        )
    every = [result for results in measured.informations.values() for result in results]
    if settings.n_null and any(r.p_value * (1 + settings.n_null) < 1.5 for r in every):
        lowest = 1 / (1 + settings.n_null)
        lines.append(f"p = {lowest:.2g} is the lowest that {settings.n_null} null partitions allow")
    return lines


def _where(entropy: DiffusionEntropy) -> str:
    """Say where an entropy is that is not computed from all eigenvalues."""
    found = entropy.interval()
    return (
        f"DSE at t = {entropy.t:g} is between {found.low:.4f} and {found.high:.4f} "
        f"({found.sure}, over {found.over}, not over other samples)"
    )


def print_rows(rows: Sequence[SnapshotRow], settings: MeasurementSettings) -> None:
    """Print the table of `eigentropy track`."""
    table = _table()
    table.add_column("snapshot", max_width=40, overflow="fold")
    headings = ["n", "sigma", "DSE"]
    for role in rows[0].informations:
        headings += [f"{_SHORT[role]}\nDSMI", "\nadjusted", "\np"]
    for heading in headings:
        table.add_column(heading, justify="right", vertical="bottom", no_wrap=True)
    for row in rows:
        cells = [row.snapshot, f"{row.n}", f"{row.sigma:.4g}", f"{row.dse:.3f}"]
        for information in row.informations.values():
            cells += [
                f"{information.value:.3f}",
                _number(information.adjusted, ".3f"),
                _number(information.p_value, ".2g"),
            ]
        table.add_row(*map(Text, cells))
    _print_table(table)
    print_lines([f"DSE and DSMI in {unit(settings.base)}"])


_SHORT = {"labels": "labels", "against": "vectors"}


def print_names(titles: dict[str, str]) -> None:
    """Print names and what they stand for."""
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for name, title in titles.items():
        table.add_row(name, Text(title))
    _console().print(table)


def print_outcome(study: Study, outcome: Outcome) -> None:
    """Print the verdict of `eigentropy study`."""
    table = _table()
    for heading in ("the paper, or the aim", "measured", "holds"):
        table.add_column(heading, overflow="fold")
    for finding in outcome.findings:
        verdict = {True: "yes", False: "no", None: "-"}[finding.holds]
        table.add_row(Text(finding.claim), Text(finding.measured), verdict)
    print_lines([f"{study.name}: {study.title}"])
    _console().print(table)
    _console().print()
    if outcome.listing:
        _print_listing(outcome.listing)
    before = len(outcome.rows) - outcome.measured
    print_lines([f"{outcome.measured} numbers measured, {before} from earlier runs"])
    print_lines(outcome.notes)


def _print_listing(listing: Listing) -> None:
    print_lines([listing.title])
    table = _table()
    for number, heading in enumerate(listing.headings):
        table.add_column(heading, justify="left" if number < 2 else "right", no_wrap=True)
    for line in listing.lines:
        table.add_row(*map(Text, line))
    _print_table(table)


def print_environment(environment: dict[str, Any]) -> None:
    """Print the table of `eigentropy info`."""
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="bold")
    table.add_column(overflow="fold")
    blas, memory = environment["blas"], environment["memory_available"]
    table.add_row("eigentropy", environment["eigentropy"])
    table.add_row("Python", environment["python"])
    table.add_row("NumPy", environment["numpy"])
    table.add_row("SIMD", environment["simd"])
    table.add_row("BLAS", f"{blas['configuration']}")
    table.add_row("BLAS core", blas["core"])
    table.add_row("threads", f"{environment['threads']}")
    table.add_row("memory", f"{memory / 2**30:.1f} GiB available")
    for device in environment["devices"]:
        table.add_row(device["name"], "available" if device["available"] else device["note"])
        if "driver" in device:
            table.add_row("", _cuda_versions(device))
        for number, found in enumerate(device.get("devices", [])):
            table.add_row(f"cuda:{number}", _cuda_device(found))
    for name, optional in environment["optional"].items():
        version = optional["version"] or "not installed"
        table.add_row(name, f"{version} ({optional['purpose']})")
    _print_table(table)


def _cuda_versions(device: dict[str, Any]) -> str:
    driver = f"driver for CUDA {device['driver']}" if device["driver"] else "no driver"
    emulated = ", emulated on the CPU" if device["emulated"] else ""
    return f"plug-in {device['plugin']} for CUDA {device['runtime']}, {driver}{emulated}"


def _cuda_device(found: dict[str, Any]) -> str:
    return (
        f"{found['name']}, {found['memory'] / 2**30:.1f} GiB, {found['multiprocessors']} "
        f"multiprocessors, compute capability {found['compute_capability']}"
    )


def _table() -> Table:
    return Table(box=box.SIMPLE_HEAD, header_style="bold", collapse_padding=True, show_edge=False)


def _print_table(table: Table) -> None:
    """Print a table in full width: a narrow terminal may wrap it, but no digit is cut off."""
    console = _console()
    natural = Width.get(console, console.options.update(max_width=10_000), table).maximum
    console.width = max(console.width, natural)
    console.print(table)
    console.print()


def _console() -> Console:
    # Made anew, since sys.stdout may have been replaced. Markup would eat brackets in file names,
    # and emoji what lies between two colons.
    return Console(markup=False, highlight=False, emoji=False)


def _number(value: float, spec: str) -> str:
    return format(value, spec) if math.isfinite(value) else "-"


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
