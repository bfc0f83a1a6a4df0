"""Reading what a monitor or `eigentropy track` has written: a run, or a plain log of values."""

from __future__ import annotations

import csv
import itertools
import json
import math
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from eigentropy._support.options import logarithm_base
from eigentropy.io.files import FileError, listed, named_errors, shown
from eigentropy.report.recording import FORMAT, RUN, SPECTRA, VALUES, VIEWS

MEASURES = ("dse", "dsmi_y", "dsmi_x", "dsmi_previous")
KINDS = (*MEASURES, *(f"{name}_adjusted" for name in MEASURES[1:]))

# Columns of `eigentropy track`, by what a monitor calls the same.
TRACKED = {
    "dse": "dse",
    "dsmi_labels": "dsmi_y",
    "dsmi_labels_adjusted": "dsmi_y_adjusted",
    "dsmi_against": "dsmi_x",
    "dsmi_against_adjusted": "dsmi_x_adjusted",
}

LOGS = (".csv", ".jsonl", ".ndjson")

Row = dict[str, Any]


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
        ``eigenvalues`` (those of `recording.ranks`).
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
    return (kind, layer) if slash and kind in KINDS else None


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
    rows = _by_step(_json_lines(path / VALUES, notes), path)
    steps = sorted(rows)
    spectra = {row["step"]: row["layers"] for row in _json_lines(path / SPECTRA, notes)}
    views = [_json(file) for file in sorted((path / VIEWS).glob("*.json"))]
    values = _columns([rows[step] for step in steps])
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
    known = _json(path)
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
    lines = _table(path) if is_table else _json_lines(path, notes)
    if lines and "step" not in lines[0] and {"snapshot", "dse"} <= set(lines[0]):
        return _tracked(path, lines, notes)
    rows = _by_step(lines, path)
    steps = sorted(rows)
    values = _columns([rows[step] for step in steps])
    return Run(shown(Path(path.stem)), shown(path), _layers(values), steps, values, notes=notes)


def _tracked(path: Path, rows: list[Row], notes: list[str]) -> Run:
    """The snapshots of one layer, which has no name but the file's."""
    layer = shown(Path(path.stem))
    names = [str(row["snapshot"]) for row in rows]
    known = [
        {f"{kind}/{layer}": _number(row[name]) for name, kind in TRACKED.items() if name in row}
        for row in rows
    ]
    n = {_number(row.get("n")) for row in rows}
    return Run(
        title=layer,
        source=shown(path),
        layers=(layer,),
        steps=_numbers_in(names),
        values=_columns(known),
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


def _json(path: Path) -> dict[str, Any]:
    with named_errors(path):
        document = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(document, dict):
            raise ValueError(f"it holds {type(document).__name__}, not an object")
        return document


def _json_lines(path: Path, notes: list[str]) -> list[Row]:
    """All lines; the last one may be torn."""
    with named_errors(path):
        lines = path.read_text(encoding="utf-8", errors="replace").split("\n")
    *whole, last = [line for line in lines if line.strip()] or [""]
    rows = [_line(text, path, number) for number, text in enumerate(whole, 1)]
    try:
        return [*rows, _line(last, path, len(lines))] if last else rows
    except FileError:
        notes.append(f"the last line of {shown(Path(path.name))} was torn, and is left out")
        return rows


def _line(text: str, path: Path, number: int) -> Row:
    try:
        row = json.loads(text)
    except json.JSONDecodeError as error:
        raise FileError(f"{shown(path)}, line {number}: no JSON: {error}") from error
    if not isinstance(row, dict):
        raise FileError(f"{shown(path)}, line {number}: no object, but {type(row).__name__}")
    return row


def _table(path: Path) -> list[Row]:
    with path.open(newline="", encoding="utf-8") as file:
        return [{k: v for k, v in row.items() if k} for row in csv.DictReader(file, strict=True)]


def _by_step(rows: Iterable[Row], path: Path) -> dict[int, Row]:
    """The last measurement of each step, as numbers."""
    known: dict[int, Row] = {}
    for number, row in enumerate(rows, 1):
        try:
            step = int(row["step"])
            known[step] = {k: _number(v) for k, v in row.items() if k != "step"}
        except KeyError:
            raise FileError(
                f"{shown(path)}: measurement {number} has no 'step'; a log of a monitor, or the "
                "table of eigentropy track, is wanted"
            ) from None
        except (TypeError, ValueError) as error:
            raise FileError(f"{shown(path)}: measurement {number}: {error}") from error
    if not known:
        raise FileError(f"{shown(path)} holds no measurement yet")
    return known


def _number(value: Any) -> float | None:
    """None for what is empty, null, NaN or infinite."""
    if value in (None, ""):
        return None
    number = float(value)
    return number if math.isfinite(number) else None


def _columns(rows: Sequence[Mapping[str, float | None]]) -> dict[str, list[float | None]]:
    keys = dict.fromkeys(key for row in rows for key in row)
    return {key: [row.get(key) for row in rows] for key in keys}


def _layers(values: Iterable[str], known: Iterable[str] = ()) -> tuple[str, ...]:
    found = [parts[1] for parts in map(split, values) if parts]
    return tuple(dict.fromkeys([*known, *found]))
