"""The activations of units that a run keeps: which of them, and the files that hold them.

`units/NUMBER.npz` has the step, the groups of the samples where they have labels, and for each
layer, by its number in run.json, an array (units, samples) of float32.
"""

from __future__ import annotations

import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from eigentropy._support import memory
from eigentropy._support.npz_files import npz_array, npz_names
from eigentropy._support.options import integer, random_seed
from eigentropy.io.paths import FileError, named_errors, shown
from eigentropy.io.writing import write_atomically
from eigentropy.report import schema
from eigentropy.report.lines import shaped

Array = npt.NDArray[Any]

BYTES_PER_ACTIVATION = np.dtype(np.float32).itemsize

# Names of the arrays of a file that are of no layer.
STEP, GROUPS = "step", "groups"


@dataclass(frozen=True)
class Units:
    """How much a recorder keeps of the units of each layer: ``Monitor(..., units=Units(...))``.

    Parameters
    ----------
    per_layer : int
        Units of a layer at most, drawn once: the same at every step.
    samples : int
        Samples of the probe at most, drawn once, the same for all layers.
    measurements : int
        Measurements whose units are kept at most. When there are more, every second one is removed,
        so that the rest stays evenly spread over the run.
    max_bytes : int
        Of all files: where they would be larger, fewer measurements are kept.
    seed : int
        Of both draws.

    Examples
    --------
    >>> from eigentropy.report import Units
    >>> Units(64).measurements
    32
    """

    per_layer: int = 256
    samples: int = 256
    measurements: int = 32
    max_bytes: int = 2**28
    seed: int = 0

    def __post_init__(self) -> None:
        integer(self.per_layer, "per_layer", at_least=2)
        integer(self.samples, "samples", at_least=2)
        integer(self.measurements, "measurements", at_least=2)
        integer(self.max_bytes, "max_bytes", at_least=1)
        random_seed(self.seed)

    def plan(self, layers: int, n: int) -> UnitPlan:
        """What is kept of this number of layers, and of n samples.

        Raises
        ------
        ValueError
            Not even two steps fit into `max_bytes`.
        """
        samples = min(self.samples, n)
        size = max(1, layers * self.per_layer * samples * BYTES_PER_ACTIVATION)
        measurements = min(self.measurements, self.max_bytes // size)
        if measurements < 2:
            raise ValueError(
                f"units: a step of {layers} layers of up to {self.per_layer} units and {samples} "
                f"samples takes {size} bytes, and max_bytes={self.max_bytes} has no room for two: "
                "watch fewer layers, or give Units(per_layer, samples, max_bytes=...) other numbers"
            )
        return UnitPlan(self.per_layer, samples, measurements, n, self.seed)


@dataclass(frozen=True)
class UnitPlan:
    """What is kept of units, as run.json says it.

    Attributes
    ----------
    per_layer, samples, measurements : int
        The largest numbers of units of a layer, of samples, and of measurements.
    n : int
        Samples of the probe.
    seed : int
    """

    per_layer: int
    samples: int
    measurements: int
    n: int
    seed: int

    def chosen(self, rows: Array, shape: Sequence[int] | None) -> tuple[Array, int]:
        """What is kept of the rows (n, d) of a layer, and how many units the layer has.

        Raises
        ------
        ValueError
            An activation is too large for float32.
        """
        some = units_of(rows[self._drawn(len(rows), self.samples)], shape)
        columns = some.shape[1]
        with np.errstate(over="ignore"):
            kept = np.ascontiguousarray(some[:, self.chosen_units(columns)].T, dtype=np.float32)
        if not np.isfinite(kept).all():
            raise ValueError(
                f"units are kept in float32, and an activation of {np.abs(some).max():.3g} has no "
                "room in it: scale the layer, or leave it out of layers"
            )
        return kept, columns

    def chosen_samples(self, groups: Array) -> Array:
        """The groups of the samples that are kept."""
        chosen: Array = groups[self._drawn(len(groups), self.samples)]
        return chosen.astype(np.int32)

    def chosen_units(self, count: int) -> Array:
        """Which units of a layer are kept, of `count`."""
        return self._drawn(count, self.per_layer)

    def _drawn(self, n: int, most: int) -> npt.NDArray[np.int64]:
        if n <= most:
            return np.arange(n)
        return np.sort(np.random.default_rng(self.seed).choice(n, most, replace=False))


def as_units(units: Units | bool | int | None) -> Units | None:
    """What the argument `units` of a monitor stands for."""
    if units is None or units is False:
        return None
    if units is True:
        return Units()
    return units if isinstance(units, Units) else Units(integer(units, "units", at_least=2))


def units_of(rows: Array, shape: Sequence[int] | None) -> Array:
    """One column a unit: of rows that flatten channels or tokens, the mean over positions.

    Parameters
    ----------
    rows : array (n, d)
    shape : sequence of int, or None
        Of a sample's activation before it was flattened: (channels, ...), or (tokens, units). None
        where the columns are the units.
    """
    if shape is None or len(shape) < 2 or math.prod(shape) != rows.shape[1]:
        return rows
    whole = rows.reshape(len(rows), shape[0], -1)
    means: Array = whole.mean(axis=1 if len(shape) == 2 else 2)
    return means


def write_units(
    path: Path, step: int, layers: Mapping[int, Array], groups: Array | None = None
) -> None:
    """Write the file of a step, as a whole or not at all."""
    arrays = {str(number): kept for number, kept in layers.items()}
    if groups is not None:
        arrays[GROUPS] = groups
    content = io.BytesIO()
    np.savez(content, **{STEP: np.int64(step)}, **arrays)  # type: ignore[arg-type]
    write_atomically(path, content.getvalue())


@dataclass(frozen=True)
class UnitFile:
    """A file of units, of which the step and the groups have been read.

    Attributes
    ----------
    path : Path
    step : int
    groups : array of int, shape (samples,), or None
    names : list of str
        Of its arrays.
    """

    path: Path
    step: int
    groups: Array | None
    names: Sequence[str]

    def layer(self, number: int) -> Array | None:
        """The activations (units, samples) of the layer of this number, if it has them.

        Raises
        ------
        FileError
            They are no such array of finite numbers.
        """
        if str(number) not in self.names:
            return None
        with named_errors(self.path):
            kept = npz_array(self.path, str(number))
        _require(self.path, str(number), kept, 2, "f", "activations (units, samples) of floats")
        with np.errstate(over="ignore"):
            kept = kept.astype(np.float32, copy=False)
        if self.groups is not None and kept.shape[1] != len(self.groups):
            raise FileError(
                f"{shown(self.path, str(number))} has {kept.shape[1]} samples, and "
                f"{shown(self.path, GROUPS)} has {len(self.groups)}"
            )
        if not np.isfinite(kept).all():
            raise FileError(
                f"{shown(self.path, str(number))} has NaN or infinity; finite numbers of float32 "
                "are wanted"
            )
        return kept


def read_units(path: Path) -> UnitFile:
    """Open the file of a step.

    Raises
    ------
    FileError
        It is damaged, or something else.
    """
    with named_errors(path):
        names = npz_names(path)
        if STEP not in names:
            raise FileError(f"{shown(path)} has no array {STEP!r}: it is no file of units")
        step = npz_array(path, STEP)
        groups = npz_array(path, GROUPS) if GROUPS in names else None
    _require(path, STEP, step, 0, "iu", "a whole number")
    if groups is not None:
        _require(path, GROUPS, groups, 1, "iu", "one whole number a sample")
    return UnitFile(path, shaped(int(step), schema.STEP, shown(path, STEP)), groups, names)


def stacked(
    files: Sequence[UnitFile], number: int, name: str, where: str
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]:
    """The steps (e,) and activations (e, units, samples) of a layer in the files that have it.

    Raises
    ------
    FileError
        The files differ in the number of units or samples.
    MemoryError
        They do not fit.
    """
    steps: list[int] = []
    found: list[Array] = []
    for file in files:
        kept = file.layer(number)
        if kept is None:
            continue
        if not found:
            size = float(BYTES_PER_ACTIVATION * kept.size * len(files))
            memory.require(2 * size, f"the units of {name} in {where}", "keep fewer steps of them")
        elif kept.shape != found[0].shape:
            raise FileError(
                f"{shown(file.path, str(number))} has {kept.shape[0]} units and {kept.shape[1]} "
                f"samples, at step {steps[0]} there are {found[0].shape[0]} and "
                f"{found[0].shape[1]}: one of the files is of another run"
            )
        steps.append(file.step)
        found.append(kept)
    units = np.stack(found) if found else np.empty((0, 0, 0), np.float32)
    return np.array(steps, dtype=np.int64), units


def _require(path: Path, name: str, array: Array, ndim: int, kinds: str, wanted: str) -> None:
    if array.ndim != ndim or array.dtype.kind not in kinds or (ndim and 0 in array.shape):
        raise FileError(
            f"{shown(path, name)} has shape {array.shape} and dtype {array.dtype}; {wanted} "
            "is wanted"
        )
