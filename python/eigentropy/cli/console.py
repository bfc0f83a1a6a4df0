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

from eigentropy._measures.kernel_results import KernelEntropy, KernelInformation
from eigentropy._measures.measurement import Measurement, MeasurementSettings, Variable
from eigentropy._measures.null_counts import PERMUTATION, STUDENT
from eigentropy._measures.results import DiffusionEntropy, Entropy, MutualInformation
from eigentropy._measures.sampling.errors import sampling_errors
from eigentropy._support.interval import LEVEL, student_quantile
from eigentropy._support.units import unit
from eigentropy.cli.documents import largest_entropy, plain
from eigentropy.io.snapshot_rows import SnapshotRow

if TYPE_CHECKING:  # not needed by the other commands
    from eigentropy.studies.study import Listing, Outcome, Study

ROLES = {"labels": "labels", "against": "vectors"}
SAMPLING = "+-: sampling error, the standard deviation over other samples of as many rows"
TITLES = {role: f"DSMI with {name}" for role, name in ROLES.items()}


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
        value = f"{entropy.value:.4f}{_errors(entropy, settings)['value']}"
        table.add_row("DSE", f"{entropy.t:g}", value, "", "", "", maximum)
    for role, results in measured.informations.items():
        for result in results:
            table.add_row(TITLES[role], f"{result.t:g}", *_information_cells(result, settings))
    print_lines([f"{name}: {shape[0]} rows, {shape[1]} columns"])
    _print_table(table)
    if measured.kernel_entropies:
        _print_table(_kernel_table(measured, settings))
    print_lines(_notes(first, measured, variables, settings))


def _kernel_table(measured: Measurement, settings: MeasurementSettings) -> Table:
    """Tell of the density matrix: what the first table tells of the diffusion operator, in bits."""
    table = _table()
    values = (unit(settings.base), "null se", "adjusted", "p", "log n, H(Y)")
    for heading in ("", "order", *values, "vendi", "bits()"):
        table.add_column(heading, justify="left" if heading == "" else "right", no_wrap=True)
    for entropy in measured.kernel_entropies:
        maximum, vendi = f"{largest_entropy(entropy):.4f}", f"{entropy.vendi:.4g}"
        value = f"{entropy.value:.4f}{_errors(entropy, settings)['value']}"
        table.add_row("kernel entropy", f"{entropy.order:g}", value, "", "", "", maximum, vendi, "")
    for role, results in measured.kernel_informations.items():
        for result in results:
            cells = _information_cells(result, settings)
            about = f"about {ROLES[role]}", f"{result.order:g}"
            bits = f"{_number(result.bits(), '.4f')}{_errors(result, settings)['bits']}"
            table.add_row(*about, *cells, "", bits)
    return table


def _information_cells(result: MutualInformation, settings: MeasurementSettings) -> list[str]:
    error = f"{result.standard_error:.4f}" if result.estimator == "matched" else ""
    sampling = _errors(result, settings)
    return [
        f"{result.value:.4f}{sampling['value']}",
        error,
        f"{_number(result.adjusted(), '.3f')}{sampling['adjusted']}",
        _number(result.p_value, ".2g"),
        _number(result.label_entropy, ".4f"),
    ]


def _errors(result: Entropy | MutualInformation, settings: MeasurementSettings) -> dict[str, str]:
    """What follows the value and the other forms of a result: sampling errors, if asked for."""
    if not settings.sampling:
        return {"value": "", "adjusted": "", "bits": ""}
    digits = {"adjusted": ".3f"}
    known = sampling_errors(result)
    return {form: _error(one.error, digits.get(form, ".4f")) for form, one in known.items()}


def _error(error: float, spec: str) -> str:
    return f" +- {error:{spec}}" if math.isfinite(error) else ""


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
    entropies = [*measured.entropies, *measured.kernel_entropies]
    lines += [_where(entropy) for entropy in entropies if entropy.method != "exact"]
    every: list[MutualInformation] = []
    for role, results in measured.informations.items():
        by_kernel = measured.kernel_informations.get(role, [])
        every += [*results, *by_kernel]
        sizes = results[0].group_sizes
        span = f"{sizes.min()}" if len(set(sizes)) == 1 else f"{sizes.min()} to {sizes.max()}"
        lines.append(
            f"{role}: {variables[role].source}, {_count(len(sizes), 'group')} of {span} rows; "
            f"{settings.estimator} estimator, {_counts([*results, *by_kernel])}"
        )
        notes = dict.fromkeys(r.adjusted_note() for r in results if r.adjusted_note())
        lines += [f"adjusted is not defined for {role}: {note}" for note in notes]
        lines += _kernel_notes(role, by_kernel)
    if settings.estimator == "matched" and measured.informations:
        quantiles = _span(
            f"{student_quantile(LEVEL, count - 1.0):.3g}"
            for count in sorted({r.n_null for r in every}, reverse=True)
        )
        lines.append(
            f"null se: of the mean of {_counts(every)}, not over other samples; "
            f"{quantiles} of it are the 95 % interval"
        )
    if settings.sampling:
        lines += [SAMPLING, *_without_sampling_error([*entropies, *every])]
    return lines + _notes_of_p(every)


