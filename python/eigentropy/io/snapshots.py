"""Entropy and information over the snapshots of a training run."""

from __future__ import annotations

import csv
import io
import os
import re
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from eigentropy._core import SolverError
from eigentropy._measures.measurement import (
    Measurement,
    MeasurementSettings,
    measure,
    read_sample,
    read_shared,
)
from eigentropy._support.progress import Callback, reporter
from eigentropy.io import files

StrPath = str | os.PathLike[str]


@dataclass(frozen=True)
class Information:
    """What one snapshot says about the labels or the other vectors."""

    value: float
    standard_error: float
    adjusted: float
    p_value: float


@dataclass(frozen=True)
class Row:
    """One snapshot: its name, its entropy, and its information about ``labels``, ``against``."""

    snapshot: str
    n: int
    sigma: float
    dse: float
    informations: dict[str, Information]

    def flat(self) -> dict[str, str | int | float]:
        """Return one value a column: `dsmi_labels`, `dsmi_labels_standard_error` and so on."""
        columns: dict[str, str | int | float] = {
            "snapshot": self.snapshot,
            "n": self.n,
            "sigma": self.sigma,
            "dse": self.dse,
        }
        for role, information in self.informations.items():
            columns[f"dsmi_{role}"] = information.value
            for name in ("standard_error", "adjusted", "p_value"):
                columns[f"dsmi_{role}_{name}"] = getattr(information, name)
        return columns


def track(
    snapshots: StrPath | Iterable[StrPath],
    *,
    key: str | None = None,
    labels: Any = None,
    against: Any = None,
    output: StrPath | None = None,
    settings: MeasurementSettings | None = None,
    progress: bool | Callback = False,
    on_row: Callable[[Row], object] | None = None,
) -> list[Row]:
    """Measure every snapshot, in the natural order of their names (epoch2 before epoch10).

    Parameters
    ----------
    snapshots : path or sequence of paths
        Files of matrices (n, d), see `files.read_matrix`; of a directory, all such files.
    key : str, optional
        Key or column of each snapshot that holds the matrix.
    labels : array of shape (n,), path, or str, optional
        Labels of the rows. A string that does not end in a suffix of a known kind of file is the
        column or key of each snapshot that holds them.
    against : array of shape (n, m) or path, optional
        Other vectors of the same rows, such as the input. They are clustered once.
    output : path, optional
        A CSV file, rewritten after each snapshot as a whole: what is there is always complete.
    settings : MeasurementSettings, optional
        sigma, alpha and the others; the first `t` is used.
    progress : bool or callable
        Show a bar on stderr, or call it with the fraction that is done.
    on_row : callable, optional
        Called with each row as soon as it is known.

    Returns
    -------
    list of Row

    Raises
    ------
    FileError
        A file cannot be used. The rows before it are in `output`.
    ValueError, TypeError, MemoryError, ImportError
        As the measuring functions do; the message names the snapshot.
    """
    settings = settings or MeasurementSettings()
    paths = find_snapshots(snapshots, besides=[labels, against, output])
    if output is not None:
        _check_output(Path(output), [*paths, labels, against])
    shared, column = read_shared(labels, against, settings)
    rows: list[Row] = []
    with reporter(progress, f"{len(paths)} snapshots") as callback:
        for i, (path, name) in enumerate(zip(paths, snapshot_names(paths), strict=True)):
            with _naming(path, rows, output):
                Z, variables = read_sample(path, key, column, shared, settings)
                measured = measure(Z, variables, settings, name=files.shown(path))
                row = _row(name, measured)
            del Z, variables, measured  # which may take much room, before the next is read
            rows.append(row)
            if output is not None:
                write_atomically(Path(output), to_csv(rows).encode())
            if on_row is not None:
                on_row(row)
            if callback is not None:
                callback((i + 1) / len(paths))
    return rows


def find_snapshots(
    snapshots: StrPath | Iterable[StrPath], besides: Sequence[Any] = ()
) -> list[Path]:
    """Find the files, those of directories included, in natural order.

    Files in a directory that are named in `besides` are passed over: labels, or an earlier output.
    """
    given = [snapshots] if isinstance(snapshots, (str, os.PathLike)) else list(snapshots)
    paths: list[Path] = []
    for path in map(Path, given):
        if path.is_dir() and not files.is_data(path):
            paths += _files_in(path, besides)
        else:
            files.require_file(path)  # now, rather than after hours of measuring
            paths.append(path)
    if not paths:
        raise files.FileError("there are no snapshots: the list of files is empty")
    return sorted(dict.fromkeys(paths), key=lambda path: natural_key(str(path)))


