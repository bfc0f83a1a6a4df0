"""Images as samples: from a folder, or from an array of bytes."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from eigentropy._support.warnings import warn
from eigentropy.io.paths import FileError, listed, shown
from eigentropy.io.snapshot_files import natural_key
from eigentropy.torch.features import digests
from eigentropy.torch.features.packages import required
from eigentropy.torch.features.sample_sets import SampleSet, as_labels, require_there

Array = npt.NDArray[Any]

SUFFIXES = (
    ".bmp", ".gif", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp",
)  # fmt: skip

# Modes of Pillow with more than 8 bits a pixel, which its conversion to RGB would cut off.
_DEEP = ("I", "I;16", "I;16B", "I;16L", "F")


class ImageFolder(SampleSet):
    """The images of a folder, in the natural order of their names (2.png before 10.png).

    Images in subfolders are labelled by the subfolder's name; in a flat folder they have no
    labels. Hidden files and files of other kinds are passed over. An image that cannot be read is
    an error that names it, when its turn comes: left out, it would shift the rows of one model
    against those of others.

    Parameters
    ----------
    path : str or path

    Raises
    ------
    FileError
        There is no such folder, it has no images, or it has images beside subfolders of images.
    """

    kind = "images"

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        require_there(self.path)
        if not self.path.is_dir():
            raise FileError(f"{shown(self.path)} is no folder; a folder of images is wanted")
        groups = {
            folder.name: found
            for folder in sorted(self.path.iterdir(), key=lambda one: natural_key(one.name))
            if folder.is_dir() and not folder.name.startswith(".")
            if (found := self._without_images(folder, list(_images(folder, deep=True))))
        }
        flat = list(_images(self.path, deep=False))
        if flat and groups:
            raise FileError(
                f"{shown(self.path)} has {len(flat)} images beside the subfolders "
                f"{listed(list(groups), 5)}; put all into subfolders, one a class, or none"
            )
        if not flat and not groups:
            raise FileError(
                f"{shown(self.path)} has no image; files that end in {', '.join(SUFFIXES)} are "
                "looked for, there and in its subfolders, one a class"
            )
        self._files = flat or [file for found in groups.values() for file in found]
        self._digest: str | None = None
        if groups:
            self.classes = tuple(groups)
            self.labels = np.repeat(np.arange(len(groups)), [len(one) for one in groups.values()])

    def _without_images(self, folder: Path, found: list[Path]) -> list[Path]:
        if not found:
            warn(f"{shown(folder)} has no image, and is no class of {shown(self.path)}")
        return found

    def __len__(self) -> int:
        return len(self._files)

    def __getitem__(self, index: int) -> Any:
        return _opened(self._files[index])

    def name(self, index: int) -> str:
        """The file of an image."""
        return shown(self._files[index])

    def digest(self) -> str:
        """SHA-256 of the files and their names in the folder; read once."""
        if self._digest is None:
            names = (os.fspath(file.relative_to(self.path)) for file in self._files)
            contents = (digests.of_file(file) for file in self._files)
            pairs = zip(names, contents, strict=True)
            self._digest = digests.of_parts(part for pair in pairs for part in pair)
        return self._digest


def _images(folder: Path, *, deep: bool) -> Iterator[Path]:
    found = folder.rglob("*") if deep else folder.iterdir()
    inside = {file: os.fspath(file.relative_to(folder)) for file in found}
    for file in sorted(inside, key=lambda one: natural_key(inside[one])):
        hidden = any(part.startswith(".") for part in Path(inside[file]).parts)
        if not hidden and file.suffix.lower() in SUFFIXES and file.is_file():
            yield file


def _opened(path: Path) -> Any:
    """A picture in RGB, whatever the file has."""
    image = required("PIL.Image", "images")
    try:
        with image.open(path) as picture:
            if picture.mode in _DEEP:
                raise ValueError(f"it has more than 8 bits a pixel (mode {picture.mode})")
            if picture.info.get("transparency") is not None:
                return picture.convert("RGBA").convert("RGB")
            return picture.convert("RGB")
    except (OSError, ValueError, SyntaxError, image.DecompressionBombError) as error:
        reason = " ".join(str(error).split())
        raise FileError(
            f"{shown(path)} cannot be read as an image: {reason}; mend it, or take it out of the "
            "folder"
        ) from error


class ImageArray(SampleSet):
    """Pictures that are in memory, as bytes.

    Parameters
    ----------
    X : array of uint8, of shape (n, height, width) or (n, height, width, 1, 3 or 4)
    labels : array-like of shape (n,), optional

    Raises
    ------
    ValueError
        X has another shape or type.
    """

    kind = "images"

    def __init__(self, X: Any, labels: Any = None) -> None:
        array = np.asarray(X.cpu() if hasattr(X, "cpu") else X)
        fits = array.ndim == 3 or (array.ndim == 4 and array.shape[3] in (1, 3, 4))
        if array.dtype != np.uint8 or not fits or array.size == 0:
            raise ValueError(
                "images must be an array of uint8 of shape (n, height, width, 3), or without the "
                f"last axis if they are grey, got {array.dtype} of shape {array.shape}; colours "
                "come last, and Inputs(X) gives arrays to the model as they are"
            )
        self._pictures = array[..., 0] if array.shape[3:] == (1,) else array
        if labels is not None:
            self.labels, self.classes = as_labels(labels, len(array), "labels")

    def __len__(self) -> int:
        return len(self._pictures)

    def __getitem__(self, index: int) -> Any:
        image = required("PIL.Image", "images")
        return image.fromarray(self._pictures[index]).convert("RGB")

    def digest(self) -> str:
        """SHA-256 of the bytes."""
        return digests.of_array(self._pictures)
