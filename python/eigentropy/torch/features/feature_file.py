"""The file of features that `extract` writes: rows, labels, and where they come from."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy.typing as npt

from eigentropy.io.paths import FileError, named_errors, require_file, shown
from eigentropy.io.safetensors import opened
from eigentropy.torch.features.extractors import FEATURES, LAYER

Array = npt.NDArray[Any]

# What the files say that they are. The number changes when a reader would misread them.
FORMAT = "eigentropy features 1"

# What decides about the rows, and about nothing else.
IDENTITY = (
    "weights", "architecture", "data", "labels", "preprocessing", "pooling", "output", "layers",
    "dtype",
)  # fmt: skip

# What is not known is never the same.
UNKNOWN = "unknown"


@dataclass(frozen=True, repr=False)
class FeatureFile:
    """A .safetensors file of features. Its rows are read when they are asked for.

    `eigentropy.io.read_matrix(path)` reads the features, too, `read_labels(path)` the labels, and
    ``path:layers.NAME`` means the rows of an inner layer.

    Attributes
    ----------
    path : Path
    shapes : mapping of str to tuple of int
        Of what is in the file: ``features``, ``layers.NAME`` for each inner layer, ``labels``.
    metadata : mapping of str to str
        ``source``, ``digest`` (sha256 of all that decides about the rows: ``weights``,
        ``architecture``, ``data`` and ``labels``, themselves sha256, ``preprocessing``,
        ``pooling``, ``output``, ``layers``, ``dtype``), ``classes`` (JSON, the name of each label),
        ``versions`` (JSON), ``device``, ``batch_size``, ``rows_not_finite``, ``seconds`` and
        ``samples_per_second``.
    """

    path: Path
    shapes: Mapping[str, tuple[int, ...]]
    metadata: Mapping[str, str]

    @classmethod
    def open(cls, path: str | os.PathLike[str]) -> FeatureFile:
        """Read what a file says of itself, and none of its rows.

        Raises
        ------
        FileError
            There is no such file, or `extract` did not write it.
        """
        path = Path(path)
        require_file(path)
        with named_errors(path):
            opened(path)  # which checks it
            with path.open("rb") as file:
                header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
        metadata = header.pop("__metadata__", {})
        if metadata.get("format") != FORMAT:
            raise FileError(
                f"{shown(path)} was not written by eigentropy.torch.features.extract; "
                "eigentropy.io.read_matrix reads other files"
            )
        return cls(path, {key: tuple(one["shape"]) for key, one in header.items()}, metadata)

    def __repr__(self) -> str:
        """Where the rows come from, how many there are and where they lie."""
        shapes = {key: " x ".join(map(str, shape)) for key, shape in self.shapes.items()}
        rows = shapes.pop(FEATURES, "no rows")
        beside = f", {', '.join(f'{key} {shape}' for key, shape in shapes.items())}"
        data = self.metadata.get("data", UNKNOWN)[:8]
        return (
            f"FeatureFile({shown(self.path)!r}: {rows} of {self.metadata.get('source')}, "
            f"data {data}{beside * bool(shapes)})"
        )

    @property
    def features(self) -> Array:
        """The rows, of shape (n, d)."""
        return self.read(FEATURES)

    @property
    def labels(self) -> Array | None:
        """One label a row, of shape (n,); None if the data have none."""
        return self.read("labels") if "labels" in self.shapes else None

    @property
    def classes(self) -> list[str] | None:
        """The name of each label; None if labels have no names."""
        text = self.metadata.get("classes")
        return None if text is None else list(json.loads(text))

    @property
    def layers(self) -> list[str]:
        """The names of the inner layers whose rows are in the file."""
        return [key.removeprefix(LAYER) for key in self.shapes if key.startswith(LAYER)]

    def read(self, key: str) -> Array:
        """The rows of ``features``, ``labels`` or ``layers.NAME``, mapped into memory.

        Raises
        ------
        FileError
            There is no such key.
        """
        if key not in self.shapes:
            raise FileError(f"{shown(self.path)} has no {key!r}; it has {', '.join(self.shapes)}")
        return opened(self.path)[key]()

    def differing(self, identity: Mapping[str, str]) -> list[str]:
        """What is not the same as in the file, of all that decides about the rows."""
        pairs = {key: (self.metadata.get(key), identity.get(key)) for key in IDENTITY}
        return [
            key for key, (own, other) in pairs.items() if own != other or UNKNOWN in (own, other)
        ]
