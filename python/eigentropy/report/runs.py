"""Reading what a monitor or `eigentropy track` has written: a run, or a plain log of values."""

from __future__ import annotations

import itertools
import os
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from eigentropy._support.options import logarithm_base
from eigentropy.io.paths import FileError, listed, named_errors, shown
from eigentropy.report.lines import (
    Line,
    as_number,
    by_step,
    columns,
    json_lines,
    json_object,
    table_lines,
)
from eigentropy.report.run_files import FORMAT, RUN, SPECTRA, VALUES, VIEWS

MEASURES = ("dse", "dsmi_y", "dsmi_x", "dsmi_previous")
KINDS = (*MEASURES, *(f"{name}_adjusted" for name in MEASURES[1:]))

# Standard errors over the null partitions: neither drawn nor the caller's own values.
NULL_ERRORS = tuple(f"{name}_null_se" for name in MEASURES[1:])

# Columns of `eigentropy track`, by what a monitor calls the same.
TRACKED = {
    "dse": "dse",
    "dsmi_labels": "dsmi_y",
    "dsmi_labels_adjusted": "dsmi_y_adjusted",
    "dsmi_against": "dsmi_x",
    "dsmi_against_adjusted": "dsmi_x_adjusted",
}

LOGS = (".csv", ".jsonl", ".ndjson")


@dataclass(frozen=True)
class Run:
    """What was measured of one training.

    Attributes
    ----------
    title, source : str
        Its name, and the path that it was read from.
    layers : tuple of str
        In the order of the network.
    steps : list of int
        Of each measurement, ascending.
    values : dict of str to list
        One number a step, or None; by ``dse/layer``, ``loss`` and the like.
    description : dict
        Settings of the measurement, and the caller's own under ``settings``. Of a log: empty.
    spectra : dict of int to dict
        By step and layer: ``n``, ``sigma``, ``entropy`` (S at ``description["times"]``) and
        ``eigenvalues`` (those of `views.ranks`).
    views : list of dict
        ``step``, ``groups`` and for each of ``layers`` two lists of coordinates.
    names : list of str, or None
        Of the steps, where they are the snapshots of `eigentropy track`.
    notes : list of str
        What is missing, and why.
    """

    title: str
    source: str
    layers: tuple[str, ...]
    steps: list[int]
    values: dict[str, list[float | None]]
    description: dict[str, Any] = field(default_factory=dict)
    spectra: dict[int, dict[str, Any]] = field(default_factory=dict)
    views: list[dict[str, Any]] = field(default_factory=list)
    names: list[str] | None = None
    notes: list[str] = field(default_factory=list)

    def series(self, kind: str) -> dict[str, list[float | None]]:
        """The values of one measure by layer."""
        found = {layer: self.values.get(f"{kind}/{layer}") for layer in self.layers}
        return {layer: values for layer, values in found.items() if values is not None}

    def scalars(self) -> dict[str, list[float | None]]:
        """The caller's own values: loss, accuracy."""
        return {key: values for key, values in self.values.items() if split(key) is None}


def split(key: str) -> tuple[str, str] | None:
    """Measure and layer of a key, None for a value that is neither."""
    kind, slash, layer = key.partition("/")
    return (kind, layer) if slash and kind in (*KINDS, *NULL_ERRORS) else None


def read_run(path: str | os.PathLike[str]) -> Run:
    """Read a run of ``Monitor(..., record=path)``, or a log of values.

    Parameters
    ----------
    path : path
        The directory of a run; a .csv or .jsonl file that a monitor has logged to; or the .csv file
        of `eigentropy track`. A log has values only, no spectra and no views.

    Returns
    -------
    Run

    Raises
    ------
    FileError
        There is no run, it holds no measurement, it is damaged, or of a newer version. A last line
        that was torn by an interruption is left out, and `notes` says so.
    """
    path = Path(path)
    with named_errors(path):
        if path.is_dir():
            return _read_directory(path)
        if path.suffix.lower() not in LOGS and path.exists():
            raise FileError(
                f"{shown(path)} is neither the directory of a run nor a log ({', '.join(LOGS)})"
            )
        return _read_log(path)


