"""Whether a file holds already what would be computed."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy.typing as npt

from eigentropy.io.paths import FileError, OutputExistsError, shown
from eigentropy.torch.features import digests
from eigentropy.torch.features.extractors import Extractor, Request
from eigentropy.torch.features.feature_file import IDENTITY, UNKNOWN, FeatureFile
from eigentropy.torch.features.sample_sets import SampleSet

Array = npt.NDArray[Any]

SUFFIX = ".safetensors"


def check_path(path: Path, overwrite: bool) -> None:
    """Refuse a path, before a model is loaded, that could not or must not be written.

    Raises
    ------
    FileError
        It has another suffix, or lies in what is no directory.
    OutputExistsError
        A file is there that `extract` has not written, and `overwrite` is false.
    """
    if path.suffix.lower() != SUFFIX:
        raise FileError(f"path must end in {SUFFIX}, got {shown(path)}")
    if path.is_dir():
        raise FileError(f"{shown(path)} is a directory; a file is wanted")
    above = next(folder for folder in path.absolute().parents if os.path.lexists(folder))
    if not above.is_dir():
        raise FileError(f"{shown(path)} cannot be written: {shown(above)} is no directory")
    if path.exists() and not overwrite:
        try:
            FeatureFile.open(path)
        except FileError as error:
            raise OutputExistsError(
                f"{error}; it is left as it is: choose another path, or overwrite=True"
            ) from error


def identity_of(
    extractor: Extractor,
    wanted: Request,
    samples: SampleSet,
    labels: Array | None,
    classes: tuple[str, ...] | None,
) -> dict[str, str]:
    """What decides about the rows, each part as a text."""
    pooling = digests.described(wanted.pooling) if callable(wanted.pooling) else wanted.pooling
    known: dict[str, str | None] = {
        "architecture": "",
        "data": samples.digest(),
        "labels": "" if labels is None else _of_labels(labels, classes or ()),
        "preprocessing": extractor.preparation.described,
        "pooling": pooling,
        "output": "" if wanted.output is None else str(wanted.output),
        "layers": json.dumps(list(wanted.layers)),
        "dtype": str(wanted.dtype).removeprefix("torch."),
        **extractor.identity,
    }
    return {key: UNKNOWN if known[key] is None else str(known[key]) for key in IDENTITY}


def _of_labels(labels: Array, classes: tuple[str, ...]) -> str:
    return digests.of_parts([digests.of_array(labels), *classes])


def existing(
    path: Path, identity: Mapping[str, str], dtype: Any, overwrite: bool
) -> FeatureFile | None:
    """The file that is there, if it holds what would be computed.

    Raises
    ------
    OutputExistsError
        It holds something else, and may not be replaced.
    """
    if not path.exists():
        return None
    try:
        found = FeatureFile.open(path)
    except FileError:
        return None  # and it may be replaced, as `check_path` has seen
    # The default type depends on the machine; whoever names none takes either.
    differing = [key for key in found.differing(identity) if key != "dtype" or dtype is not None]
    if not differing:
        return found
    if overwrite:
        return None
    parts = ", ".join(
        f"{key} (not known, and so never taken for the same)" if identity[key] == UNKNOWN else key
        for key in differing
    )
    raise OutputExistsError(
        f"{shown(path)} holds features of {found.metadata['source']} that differ in: {parts}. It "
        "is left as it is; choose another path, or replace it by overwrite=True"
    )
