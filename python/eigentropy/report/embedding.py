"""Units over the steps of a run as the page shows them: M-PHATE, and numbers over the units.

An embedding takes a while. It is kept in the run, in `embedded/NUMBER.json` by the number of the
layer, with a key of what it was computed from: a page that is made again reads it.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import time
import warnings
from collections.abc import Iterator
from importlib.metadata import version as version_of
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from eigentropy import embed
from eigentropy._support.lifetime import version
from eigentropy._support.warnings import warn
from eigentropy.io.paths import FileError, shown
from eigentropy.report import run_files, schema
from eigentropy.report.lines import json_object, shaped
from eigentropy.report.runs import Run
from eigentropy.report.views import INSTALL, has_phate, thousandths

Array = npt.NDArray[Any]
Floats = npt.NDArray[np.float32]

# The most steps and units of a layer that are embedded, evenly chosen, and the most points.
STEPS, UNITS, POINTS = 20, 100, 1000

# The time in which embeddings begin that were not computed before.
SECONDS = 60.0

EMBEDDED = "embedded"

NO_PICTURE = f"The units are not drawn: their embedding needs the package phate, {INSTALL}."


class Deadline:
    """The time until which something may begin.

    Parameters
    ----------
    seconds : float
        From now.
    """

    def __init__(self, seconds: float = SECONDS) -> None:
        self.seconds = seconds
        self._end = time.monotonic() + seconds

    @property
    def is_over(self) -> bool:
        """Whether nothing may begin any more."""
        return time.monotonic() >= self._end


def embedded_units(run: Run, deadline: Deadline) -> tuple[list[dict[str, Any]], list[str]]:
    """What the page shows of the units of each layer, and what it does not show.

    Raises
    ------
    FileError
        A file of units is damaged.

    Warns
    -----
    UserWarning
        A layer has units and is not shown: why.
    """
    found, notes = [], []
    for number in _recorded(run):
        layer = run.layers[number] or "(whole model)"
        try:
            found.append(_of_layer(run, number, deadline))
        except _LeftOutError as error:
            notes.append(f"The units of layer {layer} are not drawn: {error}.")
            warn(f"{run.title}: {notes[-1]}")
    return found, [*notes, *undrawn(run)]


def undrawn(run: Run) -> list[str]:
    """That units were recorded and that there is nothing to draw them with, if so."""
    return [NO_PICTURE] if run.unit_files and not has_phate() else []


class _LeftOutError(Exception):
    """Why a layer has no embedding."""


def _recorded(run: Run) -> Iterator[int]:
    """Numbers of the layers that have units."""
    names = {name for file in run.unit_files for name in file.names}
    return (number for number in range(len(run.layers)) if str(number) in names)


def _of_layer(run: Run, number: int, deadline: Deadline) -> dict[str, Any]:
    layer = run.layers[number]
    steps, units = run.units(layer)
    kept = _evenly(len(steps), STEPS)
    drawn = _evenly(units.shape[1], min(UNITS, POINTS // len(kept)))
    some = units[kept][:, drawn]
    groups = run.unit_files[0].groups
    key = _key(some, steps[kept], groups)
    path = run.unit_files[0].path.parent.parent / EMBEDDED / f"{number:06d}.json"
    shape = (len(kept), len(drawn))
    known = _kept(path, key, shape)
    if known is None:
        if deadline.is_over:
            raise _LeftOutError(
                f"the embeddings before have taken {deadline.seconds:g} s, after which none is "
                "begun; these are kept, and the next page goes on with this layer"
            )
        known = {"key": key, **_computed(some, groups)}
        with contextlib.suppress(OSError, FileError):  # a run that may only be read
            path.parent.mkdir(exist_ok=True)
            run_files.write_json(path, known)
    plan = run.description.get("units") or {}
    return {
        **{name: value for name, value in known.items() if name != "key"},
        "layer": number,
        "steps": steps[kept].tolist(),
        "drawn": drawn.tolist(),
        "kept": units.shape[1],
        "all": (run.description.get("columns") or {}).get(layer, units.shape[1]),
        "samples": units.shape[2],
        "of": plan.get("n", units.shape[2]),
    }


def _evenly(count: int, most: int) -> npt.NDArray[np.int64]:
    """Numbers below `count`, the first and the last among them, at most `most`."""
    return np.unique(np.linspace(0, count - 1, min(count, most)).round().astype(np.int64))


def _key(units: Floats, steps: Array, groups: Array | None) -> str:
    """Tells what an embedding was computed from, and by what."""
    libraries = [version(), version_of("phate") if has_phate() else None]
    told = hashlib.sha256(json.dumps([*libraries, units.shape, steps.tolist()]).encode())
    told.update(np.ascontiguousarray(units).tobytes())
    told.update(b"" if groups is None else groups.astype(np.int64).tobytes())
    return told.hexdigest()


def _kept(path: Path, key: str, shape: tuple[int, int]) -> dict[str, Any] | None:
    """The embedding of this key, if the run has it; what is damaged is computed again."""
    if not path.is_file():
        return None
    try:
        document: dict[str, Any] = shaped(json_object(path), schema.embedded(*shape), shown(path))
    except FileError:
        return None
    return document if document["key"] == key else None


def _computed(units: Floats, groups: Array | None) -> dict[str, Any]:
    """Coordinates, and numbers over the units (epochs, units, samples).

    Constant units and the width have warnings, which are about the picture of one layer and are
    said by its numbers.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            numbers = embed.unit_entropies(units)
            coordinates = embed.mphate(units).coordinates if has_phate() else None
        except Exception as error:  # of libraries, of any kind; the page matters more
            raise _LeftOutError(
                " ".join(str(error).split())[:300] or type(error).__name__
            ) from error
    return {
        "dse": _rounded(numbers.dse),
        "kernel": _rounded(numbers.kernel_entropy),
        "multislice": float(f"{numbers.multislice:.4g}"),
        "between": float(f"{numbers.step.between_share:.4g}"),
        "constant": int(np.count_nonzero(np.ptp(units, axis=2).max(axis=0) == 0)),
        "coordinates": None if coordinates is None else _flat(coordinates),
        "answers": None if groups is None else _answers(units, groups).ravel().tolist(),
    }


def _rounded(values: Array) -> list[float]:
    return [round(float(value), 4) for value in values]


def _flat(coordinates: Array) -> list[list[float]]:
    """Two lists, step by step, in thousandths of the largest distance from the mean."""
    points = coordinates.reshape(-1, coordinates.shape[-1])
    return thousandths(points - points.mean(axis=0))


def _answers(units: Floats, groups: Array) -> npt.NDArray[np.int64]:
    """The group of samples that each unit answers most, at each step, in the mean."""
    present = np.unique(groups)
    means = np.stack([units[:, :, groups == group].mean(axis=2) for group in present])
    answers: npt.NDArray[np.int64] = present[means.argmax(axis=0)].astype(np.int64)
    return answers