def _notes_of_p(results: Sequence[MutualInformation]) -> list[str]:
    """Say which test the p-values are of, where they do not say all."""
    lines = []
    if any(r.p_value_from == STUDENT and math.isfinite(r.p_value) for r in results):
        lines.append("p: by Student's t; --n-null 1000 is a permutation test down to p = 0.001")
    tested = [r for r in results if r.p_value_from == PERMUTATION]
    for count in sorted({r.n_null for r in tested if r.p_value * (1 + r.n_null) < 1.5}):
        lowest = 1 / (1 + count)
        lines.append(f"p = {lowest:.2g} is the lowest that {count} null partitions allow")
    return lines


def _counts(results: Sequence[MutualInformation]) -> str:
    """How many null partitions there are, in words."""
    counts = sorted({r.n_null for r in results})
    noun = "null partition" + ("" if counts == [1] else "s")
    return f"{_span(map(str, counts))} {noun}"


def _span(ascending: Iterable[str]) -> str:
    """The first and the last of some numbers, or the only one."""
    numbers = [*ascending]
    return numbers[0] if numbers[0] == numbers[-1] else f"{numbers[0]} to {numbers[-1]}"


def _without_sampling_error(results: Sequence[Entropy | MutualInformation]) -> list[str]:
    """Say once of each reason why a value has no sampling error."""
    notes = [
        found.note
        for result in results
        for form, found in sampling_errors(result).items()
        if math.isnan(found.error) and not math.isnan(_form(result, form))
    ]
    return [*dict.fromkeys(notes)]


def _form(result: Any, form: str) -> float:
    return float(result.value if form == "value" else getattr(result, form)())


def _kernel_notes(role: str, results: Sequence[KernelInformation]) -> list[str]:
    """Say why information by the density matrix is not in bits."""
    if results and results[0].kind != "labels":
        return [
            f"kernel information about {role}: by the joint kernel of {results[0].kind}, without "
            "groups; it says more or less, and not how many bits"
        ]
    return [
        f"bits() is not defined for {role} at order {result.order:g}: {result.adjusted_note()}"
        for result in results
        if result.adjusted_note()
    ]


def _where(entropy: Entropy) -> str:
    """Say where an entropy is that is not computed from all eigenvalues."""
    found = entropy.interval()
    what = (
        f"kernel entropy of order {entropy.order:g}"
        if isinstance(entropy, KernelEntropy)
        else f"DSE at t = {entropy.which.exponent:g}"
    )
    return (
        f"{what} is between {found.low:.4f} and {found.high:.4f} "
        f"({found.sure}, over {found.over}, not over other samples)"
    )


def print_rows(rows: Sequence[SnapshotRow], settings: MeasurementSettings) -> None:
    """Print the table of `eigentropy track`."""
    table = _table()
    table.add_column("snapshot", max_width=40, overflow="fold")
    headings = ["n", "sigma", "DSE"]
    for role in rows[0].informations:
        headings += [f"{ROLES[role]}\nDSMI", "\nadjusted", "\np"]
    kernel = rows[0].kernel
    if kernel is not None:
        headings.append("kernel\nentropy")
        for role in kernel.informations:
            headings += [f"{ROLES[role]}\nkernel", "\nbits()", "\np"]
    for heading in headings:
        table.add_column(heading, justify="right", vertical="bottom", no_wrap=True)
    for row in rows:
        cells = [row.snapshot, f"{row.n}", f"{row.sigma:.4g}", _cell(row, "dse", row.dse)]
        for role, found in row.informations.items():
            cells += [
                _cell(row, f"dsmi_{role}", found.value),
                _cell(row, f"dsmi_{role}_adjusted", found.adjusted),
                _number(found.p_value, ".2g"),
            ]
        if row.kernel is not None:
            cells.append(_cell(row, "kernel", row.kernel.entropy))
            for role, about in row.kernel.informations.items():
                cells += [
                    _cell(row, f"kernel_{role}", about.value),
                    _cell(row, f"kernel_{role}_bits", about.bits),
                    _number(about.p_value, ".2g"),
                ]
        table.add_row(*map(Text, cells))
    _print_table(table)
    of_kernel = f", kernel of order {settings.order[0]:g}" if kernel is not None else ""
    also = [SAMPLING] if settings.sampling else []
    print_lines([f"entropies and information in {unit(settings.base)}{of_kernel}", *also])


def _cell(row: SnapshotRow, column: str, value: float) -> str:
    error = row.sampling_errors.get(column, math.nan)
    return f"{_number(value, '.3f')}{_error(error, '.3f')}"


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
    note = environment["simd_note"]
    table.add_row("SIMD", environment["simd"] + (f" ({note})" if note else ""))
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
        version = optional["version"] or f"not installed, extra {optional['extra']!r}"
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
