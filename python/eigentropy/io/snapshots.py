"""Entropy and information over the snapshots of a training run."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from eigentropy._core import SolverError
from eigentropy._measures.measurement import Measurement, MeasurementSettings, measure
from eigentropy._measures.results import MutualInformation
from eigentropy._measures.sampling.errors import sampling_errors
from eigentropy._support.progress import Callback, part, reporter
from eigentropy._support.warnings import GroupWarning
from eigentropy.io.files import Names, check_header
from eigentropy.io.inputs import read_shared, read_with_labels
from eigentropy.io.paths import FileError, shown
from eigentropy.io.snapshot_files import StrPath, check_output, find_snapshots, snapshot_names
from eigentropy.io.snapshot_rows import (
    SnapshotInformation,
    SnapshotKernel,
    SnapshotKernelInformation,
    SnapshotRow,
    to_csv,
)
from eigentropy.io.writing import write_atomically


def track(
    snapshots: StrPath | Iterable[StrPath],
    *,
    key: str | None = None,
    labels: Any = None,
    against: Any = None,
    columns: Names | None = None,
    without: Names = (),
    output: StrPath | None = None,
    overwrite: bool = False,
    settings: MeasurementSettings | None = None,
    progress: bool | Callback = False,
    on_row: Callable[[SnapshotRow], object] | None = None,
) -> list[SnapshotRow]:
    """Measure every snapshot, in the natural order of their names (epoch2 before epoch10).

    Parameters
    ----------
    snapshots : path or sequence of paths
        Files of matrices (n, d), see `eigentropy.io.read_matrix`; of a directory, all such files
        but the tables that `track` has written.
    key : str, optional
        Key or column of each snapshot that holds the matrix.
    labels : array of shape (n,), path, or str, optional
        Labels of the rows. A string that does not end in a suffix of a known kind of file is the
        column or key of each snapshot that holds them.
    against : array of shape (n, m) or path, optional
        Other vectors of the same rows, such as the input. They are clustered once.
    columns, without : str or sequence of str, optional
        Columns of snapshots that are tables, see `eigentropy.io.read_matrix`.
    output : path, optional
        A CSV file. It is rewritten as a whole after each snapshot, so it is always complete. A file
        that exists is refused.
    overwrite : bool
        Replace it.
    settings : MeasurementSettings, optional
        sigma, alpha, kernel and the others; the first `t` and the first `order` are used.
    progress : bool or callable
        Show a bar on stderr, or call it with the fraction that is done.
    on_row : callable, optional
        Called with each row as soon as it is known.

    Returns
    -------
    list of SnapshotRow

    Raises
    ------
    FileError
        A file cannot be used. The rows before it are in `output`.
    FileExistsError
        `output` is there already; nothing has been measured.
    ValueError, TypeError, MemoryError, ImportError
        As the measuring functions do; the message names the snapshot.
    """
    settings = settings or MeasurementSettings()
    paths = find_snapshots(snapshots, besides=[labels, against, output])
    if output is not None:
        check_output(Path(output), [*paths, labels, against], overwrite)
    for path in paths:
        check_header(path)  # now, rather than after hours of measuring
    shared, column = read_shared(labels, against, settings)
    rows: list[SnapshotRow] = []
    said: set[type[Warning]] = set()
    noted: set[str] = set()
    with reporter(progress, f"{len(paths)} snapshots") as callback:
        for i, (path, name) in enumerate(zip(paths, snapshot_names(paths), strict=True)):
            with _naming(path, rows, output, said):
                Z, variables = read_with_labels(
                    path, key, column, shared, settings, columns, without
                )
                own = part(callback, i / len(paths), (i + 1) / len(paths))
                measured = measure(Z, variables, settings, own or False, shown(path))
                row = _row(name, measured)
                if settings.sampling:
                    row = replace(row, sampling_errors=_sampling_errors(row, measured, noted))
            del Z, variables, measured  # they may be large, and the next snapshot is read now
            rows.append(row)
            if output is not None:
                write_atomically(Path(output), to_csv(rows).encode())
            if callback is not None:
                callback((i + 1) / len(paths))
            if on_row is not None:
                on_row(row)
    return rows


def _row(name: str, measured: Measurement) -> SnapshotRow:
    """Keep the numbers alone: a result holds the whole matrix, for `adjusted`."""
    entropy = measured.entropies[0]
    return SnapshotRow(
        snapshot=name,
        n=entropy.n,
        sigma=entropy.sigma,
        dse=entropy.value,
        informations={
            role: SnapshotInformation(**_numbers(r))
            for role, (r, *_) in measured.informations.items()
        },
        kernel=_kernel(measured) if measured.kernel_entropies else None,
    )


def _sampling_errors(row: SnapshotRow, measured: Measurement, noted: set[str]) -> dict[str, float]:
    """Find those of the columns that there are; warn of a value without one, once of each reason.

    `noted` has the reasons that were told before.
    """
    columns: dict[str, Any] = {**row.flat()}
    results: dict[str, Any] = {"dse": measured.entropies[0]}
    results |= {f"dsmi_{role}": found[0] for role, found in measured.informations.items()}
    if measured.kernel_entropies:
        results["kernel"] = measured.kernel_entropies[0]
    results |= {f"kernel_{role}": found[0] for role, found in measured.kernel_informations.items()}
    errors = {}
    for name, result in results.items():
        for form, (error, note) in sampling_errors(result).items():
            column = name if form == "value" else f"{name}_{form}"
            if column not in columns:
                continue
            errors[column] = error
            if math.isnan(error) and not math.isnan(columns[column]) and note not in noted:
                noted.add(note)
                warnings.warn(note, stacklevel=2)
    return errors


def _kernel(measured: Measurement) -> SnapshotKernel:
    entropy = measured.kernel_entropies[0]
    return SnapshotKernel(
        entropy.value,
        entropy.standard_error,
        {
            role: SnapshotKernelInformation(**_numbers(r), kind=r.kind, bits=r.bits())
            for role, (r, *_) in measured.kernel_informations.items()
        },
    )


def _numbers(r: MutualInformation) -> dict[str, Any]:
    low, high = r.interval()
    names = ("value", "standard_error", "p_value", "n_null")
    found = {name: getattr(r, name) for name in names}
    return {**found, "adjusted": r.adjusted(), "low": low, "high": high}


_OF_A_SNAPSHOT = (FileError, ValueError, TypeError, MemoryError, SolverError)


@contextmanager
def _naming(
    path: Path, rows: Sequence[SnapshotRow], output: StrPath | None, said: set[type[Warning]]
) -> Iterator[None]:
    """Name the snapshot in errors and warnings, and say where the rows before it are.

    What labels are taken for is said of one snapshot, since all have the same.
    """
    name = shown(path)
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            yield
        for warning in caught:
            if warning.category is GroupWarning and GroupWarning in said:
                continue
            said.add(warning.category)
            text = str(warning.message)
            named = text if name in text else f"{name}: {text}"
            warnings.warn(named, warning.category, stacklevel=4)
    except _OF_A_SNAPSHOT as error:
        kind = next(kind for kind in _OF_A_SNAPSHOT if isinstance(error, kind))
        message = str(error) if name in str(error) else f"{name}: {error}"
        if rows and output is not None:
            message += (
                f". Nothing before it is lost: {shown(Path(output))} has the rows of the "
                f"snapshots that came first ({len(rows)})"
            )
        raise kind(message) from error
