"""What `extract` asks of its data, and labels as they are written to a file."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from eigentropy.io.paths import FileError, shown
from eigentropy.io.snapshot_files import natural_key

Array = npt.NDArray[Any]


class SampleSet:
    """SampleSet in a fixed order, each of which is made when it is asked for.

    Attributes
    ----------
    kind : {"images", "texts", "inputs"}
        What a sample is: a picture of Pillow in RGB, a str, or a tensor for the model as it is.
    labels : array of shape (n,) or None
        Whole numbers or floats.
    classes : tuple of str or None
        The name of each label, where labels are the numbers 0, 1, ...
    """

    kind: str
    labels: Array | None = None
    classes: tuple[str, ...] | None = None

    def __len__(self) -> int:
        """How many samples there are."""
        raise NotImplementedError

    def __getitem__(self, index: int) -> Any:
        """One sample."""
        raise NotImplementedError

    def digest(self) -> str:
        """SHA-256 of all samples, in their order."""
        raise NotImplementedError

    def name(self, index: int) -> str:
        """What a message calls a sample."""
        return f"sample {index}"

    def order(self) -> Array:
        """The order in which the samples are given to a model."""
        return np.arange(len(self))


def require_there(path: Path) -> None:
    """Refuse a path of data where nothing is, whatever kind of data its name reminds of."""
    # Unlike Path.exists, no error where a text is too long for a path.
    if not os.path.exists(path):  # noqa: PTH110
        raise FileError(
            f"{shown(path)} does not exist; a folder of images or a file of texts is wanted (texts "
            "themselves come in a list)"
        )


def as_labels(values: Any, n: int, name: str) -> tuple[Array, tuple[str, ...] | None]:
    """Labels as numbers, and the names of the classes where labels are words.

    Words that are all whole numbers, or all numbers, are taken as such.

    Raises
    ------
    ValueError
        There are not n labels, or one is missing.
    """
    labels = np.asarray(values.detach().cpu() if hasattr(values, "detach") else values)
    if labels.shape != (n,):
        raise ValueError(f"{name} must have shape ({n},), one a sample, got {labels.shape}")
    if labels.dtype.kind in "OUS":
        labels, classes = _of_words([str(label).strip() for label in labels.tolist()], name)
        if classes is not None:
            return labels, classes
    if labels.dtype.kind in "biu":
        return labels.astype(np.int64), None
    if labels.dtype.kind != "f":
        raise TypeError(f"{name} must be numbers or words, got dtype {labels.dtype}")
    labels = labels.astype(np.float64)
    if not np.isfinite(labels).all():
        first = int(np.argmin(np.isfinite(labels)))
        raise ValueError(f"{name} has no label (NaN or infinity) at sample {first}; leave it out")
    return labels, None


def _of_words(words: Sequence[str], name: str) -> tuple[Array, tuple[str, ...] | None]:
    if "" in words:
        raise ValueError(f"{name} has no label at sample {words.index('')}; leave the sample out")
    for kind in (np.int64, np.float64):
        try:
            return np.array([kind(word) for word in words]), None
        except ValueError:
            pass
    classes = tuple(sorted(set(words), key=natural_key))
    number = {word: i for i, word in enumerate(classes)}
    return np.array([number[word] for word in words], np.int64), classes
