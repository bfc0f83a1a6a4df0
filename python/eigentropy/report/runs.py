"""Reading what a monitor or `eigentropy track` has written: a run, or a plain log of values."""

from __future__ import annotations

import itertools
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from eigentropy._support.memory import require
from eigentropy.io.paths import FileError, listed, named_errors, shown
from eigentropy.report import schema
from eigentropy.report.lines import (
    LEFT_OUT,
    REMEDY,
    Line,
    json_lines,
    json_object,
    require_size,
    shaped,
    table_lines,
)
from eigentropy.report.measures import EVIDENCE, OF_LAYERS
from eigentropy.report.run_files import PROFILES, RUN, SPECTRA, UNITS, VALUES, VIEWS
from eigentropy.report.schema import TRACKED
from eigentropy.report.shapes import Shape, shortened
from eigentropy.report.unit_files import Array, UnitFile, read_units, stacked

# A number of a measurement, as it lies in a run and on its page.
BYTES_PER_CELL = 64

# Digits that a number in the name of a snapshot may have: JavaScript holds such numbers exactly.
MOST_DIGITS = 15

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
        ``step``, ``groups`` and for each of ``layers``, and of ``phate`` where it was recorded, two
        lists of coordinates.
    profiles : dict of int to dict
        By step: ``layers`` with their numbers and sampling errors, and ``neighbours`` with the
        p-value of the paired test of layer ``b`` and the one before it.
    names : list of str, or None
        Of the steps, where they are the snapshots of `eigentropy track`.
    notes : list of str
        What is missing, and why.
    unit_files : list of UnitFile
        Where `units` finds the activations of units.
    """

    title: str
    source: str
    layers: tuple[str, ...]
    steps: list[int]
    values: dict[str, list[float | None]]
    description: dict[str, Any] = field(default_factory=dict)
    spectra: dict[int, dict[str, Any]] = field(default_factory=dict)
    views: list[dict[str, Any]] = field(default_factory=list)
    profiles: dict[int, dict[str, Any]] = field(default_factory=dict)
    names: list[str] | None = None
    notes: list[str] = field(default_factory=list)
    unit_files: list[UnitFile] = field(default_factory=list, compare=False)

    def __repr__(self) -> str:
        return (
            f"Run({self.title!r}, {len(self.layers)} layers, {len(self.steps)} measurements of "
            f"{len(self.values)} values)"
        )

    def units(self, layer: str) -> tuple[Array, Array]:
        """The activations of a layer's units on the probe, as ``Monitor(..., units=True)`` keeps.

        Returns
        -------
        steps : array of int, shape (e,)
            The measurements that have them.
        units : array of float32, shape (e, u, s)
            Of each unit on each sample: the same units and samples at all steps.

        Raises
        ------
        ValueError
            The run has no such layer, or no units of it.
        FileError
            A file is damaged.
        MemoryError
            They do not fit into memory.
        """
        if layer not in self.layers:
            raise ValueError(
                f"layer={layer!r} is not in {self.source}; it has {listed([*self.layers])}"
            )
        number = self.layers.index(layer)
        steps, units = stacked(self.unit_files, number, layer or "the whole model", self.source)
        if not len(steps):
            raise ValueError(
                f"{self.source} has no units of layer {layer!r}: record them by "
                "Monitor(..., record=path, units=True)"
            )
        return steps, units

    def series(self, kind: str) -> dict[str, list[float | None]]:
        """The values of one measure by layer."""
        found = {layer: self.values.get(f"{kind}/{layer}") for layer in self.layers}
        return {layer: values for layer, values in found.items() if values is not None}

    def bands(self, kind: str) -> tuple[str, dict[str, list[float | None]]]:
        """What the standard errors of a measure are over, and the errors by layer."""
        samples = self.series(f"{kind}_sampling_se")
        return ("samples", samples) if samples else ("partitions", self.series(f"{kind}_null_se"))

    def alarm_names(self) -> list[str]:
        """Of the alarms that watched the run."""
        heads = dict.fromkeys(key.partition("/")[0] for key in self.values if "/" in key)
        return [head for head in heads if f"{head}{EVIDENCE}" in heads]

    def alarms(self) -> dict[int, list[tuple[str, str, float | None]]]:
        """Name, layer and evidence of each alarm, by the step at which it was raised."""
        found: dict[int, list[tuple[str, str, float | None]]] = {}
        for name in self.alarm_names():
            evidences = self.series(f"{name}{EVIDENCE}")
            for layer, flags in self.series(name).items():
                known = [(i, flag) for i, flag in enumerate(flags) if flag is not None]
                for (_, before), (i, flag) in itertools.pairwise([(-1, 0.0), *known]):
                    if flag and not before:
                        evidence = evidences[layer][i] if layer in evidences else None
                        found.setdefault(self.steps[i], []).append((name, layer, evidence))
        return dict(sorted(found.items()))

    def scalars(self) -> dict[str, list[float | None]]:
        """The caller's own values, such as a loss, and what else was logged beside the measures."""
        flags = self.alarm_names()
        return {
            key: values
            for key, values in self.values.items()
            if split(key) is None and key.partition("/")[0] not in flags
        }


