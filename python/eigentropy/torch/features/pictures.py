"""From a picture to a tensor, for models that bring no transform of their own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from eigentropy._support import options
from eigentropy._support.signatures import check_options

INTERPOLATIONS = ("nearest", "bilinear", "bicubic", "lanczos")

# What `preprocessing=` may say of images.
KEYS = ("size", "mean", "std", "crop", "interpolation")


@dataclass(frozen=True)
class Picture:
    """Resize the shorter side, cut out the middle, scale to 0 .. 1, subtract the mean, divide.

    Attributes
    ----------
    size : tuple of int
        Height and width of what the model gets.
    mean, std : tuple of float
        One a channel, or one for all, of values from 0 to 1.
    crop : float
        Share of the resized picture's shorter side that is kept.
    interpolation : str
        Of the resizing, with antialiasing.
    """

    size: tuple[int, int]
    mean: tuple[float, ...] = (0.0,)
    std: tuple[float, ...] = (1.0,)
    crop: float = 1.0
    interpolation: str = "bicubic"

    def __call__(self, image: Any) -> torch.Tensor:
        """The tensor (channels, height, width) of a picture of Pillow."""
        height, width = self.size
        scale = max(height / image.height, width / image.width) / self.crop
        enlarged = max(width, round(scale * image.width)), max(height, round(scale * image.height))
        # The numbers of Pillow's filters, which keep their meaning.
        resample = {"nearest": 0, "lanczos": 1, "bilinear": 2, "bicubic": 3}[self.interpolation]
        left, top = (enlarged[0] - width) // 2, (enlarged[1] - height) // 2
        cut = image.resize(enlarged, resample).crop((left, top, left + width, top + height))
        values = np.asarray(cut, np.float32) / np.float32(255.0)
        mean, std = np.array(self.mean, np.float32), np.array(self.std, np.float32)
        scaled = (values - mean) / std
        return torch.from_numpy(np.ascontiguousarray(scaled.transpose(2, 0, 1)))


def checked(source: str, given: Mapping[str, Any], known: Sequence[str] = KEYS) -> dict[str, Any]:
    """What `preprocessing=` says of images, or of texts, with its numbers checked.

    Raises
    ------
    TypeError, ValueError
        A key that the source does not have, with the nearest one; a value that cannot be.
    """
    check_options(f"preprocessing of {source}", given, known)
    found = dict(given)
    if "size" in found:
        found["size"] = _size(found["size"])
    for key in ("mean", "std"):
        if key in found:
            found[key] = _channels(found[key], key)
    if "crop" in found:
        found["crop"] = options.positive(found["crop"], "crop")
        if found["crop"] > 1.0:
            raise ValueError(f"crop must be at most 1, the share that is kept, got {found['crop']}")
    if "interpolation" in found:
        options.one_of(found["interpolation"], "interpolation", INTERPOLATIONS)
    if "max_length" in found:
        found["max_length"] = options.integer(found["max_length"], "max_length", at_least=1)
    return found


def _size(value: Any) -> tuple[int, int]:
    sides = value if isinstance(value, (tuple, list)) else (value, value)
    if len(sides) != 2:
        raise ValueError(f"size must be one number or (height, width), got {value!r}")
    height, width = (options.integer(side, "size", at_least=1) for side in sides)
    return height, width


def _channels(value: Any, name: str) -> tuple[float, ...]:
    numbers = value if isinstance(value, (tuple, list)) else (value,)
    check = options.positive if name == "std" else _finite
    if len(numbers) not in (1, 3):
        raise ValueError(f"{name} must be one number or three, one a channel, got {value!r}")
    three = [*numbers] * (3 // len(numbers))  # as every library takes them
    return tuple(check(number, name) for number in three)


def _finite(value: Any, name: str) -> float:
    if not np.isfinite(value):
        raise ValueError(f"{name} must be finite, got {value!r}")
    return float(value)
