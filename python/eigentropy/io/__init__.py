"""Files of matrices and labels, and the snapshots of a training run.

>>> import pathlib, tempfile
>>> import numpy as np
>>> from eigentropy.io import read_matrix
>>> with tempfile.TemporaryDirectory() as directory:
...     np.save(pathlib.Path(directory) / "z.npy", np.eye(3))
...     read_matrix(pathlib.Path(directory) / "z.npy").shape
(3, 3)
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from eigentropy._support.signatures import missing_name

if TYPE_CHECKING:
    from eigentropy._measures.measurement import MeasurementSettings
    from eigentropy.io.files import read_labels, read_matrix, read_sample, read_variable
    from eigentropy.io.paths import FileError
    from eigentropy.io.snapshot_rows import SnapshotRow
    from eigentropy.io.snapshots import track

__all__ = [
    "FileError",
    "MeasurementSettings",
    "SnapshotRow",
    "read_labels",
    "read_matrix",
    "read_sample",
    "read_variable",
    "track",
]

_MODULES = {
    "FileError": "io.paths",
    "MeasurementSettings": "_measures.measurement",
    "SnapshotRow": "io.snapshot_rows",
    "track": "io.snapshots",
}


def __getattr__(name: str) -> Any:
    """Import the module of a name when the name is first used."""
    if name in __all__:
        module = import_module(f"eigentropy.{_MODULES.get(name, 'io.files')}")
        return getattr(module, name)
    raise missing_name(__name__, name)


def __dir__() -> list[str]:
    return __all__