def split(key: str) -> tuple[str, str] | None:
    """Measure and layer of a key, None for a value that is neither."""
    kind, slash, layer = key.partition("/")
    return (kind, layer) if slash and kind in OF_LAYERS else None


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
    maps = sorted((path / VIEWS).glob("*.json"))
    files = map(read_units, sorted((path / UNITS).glob("*.npz")))
    units = {file.step: file for file in files}  # the last measurement of a step counts
    profiles = [path / PROFILES] if (path / PROFILES).exists() else []
    require_size([path / RUN, path / VALUES, path / SPECTRA, *profiles, *maps], path)
    known = _described(path / RUN)
    notes: list[str] = []
    rows = _by_step(json_lines(path / VALUES, schema.VALUES, notes), path, notes)
    spectrum = schema.spectra(len(known["times"]))
    spectra = {row["step"]: row["layers"] for row in json_lines(path / SPECTRA, spectrum, notes)}
    compared = [row for file in profiles for row in json_lines(file, schema.PROFILE, notes)]
    view = schema.view(known.get("classes"))
    views = [shaped(json_object(file), view, shown(file)) for file in maps]
    return Run(
        title=known.get("title") or shown(Path(path.absolute().name)),
        source=shown(path),
        layers=_layers(rows.values(), known["layers"]),
        steps=list(rows),
        values=_columns(rows, path, known["layers"]),
        description=known,
        spectra={step: spectra[step] for step in rows if step in spectra},
        views=[view for view in views if view["step"] in rows and view["layers"]],
        profiles={row["step"]: row for row in compared if row["step"] in rows},
        notes=notes,
        unit_files=[units[step] for step in rows if step in units],
    )


def _described(path: Path) -> dict[str, Any]:
    """`run.json`, as far as others rely on it. A newer format may have any shape."""
    document = json_object(path)
    version = shaped(document, schema.VERSION, shown(path))["format"]
    if version > schema.FORMAT:
        raise FileError(
            f"{shown(path)} has format {version}, this version reads up to {schema.FORMAT}: "
            "update eigentropy"
        )
    known = shaped(document, schema.DESCRIPTION, shown(path))
    return {"layers": [], "times": [], "base": 2.0, **known}


def _read_log(path: Path) -> Run:
    require_size([path], path)
    notes = ["a log of values: it has no spectra, no maps and no settings, which a run has"]
    if path.suffix.lower() == ".csv":
        lines = table_lines(path, partial(_shape_of_table, path), notes)
        if lines and "snapshot" in lines[0]:
            return _tracked(path, lines, notes)
    else:
        lines = json_lines(path, schema.VALUES, notes)
    rows = _by_step(lines, path, notes)
    return Run(
        title=shown(Path(path.stem)),
        source=shown(path),
        layers=_layers(rows.values()),
        steps=list(rows),
        values=_columns(rows, path),
        notes=notes,
    )


def _shape_of_table(path: Path, header: list[str]) -> Shape:
    """That of a log, or of the table of `eigentropy track`."""
    if "step" in header or not header:
        return schema.WRITTEN_VALUES
    if {"snapshot", "dse"} <= set(header):
        return schema.SNAPSHOT
    found = ", ".join(map(shortened, header[:8])) + (", ..." if header[8:] else "")
    raise FileError(
        f"{shown(path)} is neither a log of a monitor nor a table of eigentropy track: its columns "
        f"are {found}; a log has the column 'step', a table of track 'snapshot' and "
        "'dse', with commas between them"
    )


def _by_step(rows: Iterable[Line], path: Path, notes: Sequence[str]) -> dict[int, Line]:
    """The last measurement of each step, ascending."""
    known = {row["step"]: {k: v for k, v in row.items() if k != "step"} for row in rows}
    if not known:
        torn = "".join(f"; {note}" for note in notes if LEFT_OUT in note)
        raise FileError(f"{shown(path)} holds no measurement yet{torn}")
    return dict(sorted(known.items()))


def _columns(
    rows: Mapping[int, Line], path: Path, layers: Sequence[str] = ()
) -> dict[str, list[float | None]]:
    """A list for each key, with None where a measurement lacks the key."""
    keys = dict.fromkeys(key for row in rows.values() for key in row)
    require(
        BYTES_PER_CELL * len(rows) * (len(keys) + len(layers)),
        f"{shown(path)} of {len(rows)} measurements, {len(keys)} values and {len(layers)} layers",
        REMEDY,
    )
    return {key: [row.get(key) for row in rows.values()] for key in keys}


def _tracked(path: Path, rows: Sequence[Line], notes: list[str]) -> Run:
    """The snapshots of one layer, which has no name but the file's."""
    layer = shown(Path(path.stem))
    names = [row["snapshot"] for row in rows]
    values = [{f"{TRACKED[k]}/{layer}": v for k, v in row.items() if k in TRACKED} for row in rows]
    n = {row.get("n") for row in rows}
    return Run(
        title=layer,
        source=shown(path),
        layers=(layer,),
        steps=(steps := _numbers_in(names)),
        values=_columns(dict(zip(steps, values, strict=True)), path),
        description={"n": n.pop()} if len(n) == 1 and None not in n else {},
        names=names,
        notes=notes,
    )


def _numbers_in(names: list[str]) -> list[int]:
    """The last number in each name, if they rise as in epoch2, epoch10; else 1, 2, .."""
    found = [re.findall(r"[0-9]+", name) for name in names]
    numbers = [int(parts[-1]) for parts in found if parts and len(parts[-1]) <= MOST_DIGITS]
    rises = all(a < b for a, b in itertools.pairwise(numbers))
    return numbers if len(numbers) == len(names) and rises else list(range(1, len(names) + 1))


def _layers(rows: Iterable[Line], known: Iterable[str] = ()) -> tuple[str, ...]:
    keys = dict.fromkeys(key for row in rows for key in row)
    found = [parts[1] for parts in map(split, keys) if parts]
    return tuple(dict.fromkeys([*known, *found]))
