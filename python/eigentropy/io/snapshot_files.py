"""The snapshots of a run: which files they are, in which order, under which names."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from eigentropy._support.warnings import warn
from eigentropy.io.paths import (
    SUFFIXES,
    FileError,
    is_data,
    listed,
    named_errors,
    require_file,
    shown,
    split_key,
)
from eigentropy.io.snapshot_rows import is_table_of_rows
from eigentropy.io.writing import require_new

StrPath = str | os.PathLike[str]


def find_snapshots(
    snapshots: StrPath | Iterable[StrPath], besides: Sequence[Any] = ()
) -> list[Path]:
    """Find the files, those of directories included, in natural order.

    Files in a directory that are named in `besides` are passed over: labels, or an earlier output.
    So are tables of `track`, with a warning.
    """
    given = [snapshots] if isinstance(snapshots, (str, os.PathLike)) else list(snapshots)
    paths: list[Path] = []
    for path in map(Path, given):
        if path.is_dir() and not is_data(path):
            paths += _files_in(path, besides)
        else:
            require_file(path)  # now, rather than after hours of measuring
            if is_table_of_rows(path):
                raise FileError(
                    f"{shown(path)} is a table that track has written, and no snapshot: leave it "
                    "out of the list"
                )
            paths.append(path)
    if not paths:
        raise FileError("there are no snapshots: the list of files is empty")
    return sorted(dict.fromkeys(paths), key=lambda path: natural_key(str(path)))


def natural_key(text: str) -> list[tuple[int, int, str]]:
    """Sort runs of digits by their value: epoch2 before epoch10."""
    parts = re.findall(r"[0-9]+|[^0-9]+", text)
    return [(0, int(part), part) if part[0] in "0123456789" else (1, 0, part) for part in parts]


def snapshot_names(paths: Sequence[Path]) -> list[str]:
    """Name the files without suffix or, where two are equal, by what their paths differ in."""
    stems = [path.stem for path in paths]
    if len(set(stems)) == len(stems):
        return [shown(Path(stem)) for stem in stems]
    common = Path(os.path.commonpath([path.absolute().parent for path in paths]))
    return [shown(path.absolute().relative_to(common)) for path in paths]


def _paths_among(values: Iterable[Any]) -> list[Path]:
    """Return the absolute paths of those values that are paths, without their keys."""
    named = [value for value in values if isinstance(value, (str, os.PathLike))]
    return [split_key(value, None)[0].absolute() for value in named]


def check_output(output: Path, inputs: Iterable[Any], overwrite: bool) -> None:
    """Refuse an output that would overwrite an input, or that `require_new` refuses."""
    if any(
        path.exists() and output.exists() and path.samefile(output) for path in _paths_among(inputs)
    ):
        raise FileError(
            f"{shown(output)} is an input, and writing the results would overwrite it; "
            "choose another output"
        )
    require_new(output, overwrite)


def _files_in(directory: Path, besides: Sequence[Any]) -> list[Path]:
    other = _paths_among(besides)
    with named_errors(directory):
        found = [
            path
            for path in directory.iterdir()
            if path.suffix.lower() in SUFFIXES
            and not path.name.startswith(".")
            and is_data(path)
            and path.absolute() not in other
        ]
        tables = [path for path in found if is_table_of_rows(path)]
    snapshots = [path for path in found if path not in tables]
    left_out = listed(sorted(shown(Path(path.name)) for path in tables))
    if not snapshots:
        besides = f" besides tables that track has written ({left_out})" if tables else ""
        raise FileError(
            f"{shown(directory)} has no snapshot directly in it: no file{besides} ends in one of "
            f"{', '.join(SUFFIXES)}"
        )
    if tables:
        warn(f"{shown(directory)}: tables that track has written are left out: {left_out}")
    return snapshots
