"""Data sets as tensors at their own size: scikit-learn's digits, cached files, torchvision's."""

from __future__ import annotations

import fcntl
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from eigentropy.io.paths import FileError, shown
from eigentropy.studies.courses import TORCHVISION, cache, missing, stored
from eigentropy.studies.data import Labels
from eigentropy.studies.models import halves
from eigentropy.studies.networks import SIDE


@dataclass(frozen=True)
class Pictures:
    """Pictures (n, channels, side, side), bytes or numbers from 0 to 1, and their classes (n,)."""

    X: torch.Tensor
    y: Labels

    def __len__(self) -> int:
        """The number of pictures."""
        return len(self.X)

    @property
    def classes(self) -> int:
        """Their number; labels count from 0."""
        return int(self.y.max()) + 1

    def some(self, rows: Any) -> Pictures:
        """The pictures with these row numbers."""
        return Pictures(self.X[torch.from_numpy(rows)], self.y[rows])

    def at_most(self, count: int, seed: int) -> Pictures:
        """All pictures, or `count` of them drawn at random."""
        if len(self) <= count:
            return self
        rng = np.random.default_rng([seed, 9])
        return self.some(np.sort(rng.choice(len(self), count, replace=False)))

    def relabelled(self, y: Labels) -> Pictures:
        """The same pictures with other labels."""
        return replace(self, y=y)


def load(data: str, digits: int | None = None) -> tuple[Pictures, Pictures]:
    """Pictures to train on, and held-out pictures; `digits` limits the number in each half."""
    if data == "digits":
        first, second, y_first, y_second = halves(digits)
        return _digits(first, y_first), _digits(second, y_second)
    if stored(data).exists():
        return _stored(stored(data))
    if data not in TORCHVISION:
        raise missing(data)
    return _torchvision(data, True), _torchvision(data, False)


def _digits(X: Any, y: Labels) -> Pictures:
    return Pictures(torch.from_numpy(X.astype(np.float32)).reshape(-1, 1, SIDE, SIDE), y)


def _stored(path: Path) -> tuple[Pictures, Pictures]:
    try:
        with path.open("rb") as file, np.load(file) as arrays:
            X, y = arrays["X"], arrays["y"]
            heldout = arrays["heldout"] if "heldout" in arrays else fifth(y)
    except (KeyError, ValueError, OSError, EOFError, zipfile.BadZipFile) as error:
        raise FileError(
            f"{shown(path)} does not hold pictures X and their classes y ({error}); remove it and "
            f"write it anew: python scripts/fetch_study_data.py {path.stem}"
        ) from error
    first, second = (Pictures(torch.from_numpy(X[rows]), y[rows]) for rows in (~heldout, heldout))
    return first, second


def fifth(y: Labels) -> npt.NDArray[np.bool_]:
    """Which rows are held out where a package does not say: of each class a fifth, always the same.

    4000 of 5000 digits are left to train on.
    """
    rng = np.random.default_rng(0)
    heldout = np.zeros(len(y), dtype=bool)
    for label in np.unique(y):
        rows = rng.permutation(np.flatnonzero(y == label))
        heldout[rows[: round(len(rows) / 5)]] = True
    return heldout


def _torchvision(data: str, training: bool) -> Pictures:
    from torchvision import datasets

    root = cache()
    root.mkdir(parents=True, exist_ok=True)
    with _alone(root / f"{data}.lock"):
        if data == "stl10":
            found = datasets.STL10(root, split="train" if training else "test", download=True)
            return Pictures(torch.from_numpy(np.array(found.data)), _classes(found.labels))
        kind = {"mnist": datasets.MNIST, "cifar10": datasets.CIFAR10}[data]
        found = kind(root, train=training, download=True)
    X = torch.from_numpy(np.asarray(found.data))
    X = X[:, None] if data == "mnist" else X.permute(0, 3, 1, 2).contiguous()
    return Pictures(X, _classes(found.targets))


def _classes(y: Any) -> Labels:
    return np.asarray(y).astype(np.int64)


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """One process downloads, the others wait for it."""
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
