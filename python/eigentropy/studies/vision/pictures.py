"""Data sets as tensors: scikit-learn's digits, and torchvision's at their own size."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

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
    return _torchvision(data, True), _torchvision(data, False)


def _digits(X: Any, y: Labels) -> Pictures:
    return Pictures(torch.from_numpy(X.astype(np.float32)).reshape(-1, 1, SIDE, SIDE), y)


def cache() -> Path:
    """Where data sets are downloaded to: $EIGENTROPY_DATA, or the user's cache."""
    if "EIGENTROPY_DATA" in os.environ:
        return Path(os.environ["EIGENTROPY_DATA"])
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "eigentropy"


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
