"""What a matrix is compared with: labels and other vectors, from arrays and from files."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np

from eigentropy._backends.host_arrays import Matrix, as_numpy
from eigentropy._measures.measurement import MeasurementSettings, Variable
from eigentropy._support.warnings import GroupWarning, warn
from eigentropy.io import files
from eigentropy.io.paths import is_file_name, shown, split_key


def read_shared(
    labels: Any, against: Any, settings: MeasurementSettings
) -> tuple[dict[str, Variable], str | None]:
    """Read what a matrix is compared with, or name the column of its own file with the labels.

    `labels` is an array, a path, or the name of that column: any string that does not end in a
    suffix of a known kind of file. `against` is an array or a path.
    """
    shared: dict[str, Variable] = {}
    column = None
    if isinstance(labels, str) and not is_file_name(labels):
        column = labels
    elif isinstance(labels, (str, os.PathLike)):
        values = files.read_labels(labels)
        shared["labels"] = _labels(shown(Path(labels)), values, settings)
    elif labels is not None:
        shared["labels"] = Variable("labels", as_numpy(labels, "labels"), settings.kind)
    if isinstance(against, (str, os.PathLike)):
        values = files.read_variable(against)
        kind = "vectors" if values.shape[1] > 1 else "scalars"
        shared["against"] = Variable(shown(Path(against)), values, kind)
    elif against is not None:
        shared["against"] = Variable("against", as_numpy(against, "against"), "auto")
    return shared, column


def read_with_labels(
    path: str | os.PathLike[str],
    key: str | None,
    column: str | None,
    shared: dict[str, Variable],
    settings: MeasurementSettings,
    columns: files.Names | None = None,
    without: files.Names = (),
) -> tuple[Matrix, dict[str, Variable]]:
    """Read a matrix, and what it is compared with: `shared`, and the labels in its own file."""
    Z, own = files.read_sample(path, key, column, columns=columns, without=without)
    if own is None:
        return Z, shared
    labels = _labels(shown(split_key(path, None)[0], column), own, settings)
    return Z, {"labels": labels, **shared}


def _labels(source: str, values: Any, settings: MeasurementSettings) -> Variable:
    """Labels of a file; what is done with floats is said where it may not be what was meant."""
    if settings.kind == "auto" and values.dtype.kind == "f" and (values == np.rint(values)).all():
        warn(
            f"{source}: the labels are whole numbers written as floats, which are cut into "
            f"{settings.n_clusters} bins; where they are classes, say so by --kind labels (in "
            "Python kind='labels'), and --kind scalars asks for bins",
            GroupWarning,
        )
        return Variable(source, values, "scalars")  # of which nothing more is said
    return Variable(source, values, settings.kind)
