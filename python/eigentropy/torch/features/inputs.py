"""Arrays as samples that the model is given as they are, and what other data are taken for."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import torch

from eigentropy.torch.features import digests
from eigentropy.torch.features.images import ImageArray, ImageFolder
from eigentropy.torch.features.sample_sets import SampleSet, as_labels, require_there
from eigentropy.torch.features.texts import TextFile, TextList


class Inputs(SampleSet):
    """Arrays or tensors that are given to the model as they are, without any preprocessing.

    Parameters
    ----------
    X : array or tensor of shape (n, ...)
    labels : array-like of shape (n,), optional

    Raises
    ------
    ValueError, TypeError
        X has no sample, or is no array.
    """

    kind = "inputs"

    def __init__(self, X: Any, labels: Any = None) -> None:
        self._inputs = X.detach().cpu() if isinstance(X, torch.Tensor) else np.asarray(X)
        shape = tuple(self._inputs.shape)
        if isinstance(self._inputs, np.ndarray) and self._inputs.dtype.kind not in "biuf":
            raise TypeError(
                "data must be a folder, a file, texts or an array of numbers, got "
                f"{type(X).__name__} (dtype {self._inputs.dtype})"
            )
        if shape[:1] in ((), (0,)):
            raise ValueError(f"data must be an array of at least one sample, got shape {shape}")
        if labels is not None:
            self.labels, self.classes = as_labels(labels, len(self), "labels")

    def __len__(self) -> int:
        return len(self._inputs)

    def __getitem__(self, index: int) -> torch.Tensor:
        one = self._inputs[index]
        # A copy: rows of a file that is mapped cannot be lent to a tensor.
        return one if isinstance(one, torch.Tensor) else torch.from_numpy(np.array(one))

    def digest(self) -> str:
        """SHA-256 of shape, type and bytes."""
        if isinstance(self._inputs, np.ndarray):
            return digests.of_array(self._inputs)
        return digests.of_parts(digests.tensor_parts("inputs", self._inputs))


def as_samples(data: Any) -> SampleSet:
    """Data as samples: a path of a folder or file, texts, pictures as bytes, or other arrays."""
    if isinstance(data, SampleSet):
        return data
    if isinstance(data, (str, os.PathLike)):
        require_there(Path(data))
        return ImageFolder(data) if Path(data).is_dir() else TextFile(data)
    if isinstance(data, (list, tuple)) and all(isinstance(one, str) for one in data):
        return TextList(data)
    name = str(getattr(data, "dtype", "")).removeprefix("torch.")
    return ImageArray(data) if name == "uint8" and data.ndim > 2 else Inputs(data)