def natural_key(text: str) -> list[tuple[int, int, str]]:
    """Sort runs of digits by their value: epoch2 before epoch10."""
    parts = re.findall(r"[0-9]+|[^0-9]+", text)
    return [(0, int(part), part) if part[0] in "0123456789" else (1, 0, part) for part in parts]


def snapshot_names(paths: Sequence[Path]) -> list[str]:
    """Name the files without suffix or, where two are equal, by what their paths differ in."""
    stems = [path.stem for path in paths]
    if len(set(stems)) == len(stems):
        return [files.shown(Path(stem)) for stem in stems]
    common = Path(os.path.commonpath([path.absolute().parent for path in paths]))
    return [files.shown(path.absolute().relative_to(common)) for path in paths]


def to_csv(rows: Sequence[Row]) -> str:
    """Write the rows as CSV with a header; numbers in full precision."""
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0].flat()), lineterminator="\n")
    writer.writeheader()
    writer.writerows(row.flat() for row in rows)
    return text.getvalue()


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file so that its old or its new content is there at any moment, never a part."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        try:
            temporary.write_bytes(content)
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        raise files.FileError(
            f"{files.shown(path)} cannot be written: {error.strerror or error}"
        ) from error


def _paths_among(values: Iterable[Any]) -> list[Path]:
    """Return the absolute paths of those values that are paths, without their keys."""
    named = [value for value in values if isinstance(value, (str, os.PathLike))]
    return [files.split_key(value, None)[0].absolute() for value in named]


def _check_output(output: Path, inputs: Iterable[Any]) -> None:
    if any(
        path.exists() and output.exists() and path.samefile(output) for path in _paths_among(inputs)
    ):
        raise files.FileError(
            f"{files.shown(output)} is an input, and writing the results would overwrite it; "
            "choose another output"
        )
    if not output.absolute().parent.is_dir():
        raise files.FileError(
            f"{files.shown(output)} cannot be written: there is no directory "
            f"{files.shown(output.parent)}"
        )


def _files_in(directory: Path, besides: Sequence[Any]) -> list[Path]:
    other = _paths_among(besides)
    with files.named_errors(directory):
        found = [
            path
            for path in directory.iterdir()
            if path.suffix.lower() in files.SUFFIXES
            and not path.name.startswith(".")
            and files.is_data(path)
            and path.absolute() not in other
        ]
    if not found:
        raise files.FileError(
            f"{files.shown(directory)} has no snapshot directly in it: no file ends in one of "
            f"{', '.join(files.SUFFIXES)}"
        )
    return found


def _row(name: str, measured: Measurement) -> Row:
    """Keep the numbers alone: a result would hold the whole matrix for its `adjusted`."""
    entropy = measured.entropies[0]
    return Row(
        snapshot=name,
        n=entropy.n,
        sigma=entropy.sigma,
        dse=entropy.value,
        informations={
            role: Information(r.value, r.standard_error, r.adjusted(), r.p_value)
            for role, (r, *_) in measured.informations.items()
        },
    )


_OF_A_SNAPSHOT = (files.FileError, ValueError, TypeError, MemoryError, SolverError)


@contextmanager
def _naming(path: Path, rows: Sequence[Row], output: StrPath | None) -> Iterator[None]:
    """Name the snapshot in errors and warnings, and say where the rows before it are."""
    name = files.shown(path)
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            yield
        for warning in caught:
            text = str(warning.message)
            named = text if name in text else f"{name}: {text}"
            warnings.warn(named, warning.category, stacklevel=4)
    except _OF_A_SNAPSHOT as error:
        kind = next(kind for kind in _OF_A_SNAPSHOT if isinstance(error, kind))
        message = str(error) if name in str(error) else f"{name}: {error}"
        if rows and output is not None:
            message += f" (rows before it, in {files.shown(Path(output))}: {len(rows)})"
        raise kind(message) from error


def append_whole(path: Path, content: bytes) -> None:
    """Add all of the content to a file or nothing: what comes next would join a part of it."""
    with path.open("ab", buffering=0) as file:
        size = file.seek(0, os.SEEK_END)
        try:
            while content:
                content = content[file.write(content) :]
        except BaseException:
            file.truncate(size)
            raise
