"""Pictures of the study `imagenet`: the classes of Imagenette and Imagewoof, or stand-ins."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from eigentropy.io.paths import FileError, shown
from eigentropy.studies.courses import cache

IMAGENETTE = {
    "n01440764": "tench",
    "n02102040": "English springer",
    "n02979186": "cassette player",
    "n03000684": "chain saw",
    "n03028079": "church",
    "n03394916": "French horn",
    "n03417042": "garbage truck",
    "n03425413": "gas pump",
    "n03445777": "golf ball",
    "n03888257": "parachute",
}
IMAGEWOOF = {
    "n02086240": "Shih-Tzu",
    "n02087394": "Rhodesian ridgeback",
    "n02088364": "beagle",
    "n02089973": "English foxhound",
    "n02093754": "Border terrier",
    "n02096294": "Australian terrier",
    "n02099601": "golden retriever",
    "n02105641": "Old English sheepdog",
    "n02111889": "Samoyed",
    "n02115641": "dingo",
}
CLASSES = {**IMAGENETTE, **IMAGEWOOF}

# Where the folders of the classes are looked for, in the cache of data sets, the first first.
# Imagenette and Imagewoof divide their pictures in their own way, into training and validation.
VALIDATION = "imagenet/val"
DIVIDED = tuple(f"{name}/{part}" for name in ("imagenette2", "imagewoof2")
                for part in ("train", "val"))  # fmt: skip

# How ImageNet names what it has not trained its networks on.
OF_VALIDATION = "ILSVRC2012_val_"
SUFFIXES = (".jpeg", ".jpg", ".png")

# Of the pixels that are clustered, for information about the input.
SIDE = 64

# The files of each class.
Pictures = dict[str, list[Path]]


def chosen(per_class: int, root: Path | None = None) -> Pictures:
    """The first `per_class` pictures of each class, by their names.

    Only of ImageNet's validation: networks have learned the others.

    Raises
    ------
    FileError
        A class has no folder, or fewer pictures.
    """
    root = cache() if root is None else root
    found = {name: _of_class(root, name) for name in CLASSES}
    missing = [name for name, files in found.items() if not files]
    if missing:
        raise FileError(
            f"there are no pictures of {len(missing)} of {len(CLASSES)} classes, such as "
            f"{missing[0]} ({CLASSES[missing[0]]}), in {shown(root)}; "
            f"{VALIDATION}/{missing[0]} of ImageNet's validation is wanted, or both imagenette2 "
            "and imagewoof2 with their folders train and val"
        )
    for name, files in found.items():
        if len(files) < per_class:
            raise FileError(
                f"{name} ({CLASSES[name]}) has {len(files)} pictures of ImageNet's validation, "
                f"{shown(files[0])} and others, but {per_class} are wanted"
            )
    return {name: files[:per_class] for name, files in found.items()}


def _of_class(root: Path, name: str) -> list[Path]:
    if (root / VALIDATION / name).is_dir():
        return _sorted((root / VALIDATION / name).iterdir())
    files = [file for place in DIVIDED for file in (root / place / name).glob(OF_VALIDATION + "*")]
    return _sorted(files)


def _sorted(files: Any) -> list[Path]:
    found = [file for file in files if file.suffix.lower() in SUFFIXES]
    return sorted(found, key=lambda file: file.name)


def linked(pictures: Pictures, folder: Path) -> Path:
    """A folder with a folder of links for each class. It is there as a whole, or not at all."""
    if folder.is_dir():
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    making = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    for name, files in pictures.items():
        (making / name).mkdir()
        for file in files:
            (making / name / file.name).symlink_to(file.resolve())
    try:
        os.rename(making, folder)  # noqa: PTH104
    except OSError:  # another process was first
        shutil.rmtree(making)
    return folder


def pixels(images: Iterable[Any]) -> npt.NDArray[np.float32]:
    """Pictures of Pillow at 64 x 64 pixels, their middle squares, one row each, from 0 to 1."""
    from PIL import Image, ImageOps

    size, way = (SIDE, SIDE), Image.Resampling.BICUBIC
    rows = [np.asarray(ImageOps.fit(image, size, way), np.float32).ravel() for image in images]
    return np.stack(rows) / np.float32(255.0)