def _read_directory(path: Path) -> Run:
    if not (path / RUN).is_file():
        inside = sorted(shown(found.parent) for found in path.glob(f"*/{RUN}"))
        hint = f"; inside there are {listed(inside)}" if inside else ""
        raise FileError(f"{shown(path)} holds no run: there is no {RUN} in it{hint}")
    description = _described(path / RUN)
    notes: list[str] = []
    rows = by_step(json_lines(path / VALUES, notes), path)
    steps = sorted(rows)
    spectra = {row["step"]: row["layers"] for row in json_lines(path / SPECTRA, notes)}
    views = [json_object(file) for file in sorted((path / VIEWS).glob("*.json"))]
    values = columns([rows[step] for step in steps])
    return Run(
        title=str(description.get("title") or path.absolute().name),
        source=shown(path),
        layers=_layers(values, description.get("layers", ())),
        steps=steps,
        values=values,
        description=description,
        spectra={step: spectra[step] for step in steps if step in spectra},
        views=[view for view in views if view["step"] in rows and view["layers"]],
        notes=notes,
    )


def _described(path: Path) -> dict[str, Any]:
    """`run.json`, as far as others rely on it."""
    known = json_object(path)
    version = known.get("format")
    if not isinstance(version, int) or version > FORMAT:
        raise FileError(
            f"{shown(path)} has format {version!r}, this version reads up to {FORMAT}: "
            "update eigentropy"
        )
    with named_errors(path):
        known["layers"] = [str(layer) for layer in known.get("layers", ())]
        known["times"] = [float(t) for t in known.get("times", ())]
        known["base"] = logarithm_base(known.get("base", 2.0))
        known["settings"] = dict(known.get("settings", {}))
        for one in known.get("classes") or ():
            one.update(name=str(one["name"]), size=int(one["size"]))
    return known


def _read_log(path: Path) -> Run:
    notes = ["a log of values: it has no spectra, no maps and no settings, which a run has"]
    is_table = path.suffix.lower() == ".csv"
    lines = table_lines(path) if is_table else json_lines(path, notes)
    if lines and "step" not in lines[0] and {"snapshot", "dse"} <= set(lines[0]):
        return _tracked(path, lines, notes)
    rows = by_step(lines, path)
    steps = sorted(rows)
    values = columns([rows[step] for step in steps])
    return Run(shown(Path(path.stem)), shown(path), _layers(values), steps, values, notes=notes)


def _tracked(path: Path, rows: list[Line], notes: list[str]) -> Run:
    """The snapshots of one layer, which has no name but the file's."""
    layer = shown(Path(path.stem))
    names = [str(row["snapshot"]) for row in rows]
    known = [
        {f"{kind}/{layer}": as_number(row[name]) for name, kind in TRACKED.items() if name in row}
        for row in rows
    ]
    n = {as_number(row.get("n")) for row in rows}
    return Run(
        title=layer,
        source=shown(path),
        layers=(layer,),
        steps=_numbers_in(names),
        values=columns(known),
        description={"n": int(n.pop() or 0)} if len(n) == 1 else {},
        names=names,
        notes=notes,
    )


def _numbers_in(names: list[str]) -> list[int]:
    """The last number in each name, if they rise as in epoch2, epoch10; else 1, 2, .."""
    found = [re.findall(r"[0-9]+", name) for name in names]
    numbers = [int(parts[-1]) for parts in found if parts]
    rises = all(a < b for a, b in itertools.pairwise(numbers))
    return numbers if len(numbers) == len(names) and rises else list(range(1, len(names) + 1))


def _layers(values: Iterable[str], known: Iterable[str] = ()) -> tuple[str, ...]:
    found = [parts[1] for parts in map(split, values) if parts]
    return tuple(dict.fromkeys([*known, *found]))
